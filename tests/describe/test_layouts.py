"""Miniature folders of real tools: what they are taken for, what pairs, what is left over."""

import tomllib
from dataclasses import dataclass, field

import pytest

from medvision.describe.declaration import declaration
from medvision.describe.recognise import RECOGNISERS, describe
from medvision.describe.report import description_lines
from medvision.describe.tree import read_tree
from medvision.errors import UsageError
from tests.describe import trees

pytest.importorskip("highdicom", reason="extra dicom is not installed")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a miniature folder holds, counted by hand."""

    layout: str
    certainty: str = "certain"
    cases: tuple[str, ...]
    subjects: int
    modalities: dict[str, str]
    labels: dict[int, str]
    lacking: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    split: dict[str, str] = field(default_factory=dict)
    questions: int = 0
    patterns: bool = True


TRUTHS = {
    "nnunet_v2": Truth(
        layout="nnU-Net raw, version 2",
        cases=("brain_001", "brain_002", "brain_003"),
        subjects=3,
        modalities={"T1": "MRI", "FLAIR": "MRI"},
        labels={1: "whole tumor", 2: "core"},
        left_over=("imagesTs/brain_009_0000.nii.gz",),
    ),
    "nnunet_v1": Truth(
        layout="nnU-Net raw, version 1",
        cases=("liver_0", "liver_1"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "liver", 2: "cancer"},
        lacking=("liver_7",),
        left_over=("imagesTr/liver_7_0000.nii.gz", "imagesTs/liver_2_0000.nii.gz"),
    ),
    "nnunet_paths": Truth(
        layout="nnU-Net raw, version 2",
        cases=("c1", "c2"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "liver", 2: "cancer"},
        patterns=False,
    ),
    "bids": Truth(
        layout="BIDS derivatives",
        cases=("sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"),
        subjects=2,
        modalities={"image": "MRI"},
        labels={1: "white matter", 2: "lesion"},
        lacking=("sub-03_ses-1",),
        left_over=("sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz",),
    ),
    "totalsegmentator_training": Truth(
        layout="TotalSegmentator, training set",
        cases=("s0000", "s0001", "s0002", "s0003"),
        subjects=4,
        modalities={"image": "CT"},
        labels={1: "left kidney", 2: "liver", 3: "spleen", 4: "vertebra L1"},
        split={"s0000": "train", "s0001": "test", "s0002": "train", "s0003": "train"},
    ),
    "totalsegmentator_output": Truth(
        layout="TotalSegmentator, output",
        certainty="likely",
        cases=("p1", "p2"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "left kidney", 2: "liver", 3: "spleen"},
    ),
    "slicer": Truth(
        layout="3D Slicer scenes",
        cases=("p1", "p2"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "liver", 2: "tumor"},
    ),
    "tcia": Truth(
        layout="DICOM series with segmentations",
        cases=("X-001", "X-002"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "liver", 2: "liver tumor", 3: "spleen"},
        left_over=("Collection/LICENSE",),
    ),
    "tcia_contours": Truth(
        layout="DICOM series with segmentations",
        cases=("X-001", "X-002"),
        subjects=2,
        modalities={"image": "CT"},
        labels={1: "Liver", 2: "GTV"},
        left_over=("Collection/LICENSE",),
    ),
    "busi": Truth(
        layout="masks beside their images",
        certainty="likely",
        cases=("benign (1)", "benign (2)", "malignant (1)"),
        subjects=3,
        modalities={"image": ""},
        labels={255: ""},
        lacking=("malignant (2)",),
        left_over=("malignant/malignant (2).png",),
        questions=2,
        patterns=False,
    ),
    "case_folders": Truth(
        layout="masks beside their images",
        certainty="likely",
        cases=("BraTS-GLI-00000-000", "BraTS-GLI-00001-000"),
        subjects=2,
        modalities={"t1c": "MRI", "t2w": "MRI"},
        labels={1: "", 2: ""},
        questions=1,
    ),
    "flat": Truth(
        layout="folders of images and masks",
        certainty="likely",
        cases=("a", "b", "c_0001"),
        subjects=3,
        modalities={"image": "CT"},
        labels={1: "", 2: ""},
        lacking=("lonely",),
        left_over=("README.md", "images/lonely.nii.gz"),
        questions=1,
        patterns=False,
    ),
    "split_folders": Truth(
        layout="folders of images and masks",
        certainty="likely",
        cases=("test_c", "train_a", "train_b"),
        subjects=3,
        modalities={"image": ""},
        labels={1: ""},
        split={"test_c": "test", "train_a": "train", "train_b": "train"},
        questions=2,
        patterns=False,
    ),
    "coco": Truth(
        layout="COCO",
        cases=("a", "b", "c"),
        subjects=3,
        modalities={"image": ""},
        labels={1: "nodule"},
        split={"a": "train", "b": "train", "c": "test"},
        questions=1,
        patterns=False,
    ),
    "yolo": Truth(
        layout="YOLO",
        cases=("a", "b", "c"),
        subjects=3,
        modalities={"image": ""},
        labels={1: "nodule", 2: "mass"},
        split={"a": "train", "b": "train", "c": "test"},
        questions=1,
        patterns=False,
    ),
    "labelme": Truth(
        layout="LabelMe",
        cases=("a", "b"),
        subjects=2,
        modalities={"image": ""},
        labels={},
        questions=2,
    ),
}


@pytest.fixture(params=TRUTHS)
def described(request, tmp_path):
    folder = tmp_path / request.param
    folder.mkdir()
    getattr(trees, request.param)(folder)
    return TRUTHS[request.param], describe(read_tree(folder))


def test_a_folder_is_taken_for_what_it_is(described):
    truth, found = described[0], described[1].found
    assert (found.layout, str(found.certainty)) == (truth.layout, truth.certainty)
    assert tuple(case.case_id for case in found.cases) == truth.cases
    assert len({case.subject_id for case in found.cases}) == truth.subjects
    assert dict(found.modalities) == truth.modalities
    assert {label.label_id: label.name for label in found.labels} == truth.labels
    assert tuple(found.lacking) == truth.lacking
    assert described[1].left_over == truth.left_over
    assert dict(found.split) == truth.split
    assert len(found.questions) == truth.questions


def test_every_file_of_a_case_is_there(described):
    root = described[1].tree.root
    for case in described[1].found.cases:
        assert case.images
        assert case.mask or case.boxes or case.landmarks
        for file in case.files:
            assert (root / file).exists()


def test_the_declaration_is_toml_with_the_same_cases(described):
    truth, found = described
    written = declaration(found, name="x", root="here", subjects_file="x.csv")
    content = tomllib.loads(written.text)
    assert content["name"] == "x"
    assert content.get("labels", {}).keys() == {str(number) for number in truth.labels}
    assert ("cohorts" in content, "cases" in content) == (truth.patterns, not truth.patterns)
    if not truth.patterns:
        assert tuple(case["case_id"] for case in content["cases"]) == truth.cases
    assert ("subjects" in content) == bool(written.subjects)
    assert written.text.count("# to answer") == truth.questions


def test_the_report_says_what_it_is_and_what_to_answer(described):
    truth, found = described
    lines = list(description_lines(found))
    assert truth.layout in lines[0]
    assert f"({truth.certainty}: " in lines[0]
    assert sum("to answer" in line for line in lines) == truth.questions
    for case_id in truth.lacking:
        assert any(line.strip().startswith(f"{case_id}: ") for line in lines)


def test_every_recogniser_has_a_miniature():
    taken = {truth.layout for truth in TRUTHS.values()}
    for name in RECOGNISERS:
        assert any(layout.startswith(name) for layout in taken), name


def test_several_datasets_are_named(tmp_path):
    for name in ("Dataset001_A", "Dataset002_B"):
        (tmp_path / name).mkdir()
        trees.nnunet_v2(tmp_path / name)
    with pytest.raises(UsageError, match=r"2 nnU-Net datasets; name one: Dataset001_A, Dataset002"):
        describe(read_tree(tmp_path))


def test_a_folder_that_is_nothing_known_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UsageError, match=r"no layout that is known \(nnU-Net raw, COCO.*1 files"):
        describe(read_tree(tmp_path))


def test_subjects_carry_what_tables_say_of_them(tmp_path):
    trees.bids(tmp_path)
    written = declaration(describe(read_tree(tmp_path)), name="x", root=".", subjects_file="s.csv")
    assert written.subjects == "subject,age,sex\nsub-01,41,F\nsub-02,67,M\n"


def test_regions_and_ignored_values_are_declared(tmp_path):
    trees.nnunet_v2(tmp_path)
    written = declaration(describe(read_tree(tmp_path)), name="x", root=".", subjects_file="s.csv")
    content = tomllib.loads(written.text)
    assert content["ignore"] == [3]
    assert content["labels"]["1"] == {"name": "whole tumor", "values": [1, 2], "target": True}
    [cohort] = content["cohorts"]
    assert [image["id"] for image in cohort["images"]] == ["T1", "FLAIR"]


def test_sessions_have_patterns_of_subject_and_session(tmp_path):
    trees.bids(tmp_path)
    written = declaration(describe(read_tree(tmp_path)), name="x", root=".", subjects_file="s.csv")
    [cohort] = tomllib.loads(written.text)["cohorts"]
    [image] = cohort["images"]
    assert image["files"] == "{subject}/{session}/anat/{subject}_{session}_T1w.nii.gz"
