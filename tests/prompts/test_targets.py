import dataclasses
import math
import re
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.frames import SliceGeometry
from medvision.geometry import acute_angle_deg, vertex_angle_deg
from medvision.pictures.perceived import (
    box_on_slice_from_sent,
    perceived_size,
    point_on_slice_from_sent,
    stated_frame,
)
from medvision.pictures.view import PictureFamily
from medvision.prompts import targets
from medvision.prompts.messages import prompt_text
from medvision.prompts.steps import UnwritableTargetError
from medvision.replies import AnswerStatus, Style, read_answer
from medvision.samples import Point
from medvision.tasks import Task
from tests import builders
from tests.builders import shape_hw

FAMILIES = ("qwen2_5_vl", "gemma3", "llava_onevision", "clip336_pad", "as_sent")
NUMBER = r"-?\d+(?:\.\d+)?"
WIDE = SliceGeometry(height_px=160, width_px=384, spacing_y_mm=1.25, spacing_x_mm=0.7)


def sample(task, **changes):
    unit = {"unit": "deg"} if task is Task.ANGLE_DISTANCE else {}
    return builders.sample(task, geometry=WIDE, **{"name": "liver tumor", **unit, **changes})


def seen(one, family):
    return perceived_size(family, *shape_hw(one))


def frame_of(one, family):
    shape = one.geometry
    return stated_frame(
        seen(one, family),
        shape.height_px,
        shape.width_px,
        shape.spacing_y_mm,
        shape.spacing_x_mm,
    )


def target_text(one, style, family):
    return targets.target_text(one, style, PictureFamily(name=family).view(one.geometry))


def extent_mm(one, family):
    """Physical size of the stated canvas, x and y."""
    frame = frame_of(one, family)
    return frame.width_px * frame.pixel_x_mm, frame.height_px * frame.pixel_y_mm


def step_mm(one, family):
    """Most that a displacement moves when its ends, the pixel size and the mm are rounded."""
    x, y = extent_mm(one, family)
    return math.hypot(x * (1e-4 + 5e-6), y * (1e-4 + 5e-6)) + math.hypot(5e-4, 5e-4)


def calculated(expression):
    """Value of sums, differences and products of numbers in a line, read by this test alone."""
    total = 0.0
    for sign, product in re.findall(r"(^| [+-] )((?:[^+\- ]|-(?! )| \* )+)", expression):
        factors = [float(factor) for factor in product.split(" * ")]
        total += math.prod(factors) * (-1 if sign == " - " else 1)
    return total


def root_of_squares(dx, dy):
    """√(dx² + dy²) of numbers with three decimals, to two, exactly, half away from zero."""
    whole = round(dx * 1000) ** 2 + round(dy * 1000) ** 2
    return str((Decimal(whole).sqrt() / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP))


def checked_ways(text, one, family):
    """Recomputes every "dx = …, dy = …" from the numbers in it; gives them by line's name."""
    frame = frame_of(one, family)
    sizes = {
        "dx": f"{frame.width_px} * {frame.pixel_x_mm:.6g}",
        "dy": f"{frame.height_px} * {frame.pixel_y_mm:.6g}",
    }
    ways = {}
    pattern = rf"(d[xy]) = \(({NUMBER}) - ({NUMBER})\) \* ([\d.]+ \* [\d.]+) = ({NUMBER}) mm"
    for line in text.splitlines():
        found = re.findall(pattern, line)
        if not found:
            continue
        for axis, end, start, size, result in found:
            assert size == sizes[axis]
            again = (float(end) - float(start)) * calculated(size)
            assert abs(again - float(result)) <= 0.0005 + 1e-9
            assert result == "0.000" or not result.startswith("-0.000")
        coordinates = [(float(start), float(end)) for _, end, start, _, _ in found]
        ways[line.split(": dx")[0]] = (*(float(f[4]) for f in found), coordinates)
    return ways


def answer_of(text, task):
    answer = read_answer(task, text, Style.COT)
    assert answer.status is AnswerStatus.OK
    return answer.values


