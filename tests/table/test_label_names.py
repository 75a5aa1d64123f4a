"""Names of values: which are one, which are renamed, which mean something else."""

import json
import logging

import nibabel as nib
import nrrd
import numpy as np
import pytest

from medvision.catalog.anatomy import anatomy_facts
from medvision.cli import main
from medvision.table import segment_names
from medvision.table.label_names import Agreement, agreement
from medvision.table.read import read_structures
from medvision.volumes.stated_names import stated_names
from tests.table.conftest import phantom

SAME = [
    ("Liver", "liver"),
    ("LIVER ", "liver"),
    ("Left_Kidney", "left kidney"),
    ("kidney-left", "left kidney"),
    ("KidneyLeft", "left kidney"),
    ("L Kidney", "left kidney"),
    ("kidney", "left kidney"),
    ("tumour", "tumor"),
    ("Tumor", "liver tumor"),
    ("lesion", "tumor"),
    ("GTV-1", "lung tumor"),
    ("lungs", "lung"),
    ("haemorrhage", "hemorrhage"),
    ("Segment_1", "liver"),
    ("Segment", "liver"),
    ("Label 2", "liver"),
    ("", "liver"),
    ("7", "liver"),
]
CONTRADICTORY = [
    ("spleen", "liver"),
    ("Right Kidney", "left kidney"),
    ("kidney_r", "kidney left"),
    ("Niere links left", "right kidney"),
    ("vertebra 3", "vertebra 4"),
    ("Vermis_4_5", "Vermis_3"),
    ("aorta", "pancreas"),
    ("kidney tumor", "liver tumor"),
]
RENAMED = [("Leber", "liver"), ("LK", "left kidney"), ("WT", "whole tumor"), ("foo", "bar")]


@pytest.mark.parametrize(("stated", "label"), SAME)
def test_forms_of_one_name_agree_both_ways(stated, label):
    assert agreement(stated, label) is Agreement.SAME
    if not stated.startswith(("Segment", "Label")) and not stated.isdigit() and stated:
        assert agreement(label, stated) is Agreement.SAME


@pytest.mark.parametrize(("stated", "label"), CONTRADICTORY)
def test_names_of_something_else_contradict_both_ways(stated, label):
    assert agreement(stated, label) is Agreement.CONTRADICTORY
    assert agreement(label, stated) is Agreement.CONTRADICTORY


@pytest.mark.parametrize(("stated", "label"), RENAMED)
def test_other_words_may_be_a_renaming(stated, label):
    assert agreement(stated, label) is Agreement.RENAMED


def test_the_name_of_another_label_contradicts_whatever_it_is():
    assert agreement("foo", "bar", ["baz"]) is Agreement.RENAMED
    assert agreement("foo", "bar", ["baz", "Foo"]) is Agreement.CONTRADICTORY
    assert agreement("liver tumor", "liver", ["Liver Tumor"]) is Agreement.CONTRADICTORY
    assert agreement("tumor", "liver tumor", ["liver"]) is Agreement.SAME


def test_each_structure_of_the_catalogue_agrees_with_itself():
    for name in anatomy_facts().group_of_label:
        assert agreement(name, name.upper().replace(" ", "_")) is Agreement.SAME


def write_nrrd(path, labels, names):
    header = {"space": "RAS", "space directions": np.diag([1.0, 2, 3]), "space origin": [0, 0, 0]}
    listed = {1: "Segment_1", 2: "Segment_2"} | names if names else {}
    for n, (value, name) in enumerate(listed.items()):
        header |= {f"Segment{n}_Name": name, f"Segment{n}_LabelValue": str(value)}
        header |= {f"Segment{n}_Layer": "0", f"Segment{n}_ID": f"Segment_{n}"}
    nrrd.write(str(path.with_name(path.name + ".seg.nrrd")), labels, header)


def write_nifti(path, labels, names):
    """As TotalSegmentator writes it."""
    image = nib.Nifti1Image(labels, np.diag([1, 2, 3, 1]))
    table = "".join(
        f'<Label Key="{n}" Red="1"><![CDATA[{name}]]></Label>' for n, name in names.items()
    )
    content = (
        f"<?xml version='1.0'?><CaretExtension><LabelTable>{table}</LabelTable></CaretExtension>"
    )
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, content.encode()))
    nib.save(image, path.with_name(path.name + ".nii.gz"))


def write_metaimage(path, labels, names):
    """As ITK writes an image that it read from an NRRD."""
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True"]
    lines += ["TransformMatrix = -1 0 0 0 -1 0 0 0 1", "ElementSpacing = 1 2 3"]
    lines += ["DimSize = 20 30 12", "ElementType = MET_UCHAR"]
    for n, (value, name) in enumerate(names.items()):
        lines += [f"Segment{n}_Name = {name}", f"Segment{n}_LabelValue = {value}"]
    content = "\n".join([*lines, "ElementDataFile = LOCAL", ""]).encode()
    path.with_name(path.name + ".mha").write_bytes(content + labels.tobytes(order="F"))


