import json
from importlib.resources import files

import pytest

from medvision.catalog import (
    Window,
    anatomy_group,
    canonical_label,
    ct_window,
    is_averaged,
    is_tumor_lesion,
)
from medvision.catalog.anatomy import anatomy_facts

SOFT_TISSUE = Window(width_hu=400, level_hu=40)
LUNG = Window(width_hu=1500, level_hu=-600)
BRAIN = Window(width_hu=80, level_hu=40)
BONE = Window(width_hu=1800, level_hu=400)

SIDES = ("left", "right")
HIP_MUSCLES = [
    f"{side} {muscle}"
    for side in SIDES
    for muscle in ("gluteus maximus", "gluteus medius", "gluteus minimus", "iliopsoas")
]

RAW = json.loads(files("medvision.catalog").joinpath("anatomy_groups.json").read_text("utf-8"))

# Labels of each group in the published map, the predecessor's spellings it leaves out, and what
# datasets that came later name.
PUBLISHED_SIZES = {
    "Artery": 22, "Vein": 13, "Brain": 11, "Brain Tumor/Lesion": 11, "Heart": 9, "Lung": 7,
    "Lung Tumor/Lesion": 1, "Liver": 2, "Liver Tumor/Lesion": 3, "Kidney": 3,
    "Kidney Tumor/Lesion": 4, "Pancreas": 1, "Pancreas Tumor/Lesion": 1, "Gallbladder": 2,
    "Spleen": 1, "Adrenal Gland": 5, "Colon": 1, "Colon Tumor/Lesion": 1, "Intestine": 3,
    "Esophagus": 1, "Stomach": 1, "Urinary System": 2, "Uterus": 1, "Prostate": 3,
    "Head-Neck": 6, "Head-Neck Tumor/Lesion": 2, "Hip": 11, "Rib": 25, "Spine": 28,
    "Knee Bone": 4, "Knee Soft Tissue": 6, "Metastatic Lymph Node": 1,
    "Miscellaneous Tumor/Lesion": 3, "Jawbone": 4, "Tooth": 32, "Others": 15,
}  # fmt: skip
ADDED_SIZES = {
    "Artery": 2, "Brain Tumor/Lesion": 14, "Colon Tumor/Lesion": 1, "Head-Neck Tumor/Lesion": 3,
    "Liver": 1, "Liver Tumor/Lesion": 1, "Miscellaneous Tumor/Lesion": 1,
}  # fmt: skip
NEWER_SIZES = {
    "Head-Neck": 7, "Spine": 2, "Liver Tumor/Lesion": 1, "Miscellaneous Tumor/Lesion": 3,
}  # fmt: skip


def test_every_group_has_the_published_labels_and_the_added_spellings():
    sizes = {group: len(labels) for group, labels in RAW["groups"].items()}
    assert sizes == {
        group: n + ADDED_SIZES.get(group, 0) + NEWER_SIZES.get(group, 0)
        for group, n in PUBLISHED_SIZES.items()
    }


def test_no_label_is_in_two_groups():
    labels = [label for labels in RAW["groups"].values() for label in labels]
    assert (
        len(labels) == len(anatomy_facts().group_of_label) == sum(map(len, RAW["groups"].values()))
    )


@pytest.mark.parametrize(
    ("label", "group"),
    [
        ("liver", "Liver"),
        ("spleen", "Spleen"),
        ("right kidney", "Kidney"),
        ("left kidney", "Kidney"),
        ("aorta", "Artery"),
        ("liver tumor", "Liver Tumor/Lesion"),
        ("kidney cyst", "Kidney Tumor/Lesion"),
        ("vertebrae", "Spine"),
        ("brain", "Brain"),
        ("ventricles", "Brain"),
        ("cerebellum", "Brain"),
        ("enhancing brain tumor", "Brain Tumor/Lesion"),
        ("vertebra C1", "Spine"),
        ("arota", "Artery"),
        ("Precentral_L", "Others"),
        ("", "Others"),
    ],
)
def test_group_of_label(label, group):
    assert anatomy_group(label) == group


@pytest.mark.parametrize(
    "spelling", ["Right Kidney", " right   kidney ", "RIGHT_KIDNEY", "right\tkidney"]
)
def test_lookup_ignores_case_blanks_and_underscores(spelling):
    assert anatomy_group(spelling) == "Kidney"
    assert ct_window(spelling) == SOFT_TISSUE


@pytest.mark.parametrize(
    ("label", "window"),
    [
        ("liver", SOFT_TISSUE),
        ("lung cancer", LUNG),
        ("cerebellum", BRAIN),
        ("vertebra L4", BONE),
        ("left hip", BONE),
        ("skull", BONE),
        ("spinal cord", SOFT_TISSUE),
        ("intervertebral discs", SOFT_TISSUE),
        *[(muscle, SOFT_TISSUE) for muscle in HIP_MUSCLES],
        ("sternum", None),
        ("Precentral_L", None),
    ],
)
def test_ct_window_shows_the_structure(label, window):
    assert ct_window(label) == window


def test_labels_with_a_window_of_their_own_keep_their_group():
    assert anatomy_group("skull") == "Brain"
    assert {anatomy_group(muscle) for muscle in HIP_MUSCLES} == {"Hip"}
    assert {anatomy_group("spinal cord"), anatomy_group("intervertebral discs")} == {"Spine"}


def test_only_others_has_no_window():
    without = set(RAW["groups"]) - set(RAW["group_windows"])
    assert without == {"Others"}
    assert set(RAW["group_windows"]) <= set(RAW["groups"])


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Liver tumour", "liver tumor"),
        ("postcava (inferior vena cava)", "inferior vena cava"),
        ("gall bladder", "gallbladder"),
        ("arota", "aorta"),
        ("liver", "liver"),
        ("Precentral_L", "Precentral_L"),
        ("vertebra  T12", "vertebra T12"),
        ("anterior hippocampus", "anterior hippocampus"),
        ("peripheral zone of prostate", "peripheral zone of prostate"),
        ("deep grey matter", "deep grey matter"),
        ("external cerebrospinal fluid", "external cerebrospinal fluid"),
    ],
)
def test_canonical_name(label, name):
    assert canonical_label(label) == name


def test_canonical_names_are_stable():
    for name in RAW["canonical_labels"].values():
        assert canonical_label(name) == name


def test_canonical_names_stay_in_their_group():
    groups = RAW["groups"]
    known = {label: group for group, labels in groups.items() for label in labels}
    for label, name in RAW["canonical_labels"].items():
        assert known[name] == known[label], label


def test_tumor_lesion_groups():
    lesions = {group for group in RAW["groups"] if is_tumor_lesion(group)}
    by_name = {group for group in RAW["groups"] if group.endswith("Tumor/Lesion")}
    assert lesions == by_name | {"Metastatic Lymph Node"}


def test_averages_leave_out_others_and_miscellaneous():
    assert {group for group in RAW["groups"] if not is_averaged(group)} == {
        "Others",
        "Miscellaneous Tumor/Lesion",
    }