def written_points(text):
    return [tuple(map(float, pair)) for pair in re.findall(rf"\(({NUMBER}), ({NUMBER})\)", text)]


def points_of(coordinates, keys=("a", "b", "c", "d")):
    return tuple(
        Point(key=key, name=f"landmark {key}", x_px=x, y_px=y)
        for key, (x, y) in zip(keys, coordinates, strict=True)
    )


def in_mm(points, one):
    shape = one.geometry
    return np.array([(p.x_px * shape.spacing_x_mm, p.y_px * shape.spacing_y_mm) for p in points])


positions = st.tuples(st.floats(-3, 386), st.floats(-3, 162))
families = st.sampled_from(FAMILIES)


@given(st.tuples(positions, positions, positions, positions), families)
@settings(max_examples=60)
def test_axis_lengths_follow_from_the_written_end_points(coordinates, family):
    points = points_of(coordinates)
    one = sample(Task.TUMOR_LESION, points=points)
    text = target_text(one, Style.COT, family)
    ways = checked_ways(text, one, family)
    values = answer_of(text, Task.TUMOR_LESION)
    for name, value in zip(("Major axis", "Minor axis"), values, strict=True):
        dx, dy, _ = ways[name]
        assert root_of_squares(dx, dy) == f"{value:.2f}"
        assert re.search(rf"{name}: sqrt\({dx:.3f}\^2 \+ {dy:.3f}\^2\) = {value:.2f} mm\.", text)
    assert values[0] >= values[1]
    corners = in_mm(points, one)
    truth = sorted(
        (math.dist(corners[0], corners[1]), math.dist(corners[2], corners[3])), reverse=True
    )
    bound = step_mm(one, family) + 0.005
    assert np.abs(np.subtract(values, truth)).max() <= bound
    ends = written_points(text)[:4]
    back = point_on_slice_from_sent(ends, seen(one, family))
    expected = [((p.x_px + 0.5) / 384, 1 - (p.y_px + 0.5) / 160) for p in points]
    distance = np.abs(back[:, None] - np.array(expected)[None]).max(axis=2)
    assert distance.min(axis=1).max() < 2e-4


@given(st.tuples(positions, positions), families)
@settings(max_examples=40)
def test_distance_follows_from_the_written_landmarks(coordinates, family):
    points = points_of(coordinates, "ab")
    one = sample(Task.ANGLE_DISTANCE, points=points, metric_kind="distance", unit="mm")
    text = target_text(one, Style.COT, family)
    dx, dy, (x, y) = checked_ways(text, one, family)["Distance"]
    (value,) = answer_of(text, Task.ANGLE_DISTANCE)
    assert root_of_squares(dx, dy) == f"{value:.2f}"
    assert written_points(text) == [(x[0], y[0]), (x[1], y[1])]
    assert "landmark a: (" in text
    corners = in_mm(points, one)
    assert abs(value - math.dist(*corners)) <= step_mm(one, family) + 0.005


def checked_angle(text, one, family):
    """Both directions as written, and the answer, recomputed."""
    ways = checked_ways(text, one, family)
    (ax, ay, _), (bx, by, _) = (
        next(way for name, way in ways.items() if name.startswith(f"Line {letter},"))
        for letter in "AB"
    )
    results = {}
    for name, expression, result in re.findall(rf"(dot|cross) = (.+) = ({NUMBER})\.", text):
        assert abs(calculated(expression) - float(result)) <= 0.0005 + 1e-6
        results[name] = float(result)
    assert abs(results["dot"] - (ax * bx + ay * by)) <= 0.0005 + 1e-6
    assert abs(results["cross"] - (ax * by - ay * bx)) <= 0.0005 + 1e-6
    (value,) = answer_of(text, Task.ANGLE_DISTANCE)
    y, x = map(float, re.search(rf"atan2\(({NUMBER}), ({NUMBER})\)", text).groups())
    assert y == abs(results["cross"])
    assert f"{math.degrees(math.atan2(y, x)):.2f}" == f"{value:.2f}"
    return value, results["dot"], x


