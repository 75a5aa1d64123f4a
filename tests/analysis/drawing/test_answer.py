import math

import pytest

from medvision.analysis.drawing.kinds import answer_shapes
from medvision.analysis.drawing.shapes import Ellipse, Line, Role, Text, canvas_of
from medvision.frames import SliceGeometry
from medvision.samples import Point
from medvision.tasks import Task
from tests import builders

WIDE = SliceGeometry(height_px=100, width_px=200, spacing_y_mm=2.0, spacing_x_mm=0.5)


def sample(task, points, **changes):
    named = tuple(Point(key=k, name=k, x_px=x, y_px=y) for k, x, y in points)
    return builders.sample(task, geometry=WIDE, points=named, **changes)


def length_mm(shape, canvas):
    return math.hypot(shape.x1 - shape.x0, shape.y1 - shape.y0) / canvas.units_per_mm


def test_stated_axes_lie_on_the_true_ones_with_the_stated_lengths():
    """Anisotropic pixels: 4 px along x and 1 px along y are the same millimetres."""
    points = [("a", 80, 50), ("b", 120, 50), ("c", 100, 47.5), ("d", 100, 52.5)]
    asked = sample(Task.TUMOR_LESION, points)
    canvas = canvas_of(asked.geometry)
    shapes = answer_shapes(asked, (30.0, 6.0), role=Role.ANSWER)
    major, minor = (shape for shape in shapes if isinstance(shape, Line))
    assert length_mm(major, canvas) == pytest.approx(30)
    assert length_mm(minor, canvas) == pytest.approx(6)
    centre = canvas.point(100, 50)
    for line in (major, minor):
        middle = ((line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2)
        assert middle == pytest.approx(centre)
    assert major.y0 == pytest.approx(major.y1)
    assert minor.x0 == pytest.approx(minor.x1)
    (ellipse,) = (shape for shape in shapes if isinstance(shape, Ellipse))
    assert 2 * ellipse.radius_0 / canvas.units_per_mm == pytest.approx(30)


def test_stated_distance_starts_at_the_first_landmark():
    asked = sample(Task.ANGLE_DISTANCE, [("a", 20, 50), ("b", 20, 70)], metric_kind="distance")
    canvas = canvas_of(asked.geometry)
    line = next(s for s in answer_shapes(asked, (25.0,), role=Role.ANSWER) if isinstance(s, Line))
    assert length_mm(line, canvas) == pytest.approx(25)
    assert line.y0 == pytest.approx(canvas.point(20, 50)[1])
    assert line.x0 == pytest.approx(line.x1)
    assert line.y1 > line.y0


@pytest.mark.parametrize("stated_deg", [10.0, 45.0, 90.0, 120.0])
def test_stated_angle_is_made_with_the_first_line(stated_deg):
    points = [("v", 100, 50), ("a", 140, 50), ("v", 100, 50), ("b", 140, 40)]
    asked = sample(Task.ANGLE_DISTANCE, points, metric_kind="vertex_angle", unit="deg")
    canvas = canvas_of(asked.geometry)
    shapes = answer_shapes(asked, (stated_deg,), role=Role.ANSWER)
    line = next(s for s in shapes if isinstance(s, Line))
    assert (line.x0, line.y0) == pytest.approx(canvas.point(100, 50))
    found = math.degrees(math.atan2(abs(line.y1 - line.y0), abs(line.x1 - line.x0)))
    assert found == pytest.approx(min(stated_deg, 180 - stated_deg))
    assert line.y1 < line.y0


def test_absurd_lengths_are_written_and_not_drawn():
    points = [("a", 80, 50), ("b", 120, 50), ("c", 100, 47.5), ("d", 100, 52.5)]
    shapes = answer_shapes(sample(Task.TUMOR_LESION, points), (1e9, 3.0), role=Role.ANSWER)
    (note,) = shapes
    assert isinstance(note, Text)
    assert "too large to draw" in note.text


def test_no_values_draw_nothing():
    asked = sample(Task.ANGLE_DISTANCE, [("a", 20, 50), ("b", 20, 70)])
    assert answer_shapes(asked, (), role=Role.ANSWER) == []
    assert answer_shapes(sample(Task.AREA, []), (12.0,), role=Role.ANSWER) == []


def test_stated_number_is_written_and_so_is_the_recovered_one_below_it():
    asked = sample(Task.COUNT, [])
    (scored,) = answer_shapes(asked, (3.0,), role=Role.ANSWER)
    (recovered,) = answer_shapes(asked, (4.0,), role=Role.RECOVERED)
    assert (scored.text, recovered.text) == (
        "answer: 3 regions",
        "recovered, not scored: 4 regions",
    )
    assert recovered.y - scored.y >= scored.size
