"""Names that Unicode writes in two ways are one name, wherever they come from."""

import json
from unicodedata import normalize

import numpy as np
import pytest

from medvision.cli import main
from medvision.names import existing_path
from medvision.table.read import read_cases, read_regions, read_structures
from tests.describe import trees

C, D = normalize("NFC", "Müller"), normalize("NFD", "Müller")
LABELS = '[labels]\n1 = "liver"\n2 = "tumor"\n'
COHORT = (
    '[[cohorts]]\nimages = [{ modality = "CT", files = "i/{case}.nii.gz" }]\n'
    'mask = "m/{case}.nii.gz"\n'
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in (C, "b"):
        trees.save(tmp_path / "i" / f"{case}.nii.gz", trees.volume())
        trees.save(tmp_path / "m" / f"{case}.nii.gz", trees.LABELS)
    return tmp_path


def build(here, text, *more):
    (here / "o.toml").write_text(f'name = "o"\n{text}', encoding="utf-8")
    return main(["build", "o.toml", "--out", "t", *more])


def counts(tables):
    return {row["label"]: row["voxel_count"] for row in read_structures(tables).to_pylist()}


def structure_files(folder, name):
    for label, value in ((name, 1), ("tumor", 2)):
        trees.save(folder / f"{label}.nii.gz", (value == trees.LABELS).astype(np.uint8))


EACH = {C: int((trees.LABELS == 1).sum()), "tumor": int((trees.LABELS == 2).sum())}


@pytest.mark.parametrize(("declared", "on_disk"), [(C, D), (D, C), (D, D)])
def test_a_folder_of_structures_keeps_all_of_them(here, declared, on_disk):
    trees.save(here / "s/a/ct.nii.gz", trees.volume())
    structure_files(here / "s/a/seg", on_disk)
    text = f'[labels]\n1 = "{declared}"\n2 = "tumor"\n[[cohorts]]\nmask = "s/{{case}}/seg"\n'
    text += 'images = [{ modality = "CT", files = "s/{case}/ct.nii.gz" }]\n'
    assert build(here, text) == 0
    assert counts(here / "t") == EACH


def test_structures_of_masks_folders_and_of_found_as_are_composed(here):
    trees.save(here / "images/a.nii.gz", trees.volume())
    structure_files(here / "masks/a", D)
    (here / "l.json").write_text(json.dumps({"1": C, "2": "tumor"}), encoding="utf-8")
    words = ["--images", "images", "--masks", "masks", "--labels", "l.json", "--name", "x"]
    assert main(["build", *words, "--modality", "CT", "--out", "t"]) == 0
    assert counts(here / "t") == EACH
    labels = f'[labels]\n1 = {{ name = "liver", found_as = "{C}" }}\n2 = "tumor"\n'
    text = '[[cohorts]]\nimages = [{ modality = "CT", files = "images/{case}.nii.gz" }]\n'
    assert (
        build(here, labels + text + 'mask = "masks/{case}/{structure}.nii.gz"\n', "--out", "u") == 0
    )
    assert counts(here / "u")["liver"] == EACH[C]


@pytest.mark.parametrize("column", ["subject", "case"])
def test_subjects_of_a_table_are_found(here, column):
    table = f"{column},split,sex\n{D},test,f\nb,train,m\n"
    (here / "s.csv").write_text(table, encoding="utf-8")
    assert build(here, f'subjects = "s.csv"\n{LABELS}{COHORT}') == 0
    rows = read_cases(here / "t").to_pylist()
    found = {row["case_id"]: (row["split"], row["subject_sex"]) for row in rows}
    assert found == {C: ("test", "f"), "b": ("train", "m")}


def test_an_excluded_case_is_left_out(here, capsys):
    assert build(here, f'{LABELS}{COHORT}excluded = {{ "{D}" = "blurred" }}\n') == 0
    assert read_cases(here / "t")["case_id"].to_pylist() == ["b"]
    assert f"note: cases left out: {C} (blurred)" in capsys.readouterr().err


def test_listed_files_and_side_files_are_found_by_either_form(here):
    (here / f"{D}.csv").write_text(f"case,split\n{D},test\nz,train\n", encoding="utf-8")
    listed = f'subjects = "{C}.csv"\n{LABELS}[[cases]]\ncase_id = "{D}"\nmodality = "CT"\n'
    assert build(here, listed + f'image = "i/{D}.nii.gz"\nmask = "m/{D}.nii.gz"\n') == 0
    [row] = read_cases(here / "t").to_pylist()
    assert (row["case_id"], row["subject_id"], row["split"]) == (C, C, "test")
    assert existing_path(here / D / "none") == here / D / "none"


def test_a_described_folder_pairs_across_forms(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in ("p1", D):
        trees.save(tmp_path / "d/scans" / f"{normalize('NFC', case)}.nii.gz", trees.volume())
        for name, value in (("liver", 1), ("kidney_left", 2), ("spleen", 0)):
            mask = (value == trees.LABELS).astype(np.uint8)
            trees.save(tmp_path / "d/out" / case / f"{name}.nii.gz", mask)
    assert main(["build", "d", "--out", "t"]) == 0
    assert read_cases(tmp_path / "t")["case_id"].to_pylist() == sorted([C, "p1"])


def test_render_and_suites_take_either_form(here, capsys):
    assert build(here, f'[labels]\n1 = "{D}"\n2 = "tumor"\n{COHORT}') == 0
    assert set(read_regions(here / "t")["label"].to_pylist()) == {C, "tumor"}
    slice_words = ["--plane", "axial", "--slice", "3", "--out", "s.png"]
    assert main(["render", "--tables", "t", "--case", D, *slice_words]) == 0
    suite = f'name = "s"\n[[configs]]\ntask = "area"\nlabels = ["{D}"]\n'
    (here / "s.toml").write_text(suite, encoding="utf-8")
    words = ["--suite", "s.toml", "--tables", "t", "--split", "all", "--run", "r"]
    main(["eval", *words, "--model", "baseline/center"])
    assert "no label" not in capsys.readouterr().err
