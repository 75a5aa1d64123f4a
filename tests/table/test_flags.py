"""What a file says of itself reaches `cases.parquet`, and decides what is asked in mm."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medvision.cli import main
from medvision.table.read import read_cases, read_regions
from tests.dicom_files import SIDE, written

pytest.importorskip("SimpleITK", reason="extra formats is not installed")


def test_spacing_at_the_detector_is_told_and_lengths_are_in_its_plane(tmp_path):
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[1:15, :15] = 1  # 210 px
    images = {"at_detector": {"ImagerPixelSpacing": [0.5, 0.5]}, "calibrated": {}}
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, tags in images.items():
        path = tmp_path / "images" / f"{name}.dcm"
        written(path, modality="DX", PixelSpacing=[0.5, 0.5], RescaleIntercept=0, **tags)
        Image.fromarray(labels).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "labels.json").write_text(json.dumps({"1": "lung"}))
    words = ["build", "--name", "x", "--modality", "XR", "--out", tmp_path / "t"]
    words += ["--images", tmp_path / "images", "--masks", tmp_path / "masks"]
    assert main([str(word) for word in [*words, "--labels", tmp_path / "labels.json"]]) == 0
    cases = {case["case_id"]: case for case in read_cases(tmp_path / "t").to_pylist()}
    assert cases["at_detector"]["spacing_source"] == "detector"
    assert cases["at_detector"]["flags"] == ["spacing_from_detector"]
    assert cases["calibrated"]["spacing_source"] == "header"
    assert cases["calibrated"]["flags"] == []
    areas = {row["case_id"]: row["area_mm2"] for row in read_regions(tmp_path / "t").to_pylist()}
    assert areas == {"at_detector": 52.5, "calibrated": 52.5}
    # Flagged, and asked: medvision eval takes both in every task.
    run = ["eval", "--tables", tmp_path / "t", "--task", "area", "--split", "all"]
    run += ["--model", "baseline/oracle", "--run", tmp_path / "run"]
    assert main([str(word) for word in run]) == 0
    samples = pq.read_table(tmp_path / "run" / "samples.parquet")
    assert set(samples["case_id"].to_pylist()) == set(images)
