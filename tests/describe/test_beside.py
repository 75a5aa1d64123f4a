"""A folder for each case, or for each visit: cases are named by what differs."""

import pytest

from medvision.describe.layouts import beside
from medvision.describe.tree import read_tree


def tree_of(tmp_path, files):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return read_tree(tmp_path)


def of(found):
    return {case.case_id: (case.subject_id, case.mask) for case in found.cases}


def test_visits_of_one_name_are_cases_of_their_patients(tmp_path):
    visits = ["p0/ses-1", "p1/ses-1", "p1/ses-2", "p2/ses-1"]
    files = [f"{visit}/{name}.nii.gz" for visit in visits for name in ("ct", "seg")]
    found = of(beside.recognise(tree_of(tmp_path, files)))
    assert found == {
        "p0_ses-1": ("p0", "p0/ses-1/seg.nii.gz"),
        "p1_ses-1": ("p1", "p1/ses-1/seg.nii.gz"),
        "p1_ses-2": ("p1", "p1/ses-2/seg.nii.gz"),
        "p2_ses-1": ("p2", "p2/ses-1/seg.nii.gz"),
    }


def test_a_level_that_never_differs_is_no_name(tmp_path):
    files = [f"p{n}/scan/{name}.nii.gz" for n in range(3) for name in ("ct", "seg")]
    assert set(of(beside.recognise(tree_of(tmp_path, files)))) == {"p0", "p1", "p2"}


def test_equal_names_in_several_folders_keep_both(tmp_path):
    files = [
        f"{kind}/{n}{end}.png"
        for kind in ("benign", "malignant")
        for n in (1, 2)
        for end in ("", "_mask")
    ]
    found = of(beside.recognise(tree_of(tmp_path, files)))
    assert set(found) == {"benign_1", "benign_2", "malignant_1", "malignant_2"}


@pytest.mark.parametrize(("name", "modality"), [("ct", "CT"), ("t1w", "MRI"), ("scan", "")])
def test_the_one_image_of_every_case_says_its_modality(tmp_path, name, modality):
    files = [f"p{n}/{one}.nii.gz" for n in range(2) for one in (name, "seg")]
    assert beside.recognise(tree_of(tmp_path, files)).modalities == {"image": modality}
