"""A suite that asks for what tables do not have says so, or is refused if it asks nothing else."""

import json

import numpy as np
import pytest

from medvision.cli import main
from medvision.declarations import DeclarationError
from medvision.errors import UsageError
from medvision.samples.select import select_samples
from medvision.samples.suite import parse_suite
from tests.describe import trees


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two cases of a volume with an organ and no target, both of the training side."""
    folder = tmp_path_factory.mktemp("unmet")
    for case in ("a", "b"):
        for name, array in (("i", trees.volume(1)), ("m", trees.LABELS)):
            larger = np.kron(array, np.ones((3, 3, 1), array.dtype))
            trees.save(folder / name / f"{case}.nii.gz", larger)
    (folder / "l.json").write_text(json.dumps({"1": "liver", "2": "spleen"}))
    (folder / "s.csv").write_text("subject,split\na,train\nb,train\n")
    words = ["--images", folder / "i", "--masks", folder / "m", "--labels", folder / "l.json"]
    words += ["--name", "x", "--modality", "CT", "--subjects", folder / "s.csv"]
    assert main(["build", *map(str, words), "--out", str(folder / "t")]) == 0
    return folder / "t"


DETECTION = '[[configs]]\ntask = "detection"\n'
NEVER = [
    ('task = "detection"\nplanes = ["native"]', "detection: no row on plane 'native' in"),
    ('task = "tl"', "tl: no label is a target (a tumour or lesion) in"),
    ('task = "count"', "count: no label is a target (a tumour or lesion) in"),
    ('task = "ad"', "ad: no measurement between landmarks in"),
    ('task = "ad"\nmetric_kind = "distance"', "ad: no measurement between landmarks in"),
    ('task = "area"\nlabels = ["livr"]', "area: no label 'livr' in"),
    ('task = "area"\ndataset = "y"', "no tables of 1 of its 1 datasets: y; tables at hand: x"),
]


def selected(tables, text, split="train"):
    return select_samples(parse_suite(f'name = "s"\n{text}', "s"), {"x": tables}, split=split)


@pytest.mark.parametrize(("line", "told"), NEVER)
def test_what_no_table_has_is_told_beside_what_is_asked(tables, line, told):
    found = selected(tables, f"[[configs]]\n{line}\n{DETECTION}")
    assert found.table.num_rows > 0
    assert [told in one for one in found.unmet] == [True]


@pytest.mark.parametrize(("line", "told"), NEVER)
def test_a_suite_that_can_never_be_asked_is_refused(tables, line, told):
    with pytest.raises(UsageError) as raised:
        selected(tables, f"[[configs]]\n{line}\n")
    assert told in str(raised.value)


def test_one_plane_of_several_is_told(tables):
    found = selected(tables, DETECTION + 'planes = ["axial", "native"]\n')
    assert set(found.table["plane"].to_pylist()) == {"axial"}
    [line] = found.unmet
    assert "no row on plane 'native'" in line
    assert line.endswith("; known: axial, coronal, sagittal")


def test_what_is_left_out_or_of_the_other_side_is_told_with_numbers(tables):
    text = DETECTION + '[[configs]]\ntask = "area"\nplanes = ["coronal"]\nlabels = ["spleen"]\n'
    [line] = selected(tables, text).unmet
    assert "area: nothing to ask of" in line
    n_slices = 2 * 3 * 4  # two cases, four slices of three voxels each
    assert f"left out: {n_slices} " in line
    assert ["no row of split 'test'" in one for one in selected(tables, text, "test").unmet] == [
        True,
        True,
    ]


def test_nothing_is_told_where_all_is_asked(tables):
    assert selected(tables, DETECTION).unmet == ()


def test_the_command_prints_it(tables, tmp_path, capsys):
    text = f'name = "s"\n[[configs]]\ntask = "tl"\n{DETECTION}'
    (tmp_path / "s.toml").write_text(text)
    words = ["--suite", tmp_path / "s.toml", "--tables", tables, "--split", "all", "--limit", "2"]
    words += ["--model", "baseline/center", "--run", tmp_path / "r"]
    assert main(["eval", *map(str, words)]) == 0
    assert "suite 's': tl: no label is a target" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('task = "ad"\nlabels = ["liver"]', "labels"),
        ('task = "area"\nmetric_kind = "angle"', "metric_kind"),
        ('task = "tl"\nvertex_angles = true', "vertex_angles"),
        ('task = "detection"\nmin_px = 5', "min_px"),
    ],
)
def test_a_key_that_would_change_nothing_is_refused(line, key):
    with pytest.raises(DeclarationError, match=f"{key}: of no effect on the task"):
        parse_suite(f'name = "s"\n[[configs]]\n{line}\n', "s")
