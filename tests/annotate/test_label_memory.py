"""Words of label memory against element by element: runs, extents, and slices made contiguous."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.annotate.label_memory import (
    dense_labels,
    readable_stack,
    row_extents,
    same_until,
    slices_per_block,
)
from medvision.frames import VOLUME_PLANES, display_view

DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.int32]


def memory_of(values, dtype):
    return dense_labels(np.array(values, dtype=dtype)).memory


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), first=st.integers(0, 1))
def test_runs_end_where_the_first_other_element_is(dtype, lengths, first):
    values = np.repeat([(first + n) % 2 * 37 for n in range(len(lengths))], lengths)
    memory = memory_of(values, dtype)
    run_ends = np.repeat(np.cumsum(lengths), lengths)
    for at in range(len(values)):
        assert same_until(memory, at, len(values)) == run_ends[at]
        stop = min(at + 5, len(values))
        assert same_until(memory, at, stop) == min(run_ends[at], stop)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_that_differ_in_any_one_bit_differ(dtype):
    n_bits = 8 * np.dtype(dtype).itemsize
    for bit, place in itertools.product(range(n_bits), range(1, 17)):
        values = np.zeros(24, dtype=f"u{n_bits // 8}")
        values[place] = 1 << bit
        assert same_until(memory_of(values.view(dtype), dtype), 0, 24) == place


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=80, deadline=None)
@given(
    row_length=st.integers(1, 21),
    spans=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=5),
)
def test_extents_of_rows_are_those_of_a_loop(dtype, row_length, spans):
    rows = np.zeros((len(spans), row_length), dtype=dtype)
    for row, (start, length) in zip(rows, spans, strict=True):
        row[start : start + length] = 3
    expected = [
        (filled[0], filled[-1] + 1) if (filled := np.flatnonzero(row)).size else (0, 0)
        for row in rows
    ]
    np.testing.assert_array_equal(row_extents(memory_of(rows, dtype), row_length), expected)


def lines_of(readable):
    """The slices of a readable stack, [slice, y, x], read line by line."""
    scan, flat = readable.scan, readable.memory.flat
    lines = np.empty((scan.n_slices, scan.n_lines, scan.length), dtype=flat.dtype)
    for n, line in itertools.product(range(scan.n_slices), range(scan.n_lines)):
        at = scan.origin + n * scan.slice_stride + line * scan.line_stride
        elements = flat[at : at + scan.length]
        lines[n, line] = elements[::-1] if scan.run_flipped else elements
    return lines.transpose(0, 2, 1) if scan.along_y else lines


def extent_of(readable, n, line):
    scan = readable.scan
    row = scan.extent_origin + n * scan.extent_slice_stride + line * scan.extent_line_stride
    return readable.extents[row]


@pytest.mark.parametrize("plane", VOLUME_PLANES)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_lines_are_the_slices_whatever_the_order_of_memory(plane, order, flips, dtype):
    rng = np.random.default_rng(7)
    stored = (rng.integers(0, 9, (19, 23, 70)) * (rng.random((19, 23, 70)) < 0.1)).astype(dtype)
    label_map = stored.transpose(order)[tuple(slice(None, None, step) for step in flips)]
    labels = dense_labels(label_map)
    stack = display_view(labels.array, plane)
    step = slices_per_block(stack)
    for first in range(0, len(stack), step):
        part = stack[first : first + step]
        readable = readable_stack(labels, part)
        np.testing.assert_array_equal(lines_of(readable).view(dtype), part)
        filled = lines_of(readable) != 0
        by_line = filled.transpose(0, 2, 1) if readable.scan.along_y else filled
        for n, line in itertools.product(range(len(part)), range(readable.scan.n_lines)):
            in_memory = by_line[n, line][:: -1 if readable.scan.run_flipped else 1]
            start, end = extent_of(readable, n, line)
            assert not in_memory[:start].any()
            assert not in_memory[end:].any()
