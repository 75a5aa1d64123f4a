"""The declarations: complete, and corrected where the original was wrong."""

import re
from importlib import resources

import pytest

from medvision.catalog.anatomy import anatomy_facts, canonical_label, label_key
from medvision.catalog.asked import catalogued_images
from medvision.catalog.dataset import (
    Dataset,
    dataset_names,
    declared_image,
    load_dataset,
    parse_dataset,
)
from medvision.declarations import json_schema
from medvision.errors import UsageError

PAPER = [
    "ACDC",
    "AMOS22",
    "AbdomenAtlas1.0Mini",
    "AbdomenCT-1K",
    "BCV15",
    "BraTS24",
    "CAMUS",
    "Ceph-Biometrics-400",
    "CrossMoDA",
    "FLARE22",
    "FeTA24",
    "HNTSMRG24",
    "ISLES24",
    "KiPA22",
    "KiTS23",
    "MSD",
    "OAIZIB-CM",
    "SKM-TEA",
    "ToothFairy2",
    "TopCoW24",
    "TotalSegmentator",
    "autoPET-III",
]
NEWER = ["AFIDs", "DEEP-PSMA", "MAMA-MIA", "MSWAL", "PDDCA", "PI-CAI", "VerSe"]
PLANNED = ["LIDC-IDRI", "LNQ2023"]
SAMPLES = ["afids-mni", "colin27-aal", "mni152-tissue", "pyradiomics-tumors"]


def names_of(labels):
    return {int(label_id): label.name for label_id, label in labels.items()}


def test_the_papers_datasets_and_the_samples_are_declared():
    assert sorted(dataset_names()) == sorted(PAPER + NEWER + PLANNED + SAMPLES)


@pytest.mark.parametrize("name", PAPER + NEWER)
def test_every_label_has_a_group_and_its_canonical_name(name):
    groups = anatomy_facts().group_of_label
    for labels in load_dataset(name).label_sets().values():
        for label in labels.values():
            assert label.group == groups[label_key(label.name)]
            assert canonical_label(label.name) == label.name


@pytest.mark.parametrize("name", PAPER + NEWER)
def test_every_public_dataset_says_what_a_person_must_know(name):
    dataset = load_dataset(name)
    assert dataset.how_to_get
    assert dataset.licence
    assert re.match("https?://", dataset.homepage)
    assert dataset.citation
    assert dataset.access in ("open", "registration", "token")
    assert dataset.sources
    assert set(dataset.modalities) <= {"CT", "MRI", "US", "XR", "PET"}
    for cohort in dataset.cohorts:
        assert all(image.description for image in cohort.images)


@pytest.mark.parametrize("name", PLANNED)
def test_what_nobody_knows_of_newer_datasets_is_said(name):
    dataset = load_dataset(name)
    assert dataset.asks == dataset.planned
    assert not dataset.cohorts
    assert "no source read so far states them" in dataset.unverified[0]
    assert all(source.url for source in dataset.sources)


@pytest.mark.parametrize("name", NEWER)
def test_newer_datasets_can_be_built_and_say_what_nobody_knows(name):
    dataset = load_dataset(name)
    assert dataset.cohorts
    assert not dataset.planned
    assert dataset.published is None
    assert any("ublished counts" in doubt for doubt in dataset.unverified)


@pytest.mark.parametrize("name", PAPER)
def test_published_counts_add_up(name):
    counts = load_dataset(name).published
    assert counts.images >= counts.masks
    assert counts.slice_label_pairs >= counts.single_instance_samples
    dataset = load_dataset(name)
    assert bool(counts.measurements) == ("ad" in dataset.asks)
    assert bool(counts.slice_label_pairs) == ("detection" in dataset.asks)
    assert (counts.tl_single is not None) == ("tl" in dataset.asks)
    if counts.tl_single is not None:
        assert counts.tl_multi >= counts.tl_single


def test_digests_are_digests():
    downloads = [
        (source, one)
        for name in dataset_names()
        for source in load_dataset(name).sources
        for one in source.downloads
    ]
    pins = [one.sha256 for _, one in downloads if one.sha256]
    assert len(pins) == 28
    assert all(re.fullmatch("[0-9a-f]{64}", pin) for pin in pins)
    assert len(set(pins)) == len(pins)
    assert all(re.fullmatch("[0-9a-f]{32}", one.md5) for _, one in downloads if one.md5)
    for source, _ in downloads:
        assert re.fullmatch("[0-9a-f]{40}|", source.revision)


