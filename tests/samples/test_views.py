"""Samples in the original's view: turned together with the pixels they speak of."""

import numpy as np
import pytest

from medvision.frames import (
    SliceGeometry,
    View,
    pixels_in_view,
    relative_from_box_px,
    relative_from_point_px,
)
from medvision.samples import Point, sample_table, samples_from_table
from medvision.samples.views import in_view
from medvision.tasks import Task
from tests.builders import sample

GEOMETRY = SliceGeometry(height_px=40, width_px=30, spacing_y_mm=2.0, spacing_x_mm=0.5)
BOX = (3.0, 5.0, 11.0, 25.0)
DOTS = [(3, 5), (11, 24)]


def asked(task, number, **changes):
    return sample(task, number=number, geometry=GEOMETRY, **changes)


@pytest.fixture
def displayed():
    points = [Point(key=str(n), name=f"dot {n}", x_px=x, y_px=y) for n, (x, y) in enumerate(DOTS)]
    truth = tuple(relative_from_box_px(BOX, 40, 30).tolist())
    return sample_table(
        [
            asked(Task.DETECTION, 0, box_px=BOX, truth=truth),
            asked(Task.ANGLE_DISTANCE, 1, points=points),
            asked(Task.DETECTION, 2, box_px=BOX, truth=truth),
            asked(Task.TUMOR_LESION, 3, box_px=BOX, points=points * 2),
        ]
    )


@pytest.mark.parametrize("is_native", [False, True])
def test_boxes_points_and_sizes_are_where_the_picture_shows_them(displayed, is_native):
    pixels = np.zeros((40, 30))
    pixels[5:25, 3:11] = 1
    pixels[tuple(zip(*[(y, x) for x, y in DOTS], strict=True))] = 2
    shown = pixels_in_view(pixels, View.ORIGINAL, is_native=is_native)
    found = samples_from_table(in_view(displayed, View.ORIGINAL, np.full(4, is_native)))
    for before, after in zip(samples_from_table(displayed), found, strict=True):
        on = after.geometry
        assert (on.height_px, on.width_px) == shown.shape == (30, 40)
        assert (on.spacing_y_mm, on.spacing_x_mm) == (0.5, 2.0)
        assert after.view is View.ORIGINAL
        assert (after.sample_id, after.name) == (before.sample_id, before.name)
        if after.box_px:
            x0, y0, x1, y1 = map(int, after.box_px)
            assert shown[y0:y1, x0:x1].all()
            assert shown.astype(bool).sum() <= (y1 - y0) * (x1 - x0) + 1
        for point in after.points:
            assert shown[int(point.y_px), int(point.x_px)] == 2
        if after.task is Task.DETECTION:
            assert after.truth == tuple(relative_from_box_px(after.box_px, 30, 40).tolist())
        else:
            assert after.truth == before.truth


def test_relative_coordinates_differ_by_the_transpose_alone(displayed):
    """Counted from the lower left, x and y change places and nothing else."""
    before, after = (
        samples_from_table(in_view(displayed, view, np.zeros(4, dtype=bool))) for view in View
    )
    x0, y0, x1, y1 = before[0].truth
    assert after[0].truth == pytest.approx((y0, x0, y1, x1))
    for one, other in zip(before[1].points, after[1].points, strict=True):
        x, y = relative_from_point_px((one.x_px, one.y_px), 40, 30)
        assert relative_from_point_px((other.x_px, other.y_px), 30, 40) == pytest.approx((y, x))


def test_the_radiological_view_is_the_table_itself(displayed):
    assert in_view(displayed, View.RADIOLOGICAL, np.zeros(4, dtype=bool)) is displayed


def test_no_sample_at_all(displayed):
    nothing = displayed.slice(0, 0)
    assert in_view(nothing, View.ORIGINAL, np.zeros(0, dtype=bool)).schema == displayed.schema