def angle_bound_deg(one, family, lengths_mm):
    turns = [math.asin(min(1.0, step_mm(one, family) / length)) for length in lengths_mm]
    return math.degrees(sum(turns)) + 0.005 + 0.01  # dot and cross are rounded to 0.001 mm²


@given(st.tuples(positions, positions, positions, positions), families)
@settings(max_examples=60)
def test_acute_angle_follows_from_the_written_landmarks(coordinates, family):
    points = points_of(coordinates)
    one = sample(Task.ANGLE_DISTANCE, points=points, metric_kind="angle")
    corners = in_mm(points, one)
    lengths = math.dist(*corners[:2]), math.dist(*corners[2:])
    if min(lengths) < 1:
        return
    text = target_text(one, Style.COT, family)
    value, dot, along = checked_angle(text, one, family)
    assert along == abs(dot)
    assert value <= 90
    truth = acute_angle_deg(corners[1] - corners[0], corners[3] - corners[2])
    assert abs(value - truth) <= angle_bound_deg(one, family, lengths)


@given(
    st.tuples(positions, positions, positions),
    st.sampled_from(["abac", "bac a".replace(" ", ""), "abca", "baac"]),
    families,
)
@settings(max_examples=60)
def test_angle_at_a_shared_landmark_is_not_folded(coordinates, keys, family):
    where = dict(zip("abc", coordinates, strict=True))
    points = points_of([where[key] for key in keys], keys)
    one = sample(Task.ANGLE_DISTANCE, points=points, metric_kind="vertex_angle")
    corners = in_mm(points, one)
    lengths = math.dist(*corners[:2]), math.dist(*corners[2:])
    if min(lengths) < 1:
        return
    text = target_text(one, Style.COT, family)
    value, dot, along = checked_angle(text, one, family)
    assert along == dot
    shared = (keys[:2].index("a"), keys[2:].index("a"))
    truth = vertex_angle_deg(corners[:2], corners[2:], shared)
    assert abs(value - truth) <= angle_bound_deg(one, family, lengths)
    assert text.count("landmark a: (") == 1


boxes = st.tuples(st.integers(0, 370), st.integers(0, 150), st.integers(1, 14), st.integers(1, 10))


def box_sample(task, box, **changes):
    x, y, width, height = box
    edges = (float(x), float(y), float(x + width), float(y + height))
    truth = (edges[0] / 384, 1 - edges[3] / 160, edges[2] / 384, 1 - edges[1] / 160)
    return sample(task, **({"box_px": edges, "truth": truth} | changes))


@given(boxes, families)
@settings(max_examples=60)
def test_box_is_what_the_extreme_points_say(box, family):
    one = box_sample(Task.DETECTION, box)
    text = target_text(one, Style.COT, family)
    values = answer_of(text, Task.DETECTION)
    across, down = (re.findall(rf"point(?: is)? at {axis} = (\d\.\d{{4}})", text) for axis in "xy")
    (x0, x1), (y0, y1) = across, down
    assert f"<answer>{x0}, {y0}, {x1}, {y1}</answer>" in text
    column = ("left", "middle", "right")[min(2, math.floor((values[0] + values[2]) * 1.5 + 1e-12))]
    row = ("lower", "middle", "upper")[min(2, math.floor((values[1] + values[3]) * 1.5 + 1e-12))]
    assert f"in the {column} third" in text
    assert f"in the {row} third" in text
    direct = target_text(one, Style.DIRECT, family)
    assert read_answer("detection", direct).values == values
    on_slice = box_on_slice_from_sent(values, seen(one, family))
    content = seen(one, family)
    scale = max(
        side / part for side, part in zip(content.canvas_hw, content.content_hw, strict=True)
    )
    assert np.abs(on_slice - one.truth).max() <= 1.001e-4 * scale


