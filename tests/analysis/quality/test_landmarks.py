import json
import re

import nibabel as nib
import numpy as np
import pytest

from medvision.analysis.quality import write_quality_page
from medvision.analysis.quality.landmarks import landmark_sheet
from medvision.cli import main


@pytest.fixture
def tables(tmp_path):
    """One case with two landmarks on one sagittal slice of anisotropic voxels."""
    for folder in ("images", "landmarks"):
        (tmp_path / folder).mkdir()
    image = nib.Nifti1Image(np.zeros((12, 40, 20), np.int16), np.diag([2.0, 1.0, 2.0, 1.0]))
    nib.save(image, tmp_path / "images" / "a.nii.gz")
    (tmp_path / "landmarks" / "a.json").write_text('{"A": [5, 30, 8], "B": [5, 10, 8]}')
    spec = {
        "landmarks": {"A": "front <b>", "B": "back"},
        "lines": {"L": {"name": "length <script>", "landmarks": ["A", "B"]}},
        "measure": [{"kind": "distance", "key": "L", "plane": "sagittal"}],
    }
    (tmp_path / "biometrics.json").write_text(json.dumps(spec))
    words = ["build", "--images", tmp_path / "images", "--landmarks", tmp_path / "landmarks"]
    words += ["--biometrics", tmp_path / "biometrics.json", "--name", "s", "--modality", "MRI"]
    assert main([str(word) for word in [*words, "--out", tmp_path / "tables"]]) == 0
    return tmp_path / "tables"


def test_a_line_is_drawn_where_its_landmarks_are(tables):
    (tile,) = landmark_sheet(tables)
    assert tile.words == "length <script>: 20.0 mm"
    # 40 px of 1 mm wide and 20 px of 2 mm high: 640 x 640 units, 16 a millimetre
    line = re.search(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', tile.svg)
    x1, y1, x2, y2 = (float(value) for value in line.groups())
    # x = 39 - j: the front is on the left; y = 19 - k = 11, half a pixel in, 2 mm a pixel
    assert (x1, x2) == pytest.approx(((9 + 0.5) * 16, (29 + 0.5) * 16), abs=0.01)
    assert (y1, y2) == pytest.approx(((11 + 0.5) * 32,) * 2, abs=0.01)


def test_page_shows_the_drawing_and_escapes_names(tables):
    html = write_quality_page(tables).read_text(encoding="utf-8")
    assert "<line x1=" in html
    assert "length &lt;script&gt;" in html
    assert "<script" not in html


def test_an_image_gone_costs_its_drawing_alone(tables):
    (tables.parent / "images" / "a.nii.gz").unlink()
    assert landmark_sheet(tables) == ()
    assert "Landmark measurements" in write_quality_page(tables).read_text(encoding="utf-8")
