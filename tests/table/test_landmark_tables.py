"""Landmarks of several files a case, and of one table for all, on files turned every way."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.table.read import read_biometrics, read_cases
from tests.table.conftest import phantom, write_nifti
from tests.table.test_conversions import placed
from tests.table.test_declared import build, declare

MEASURED = """
name = "own"
{more}
[biometrics.landmarks]
a = "left end"
b = "right end"

[biometrics.lines]
ab = {{ landmarks = ["a", "b"] }}

[[biometrics.measure]]
kind = "distance"
key = "ab"
plane = "{plane}"

[[cohorts]]
images = [{{ modality = "{modality}", files = "{{case}}.{suffix}" }}]
"""

POINTS = {"p": {"a": (3, 4, 5), "b": (10, 17, 5)}, "q": {"a": (7, 2, 9), "b": (7, 18, 9)}}
"""In the closest-canonical array; the two of a case on one axial slice."""


def declared(text, more="", plane="axial", modality="CT", suffix="nii.gz"):
    return MEASURED.format(more=more, plane=plane, modality=modality, suffix=suffix) + text


@pytest.fixture
def scans(tmp_path):
    """Writes both cases with an affine; case → landmark → coordinates as asked for."""

    def write(affine, space):
        found = {}
        for case, points in POINTS.items():
            path = tmp_path / f"{case}.nii.gz"
            write_nifti(path, phantom()[0], affine=affine)
            canonical = nib.as_closest_canonical(nib.load(path)).affine
            found[case] = {}
            for key, ijk in points.items():
                ras = nib.affines.apply_affine(canonical, ijk)
                lps = ras * [-1, -1, 1]
                stored = nib.affines.apply_affine(np.linalg.inv(affine), ras).round(6)
                found[case][key] = {"voxel": stored, "RAS": ras, "LPS": lps}[space]
        return found

    return write


def check(out, folder):
    """Distances and slices of the tables against nibabel's affines."""
    rows = {row["case_id"]: row for row in read_biometrics(out).to_pylist()}
    assert set(rows) == set(POINTS)
    for case, points in POINTS.items():
        affine = nib.as_closest_canonical(nib.load(folder / f"{case}.nii.gz")).affine
        a, b = (nib.affines.apply_affine(affine, points[key]) for key in "ab")
        assert rows[case]["value"] == pytest.approx(np.linalg.norm(a - b), abs=1e-3)
        assert (rows[case]["plane"], rows[case]["slice_index"]) == ("axial", points["a"][2])


spaces = pytest.mark.parametrize("space", ["voxel", "RAS", "LPS"])


@placed
@spaces
def test_a_long_table(tmp_path, scans, affine, space):
    points = scans(affine, space)
    lines = ["patient,point,i,j,k,reader"]
    for case, of_case in points.items():
        lines += [f"{case},{key},{x},{y},{z},1" for key, (x, y, z) in of_case.items()]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    table = f"""
[cohorts.landmark_table]
file = "points.csv"
case = "patient"
landmark = "point"
x = "i"
y = "j"
z = "k"
space = "{space}"
"""
    assert build(declare(tmp_path, declared(table)), tmp_path / "t") == 0
    check(tmp_path / "t", tmp_path)


@placed
@spaces
def test_a_wide_table_with_file_names(tmp_path, scans, affine, space):
    points = scans(affine, space)
    lines = ["file\tax\tay\taz\tbx\tby\tbz"]
    for case, of_case in points.items():
        numbers = [str(number) for key in "ab" for number in of_case[key]]
        lines.append("\t".join([f"{case}.nii.gz", *numbers]))
    (tmp_path / "points.tsv").write_text("\n".join(lines))
    table = f"""
[cohorts.landmark_table]
file = "points.tsv"
case = "file"
form = "wide"
columns = {{ a = ["ax", "ay", "az"], b = ["bx", "by", "bz"] }}
space = "{space}"
"""
    assert build(declare(tmp_path, declared(table)), tmp_path / "t") == 0
    check(tmp_path / "t", tmp_path)


def markups(points, space):
    control = [
        {"label": key, "position": list(xyz), "positionStatus": "defined"}
        for key, xyz in points.items()
    ]
    return json.dumps({"markups": [{"coordinateSystem": space, "controlPoints": control}]})


@placed
@pytest.mark.parametrize(
    "patterns", ['["{case}_left.mrk.json", "{case}_right.mrk.json"]', '"{case}_*.mrk.json"']
)
def test_several_markups_files_a_case(tmp_path, scans, affine, patterns):
    for case, points in scans(affine, "LPS").items():
        for key, side in (("a", "left"), ("b", "right")):
            path = tmp_path / f"{case}_{side}.mrk.json"
            path.write_text(markups({key: points[key]}, "LPS"))
    text = declared(f"landmarks = {patterns}\n")
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    check(tmp_path / "t", tmp_path)