WRITERS = [write_nrrd, write_nifti, write_metaimage]


@pytest.mark.parametrize("write", WRITERS)
def test_names_are_read_from_headers(tmp_path, write):
    write(tmp_path / "a", phantom()[1], {2: "liver tumor", 1: "Leber, links"})
    (path,) = tmp_path.iterdir()
    assert stated_names(path) == {1: "Leber, links", 2: "liver tumor"}


def test_files_without_names_have_none(study, tmp_path):
    assert stated_names(study / "masks" / "a.nii.gz") == {}
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD0005\nno header")
    assert stated_names(tmp_path / "broken.nrrd") == {}
    assert stated_names(tmp_path / "a.png") == {}


def build(study, labels=None):
    (study / "labels.json").write_text(json.dumps(labels or {"1": "liver", "2": "liver tumor"}))
    words = ["build", "--images", study / "images", "--masks", study / "masks"]
    words += ["--labels", study / "labels.json", "--name", "x", "--modality", "CT"]
    return main([str(word) for word in (*words, "--out", study / "tables")])


SWAPPED = {1: "liver tumor", 2: "liver"}


def test_segments_numbered_otherwise_go_by_their_names(study):
    """A program that saves segments numbers them anew; a header of a label map does not."""
    (study / "masks" / "a.nii.gz").unlink()
    write_nrrd(study / "masks" / "a", phantom()[1], SWAPPED)
    assert build(study) == 0
    rows = read_structures(study / "tables").to_pylist()
    found = {row["label"]: row["voxel_count"] for row in rows if row["case_id"] == "a"}
    assert found == {name: int((phantom()[1] == value).sum()) for value, name in SWAPPED.items()}


@pytest.mark.parametrize(
    ("write", "names"),
    [
        *((write, {1: "Spleen"}) for write in WRITERS),
        *((write, {2: "Liver", 7: "liver tumor"}) for write in WRITERS[1:]),
        *((write, SWAPPED) for write in WRITERS[1:]),
    ],
)
def test_a_mask_that_calls_its_values_otherwise_is_refused(study, capsys, write, names):
    (study / "masks" / "a.nii.gz").unlink()
    write(study / "masks" / "a", phantom()[1], names)
    assert build(study) == 1
    shown = capsys.readouterr()
    assert "2 of 3 cases" in shown.out
    value, name = next(iter(names.items()))
    ours = {1: "liver", 2: "liver tumor"}[value]
    assert f"{value} calls itself {name!r}, your labels call it {ours!r}" in shown.err


def test_a_name_of_two_segments_is_refused(study, capsys):
    (study / "masks" / "a.nii.gz").unlink()
    write_nrrd(study / "masks" / "a", phantom()[1], {2: "Liver", 7: "liver tumor"})
    assert build(study) == 1
    assert "two segments are 'Liver'" in capsys.readouterr().err


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    "names",
    [
        {},
        {1: "Segment_1", 2: "Segment_2"},
        {2: "Tumour"},
        {1: "LIVER", 2: "Liver_Tumor", 9: "spleen"},
    ],
)
def test_other_names_are_no_reason_to_refuse(study, capsys, write, names):
    (study / "masks" / "a.nii.gz").unlink()
    write(study / "masks" / "a", phantom()[1], names)
    assert build(study) == 0
    assert "3 of 3 cases" in capsys.readouterr().out


def test_a_renaming_is_told_once(study, caplog):
    segment_names._tell_new_name.cache_clear()
    for case in ("a", "b"):
        (study / "masks" / f"{case}.nii.gz").unlink()
        write_nrrd(study / "masks" / case, phantom()[1], {1: "Leber"})
    with caplog.at_level(logging.WARNING):
        assert build(study) == 0
    told = [record.getMessage() for record in caplog.records]
    assert told == ["masks call 'Leber' what your labels call 'liver': taken as its new name"]


def test_a_file_per_structure_may_not_call_it_otherwise(study, capsys):
    labels = phantom()[1]
    for case in ("a", "b", "c"):
        (study / "masks" / f"{case}.nii.gz").unlink()
        (study / "masks" / case).mkdir()
        write_nifti(study / "masks" / case / "liver", np.uint8(labels == 1), {1: "liver"})
        names = {1: "liver"} if case == "b" else {1: "tumor"}
        write_nrrd(study / "masks" / case / "liver_tumor", np.uint8(labels == 2), names)
        path = study / "masks" / case / "liver_tumor.seg.nrrd"
        path.rename(path.with_name("liver_tumor.nrrd"))
    assert build(study) == 1
    shown = capsys.readouterr()
    assert "2 of 3 cases" in shown.out
    assert "value 1 calls itself 'liver', your labels call it 'liver tumor'" in shown.err
