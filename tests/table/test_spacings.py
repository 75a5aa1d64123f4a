"""Pictures whose pixel spacing stands in another file, or nowhere."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medvision.cli import main
from medvision.pictures.view import PictureFamily
from medvision.prompts.messages import prompt_text
from medvision.replies import Style
from medvision.samples.select import select_samples
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_cases, read_regions
from medvision.tasks import Task

DECLARED = """
name = "own"

[labels]
1 = { name = "breast lesion", target = true, values = [255] }

[[cohorts]]
images = [{ modality = "US", files = "{case}.png" }]
mask = "{case}_mask.png"
"""
SIZES = {"a": (0.2, 0.1), "b": (0.4, 0.3)}


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of 80 × 60 px with a lesion of 30 × 20 px."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 20:50] = 255
    for case in SIZES:
        Image.fromarray(pixels).save(tmp_path / f"{case}.png")
        Image.fromarray(mask).save(tmp_path / f"{case}_mask.png")
    return tmp_path


def build(folder, text, *more):
    (folder / "own.toml").write_text(text)
    return main(["build", str(folder / "own.toml"), "--out", str(folder / "t"), *more])


def write_csv(folder):
    rows = "".join(f"{case}.png,{y},{x}\n" for case, (y, x) in SIZES.items())
    (folder / "px.csv").write_text(f"file,dy,dx\n{rows}")
    return '[spacing]\nfile = "px.csv"\ncase = "file"\ny_mm = "dy"\nx_mm = "dx"\n'


def write_list(folder):
    rows = [{"case": case, "px": {"y": y, "x": x}} for case, (y, x) in SIZES.items()]
    (folder / "px.json").write_text(json.dumps(rows))
    return '[spacing]\nfile = "px.json"\ny_mm = "px.y"\nx_mm = "px.x"\n'


def write_each(folder):
    for case, (y, x) in SIZES.items():
        (folder / f"{case}.json").write_text(json.dumps({"y": y, "x": str(x)}))
    return '[spacing]\nfile = "{case}.json"\ny_mm = "y"\nx_mm = "x"\n'


@pytest.mark.parametrize("written", [write_csv, write_list, write_each])
def test_spacing_of_each_picture_from_a_file(pictures, capsys, written):
    assert build(pictures, DECLARED + written(pictures)) == 0
    assert "note:" not in capsys.readouterr().err  # the file is for something
    for row in read_regions(pictures / "t").to_pylist():
        y_mm, x_mm = SIZES[row["case_id"]]
        assert (row["spacing_y_mm"], row["spacing_x_mm"]) == (y_mm, x_mm)
        assert row["area_mm2"] == pytest.approx(20 * 30 * y_mm * x_mm)


def test_a_declaration_of_the_users_own_catalogue_says_all_that_it_says_by_its_file(
    pictures, capsys
):
    catalog, raw = pictures / "catalog", pictures / "root" / "raw" / "own"
    catalog.mkdir()
    raw.mkdir(parents=True)
    spacing = write_csv(pictures)
    for file in [*pictures.glob("*.png"), pictures / "px.csv"]:
        file.rename(raw / file.name)
    (catalog / "people.csv").write_text("subject,case\nann,a\nann,b\n")
    left_out = 'excluded = { gone = "blurred" }\n'
    text = DECLARED.replace("own", 'own"\nsubjects = "people.csv', 1) + left_out + spacing
    (catalog / "own.toml").write_text(text)
    words = ["build", "own", "--catalog", str(catalog), "--root", str(pictures / "root")]
    assert main(words) == 0
    told = capsys.readouterr().err
    assert "ids in excluded or placeholder_spacing that no case has: gone" in told
    assert "nothing is for" not in told
    for row in read_regions(pictures / "root" / "tables" / "own").to_pylist():
        assert (row["spacing_y_mm"], row["spacing_x_mm"]) == SIZES[row["case_id"]]
        assert row["subject_id"] == "ann"
    (catalog / "own.toml").write_text(text.replace("breast lesion", "?"))
    assert main(words) == 2
    assert f"{catalog / 'own.toml'}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,mm\na,0\nb,1\n", "px.csv: a: mm: expected a spacing in mm, found '0'"),
        ("case,size\na,1\n", "px.csv: a: expected the column 'mm', found none"),
        ("name,mm\na,1\n", "expected a column 'case' that names the case"),
    ],
)
def test_a_table_without_spacings_is_refused(pictures, capsys, text, message):
    (pictures / "px.csv").write_text(text)
    assert build(pictures, DECLARED + '[spacing]\nfile = "px.csv"\nmm = "mm"\n') == 2
    assert message in capsys.readouterr().err


def test_a_picture_of_no_known_spacing_is_a_problem_unless_that_is_declared(pictures, capsys):
    assert build(pictures, DECLARED) == 1
    assert "a: missing_spacing" in capsys.readouterr().err


UNKNOWN = DECLARED.replace('name = "own"', 'name = "own"\nspacing_unknown = true')


def selected(folder, task):
    suite = Suite(name="s", configs=(TaskConfig(task=task),), cap_per_config=None)
    return select_samples(suite, {"own": folder / "t"}, split="all")


def test_unknown_spacing_builds_without_a_millimetre(pictures):
    assert build(pictures, UNKNOWN) == 0
    for case in read_cases(pictures / "t").to_pylist():
        assert case["flags"] == ["spacing_unknown"]
        assert case["spacing_source"] == "unknown"
        assert case["spacing_mm"] == [None, None]
    for row in read_regions(pictures / "t").to_pylist():
        assert (row["pixel_count"], row["x0_px"], row["y1_px"]) == (600, 20, 30)
        assert row["ellipse_status"] == "spacing_unknown"
        assert not [name for name, value in row.items() if name.endswith(("_mm", "_mm2")) and value]


def test_unknown_spacing_never_enters_a_task_in_mm(pictures):
    assert build(pictures, UNKNOWN) == 0
    for task in (Task.TUMOR_LESION, Task.AREA):
        found = selected(pictures, task)
        assert found.table.num_rows == 0
        assert found.dropped == {f"{task}: spacing_unknown": 2}
    for task in (Task.DETECTION, Task.COUNT):
        found = selected(pictures, task)
        assert found.table.num_rows == 2
        for sample in found.samples:
            view = PictureFamily(name="as_sent").view(sample.geometry)
            prompt = prompt_text(sample, Style.DIRECT, view.stated)
            assert "mm" not in prompt.replace("comma", "")
            assert "nan" not in prompt
    assert f"smaller than {100 * 10 / 4800:.3g} % of the image" in prompt


@pytest.mark.parametrize("task", ["detection", "count"])
def test_unknown_spacing_is_asked_scored_drawn_and_reported(pictures, task):
    assert build(pictures, UNKNOWN, "--report") == 0
    tables, run = str(pictures / "t"), str(pictures / "r")
    words = ["eval", "--tables", tables, "--task", task, "--split", "all", "--run", run]
    assert main([*words, "--model", "baseline/oracle"]) == 0
    scores = pq.read_table(pictures / "r" / "scores.parquet").to_pylist()
    name, best = {"detection": ("iou", 1.0), "count": ("absolute_error", 0.0)}[task]
    assert [row[name] for row in scores] == [pytest.approx(best, abs=1e-3)] * 2
    assert main(["report", run, "--out", str(pictures / "r.html")]) == 0
    drawn = ["render", "--tables", tables, "--case", "a", "--plane", "native", "--slice", "0"]
    assert main([*drawn, "--overlay", "--out", str(pictures / "over.png")]) == 0
    assert main([*drawn, "--square", "--out", str(pictures / "a.png")]) == 0
    assert Image.open(pictures / "a.png").size == (80, 60)


def test_unknown_spacing_from_the_command_line(pictures):
    for name in ("images", "masks"):
        (pictures / name).mkdir()
    (pictures / "a.png").rename(pictures / "images" / "a.png")
    (pictures / "a_mask.png").rename(pictures / "masks" / "a.png")
    (pictures / "labels.json").write_text('{"255": "lesion"}')
    words = ["build", "--images", "images", "--masks", "masks", "--labels", "labels.json"]
    words = [
        str(pictures / word) if "." in word or word in ("images", "masks") else word
        for word in words
    ]
    words += ["--name", "own", "--modality", "US", "--spacing-mm", "unknown"]
    assert main([*words, "--out", str(pictures / "t")]) == 0
    assert read_cases(pictures / "t")["flags"].to_pylist() == [["spacing_unknown"]]


def test_rows_that_no_case_has_are_told(pictures, capsys):
    spacing = write_csv(pictures)
    with (pictures / "px.csv").open("a") as table:
        table.write("gone.png,1,1\na,0.2,0.1\n")  # the second names a case by its id, again
    assert build(pictures, DECLARED + spacing) == 0
    told = capsys.readouterr().err
    assert "note: rows of the table of spacings that no case has: gone.png" in told
