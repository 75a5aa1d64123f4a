"""Grey levels against exact rational arithmetic, and the same for every dtype."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medvision.pictures.grey_levels import percentile_range, percentile_stretched, stretched

SAME_VALUES = ["int16", "int32", "int64", "float16", "float32", "float64", ">i2", ">f4", "<u2"]


def pattern(height=300, width=320):
    """Whole numbers 0–1998 in no order, by integer arithmetic alone."""
    y, x = np.mgrid[:height, :width]
    return (y * 3571 + x * 1013 + (y * x) % 977) % 1999


def exact_range(values):
    """Percentiles by the definition, as fractions: position q (n − 1), linear between ranks."""
    ordered = sorted(Fraction(int(v)) for v in values.ravel())
    bounds = []
    for per_mille in (5, 995):
        rank, rest = divmod(per_mille * (len(ordered) - 1), 1000)
        above = ordered[min(rank + 1, len(ordered) - 1)]
        bounds.append(ordered[rank] + (above - ordered[rank]) * Fraction(rest, 1000))
    return bounds


def exact_levels(values, low, high):
    """255 (v − low) / (high − low), clipped, to the nearest whole number, halves to even."""
    return [
        [round(255 * (min(max(Fraction(int(v)), low), high) - low) / (high - low)) for v in row]
        for row in values
    ]


def digest(picture):
    return hashlib.sha256(picture.tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", SAME_VALUES)
def test_percentile_pictures_do_not_depend_on_the_dtype(dtype):
    picture = percentile_stretched(pattern().astype(dtype))
    assert digest(picture) == "ed434ddc64cb5cbf292ef53a6344a533ac3ec31c11475f94c200b3f35702c6d7"


@pytest.mark.parametrize("dtype", SAME_VALUES)
def test_windowed_pictures_do_not_depend_on_the_dtype(dtype):
    picture = stretched(pattern().astype(dtype), 300.0, 1300.0)
    assert digest(picture) == "b2a2fcc2c8dd2b3127d37598d113439b1efefb3551da73b84b914ab8eff1b9bc"


@pytest.mark.parametrize(("dtype", "shift"), [("uint8", 0), ("int8", -128)])
def test_eight_bit_pictures_are_pinned(dtype, shift):
    values = (pattern() % 256 + shift).astype(dtype)
    assert (
        digest(percentile_stretched(values))
        == "a075fb8edcac0aa62c42a6bd842eb26c9cc6ecc96e20a7f8029c9a3f38d0aaf5"
    )


def test_table_and_arithmetic_give_the_same_levels():
    """Large 16-bit slices go through a table, small ones and other dtypes do not."""
    values = (pattern() - 1000).astype(np.int16)
    by_table = stretched(values, -160.0, 240.0)
    assert np.array_equal(by_table, stretched(values.astype(np.float64), -160.0, 240.0))
    assert np.array_equal(by_table[:50, :50], stretched(values[:50, :50], -160.0, 240.0))


@given(
    hnp.arrays(
        np.int32,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.integers(-3000, 3000),
    )
)
def test_levels_are_those_of_exact_arithmetic(values):
    low, high = exact_range(values)
    found_low, found_high = percentile_range(values)
    if low == high:
        assert (found_low, found_high) == (values.min(), values.max())
        return
    assert (found_low, found_high) == pytest.approx((float(low), float(high)), rel=1e-12)
    exact = exact_levels(values, low, high)
    # a level may differ only where the exact value lies on the border between two
    assert np.abs(percentile_stretched(values).astype(int) - exact).max() <= 1


def test_levels_of_the_pattern_are_exact():
    values = pattern(60, 70)
    assert percentile_stretched(values).tolist() == exact_levels(values, *exact_range(values))


def test_view_of_a_volume_and_its_copy_look_the_same():
    volume = np.asfortranarray(np.stack([pattern(), pattern() + 7], axis=-1).astype(np.int16))
    view = volume[::-1, ::-1, 1].T
    assert np.array_equal(percentile_stretched(view), percentile_stretched(view.copy()))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "bool"])
def test_constant_slices_are_not_stretched(dtype):
    assert not percentile_stretched(np.full((20, 30), 1, dtype=dtype)).any()


def test_values_that_are_no_numbers_are_black_and_change_nothing_else():
    values = pattern(100, 100).astype(np.float32)
    holed = values.copy()
    holed[3, 4], holed[5, 6], holed[7, 8] = np.nan, np.inf, -np.inf
    finite = np.isfinite(holed)
    low, high = percentile_range(holed)
    assert (low, high) == pytest.approx(tuple(np.percentile(holed[finite], (0.5, 99.5))))
    picture = percentile_stretched(holed)
    assert (picture[3, 4], picture[5, 6], picture[7, 8]) == (0, 255, 0)
    assert np.array_equal(picture[finite], stretched(values, low, high)[finite])
    assert not percentile_stretched(np.full((3, 3), np.nan)).any()


def test_mask_pictures_show_both_values():
    assert set(np.unique(percentile_stretched(np.eye(50, dtype=bool)))) == {0, 255}