@given(boxes, st.floats(0.01, 1.0), families)
@settings(max_examples=60)
def test_area_is_the_written_share_of_the_written_box(box, share, family):
    _, _, width, height = box
    truth = width * height * share * 1.25 * 0.7
    one = box_sample(Task.AREA, box, truth=(truth,))
    text = target_text(one, Style.COT, family)
    dx, dy, coordinates = checked_ways(text, one, family)["Sides of the box"]
    assert written_points(text) == [
        (coordinates[0][0], coordinates[1][0]),
        (coordinates[0][1], coordinates[1][1]),
    ]
    stated = float(re.search(r"share of ([\d.]+) of the box", text)[1])
    assert stated <= 1
    (value,) = answer_of(text, Task.AREA)
    assert f"{dx:.3f} * {dy:.3f} * {stated:.4f} = {value:.2f} mm^2" in text
    assert abs(dx * dy * stated - value) <= 0.005 + 1e-9
    width_mm, height_mm = extent_mm(one, family)
    shrunk = 1.1e-4 * (width_mm * dy + height_mm * dx) + 1e-3 * (dx + dy)
    bound = 5e-5 * dx * dy + 0.005 + (shrunk if stated == 1 else 0)
    assert abs(value - truth) <= bound + 1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_use_the_sizes_that_the_prompt_states(family):
    points = points_of([(10, 20), (100, 90), (30, 80), (70, 30)])
    one = sample(Task.TUMOR_LESION, points=points)
    prompt = prompt_text(one, Style.COT, frame_of(one, family))
    text = target_text(one, Style.COT, family)
    wide, high, across, down = re.search(
        r"is (\d+) pixels wide and (\d+) pixels high; each pixel is (\S+) mm wide and (\S+) mm",
        prompt,
    ).groups()
    assert f") * {wide} * {across} = " in text
    assert f") * {high} * {down} = " in text


def test_direct_target_is_the_truth_in_the_answer_form():
    one = sample(Task.TUMOR_LESION, truth=(31.2, 18.0))
    assert target_text(one, Style.DIRECT, "qwen2_5_vl") == "31.20, 18.00"


def test_nearly_equal_axes_are_named_as_the_steps_order_them():
    # as written, the second pair is longer by a hair although the first was measured longer
    points = points_of([(100.0, 80.0), (119.2, 80.0), (110.0, 70.0), (110.0, 80.75)])
    one = sample(Task.TUMOR_LESION, points=points)
    values = answer_of(target_text(one, Style.COT, "as_sent"), Task.TUMOR_LESION)
    assert values[0] >= values[1]


@pytest.mark.parametrize("kind", ["angle", "vertex_angle"])
def test_a_line_too_short_for_four_decimals_is_refused(kind):
    points = points_of([(10, 20), (10.001, 20), (10, 20), (90, 30)], "abac")
    one = sample(Task.ANGLE_DISTANCE, points=points, metric_kind=kind)
    with pytest.raises(UnwritableTargetError, match="expected lines of a length"):
        target_text(one, Style.COT, "as_sent")


def test_a_vertex_angle_without_a_shared_landmark_is_refused():
    points = points_of([(10, 20), (50, 20), (10, 50), (90, 30)])
    one = sample(Task.ANGLE_DISTANCE, points=points, metric_kind="vertex_angle")
    with pytest.raises(UnwritableTargetError, match="shared landmark"):
        target_text(one, Style.COT, "as_sent")


def test_a_perturbed_step_would_be_noticed():
    one = box_sample(Task.AREA, (10, 10, 30, 20), truth=(400.0,))
    text = target_text(one, Style.COT, "as_sent")
    dx = re.search(r"dx = .* = ([\d.]+) mm, dy", text)[1]
    broken = text.replace(f"= {dx} mm, dy", f"= {float(dx) + 0.01:.3f} mm, dy")
    assert broken != text
    with pytest.raises(AssertionError):
        checked_ways(broken, one, "as_sent")


def test_targets_do_not_depend_on_where_the_file_lies():
    one = box_sample(Task.DETECTION, (10, 10, 30, 20))
    moved = dataclasses.replace(one, image_uri="/elsewhere")
    assert target_text(one, Style.COT, "gemma3") == target_text(moved, Style.COT, "gemma3")