def test_corrections_of_sources_and_terms():
    assert load_dataset("AbdomenAtlas1.0Mini").access == "token"
    isles = load_dataset("ISLES24")
    assert (isles.licence, isles.sources[0].id) == ("CC BY-NC-SA 4.0", "17652035")
    assert load_dataset("TopCoW24").sources[0].id == "15692630"
    tooth = load_dataset("ToothFairy2")
    assert tooth.subject("ToothFairy2P_077") == "ToothFairy2P_077"
    assert tooth.subject("ToothFairy2F_001") == "ToothFairy2F_001"


def test_no_declaration_keeps_a_misspelling_of_the_original():
    folder = resources.files("medvision.catalog") / "datasets"
    words = ["arota", "arterr", "marjor", "appearance diffusion", "incision", 'eminence "']
    for entry in folder.iterdir():
        told = r'was = "[^"]*"|# was [^\n]*|changes = \[.*?\n\]'
        kept = re.sub(told, "", entry.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert [word for word in words if word in kept] == [], entry.name


def test_camus_ids_one_and_two_are_cavity_and_muscle():
    labels = load_dataset("CAMUS").labels
    assert names_of(labels)[1] == "left ventricular cavity"
    assert names_of(labels)[2] == "left ventricular myocardium"
    assert labels["1"].was == "left ventricular myocardium"


def test_one_structure_has_one_name_in_all_datasets():
    vein = "inferior vena cava"
    assert names_of(load_dataset("AMOS22").labels)[9] == vein
    assert names_of(load_dataset("AbdomenAtlas1.0Mini").labels)[7] == vein
    assert names_of(load_dataset("BCV15").cohort("abdomen").labels)[9] == vein
    assert names_of(load_dataset("FLARE22").labels)[6] == vein
    assert names_of(load_dataset("TotalSegmentator").cohort("MR").labels)[24] == vein


@pytest.mark.parametrize(
    ("dataset", "cohort", "image", "applies"),
    [
        ("ToothFairy2", "", "image", False),
        ("KiPA22", "", "image", False),
        ("TopCoW24", "CT", "image", False),
        ("KiTS23", "", "image", True),
    ],
)
def test_ct_windows_apply_to_hounsfield_units_only(dataset, cohort, image, applies):
    assert declared_image(dataset, cohort, image).ct_window is applies


@pytest.mark.parametrize(
    ("name", "cases", "subjects"),
    [
        ("BraTS24", ["BraTS-GLI-02405-100", "BraTS-GLI-02405-101"], 1),
        ("BraTS24", ["BraTS-GLI-00005-100", "BraTS-MET-00005-000"], 2),
        ("TopCoW24", ["topcow_ct_017", "topcow_mr_017"], 1),
        ("HNTSMRG24", ["12_preRT", "12_midRT"], 1),
        ("HNTSMRG24", ["1_preRT", "12_midRT"], 2),
        ("ACDC", ["patient001_frame01", "patient001_frame12"], 1),
        ("CAMUS", ["patient0001_2CH_half_sequence", "patient0001_4CH_half_sequence"], 1),
        ("autoPET-III", ["psma_1a_2018-04-16", "psma_1a_2019-01-02"], 1),
    ],
)
def test_sequences_and_time_points_share_their_subject(name, cases, subjects):
    dataset = load_dataset(name)
    assert len({dataset.subject(case) for case in cases}) == subjects


def test_every_lesion_label_is_measured_on_one_image_that_shows_it():
    brats = catalogued_images("BraTS24").measured_on["GLI"]
    assert brats["3"] == "t1c"  # enhancing: needs the contrast agent
    assert brats["2"] == "t2f"
    assert catalogued_images("MSD").measured_on["BrainTumour"]["1"] == "FLAIR"  # oedema
    assert catalogued_images("autoPET-III").measured_on[""]["1"] == "PET"
    assert "1" not in catalogued_images("KiTS23").measured_on[""]
    assert catalogued_images("my own").measured_on == {}


def test_fetal_biometry_is_described():
    image = declared_image("FeTA24", "biometry", "image")
    assert (image.modality, image.was) == ("MRI", "empty")
    assert "fetal brain" in image.description


def test_known_exclusions_and_placeholders_are_named():
    assert list(load_dataset("BraTS24").cohort("MET").excluded) == ["BraTS-MET-00232-000"]
    assert len(load_dataset("FeTA24").cohort("biometry").excluded) == 5
    assert not load_dataset("FeTA24").cohort("tissue").excluded
    assert len(set(load_dataset("AbdomenCT-1K").cohort("").placeholder_spacing)) == 20


def test_shared_scans_are_declared():
    overlaps = {o.dataset for o in load_dataset("AbdomenAtlas1.0Mini").overlaps}
    assert overlaps >= {"KiTS23", "MSD", "AMOS22", "BCV15"}
    assert {o.dataset for o in load_dataset("AbdomenCT-1K").overlaps} == {"KiTS23", "MSD"}


def test_unknown_lookups_list_the_known():
    dataset = load_dataset("BCV15")
    with pytest.raises(UsageError, match="known: \\['abdomen', 'cervix'\\]"):
        dataset.cohort("pelvis")
    with pytest.raises(UsageError, match="no tl task '01'; known: none"):
        dataset.task("tl", "01")
    with pytest.raises(UsageError, match="finds no subject in case 'x'"):
        load_dataset("HNTSMRG24").subject("x")
    with pytest.raises(UsageError, match=r"x\.toml: expected TOML"):
        parse_dataset("name = ", "x.toml")


TOY = """
name = "toy"
title = "Toy"
description = "CT"
licence = "CC0"
homepage = "https://example.org"
citation = "Nobody"
access = "open"
overlaps = ["KiTS23", { dataset = "MSD", note = "liver" }]
[labels]
1 = "liver"
2 = { name = "spleen", asked = false }
[biometrics.landmarks]
a = "left end"
b = "right end"
[biometrics.lines.ab]
points = ["a", "b"]
[[biometrics.measure]]
kind = "distance"
key = "ab"
"""


def test_a_record_may_be_written_as_its_first_field():
    dataset = parse_dataset(TOY, "toy.toml")
    assert names_of(dataset.labels) == {1: "liver", 2: "spleen"}
    assert [overlap.dataset for overlap in dataset.overlaps] == ["KiTS23", "MSD"]
    assert dataset.biometrics.lines["ab"].name == "distance between left end and right end"


@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        ('1 = "liver"', "1 = 5", "labels.1: expected text or a table of keys, found 5"),
        ("asked = false", "asked = 0", "labels.2.asked: expected true or false, found 0"),
        ("asked", "askd", "labels.2: unknown key 'askd'; did you mean 'asked'? known: asked, "),
        ('access = "open"', 'access = "opne"', "access: expected one of open, registration, token"),
        ('"KiTS23"', '{ note = "x" }', "overlaps[0]: missing key 'dataset'"),
        ("[labels]", "size_mb = 0\n[labels]", "size_mb: expected a value greater than 0, found 0"),
        ("[labels]", "spacing_yx_mm = [1]\n[labels]", "spacing_yx_mm: expected 2 values, found 1"),
        ("[labels]", "spacing_yx_mm = [1, nan]\n[labels]", "spacing_yx_mm[1]: expected a finite"),
        ('["a", "b"]', '["a", "c"]', "biometrics: lines.ab: unknown landmark 'c'; known: a, b"),
        ('key = "ab"', 'key = "ac"', "biometrics: measure[0].key: unknown line 'ac'; known: ab"),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_place(good, bad, line):
    assert good in TOY
    with pytest.raises(UsageError) as caught:
        parse_dataset(TOY.replace(good, bad), "toy.toml")
    assert str(caught.value).startswith(f"toy.toml: {line}")


def test_a_schema_describes_declarations_to_editors():
    schema = json_schema(Dataset)
    assert schema["required"] == ["name"]  # what else the catalogue needs, its check says
    access, _null = schema["properties"]["access"]["anyOf"]
    assert access["enum"] == ["open", "registration", "token"]
    parts = schema["$defs"]
    assert {"Label", "Cohort", "Image", "Source", "BiometricsSpec"} <= set(parts)
    assert parts["DatasetTask"]["properties"]["asks"]["items"] == {"$ref": "#/$defs/Task"}
    assert "sha256" in parts["Source"]["properties"]
