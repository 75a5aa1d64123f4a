"""One COCO file with the keypoints of all pictures as the landmarks of a cohort."""

import json

import pytest

from medvision.cli import main
from medvision.table import inputs
from medvision.table.read import read_biometrics
from tests.describe import trees

DECLARED = """
name = "own"
spacing_yx_mm = [1, 1]

[biometrics]
landmarks = { ear = "ear", nose = "nose" }
lines = { l = { landmarks = ["ear", "nose"] } }
measure = [{ kind = "distance", key = "l" }]

[[cohorts]]
images = [{ modality = "US", files = "{case}.png" }]
landmarks = "k.json"
"""
ENDS = {"a": [10, 5, 2, 34, 15, 1], "b": [10, 5, 2, 13, 9, 1]}
LENGTHS = {"a": 26.0, "b": 5.0}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in ENDS:
        trees.picture(tmp_path / f"{case}.png")
    write(tmp_path, ENDS)
    (tmp_path / "own.toml").write_text(DECLARED)
    return tmp_path


def write(here, ends):
    names = {case: n for n, case in enumerate(ends, start=1)}
    images = [
        {"id": n, "file_name": f"{case}.png", "width": 47, "height": 30}
        for case, n in names.items()
    ]
    content = {
        "images": images,
        "categories": [{"id": 6, "name": "head", "keypoints": ["ear", "nose"]}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 6, "keypoints": ends[case]}
            for case, n in names.items()
        ],
    }
    (here / "k.json").write_text(json.dumps(content))


def lengths(tables):
    return {row["case_id"]: row["value"] for row in read_biometrics(tables).to_pylist()}


def test_each_case_has_the_points_of_its_own_picture(here, capsys):
    assert main(["build", "own.toml", "--out", "t"]) == 0
    assert lengths(here / "t") == pytest.approx(LENGTHS)
    assert "nothing is for" not in capsys.readouterr().err


def test_the_file_of_all_cases_is_digested_once(here, monkeypatch):
    digested, digest = [], inputs.sha256_file

    def counted(path):
        digested.append(path.name)
        return digest(path)

    monkeypatch.setattr(inputs, "sha256_file", counted)
    assert main(["build", "own.toml", "--out", "t"]) == 0
    assert sorted(digested) == ["a.png", "b.png", "k.json"]


def test_a_picture_that_the_file_does_not_list_is_a_problem_of_its_case(here, capsys):
    write(here, {"a": ENDS["a"]})
    assert main(["build", "own.toml", "--out", "t"]) == 1
    assert lengths(here / "t") == pytest.approx({"a": 26.0})
    assert "k.json: expected one picture named as b.png, found 0 of 1" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['{"ear": [1, 2], "nose": [5, 2]}', "{", '{"shapes": []}'])
def test_a_file_of_one_picture_is_not_taken_for_all(here, capsys, text):
    (here / "k.json").write_text(text)
    assert main(["build", "own.toml", "--out", "t"]) == 2
    assert "k.json would be the landmarks of every case" in capsys.readouterr().err


def test_what_describe_writes_is_by_pattern(here, tmp_path_factory, capsys):
    (here / "own.toml").unlink()
    out = tmp_path_factory.mktemp("out") / "d.toml"
    assert main(["describe", ".", "--out", str(out)]) == 0
    assert 'landmarks = "k.json"' in out.read_text()
    assert "[[cases]]" not in out.read_text()
