from pathlib import Path
from unicodedata import normalize

import pytest

from medvision.errors import UsageError
from medvision.table.folders import Folders, find_cases


def folder(parent, name, *files):
    made = parent / name
    made.mkdir(parents=True)
    for file in files:
        (made / file).touch()
    return made


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.nii.gz", "a.nii.gz"),
        ("a_0000.nii.gz", "a.nii.gz"),
        ("a.nii.gz", "a-seg.nii.gz"),
        ("a.nii.gz", "a_gtv.nii.gz"),
        ("a_image.nrrd", "a_label.nrrd"),
        ("a.png", "a_mask.png"),
        ("a.nii.gz", "a.seg.nrrd"),
        ("a_0000.nii.gz", "a.seg.nrrd"),
        ("a.nii.gz", "a.label.nii.gz"),
    ],
)
def test_common_names_pair(tmp_path, image, mask):
    folders = Folders(images=folder(tmp_path, "i", image), masks=folder(tmp_path, "m", mask))
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["a"]
    assert cases[0].images[0].id == "image"
    assert not unpaired


def test_missing_partner_is_listed_and_keeps_its_subject(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii.gz", "b.nii.gz"),
        masks=folder(tmp_path, "m", "b.nii.gz", "c.nii.gz"),
    )
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["b"]
    # An image is a case that waits for its mask; a mask alone may be a file by another name.
    assert [(entry.case_id, entry.subject_id) for entry in unpaired] == [("a", "a"), ("c", "")]
    assert "no mask" in unpaired[0].message
    assert "no image" in unpaired[1].message


def test_channels_are_images_of_one_case(tmp_path):
    files = ("p_0000.nii.gz", "p_0001.nii.gz")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", "p.nii.gz"))
    cases, _ = find_cases(folders, modality="MRI")
    assert [image.id for image in cases[0].images] == ["0000", "0001"]


def test_subject_pattern_groups_cases(tmp_path):
    files = ("s1-t1.nii", "s1-t2.nii", "s2-t1.nii")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", *files))
    cases, _ = find_cases(folders, modality="MRI", subject_pattern=r"^(s\d+)-")
    assert [case.subject for case in cases] == ["s1", "s1", "s2"]


def test_two_masks_of_one_case_are_refused(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii"), masks=folder(tmp_path, "m", "a.nii", "a-seg.nii")
    )
    cases, [lacking] = find_cases(folders, modality="CT")
    assert (cases, lacking.reason, lacking.subject_id) == ((), "ambiguous", "a")
    assert lacking.message == "case a: a-seg.nii and a.nii both name it, keep one"


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="--images: expected a folder"):
        find_cases(Folders(images=tmp_path / "none"), modality="CT")


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        (["p_0001.png", "p_0002.png"], ["p_0001.png", "p_0002.png"], ["p_0001", "p_0002"]),
        (["p_0001.nii"], ["p_0001_seg.nii"], ["p_0001"]),
        (["p_0001.nii"], ["p_0001.seg.nrrd"], ["p_0001"]),
        (["p_0001_image.nii"], ["p_0001-seg.nii"], ["p_0001"]),
        (
            ["p_0001_0000.nii", "p_0002_0000.nii"],
            ["p_0001.nii", "p_0002.nii"],
            ["p_0001", "p_0002"],
        ),
        (["a_label.nii", "b_label.nii"], ["a_label.nii", "b_label.nii"], ["a_label", "b_label"]),
        (["a_img.nii", "a.nii"], ["a_img.nii", "a.nii"], ["a", "a_img"]),
    ],
)
def test_whole_names_pair_before_they_are_taken_apart(tmp_path, images, masks, expected):
    folders = Folders(images=folder(tmp_path, "i", *images), masks=folder(tmp_path, "m", *masks))
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == expected
    assert [case.subject for case in cases] == expected
    assert all(len(case.images) == 1 for case in cases)
    assert not unpaired


def test_image_with_four_digits_and_no_mask_is_no_channel_of_another_case(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "patient.png", "patient_0001.png", "patient_0002.png"),
        masks=folder(tmp_path, "m", "patient_0001.png"),
    )
    cases, unpaired = find_cases(folders, modality="US")
    assert [case.case_id for case in cases] == ["patient_0001"]
    assert [entry.case_id for entry in unpaired] == ["patient", "patient_0002"]


@pytest.mark.parametrize(("of_image", "of_mask"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_letters_of_one_or_two_characters_are_the_same(tmp_path, of_image, of_mask):
    image, mask = (f"{normalize(form, 'Müller')}.nii.gz" for form in (of_image, of_mask))
    folders = Folders(images=folder(tmp_path, "i", image), masks=folder(tmp_path, "m", mask))
    [case], unpaired = find_cases(folders, modality="CT")
    assert case.case_id == normalize("NFC", "Müller")
    assert Path(case.mask).exists()
    assert Path(case.images[0].files).exists()
    assert not unpaired


@pytest.mark.parametrize(
    "twice", [("a.nii", "a.nii.gz"), ("a.nii", "a_image.nii"), ("a.mha", "a.nrrd"), ("a", "a.nii")]
)
def test_two_images_of_one_case_are_refused(tmp_path, twice):
    images = folder(tmp_path, "i", *(name for name in twice if "." in name))
    if "a" in twice:
        (images / "a").mkdir()
    folders = Folders(images=images, masks=folder(tmp_path, "m", "a.nii"))
    cases, [lacking] = find_cases(folders, modality="CT")
    assert (cases, lacking.reason) == ((), "ambiguous")
    assert lacking.message == f"case a: {' and '.join(sorted(twice))} both name it, keep one"


def test_one_channel_in_two_formats_is_refused(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a_0000.nii", "a_0000.nii.gz"),
        masks=folder(tmp_path, "m", "a.nii"),
    )
    cases, [lacking] = find_cases(folders, modality="CT")
    assert (cases, lacking.reason) == ((), "ambiguous")
    assert "a_0000.nii and a_0000.nii.gz both name it" in lacking.message


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"^(s\d+)?x", "finds no subject in case 's1-t1'"),
        (r"^(q)?", "finds no subject in case 's1-t1': its first group"),
        (r"^s\d+", "finds no subject in case 's1-t1'"),
        (r"^()", "finds no subject"),
        (r"^(s\d+", "expected a regular expression, found: missing \\), unterminated subpattern"),
    ],
)
def test_subject_patterns_that_find_nobody_are_one_clear_line(tmp_path, pattern, message):
    files = ("s1-t1.nii",)
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", *files))
    with pytest.raises(UsageError, match=message) as raised:
        find_cases(folders, modality="MRI", subject_pattern=pattern)
    assert str(raised.value).startswith("--subject-pattern")
    assert "\n" not in str(raised.value)
