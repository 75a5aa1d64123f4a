"""Which lesions are measured: the floor in mm and in pixels, and no gate on end points."""

import numpy as np
import pyarrow.compute as pc
import pytest

from medvision.protocols import load_protocol
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_regions
from medvision.tasks import Task

SUITE = Suite(name="s", configs=(TaskConfig(task=Task.TUMOR_LESION),), cap_per_config=None)


def rows(tables, floor_mm, floor_px):
    """The regions that a floor leaves, one by one."""
    return [
        row
        for row in read_regions(tables).to_pylist()
        if row["ellipse_status"] == "ok"
        and row["n_components"] == 1
        and row["ellipse_major_mm"]
        >= max(floor_mm, floor_px * max(row["spacing_y_mm"], row["spacing_x_mm"]))
    ]


@pytest.mark.parametrize(("floor_mm", "floor_px"), [(2, 2), (25, 2), (2, 8)])
def test_lesions_are_at_least_as_long_as_both_floors(study_tables, tmp_path, floor_mm, floor_px):
    (tmp_path / "mine.toml").write_text(
        f'name = "m"\nversion = "1"\n[filters]\ntl_floor_mm = {floor_mm}\ntl_floor_px = {floor_px}',
        encoding="utf-8",
    )
    protocol = load_protocol(str(tmp_path / "mine.toml"))
    tables = table_folders([study_tables])
    found = select_samples(SUITE, tables, split="all", protocol=protocol)
    expected = rows(study_tables, floor_mm, floor_px)
    assert len(found.samples) == len(expected) > 0
    everything = rows(study_tables, 0, 0)
    assert found.dropped.get("tl: below_floor", 0) == len(everything) - len(expected)


def test_the_papers_floor_is_that_of_its_dataset_1_4_and_turned_ellipses_stay(study_tables):
    paper = load_protocol("paper")
    assert (paper.filters.tl_floor_mm, paper.filters.tl_floor_px) == (2.0, 2.0)
    found = select_samples(SUITE, table_folders([study_tables]), split="all", protocol=paper)
    assert len(found.samples) == len(rows(study_tables, 2, 2))
    # The gate of version 1.0: end points as far apart as the box is wide and high, within a tenth.
    is_gated = []
    for sample in found.samples:
        ends = np.array([(point.x_px, point.y_px) for point in sample.points])
        sides = np.ptp(ends, axis=0)
        x0, y0, x1, y1 = sample.box_px
        share = sides / [x1 - x0, y1 - y0]
        is_gated.append(bool((abs(share - 1) > 0.1).any()))
    assert any(is_gated)
    assert pc.count_distinct(found.table["sample_id"]).as_py() == len(found.samples)
