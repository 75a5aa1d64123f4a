from urllib.parse import unquote

import numpy as np
import pyarrow.compute as pc
import pytest

from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.samples import sample_table, samples_from_table
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig, load_suite, parse_suite, suite_names
from medvision.table.read import read_cases, read_regions
from medvision.tasks import Task


def selected(tables, *configs, split="all", cap=None, limit=None):
    suite = Suite(name="t", configs=configs, cap_per_config=cap)
    return select_samples(suite, table_folders([tables]), split=split, limit=limit)


def test_detection_asks_for_single_components_with_sides_of_ten_pixels(study_tables):
    found = selected(study_tables, TaskConfig(task=Task.DETECTION))
    rows = read_regions(study_tables)
    single = pc.equal(rows["n_components"], 1)
    widths = pc.subtract(rows["x1_px"], rows["x0_px"])
    heights = pc.subtract(rows["y1_px"], rows["y0_px"])
    large = pc.and_(pc.greater_equal(widths, 10), pc.greater_equal(heights, 10))
    assert len(found.samples) == pc.sum(pc.and_(single, large)).as_py()
    n_left_out = rows.num_rows - len(found.samples)
    assert sum(found.dropped.values()) == n_left_out
    reasons = ("several_components", "box_side_below_10_px")
    assert set(found.dropped) == {f"detection: {reason}" for reason in reasons}


def test_detection_truth_is_the_relative_box_from_the_lower_left(study_tables):
    found = selected(study_tables, TaskConfig(task=Task.DETECTION, planes=(Plane.AXIAL,)))
    sample = next(s for s in found.samples if s.case_id == "c0" and s.label == "liver")
    # i 5..24 of 60, j 10..39 of 80: x = 59 − i, y = 79 − j, half-open
    assert sample.box_px == (35, 40, 55, 70)
    assert sample.truth == pytest.approx((35 / 60, 1 - 70 / 80, 55 / 60, 1 - 40 / 80))


def test_tumor_truth_is_the_fitted_axes_with_their_end_points(study_tables):
    found = selected(study_tables, TaskConfig(task=Task.TUMOR_LESION))
    assert {sample.label for sample in found.samples} == {"liver tumor"}
    for sample in found.samples:
        ends = np.array([(p.x_px, p.y_px) for p in sample.points]).reshape(2, 2, 2)
        shape = sample.geometry
        steps_mm = (ends[:, 1] - ends[:, 0]) * (shape.spacing_x_mm, shape.spacing_y_mm)
        lengths = np.linalg.norm(steps_mm, axis=1)
        assert lengths == pytest.approx(sample.truth, abs=1e-6)
        assert sample.unit == "mm"


def test_area_adds_all_components_and_asks_once(study_tables):
    config = TaskConfig(task=Task.AREA, planes=(Plane.AXIAL,), labels=("kidney",))
    found = selected(study_tables, config)
    by_slice = {s.slice_index: s for s in found.samples if s.case_id == "c0"}
    assert by_slice[5].truth == (pytest.approx((15 * 20 + 15 * 20) * 0.8),)
    assert by_slice[12].truth == (pytest.approx(15 * 20 * 0.8),)
    # both parts: i 5..39, j 50..69
    assert by_slice[5].box_px == (20, 10, 55, 30)
    assert len({s.sample_id for s in found.samples}) == len(found.samples)


def test_split_keeps_subjects_apart(study_tables):
    config = TaskConfig(task=Task.DETECTION)
    subjects = {
        split: {s.subject_id for s in selected(study_tables, config, split=split).samples}
        for split in ("train", "test")
    }
    assert not subjects["train"] & subjects["test"]
    assert (len(subjects["train"]), len(subjects["test"])) == (7, 3)
    assert read_cases(study_tables).num_rows == 10


def test_ids_come_from_content_and_are_percent_encoded(study_tables):
    config = TaskConfig(task=Task.DETECTION, planes=(Plane.AXIAL,), labels=("liver",))
    (sample,) = (
        s
        for s in selected(study_tables, config).samples
        if s.case_id == "c3" and s.slice_index == 5
    )
    assert sample.sample_id == "study%201//c3/image/axial/5/1.0/detection"
    assert unquote(sample.sample_id.split("/")[0]) == "study 1"


def test_draw_is_seeded_and_nested(study_tables):
    config = TaskConfig(task=Task.DETECTION)
    large = [s.sample_id for s in selected(study_tables, config, limit=60).samples]
    small = [s.sample_id for s in selected(study_tables, config, limit=20).samples]
    assert len(large) == 60
    assert set(small) < set(large)
    assert small == [s.sample_id for s in selected(study_tables, config, limit=20).samples]
    capped = selected(study_tables, config, TaskConfig(task=Task.AREA), cap=15).samples
    assert [s.task for s in capped].count(Task.AREA) == 15
    assert len(capped) == 30


def test_samples_survive_a_table(study_tables):
    for task in (Task.DETECTION, Task.TUMOR_LESION, Task.AREA):
        samples = selected(study_tables, TaskConfig(task=task), limit=7).samples
        assert samples_from_table(sample_table(samples)) == samples


def test_other_datasets_of_a_suite_are_left_out(study_tables):
    other, own = (
        TaskConfig(task=Task.DETECTION, dataset=name) for name in ("elsewhere", "study 1")
    )
    found = selected(study_tables, other, own)
    assert found.samples == selected(study_tables, own).samples
    [told] = found.unmet
    assert "no tables of 1 of its 2 datasets: elsewhere; tables at hand: study 1" in told
    with pytest.raises(UsageError, match="no tables of 1 of its 1 datasets: elsewhere"):
        selected(study_tables, other)


def test_unknown_suite_lists_the_known(tmp_path):
    with pytest.raises(UsageError, match="demo"):
        load_suite("nothing")
    assert set(suite_names()) >= {"demo", "demo-real"}


def test_suite_file_rejects_unknown_words():
    with pytest.raises(UsageError, match=r"configs\[0\]: unknown key 'plane'; did you mean"):
        parse_suite('name = "x"\n[[configs]]\ntask = "tl"\nplane = "axial"', "f")
    with pytest.raises(UsageError, match=r'configs\[0\]\.task: expected one of .*"boxes"'):
        parse_suite('name = "x"\n[[configs]]\ntask = "boxes"', "f")
