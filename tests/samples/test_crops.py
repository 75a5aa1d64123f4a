"""Crops around boxes, and samples in their frame."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.frames import SliceGeometry, relative_from_box_px
from medvision.samples import Point, sample_from_row, sample_table, samples_from_table
from medvision.samples.crops import (
    as_shown,
    crop_around,
    geometries_shown,
    is_part,
    part_of,
    parts_of,
)
from medvision.tasks import Task

sides = st.integers(1, 90)
shares = st.floats(0, 1)


@given(sides, sides, shares, shares, shares, shares, st.floats(0, 3), st.integers(1, 50))
def test_a_crop_is_within_the_slice_and_holds_its_box(height, width, a, b, c, d, margin, least):
    x0, x1 = int(a * (width - 1)), width - int(b * (width - 1))
    y0, y1 = int(c * (height - 1)), height - int(d * (height - 1))
    box = (min(x0, x1 - 1), min(y0, y1 - 1), x1, y1)
    crop = crop_around(box, height, width, margin_frac=margin, least_px=least)
    left, top, right, bottom = crop or (0, 0, width, height)
    assert 0 <= left <= box[0]
    assert 0 <= top <= box[1]
    assert box[2] <= right <= width
    assert box[3] <= bottom <= height
    assert right - left >= min(least, width)
    assert bottom - top >= min(least, height)
    if right - left != bottom - top:
        assert right - left == width or bottom - top == height


def test_a_box_beside_the_slice_is_answered_by_its_edge():
    assert crop_around((200, -50, 210, -40), 100, 120) == (88, 0, 120, 32)


@pytest.fixture(scope="module")
def sample(study_tables):
    from medvision.samples.select import select_samples, table_folders
    from medvision.samples.suite import Suite, TaskConfig

    suite = Suite(name="s", configs=(TaskConfig(task=Task.DETECTION),), cap_per_config=None)
    found = select_samples(suite, table_folders([study_tables]), split="all").samples[0]
    on = SliceGeometry(height_px=40, width_px=50, spacing_y_mm=2.0, spacing_x_mm=1.0)
    truth = tuple(relative_from_box_px((10, 12, 20, 18), 40, 50).tolist())
    points = (Point(key="a", name="a", x_px=11.5, y_px=12.25),)
    return replace(found, geometry=on, truth=truth, box_px=(10, 12, 20, 18), points=points)


def test_everything_moves_into_the_frame_of_the_crop(sample):
    stored = replace(sample, crop_px=(5, 10, 30, 30))
    shown = as_shown(stored)
    assert not is_part(stored)
    assert is_part(shown)
    assert shown.geometry == SliceGeometry(
        height_px=20, width_px=25, spacing_y_mm=2.0, spacing_x_mm=1.0
    )
    assert shown.box_px == (5, 2, 15, 8)
    assert shown.truth == pytest.approx((5 / 25, 1 - 8 / 20, 15 / 25, 1 - 2 / 20))
    assert (shown.points[0].x_px, shown.points[0].y_px) == (6.5, 2.25)
    assert as_shown(shown) == shown
    assert part_of(stored).on_slice(shown.truth) == pytest.approx(sample.truth)
    assert as_shown(sample) == sample


def test_what_the_crop_cuts_ends_at_its_edge(sample):
    assert as_shown(replace(sample, crop_px=(0, 0, 15, 15))).box_px == (10, 12, 15, 15)
    assert as_shown(replace(sample, crop_px=(30, 0, 45, 10))).box_px == (0, 9, 1, 10)


def test_crops_are_kept_in_lists_and_lists_without_them_are_of_whole_slices(sample):
    cropped = replace(sample, crop_px=(5, 10, 30, 30))
    table = sample_table([sample, cropped])
    assert samples_from_table(table) == [sample, cropped]
    assert geometries_shown(table) == [sample.geometry, as_shown(cropped).geometry]
    assert parts_of(table) == [None, part_of(cropped)]
    older = table.drop_columns(["crop_px"])
    assert samples_from_table(older)[1] == sample
    assert geometries_shown(older) == [sample.geometry] * 2
    assert parts_of(older) == [None, None]
    assert sample_from_row(table.to_pylist()[0] | {"crop_px": None}) == sample
