"""Moments against scikit-image, Feret diameters against all pairs, and symmetries."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import regionprops

from medvision.annotate import native_region_table, region_table
from medvision.annotate.shape import feret_diameters, hull_corners, moment_axes_mm

LENGTHS = ["moment_major_mm", "moment_minor_mm", "feret_max_mm", "feret_perp_mm"]
FERET_ENDS = ["feret_x0_px", "feret_y0_px", "feret_x1_px", "feret_y1_px"]


def measured(mask, spacing_yx):
    """Row of the largest component."""
    return native_region_table(mask.astype(np.uint8), spacing_yx, "native", [1]).to_pylist()[0]


def largest_blob(seed, shape=(24, 26), sigma=2.0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    numbered, _ = ndimage.label(noise > 0)
    return numbered == np.argmax(np.bincount(numbered.flat)[1:]) + 1


def feret_by_all_pairs(mask, spacing_yx):
    """Longest distance, largest perpendicular extent among tied pairs, and the tied pairs."""
    ys, xs = np.nonzero(mask)
    points = np.stack([xs * spacing_yx[1], ys * spacing_yx[0]], axis=1).astype(float)
    between = points[None] - points[:, None]
    lengths = np.hypot(between[..., 0], between[..., 1])
    longest = lengths.max()
    pairs = np.argwhere(lengths >= longest * (1 - 1e-9))
    extents = []
    for a, b in pairs:
        u = (points[b] - points[a]) / (longest or 1)
        extents.append(np.ptp(points @ np.array([-u[1], u[0]])))
    widest = max(extents)
    best = {
        (xs[a], ys[a], xs[b], ys[b])
        for (a, b), extent in zip(pairs, extents, strict=True)
        if extent >= widest * (1 - 1e-9)
    }
    return longest, widest, best


@pytest.mark.parametrize("spacing_yx", [(1.0, 1.0), (3.0, 0.7), (0.1, 10.0)])
@pytest.mark.parametrize("seed", range(6))
def test_moments_equal_scikit_image(seed, spacing_yx):
    mask = largest_blob(seed)
    (props,) = regionprops(mask.astype(np.uint8), spacing=spacing_yx)
    row = measured(mask, spacing_yx)

    assert row["moment_major_mm"] == pytest.approx(props.axis_major_length, rel=1e-9)
    assert row["moment_minor_mm"] == pytest.approx(props.axis_minor_length, rel=1e-7)


@pytest.mark.parametrize("spacing_yx", [(1.0, 1.0), (3.0, 0.7), (0.4, 1.3)])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_feret_equals_all_pairs(seed, spacing_yx, sigma):
    mask = largest_blob(seed, sigma=sigma)
    longest, widest, best = feret_by_all_pairs(mask, spacing_yx)
    row = measured(mask, spacing_yx)

    assert row["feret_max_mm"] == pytest.approx(longest, rel=1e-12)
    assert row["feret_perp_mm"] == pytest.approx(widest, rel=1e-8)
    assert tuple(row[name] for name in FERET_ENDS) in best


@settings(max_examples=80)
@given(
    bits=st.lists(st.booleans(), min_size=30, max_size=30),
    spacing_yx=st.tuples(st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.5, 1.0, 2.0])),
)
def test_feret_of_small_shapes_with_many_ties_equals_all_pairs(bits, spacing_yx):
    numbered, n_components = ndimage.label(np.array(bits).reshape(5, 6))
    for number in range(1, n_components + 1):
        mask = numbered == number
        longest, widest, best = feret_by_all_pairs(mask, spacing_yx)
        row = measured(mask, spacing_yx)
        ends = tuple(row[name] for name in FERET_ENDS)

        assert row["feret_max_mm"] == pytest.approx(longest)
        assert row["feret_perp_mm"] == pytest.approx(widest, abs=1e-12)
        assert ends in best
        assert ends[0] < ends[2] or (ends[0] == ends[2] and ends[1] <= ends[3])


def test_tied_diagonals_of_a_square_give_the_one_from_the_upper_left():
    row = measured(np.ones((5, 5)), (1, 1))

    assert row["feret_max_mm"] == pytest.approx(4 * math.sqrt(2))
    assert row["feret_perp_mm"] == pytest.approx(4 * math.sqrt(2))
    assert [row[name] for name in FERET_ENDS] == [0, 0, 4, 4]


def test_rectangle_moments_are_closed_form():
    row = measured(np.ones((4, 9)), (2.0, 0.5))

    assert row["moment_major_mm"] == pytest.approx(4 * 2.0 * math.sqrt((4**2 - 1) / 12))
    assert row["moment_minor_mm"] == pytest.approx(4 * 0.5 * math.sqrt((9**2 - 1) / 12))


def test_single_pixel_has_zero_lengths_and_its_own_ends():
    mask = np.zeros((5, 7))
    mask[3, 4] = 1
    row = measured(mask, (0.7, 1.9))

    assert [row[name] for name in LENGTHS] == [0, 0, 0, 0]
    assert [row[name] for name in FERET_ENDS] == [4, 3, 4, 3]


@pytest.mark.parametrize("vertical", [False, True])
def test_line_of_pixels_has_length_but_no_width(vertical):
    mask = np.zeros((12, 12))
    mask[2, 3:10] = 1
    row = measured(mask.T if vertical else mask, (0.7, 0.7))

    assert row["feret_max_mm"] == pytest.approx(6 * 0.7)
    assert row["moment_major_mm"] == pytest.approx(4 * 0.7 * math.sqrt((7**2 - 1) / 12))
    assert (row["feret_perp_mm"], row["moment_minor_mm"]) == (0, 0)
    assert [row[name] for name in FERET_ENDS] == ([2, 3, 2, 9] if vertical else [3, 2, 9, 2])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    spacing_yx=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)),
    quarter_turns=st.integers(0, 3),
    flip=st.booleans(),
)
def test_turns_and_flips_keep_lengths_and_statuses(seed, spacing_yx, quarter_turns, flip):
    mask = largest_blob(seed, shape=(18, 22))
    turned = np.rot90(mask[:, ::-1] if flip else mask, quarter_turns)
    turned_spacing = spacing_yx if quarter_turns % 2 == 0 else spacing_yx[::-1]
    here, there = measured(mask, spacing_yx), measured(turned, turned_spacing)

    for name in [*LENGTHS, "area_mm2", "pixel_count"]:
        assert there[name] == pytest.approx(here[name], rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.2, 5))
def test_lengths_scale_with_spacing(seed, scale):
    mask = largest_blob(seed)
    here, there = measured(mask, (1.3, 0.8)), measured(mask, (1.3 * scale, 0.8 * scale))

    for name in LENGTHS:
        assert there[name] == pytest.approx(scale * here[name], rel=1e-7)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_order_of_memory_changes_no_value(axes):
    noise = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(20, 24, 28)), 2)
    volume = (noise > 0.05).astype(np.uint8)
    stored = np.ascontiguousarray(volume[::-1].transpose(axes)).transpose(np.argsort(axes))[::-1]
    spacing = (0.7, 1.2, 2.5)

    assert region_table(stored, spacing, [1]).equals(region_table(volume, spacing, [1]))


def runs_of(mask):
    """(r, 3) line, start, end of the runs of a mask's rows."""
    runs = []
    for line, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        runs += [(line, start, end) for start, end in edges.reshape(-1, 2)]
    return np.array(runs)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_hull_is_opencvs(seed, sigma):
    mask = largest_blob(seed, sigma=sigma)
    ys, xs = np.nonzero(mask)
    hull = cv2.convexHull(np.stack([xs, ys], axis=1).astype(np.int32))[:, 0]
    corners = {(int(x), int(y)) for y, x in hull_corners(runs_of(mask))}
    assert {(int(x), int(y)) for x, y in hull} <= corners  # ends of flat outer lines may be more
    assert cv2.contourArea(hull) == pytest.approx(
        cv2.contourArea(cv2.convexHull(np.array(sorted(corners), dtype=np.int32)))
    )


@pytest.mark.parametrize("seed", range(6))
def test_feret_diameters_of_all_pixels_are_those_of_the_hull(seed):
    mask = largest_blob(seed, shape=(14, 15), sigma=1.0)
    ys, xs = np.nonzero(mask)
    of_pixels = feret_diameters(np.stack([xs, ys], axis=1), (0.7, 1.3))
    of_hull = feret_diameters(hull_corners(runs_of(mask))[:, ::-1].copy(), (0.7, 1.3))
    np.testing.assert_array_equal(of_pixels, of_hull)


@pytest.mark.parametrize("seed", range(6))
def test_moment_axes_are_eigenvalues_of_the_covariance(seed):
    mask = largest_blob(seed)
    covariance = np.cov(np.argwhere(mask).T * [[2.0], [0.5]], bias=True)
    expected = 4 * np.sqrt(np.linalg.eigvalsh(covariance)[::-1])
    assert moment_axes_mm(runs_of(mask), 2.0, 0.5) == pytest.approx(expected, rel=1e-12)
