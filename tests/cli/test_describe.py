"""`medvision describe`: what it prints, and the files it writes."""

import tomllib

import pytest

from medvision.cli import main
from tests.describe import trees


@pytest.fixture
def folder(tmp_path):
    trees.totalsegmentator_training(tmp_path / "scans")
    return tmp_path / "scans"


def test_it_prints_what_the_folder_is_and_writes_nothing_unasked(folder, capsys):
    before = sorted(folder.parent.rglob("*"))
    assert main(["describe", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{folder}: TotalSegmentator, training set (certain: ")
    assert "  4 cases of 4 subjects" in lines
    assert "    s0000: s0000/ct.nii.gz with s0000/segmentations" in lines
    assert sorted(folder.parent.rglob("*")) == before


def test_the_declaration_names_the_folder_as_seen_from_itself(folder, capsys):
    out = folder.parent / "declared" / "my.toml"
    assert main(["describe", str(folder), "--out", str(out), "--name", "mine"]) == 0
    content = tomllib.loads(out.read_text(encoding="utf-8"))
    assert (content["name"], content["root"]) == ("mine", str(folder))
    assert content["subjects"] == "my-subjects.csv"
    rows = (out.parent / "my-subjects.csv").read_text(encoding="utf-8").splitlines()
    assert rows[:2] == ["subject,split,age,gender,institute", "s0000,train,50,f,A"]
    assert "my.toml: written" in capsys.readouterr().out
    beside = folder.parent / "beside.toml"
    assert main(["describe", str(folder), "--out", str(beside)]) == 0
    assert tomllib.loads(beside.read_text(encoding="utf-8"))["root"] == "scans"


def test_what_was_corrected_by_hand_is_not_overwritten(folder, capsys):
    out = folder.parent / "my.toml"
    out.write_text("mine")
    assert main(["describe", str(folder), "--out", str(out)]) == 2
    assert "exists" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    assert main(["describe", str(tmp_path / "nothing")]) == 2
    assert "expected a folder" in capsys.readouterr().err
