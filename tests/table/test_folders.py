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
    ],
)
def test_common_names_pair(tmp_path, image, mask):
    folders = Folders(images=folder(tmp_path, "i", image), masks=folder(tmp_path, "m", mask))
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["a"]
    assert cases[0].images[0].image_id == "image"
    assert not unpaired


def test_missing_partner_is_listed_and_keeps_its_subject(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii.gz", "b.nii.gz"),
        masks=folder(tmp_path, "m", "b.nii.gz", "c.nii.gz"),
    )
    cases, unpaired = find_cases(folders, modality="CT")
    assert [case.case_id for case in cases] == ["b"]
    assert {entry.subject_id for entry in unpaired} == {"a", "c"}
    assert "no mask" in unpaired[0].message
    assert "no image" in unpaired[1].message


def test_channels_are_images_of_one_case(tmp_path):
    files = ("p_0000.nii.gz", "p_0001.nii.gz")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", "p.nii.gz"))
    cases, _ = find_cases(folders, modality="MRI")
    assert [image.image_id for image in cases[0].images] == ["0000", "0001"]


def test_subject_pattern_groups_cases(tmp_path):
    files = ("s1-t1.nii", "s1-t2.nii", "s2-t1.nii")
    folders = Folders(images=folder(tmp_path, "i", *files), masks=folder(tmp_path, "m", *files))
    cases, _ = find_cases(folders, modality="MRI", subject_pattern=r"^(s\d+)-")
    assert [case.subject_id for case in cases] == ["s1", "s1", "s2"]


def test_two_masks_of_one_case_are_refused(tmp_path):
    folders = Folders(
        images=folder(tmp_path, "i", "a.nii"), masks=folder(tmp_path, "m", "a.nii", "a-seg.nii")
    )
    with pytest.raises(UsageError, match="both name case 'a'"):
        find_cases(folders, modality="CT")


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="--images: expected a folder"):
        find_cases(Folders(images=tmp_path / "none"), modality="CT")
