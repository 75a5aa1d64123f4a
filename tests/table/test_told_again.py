"""A case that cannot be used is told again, and read again only when its files are others."""

import json

import pytest

from medvision.cli import main
from medvision.table import build as building
from medvision.table.read import read_cases
from medvision.volumes.errors import OutOfMemoryError
from tests.describe import trees


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in ("a", "b", "c"):
        trees.save(tmp_path / "images" / f"{case}.nii.gz", trees.volume())
        trees.save(tmp_path / "masks" / f"{case}.nii.gz", trees.LABELS)
    (tmp_path / "l.json").write_text(json.dumps({"1": "liver", "2": "tumor"}))
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """Ids of the cases that are measured."""
    asked, annotate = [], building.annotate_case

    def counted(case, *more):
        asked.append(case.case_id)
        return annotate(case, *more)

    monkeypatch.setattr(building, "annotate_case", counted)
    return asked


def build(measured, *more):
    measured.clear()
    words = ["--images", "images", "--masks", "masks", "--labels", "l.json", "--name", "x"]
    status = main(["build", *words, "--modality", "CT", "--out", "t", *more])
    return status, list(measured)


def junk(here):
    (here / "masks" / "a.nii.gz").write_bytes(b"junk")


def other_label(here):
    trees.save(here / "masks" / "a.nii.gz", trees.LABELS + 5)


def other_grid(here):
    trees.save(here / "masks" / "a.nii.gz", trees.LABELS[:-1])


@pytest.mark.parametrize("harm", [junk, other_label, other_grid])
def test_an_unchanged_broken_case_is_told_from_the_record(here, measured, capsys, harm):
    harm(here)
    assert build(measured) == (1, ["a", "b", "c"])
    [first] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("a: ")]
    assert build(measured) == (1, [])
    assert first in capsys.readouterr().err
    for case in ("d", "e"):  # twice: what is told again is kept for the next time, too
        trees.save(here / "images" / f"{case}.nii.gz", trees.volume(1))
        trees.save(here / "masks" / f"{case}.nii.gz", trees.LABELS)
        assert build(measured) == (1, [case])
        assert first in capsys.readouterr().err.splitlines()
    trees.save(here / "masks" / "a.nii.gz", trees.LABELS)
    assert build(measured) == (0, ["a"])
    assert read_cases(here / "t").num_rows == 5
    assert "a: " not in capsys.readouterr().err


def test_what_lay_in_the_machine_is_tried_again(here, measured, monkeypatch):
    annotate = building.annotate_case

    def full(case, *more):
        if case.case_id == "a":
            measured.append("a")
            msg = "a: no memory"
            raise OutOfMemoryError(msg)
        return annotate(case, *more)

    with monkeypatch.context() as patch:
        patch.setattr(building, "annotate_case", full)
        assert build(measured) == (1, ["a", "b", "c"])
        assert build(measured) == (1, ["a"])
    assert build(measured) == (0, ["a"])


def test_other_options_read_again(here, measured):
    other_label(here)
    assert build(measured)[0] == 1
    (here / "l.json").write_text(json.dumps({str(n): f"part {n}" for n in range(1, 9)}))
    assert build(measured) == (0, ["a", "b", "c"])
