"""Ellipses against a direct OpenCV computation of the definition, and phantoms."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medvision.annotate import EllipseStatus, native_region_table, region_table
from medvision.annotate.ellipse import STATUSES, ends_in_order, measured_fits

LENGTHS = ["ellipse_major_mm", "ellipse_minor_mm"]
MAJOR = ["major_x0_px", "major_y0_px", "major_x1_px", "major_y1_px"]
MINOR = ["minor_x0_px", "minor_y0_px", "minor_x1_px", "minor_y1_px"]


def tilted_ellipse(shape_yx, center_xy, axes_mm, angle_deg, spacing_yx):
    """Pixels whose centres lie in an ellipse given in mm; angle from x towards y."""
    ys, xs = np.indices(shape_yx)
    x_mm = (xs - center_xy[0]) * spacing_yx[1]
    y_mm = (ys - center_xy[1]) * spacing_yx[0]
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    along, across = x_mm * cosine + y_mm * sine, y_mm * cosine - x_mm * sine
    return ((along / (axes_mm[0] / 2)) ** 2 + (across / (axes_mm[1] / 2)) ** 2 <= 1).astype(
        np.uint8
    )


def direct_fit(mask, spacing_yx):
    """Status and (major, minor, major ends, minor ends) of a mask holding one component."""
    spacing_y, spacing_x = spacing_yx
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    if x1 - x0 < 3 or y1 - y0 < 3:
        return "too_thin", None
    contours, _ = cv2.findContours(
        np.ascontiguousarray(mask[y0:y1, x0:x1]).astype(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_NONE,
    )
    points = np.array([[p[0][0] * spacing_x, p[0][1] * spacing_y] for p in contours[0]])
    if len(points) < 5:
        return "too_few_points", None
    cv2.setRNGSeed(-1)
    (cx, cy), sizes, angle = cv2.fitEllipse(points.astype(np.float32))
    values = []
    for size, turn in zip(sizes, (angle, angle + 90), strict=True):
        dx = math.cos(math.radians(turn)) * size / 2
        dy = math.sin(math.radians(turn)) * size / 2
        ends = [((cx + s * dx) / spacing_x + x0, (cy + s * dy) / spacing_y + y0) for s in (1, -1)]
        upright = abs(ends[0][0] - ends[1][0]) * spacing_x < 1e-3
        ends.sort(key=lambda end: end[1] if upright else end[0])
        values.append((size, [*ends[0], *ends[1]]))
    (major, major_ends), (minor, minor_ends) = sorted(values, key=lambda v: -v[0])
    if minor < min(spacing_x, spacing_y):
        return "collapsed", None
    if major > 1.5 * math.hypot((x1 - x0) * spacing_x, (y1 - y0) * spacing_y):
        return "runaway", None
    if major < max(2.0, 2 * spacing_x, 2 * spacing_y):
        return "below_floor", None
    return "ok", (major, minor, major_ends, minor_ends)


def only_row(mask, spacing_yx):
    (row,) = native_region_table(mask.astype(np.uint8), spacing_yx, "native", [1]).to_pylist()
    return row


def assert_row_is(row, fit, spacing_yx):
    status, values = fit
    assert row["ellipse_status"] == status
    if values is None:
        assert all(row[name] is None for name in [*LENGTHS, *MAJOR, *MINOR, "ellipse_area_ratio"])
        return
    major, minor, major_ends, minor_ends = values
    assert [row[name] for name in LENGTHS] == pytest.approx([major, minor], abs=1e-3)
    area_mm2 = row["pixel_count"] * spacing_yx[0] * spacing_yx[1]
    assert row["ellipse_area_ratio"] == pytest.approx(math.pi / 4 * major * minor / area_mm2)
    if major - minor > 1e-3 * major:
        near_px = 1e-3 / min(spacing_yx)
        assert [row[name] for name in MAJOR] == pytest.approx(major_ends, abs=near_px)
        assert [row[name] for name in MINOR] == pytest.approx(minor_ends, abs=near_px)


@pytest.mark.parametrize("spacing_yx", [(1.0, 1.0), (3.0, 0.7), (0.4, 2.5), (0.1, 0.1), (10, 8)])
def test_every_component_equals_a_direct_opencv_fit(spacing_yx):
    rng = np.random.default_rng(7)
    pixels = ndimage.gaussian_filter(rng.normal(size=(160, 170)), 2.0) > 0.03
    numbered, n_components = ndimage.label(pixels)
    boxes = ndimage.find_objects(numbered)
    rows = native_region_table(pixels, spacing_yx, "native", [1]).to_pylist()
    assert len(rows) == n_components > 40
    for row in rows:
        box = numbered[row["y0_px"] : row["y1_px"], row["x0_px"] : row["x1_px"]]
        within = slice(row["y0_px"], row["y1_px"]), slice(row["x0_px"], row["x1_px"])
        (number,) = [n for n in np.unique(box[box > 0]) if boxes[n - 1] == within]
        assert_row_is(row, direct_fit(numbered == number, spacing_yx), spacing_yx)


@pytest.mark.parametrize(
    ("plane", "y_axis", "x_axis"), [("axial", 1, 0), ("coronal", 2, 0), ("sagittal", 2, 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_volume_slices_use_the_spacing_of_their_own_axes(plane, y_axis, x_axis, order):
    spacing = (0.6, 1.1, 4.0)
    grid = np.indices((60, 50, 24)) - np.array([31, 24, 11]).reshape(3, 1, 1, 1)
    i_mm, j_mm, k_mm = grid * np.array(spacing).reshape(3, 1, 1, 1)
    tilted = (i_mm + 0.4 * j_mm) ** 2 / 14**2 + (j_mm - 0.3 * k_mm) ** 2 / 20**2 + (k_mm / 30) ** 2
    volume = np.array(tilted <= 1, dtype=np.uint8, order=order)
    rows = [row for row in region_table(volume, spacing, [1]).to_pylist() if row["plane"] == plane]
    slice_axis = 3 - y_axis - x_axis
    assert {"ok"} <= {row["ellipse_status"] for row in rows}
    for row in rows:
        pixels = volume.take(row["slice_index"], axis=slice_axis)
        pixels = (pixels.T if x_axis < y_axis else pixels)[::-1, ::-1]
        spacing_yx = (spacing[y_axis], spacing[x_axis])
        assert (row["spacing_y_mm"], row["spacing_x_mm"]) == spacing_yx
        assert_row_is(row, direct_fit(pixels, spacing_yx), spacing_yx)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    offset_xy=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    spacing_yx=st.tuples(st.sampled_from([0.3, 1.0, 2.7]), st.sampled_from([0.45, 1.0, 5.0])),
)
def test_moving_a_component_moves_its_ends_and_changes_nothing_else(seed, offset_xy, spacing_yx):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(30, 30)), 2.5)
    numbered, _ = ndimage.label(noise > noise.mean())
    mask = numbered == np.argmax(np.bincount(numbered.flat)[1:]) + 1
    dx, dy = offset_xy
    moved = np.zeros((90, 90), dtype=bool)
    moved[dy : dy + 30, dx : dx + 30] = mask
    here, there = (
        only_row(np.pad(mask, ((0, 60), (0, 60))), spacing_yx),
        only_row(moved, spacing_yx),
    )
    for name, value in here.items():
        if name == "touches_border" or value is None or isinstance(value, str):
            continue
        if name.endswith(("x0_px", "x1_px")):
            shift = dx
        elif name.endswith(("y0_px", "y1_px")):
            shift = dy
        else:
            shift = 0
        expected = value + shift
        if shift:
            assert there[name] == pytest.approx(expected, abs=1e-9)
        else:
            assert there[name] == expected
    assert there["ellipse_status"] == here["ellipse_status"]


@pytest.mark.parametrize("spacing_yx", [(1.0, 1.0), (0.8, 1.6), (3.2, 0.8)])
@pytest.mark.parametrize("ratio", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("major_px", [12, 20, 40, 80])
def test_phantom_axes_are_within_the_stated_pixel_tolerance(major_px, ratio, spacing_yx):
    """In units of the larger pixel side: the fit reads 0 to 1.8 short, moments within 0.7."""
    rng = np.random.default_rng(major_px)
    pixel_mm = max(spacing_yx)
    truth = np.array([1, ratio]) * major_px * pixel_mm
    errors = []
    for angle_deg in range(0, 180, 15):
        shape = [int(truth[0] / spacing) + 9 for spacing in spacing_yx]
        center = np.array(shape[::-1]) / 2 + rng.uniform(-0.5, 0.5, 2)
        row = only_row(tilted_ellipse(shape, center, truth, angle_deg, spacing_yx), spacing_yx)
        fitted = [row["ellipse_major_mm"], row["ellipse_minor_mm"]]
        moments = [row["moment_major_mm"], row["moment_minor_mm"]]
        errors.append(np.subtract([fitted, moments], truth) / pixel_mm)
        assert row["ellipse_status"] == "ok"
    fitted_px, moments_px = np.moveaxis(errors, 1, 0)
    assert np.all((fitted_px > -1.8) & (fitted_px < 0.0))
    assert -1.2 < fitted_px.mean() < -0.4
    assert np.abs(moments_px).max() < (0.7 if major_px < 40 else 0.3)
    assert abs(moments_px.mean()) < 0.12


def test_axes_lie_on_a_tilted_anisotropic_ellipse():
    spacing_yx = (2.0, 0.5)
    mask = tilted_ellipse((60, 200), (110.3, 28.6), (70.0, 30.0), 30.0, spacing_yx)
    row = only_row(mask, spacing_yx)
    half = 35 * np.array([math.cos(math.radians(30)), math.sin(math.radians(30))])
    ends = [
        value
        for sign in (-1, 1)
        for value in (110.3 + sign * half[0] / 0.5, 28.6 + sign * half[1] / 2.0)
    ]

    assert np.abs(np.subtract([row[name] for name in MAJOR], ends) * [0.5, 2, 0.5, 2]).max() < 1.5


STAIRCASE = [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
BENT = [[0, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]]
PLUS = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("mask", "spacing_yx", "status"),
    [
        (np.ones((2, 9)), (1, 1), EllipseStatus.TOO_THIN),
        (np.ones((9, 2)), (1, 1), EllipseStatus.TOO_THIN),
        (np.ones((1, 1)), (1, 1), EllipseStatus.TOO_THIN),
        (PLUS, (1, 1), EllipseStatus.TOO_FEW_POINTS),
        (STAIRCASE, (1, 1), EllipseStatus.COLLAPSED),
        (BENT, (1, 1), EllipseStatus.RUNAWAY),
        (np.ones((4, 4)), (0.5, 0.5), EllipseStatus.BELOW_FLOOR),
        (np.ones((12, 20)), (1, 1), EllipseStatus.OK),
    ],
)
def test_each_status_is_reached(mask, spacing_yx, status):
    mask = np.pad(np.asarray(mask, dtype=np.uint8), 2)
    row = only_row(mask, spacing_yx)

    assert row["ellipse_status"] == status == direct_fit(mask, spacing_yx)[0]
    assert (row["ellipse_major_mm"] is None) == (status != "ok")
    assert row["moment_major_mm"] is not None


def test_singular_fits_are_the_same_every_time_and_everywhere():
    pixels = np.zeros((400, 40), dtype=np.uint8)
    for row in range(100):
        pixels[4 * row : 4 * row + 3, row % 30 : row % 30 + 3] = STAIRCASE
    first, *others = native_region_table(pixels, (1.5, 0.5), "native", [1]).to_pylist()
    again = native_region_table(pixels, (1.5, 0.5), "native", [1]).to_pylist()

    assert [first, *others] == again
    assert {row["ellipse_status"] for row in others} == {first["ellipse_status"]}


def test_other_labels_are_not_targets_and_have_no_measures():
    mask = np.full((9, 9), 3, dtype=np.uint8)
    (row,) = native_region_table(mask, (1, 1), "native", [1, 259]).to_pylist()

    assert row["ellipse_status"] == "not_target"
    measured = [*LENGTHS, *MAJOR, *MINOR, "moment_major_mm", "feret_max_mm", "feret_x0_px"]
    assert all(row[name] is None for name in measured)
    assert row["area_mm2"] == 81.0


@pytest.mark.parametrize(
    "answer",
    [
        ((math.nan, 1.0), (8.0, 9.0), 0.0),
        ((1.0, 1.0), (8.0, math.inf), 0.0),
        ((1.0, 1.0), (8.0, 9.0), math.nan),
        ((1.0, 1.0), (0.0, math.nan), 0.0),
        cv2.error("no fit"),
    ],
)
def test_a_failed_or_non_finite_fit_is_non_finite(monkeypatch, answer):
    def fit(points):
        if isinstance(answer, cv2.error):
            raise answer
        return answer

    monkeypatch.setattr(cv2, "fitEllipse", fit)

    assert only_row(np.ones((9, 9)), (1, 1))["ellipse_status"] == "non_finite"


@pytest.mark.parametrize(
    ("axes", "status"),
    [
        ((0.5, 500.0), "collapsed"),
        ((0.5, 1.0), "collapsed"),
        ((1.0, 500.0), "runaway"),
        ((1.0, 1.5 * math.hypot(9, 18)), "ok"),
        ((1.9, 3.9), "below_floor"),
        ((4.0, 3.9), "ok"),
    ],
)
def test_statuses_follow_in_order(monkeypatch, axes, status):
    monkeypatch.setattr(cv2, "fitEllipse", lambda points: ((4.0, 8.0), axes, 0.0))
    row = only_row(np.ones((9, 9)), (2.0, 1.0))

    assert row["ellipse_status"] == status
    if status == "ok":
        assert row["ellipse_major_mm"] == max(axes)
        assert row["ellipse_minor_mm"] == min(axes)


def test_the_first_axis_may_be_the_major_one(monkeypatch):
    monkeypatch.setattr(cv2, "fitEllipse", lambda points: ((4.0, 4.0), (8.0, 4.0), 0.0))
    row = only_row(np.ones((9, 9)), (1.0, 1.0))

    assert [row[name] for name in MAJOR] == pytest.approx([0, 4, 8, 4])
    assert [row[name] for name in MINOR] == pytest.approx([4, 2, 4, 6])


@pytest.mark.parametrize(
    ("ends", "spacing_x", "ordered"),
    [
        ((5.0, 1.0, 2.0, 9.0), 1.0, (2.0, 9.0, 5.0, 1.0)),
        ((2.0, 9.0, 5.0, 1.0), 1.0, (2.0, 9.0, 5.0, 1.0)),
        ((5.0005, 1.0, 5.0, 9.0), 1.0, (5.0005, 1.0, 5.0, 9.0)),
        ((5.0, 9.0, 5.0005, 1.0), 1.0, (5.0005, 1.0, 5.0, 9.0)),
        ((5.0005, 1.0, 5.0, 9.0), 3.0, (5.0, 9.0, 5.0005, 1.0)),
    ],
)
def test_end_zero_is_left_or_upper_where_the_line_is_vertical(ends, spacing_x, ordered):
    assert tuple(ends_in_order(np.array([ends]), spacing_x)[0]) == ordered


def test_ends_are_not_clipped_to_the_slice():
    ys, xs = np.indices((70, 40))
    row = only_row(np.hypot(xs, ys - 35) <= 30, (1, 1))

    assert row["ellipse_status"] == "ok"
    assert row["minor_x0_px"] < -0.5


@pytest.mark.parametrize(
    ("fit", "status"),
    [
        ((4.0, 4.0, 8.0, 6.0, 30.0), EllipseStatus.OK),
        ((4.0, np.nan, 8.0, 6.0, 30.0), EllipseStatus.NON_FINITE),
        ((4.0, 4.0, np.inf, 0.1, 30.0), EllipseStatus.NON_FINITE),
        ((4.0, 4.0, 8.0, 6.0, np.inf), EllipseStatus.NON_FINITE),
        ((4.0, 4.0, 80.0, 0.1, 30.0), EllipseStatus.COLLAPSED),
        ((4.0, 4.0, 80.0, 6.0, 30.0), EllipseStatus.RUNAWAY),
        ((4.0, 4.0, 1.9, 1.8, 30.0), EllipseStatus.BELOW_FLOOR),
    ],
)
def test_a_fit_alone_has_the_first_status_that_applies(fit, status):
    scale = np.array([0.5, 0.75])
    codes, axes = measured_fits(np.array([fit]), np.array([[0, 0, 9, 9]]), scale)
    assert STATUSES[codes[0]] is status
    assert np.isfinite(axes).all() == (status is EllipseStatus.OK)


@settings(max_examples=60, deadline=None)
@given(
    major_mm=st.floats(6, 9),
    minor_mm=st.floats(2, 5.9),
    angle_deg=st.floats(0, 180),
    swap=st.booleans(),
)
def test_ends_of_a_fit_lie_on_its_axes(major_mm, minor_mm, angle_deg, swap):
    stated = (minor_mm, major_mm, angle_deg - 90) if swap else (major_mm, minor_mm, angle_deg)
    scale, corner = np.array([0.5, 0.75]), np.array([10, 20])
    raw = np.array([(3.0, 4.0, *stated)])
    _, axes = measured_fits(raw, np.array([[*corner, *(corner + 12)]]), scale)
    ends_mm = ((axes[0, 2:].reshape(2, 2, 2) - corner) * scale).reshape(2, 2, 2)
    np.testing.assert_allclose(ends_mm.mean(axis=1), [[3, 4], [3, 4]], atol=1e-9)
    along, across = ends_mm[:, 1] - ends_mm[:, 0]
    np.testing.assert_allclose([np.hypot(*along), np.hypot(*across)], [major_mm, minor_mm])
    direction = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    assert abs(along @ direction) == pytest.approx(major_mm)
    assert along @ across == pytest.approx(0, abs=1e-9)