@placed
def test_a_file_a_landmark_named_after_it(tmp_path, scans, affine):
    for case, points in scans(affine, "RAS").items():
        for key, xyz in points.items():
            path = tmp_path / case / f"{key}.mrk.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(markups({"F-1": xyz}, "RAS"))  # Slicer's own name for a first point
    text = declared('landmarks = "{case}/{landmark}.mrk.json"\n')
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    check(tmp_path / "t", tmp_path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"b": [1, 2, 3], "a": [3, 2, 1]}, "landmark 'a' is also in another file of p"),
        (None, "no file {case}_b.json"),
    ],
)
def test_files_of_one_case_that_contradict_each_other(tmp_path, scans, capsys, second, message):
    scans(np.eye(4), "voxel")
    (tmp_path / "q.nii.gz").unlink()
    (tmp_path / "p_a.json").write_text('{"a": [1, 2, 3]}')
    if second:
        (tmp_path / "p_b.json").write_text(json.dumps(second))
    text = declared('landmarks = ["{case}_a.json", "{case}_b.json"]\n')
    assert build(declare(tmp_path, text), tmp_path / "t") == 1
    assert message in capsys.readouterr().err


PICTURES = """
[cohorts.landmark_table]
file = "points.csv"
"""


@pytest.fixture
def pictures(tmp_path):
    for case in ("p", "q", "r"):
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / f"{case}.png")
    return tmp_path


def declare_pictures(folder, table=PICTURES):
    spacing = "spacing_yx_mm = [0.5, 0.25]"
    return declare(folder, declared(table, spacing, "native", "XR", "png"))


def test_a_table_of_pictures_and_what_it_lacks(pictures, capsys):
    """Two columns of coordinates; a landmark that was not placed; a case without a row."""
    text = "case,landmark,x,y\np,a,10,5\np,b,30,20\nq,a,1,1\nq,b,,\nz,a,1,2\n"
    (pictures / "points.csv").write_text(text)
    assert build(declare_pictures(pictures), pictures / "t") == 1
    told = capsys.readouterr().err
    assert "r: unpaired: case r: no row in points.csv" in told
    assert "note: rows of landmark tables that no case has: z" in told
    assert "points.csv: case q" in told
    [row] = read_biometrics(pictures / "t").to_pylist()
    assert (row["case_id"], row["value"]) == ("p", pytest.approx(np.hypot(20 * 0.25, 15 * 0.5)))
    (pictures / "points.csv").write_text(text.replace("q,b,,", "q,b,4,5"))
    assert build(declare_pictures(pictures), pictures / "t") == 1
    rows = {row["case_id"]: row["value"] for row in read_biometrics(pictures / "t").to_pylist()}
    assert rows["q"] == pytest.approx(np.hypot(3 * 0.25, 4 * 0.5))
    assert rows["p"] == row["value"]


def test_coordinates_that_are_no_numbers_cost_their_case_only(pictures, capsys):
    text = "case,landmark,x,y\np,a,ten,5\np,b,30,20\nq,a,1,1\nq,b,4,1\nr,a,1,1\nr,b,5,1\n"
    (pictures / "points.csv").write_text(text)
    assert build(declare_pictures(pictures), pictures / "t") == 1
    assert "case p: landmark 'a' needs two or three finite numbers" in capsys.readouterr().err
    assert [row["case_id"] for row in read_cases(pictures / "t").to_pylist()] == ["q", "r"]


@pytest.mark.parametrize(
    ("table", "rows", "message"),
    [
        (PICTURES, "name,landmark,x,y\np,a,1,1\n", "expected the column 'case', found name"),
        (PICTURES, "case,landmark,x\np,a,1\n", "expected the column 'y'"),
        (f'{PICTURES}z = "depth"\n', "case,landmark,x,y\np,a,1,1\n", "the column 'depth'"),
        (PICTURES, "case,landmark,x,y\n,a,1,1\n", "line 2: expected the name of a case"),
        (
            f'{PICTURES}form = "wide"\ncolumns = {{ a = ["x", "y"] }}\n',
            "case,x,y\np,1,1\np,2,2\n",
            "line 3: expected the name of a case of its own, found 'p' again",
        ),
        (f'{PICTURES}form = "wide"\n', "", "columns: expected in a wide table"),
        (
            f'{PICTURES}form = "wide"\nx = "x"\ny = "why"\ncolumns = {{ a = ["x", "y"] }}\n',
            "",
            "expected in a long table only",
        ),
        (f'{PICTURES}form = "wide"\ncolumns = {{ a = ["x"] }}\n', "", "two or three for each"),
        (f'landmarks = "{{case}}.json"\n{PICTURES}', "", "landmarks or landmark_table, not both"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(pictures, capsys, table, rows, message):
    (pictures / "points.csv").write_text(rows)
    assert build(declare_pictures(pictures, table), pictures / "t") == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_a_table_of_a_dataset_that_is_still_to_be_fetched_is_not_missed(tmp_path, capsys):
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    (catalog / "own.toml").write_text(declared('landmark_table = { file = "points.csv" }'))
    words = ["build", "own", "--catalog", str(catalog), "--root", str(tmp_path / "root")]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.startswith("own: ")
    assert "points.csv" not in told
