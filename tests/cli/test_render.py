"""What `medvision render` draws."""

import xml.etree.ElementTree as ET

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.pictures.render import PixelGrid, SlicePictures
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig

SVG = "{http://www.w3.org/2000/svg}"
ON_SLICE = ["--case", "c3", "--plane", "coronal", "--slice", "30"]


@pytest.fixture
def render(study_tables, tmp_path):
    def run(*words, name="a.png"):
        out = tmp_path / name
        status = main(["render", *words, "--tables", str(study_tables), "--out", str(out)])
        assert status == 0
        return out

    return run


@pytest.fixture(scope="session")
def tumor(study_tables):
    suite = Suite(name="t", configs=(TaskConfig(task="tl"),), cap_per_config=None)
    found = select_samples(suite, table_folders([study_tables]), split="all").samples
    return next(s for s in found if s.plane == "coronal" and s.case_id == "c3")


def test_plain_sample_is_the_picture_the_model_gets(render, tumor):
    drawn = np.asarray(Image.open(render(tumor.sample_id)))
    assert np.array_equal(drawn, SlicePictures().picture(tumor))


def test_square_and_fixed_shapes_are_what_the_model_gets(render, tumor, capsys):
    square = np.asarray(Image.open(render(tumor.sample_id, "--square")))
    assert np.array_equal(square, SlicePictures().image(tumor, PixelGrid(square=True)).pixels)
    assert square.shape == (60, 60)
    assert "60x60 px of 1x1 mm" in capsys.readouterr().out
    assert Image.open(render(tumor.sample_id, "--resize", "30x90")).size == (90, 30)


def test_slice_shows_all_that_is_known(render, study_tables, capsys):
    root = ET.parse(render(*ON_SLICE, name="s.svg")).getroot()
    assert "2 structures, 0 measurements" in capsys.readouterr().out
    labels = nib.load(study_tables.parent / "masks" / "c3.nii.gz").get_fdata()[:, 30, :]
    assert set(np.unique(labels)) == {0, 1, 2}
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"R", "L", "S", "I", "10 mm"} <= set(words)
    assert any(text.startswith("1 liver") or text.startswith("1  liver") for text in words)
    assert any("axes" in text for text in words)
    assert len(root.findall(f".//{SVG}rect")) == 1 + 2 * 2  # ground, and two boxes with halos
    assert len(root.findall(f".//{SVG}path")) == 2 * 2  # two outlines with halos
    assert len(root.findall(f".//{SVG}ellipse")) == 2


def test_outline_encloses_the_mask(render, study_tables):
    """The region within the drawn border is the mask, by counting crossings on each row."""
    root = ET.parse(render(*ON_SLICE, name="s.svg")).getroot()
    labels = nib.load(study_tables.parent / "masks" / "c3.nii.gz").get_fdata()[::-1, 30, ::-1].T
    height, width = labels.shape
    _, _, _, canvas_height = map(float, root.get("viewBox").split())
    unit_y = canvas_height / height
    unit_x = unit_y / 2.5  # pixels of 1 mm by 2.5 mm
    path = root.findall(f".//{SVG}path")[0].get("d")
    crossings = np.zeros((height, width + 1), int)
    for stretch in path.split("M")[1:]:
        if "V" in stretch:
            start, end = stretch.split("V")
            x, y = map(float, start.split())
            rows = slice(round(y / unit_y), round(float(end) / unit_y))
            crossings[rows, round(x / unit_x)] += 1
    inside = np.cumsum(crossings, axis=1)[:, :width] % 2 == 1
    assert np.array_equal(inside, labels == 1)


def test_slice_in_png_is_in_true_proportions(render):
    plain = Image.open(render(*ON_SLICE))
    assert plain.size == (60, 24)
    drawn = Image.open(render(*ON_SLICE, "--overlay"))
    assert drawn.size == (640 + 270, 640)  # 60 mm by 60 mm, and one column of legend


def test_slice_without_annotations_is_drawn(render, capsys):
    render("--case", "c3", "--plane", "axial", "--slice", "0", "--overlay")
    assert "0 structures, 0 measurements" in capsys.readouterr().out


def test_label_chooses_the_window(render):
    liver, lung = (
        np.asarray(Image.open(render(*ON_SLICE, "--label", label))) for label in ("liver", "lung")
    )
    assert not np.array_equal(liver, lung)


def test_overlay_of_a_sample_draws_its_mask(render, tumor):
    root = ET.parse(render(tumor.sample_id, name="t.svg")).getroot()
    truth = root.find(f"{SVG}g[@class='truth']")
    assert len(truth.findall(f"{SVG}path")) == 2
    assert len(truth.findall(f"{SVG}ellipse")) == 2
    assert Image.open(render(tumor.sample_id, "--overlay")).mode == "RGB"


@pytest.mark.parametrize("name", ["sheet.png", "sheet.svg"])
def test_sheet_holds_so_many_samples(render, name, capsys):
    path = render("--sheet", "6", name=name)
    assert "6 samples" in capsys.readouterr().out
    if name.endswith(".svg"):
        drawings = ET.parse(path).getroot().findall(f"{SVG}svg")
        assert len(drawings) == 6
    else:
        assert min(Image.open(path).size) > 900


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sheet", "0"], "at least 1 sample"),
        (["--case", "nobody", "--plane", "axial", "--slice", "3"], "expected one case 'nobody'"),
        (["--case", "c3", "--plane", "native", "--slice", "3"], "expected one of sagittal"),
        (["--case", "c3", "--plane", "axial", "--slice", "99"], "slice 99 is not on the axial"),
        (["--case", "c3"], "expected SAMPLE_ID, or"),
        (["--sheet", "3", *ON_SLICE], "expected SAMPLE_ID, or"),
        (["study/no/such"], "no sample study/no/such"),
    ],
)
def test_wrong_use_says_what_to_do(words, message, study_tables, tmp_path, capsys):
    out = ["--tables", str(study_tables), "--out", str(tmp_path / "x.png")]
    assert main(["render", *words, *out]) == 2
    assert message in capsys.readouterr().err


def test_other_kinds_of_file_are_refused(study_tables, tmp_path, capsys):
    words = ["--sheet", "3", "--tables", str(study_tables), "--out", str(tmp_path / "x.jpg")]
    assert main(["render", *words]) == 2
    assert "expected a .png or .svg" in capsys.readouterr().err
