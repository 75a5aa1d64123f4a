"""Connected components of displayed slices: run lengths and union-find, no mask per label.

All results are in the slice frame (x right, y down), whatever the order of memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.annotate.label_memory import (
    AnyArray,
    DenseLabels,
    LabelArray,
    Memory,
    Scan,
    kernel,
    readable_stack,
    same_until,
)

IntArray = npt.NDArray[np.int32]

LINE, START, END = 0, 1, 2
"""Columns of kept runs: the line (a row of pixels, or a column), and its half-open extent."""

_PARENT = 3

_LABEL, _COUNT, _LINE0, _LINE1, _POS0, _POS1, _FIRST, _RUN0, _RUN1, _SLICE = range(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRuns:
    """Pixels of some components as runs, in the slice frame.

    A run is the pixels `start` to `end` (half-open) of one line. Lines are rows of the slice, or
    its columns where `along_y`. The runs of one component are together, lines in order.
    """

    runs: IntArray
    """(r, 3): line, start, end."""
    begin: npt.NDArray[np.int64]
    """(n,): first run of each component."""
    end: npt.NDArray[np.int64]
    """(n,): one past its last run."""
    along_y: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceComponents:
    """4-connected components, sorted by slice, label and component number; arrays of length n."""

    slice_index: IntArray
    label_id: IntArray
    component: IntArray
    n_components: IntArray
    label_pixel_count: IntArray
    pixel_count: IntArray
    box_xyxy_px: IntArray
    """(n, 4): half-open x0, y0, x1, y1."""
    touches_border: npt.NDArray[np.bool_]
    runs: ComponentRuns
    """Runs of the components of target labels; none (begin = end) for the others."""


def label_components(
    labels: DenseLabels, stack: LabelArray, first_slice: int, target_ids: npt.NDArray[np.int64]
) -> SliceComponents:
    """Components of a stack of slices.

    Args:
        labels: The label map.
        stack: [slice, y, x], a view of `labels.array`: some of its slices as displayed.
        first_slice: `slice_index` of the first slice of the stack.
        target_ids: Sorted ids of the labels whose runs to keep.
    """
    readable = readable_stack(labels, stack)
    targets = _as_stored(target_ids, stack.dtype)
    table, runs = _scan_slices(readable.memory, readable.scan, readable.extents, targets)
    return _sorted_components(table, runs, stack, first_slice, readable.scan)


def _as_stored(
    label_ids: npt.NDArray[np.int64], dtype: np.dtype[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """Sorted values of label ids in unsigned memory, without those the type cannot hold."""
    limits = np.iinfo(dtype)
    held = label_ids[(label_ids >= limits.min) & (label_ids <= limits.max)]
    return np.sort(held.astype(dtype).view(f"u{dtype.itemsize}").astype(np.int64))


def _sorted_components(
    table: npt.NDArray[np.int64],
    runs: IntArray,
    stack: LabelArray,
    first_slice: int,
    scan: Scan,
) -> SliceComponents:
    label_id = table[:, _LABEL].astype(f"u{stack.itemsize}").view(stack.dtype).astype(np.int32)
    order = np.lexsort((table[:, _FIRST], -table[:, _COUNT], label_id, table[:, _SLICE]))
    table, label_id = table[order], label_id[order]
    lines, extents = table[:, [_LINE0, _LINE1]], table[:, [_POS0, _POS1]]
    xs, ys = (lines, extents) if scan.along_y else (extents, lines)
    box_xyxy_px = np.stack([xs[:, 0], ys[:, 0], xs[:, 1], ys[:, 1]], axis=1).astype(np.int32)
    _, height, width = stack.shape
    x0, y0, x1, y1 = box_xyxy_px.T
    touches_border = (x0 == 0) | (y0 == 0) | (x1 == width) | (y1 == height)
    slice_in_stack, pixel_count = table[:, _SLICE], table[:, _COUNT]
    first_of_label = np.flatnonzero(_is_new_group(slice_in_stack, label_id))
    n_of_label = np.diff(first_of_label, append=len(table))
    total_of_label = np.add.reduceat(pixel_count, first_of_label) if len(table) else pixel_count
    component = np.arange(len(table)) - np.repeat(first_of_label, n_of_label)
    return SliceComponents(
        slice_index=(slice_in_stack + first_slice).astype(np.int32),
        label_id=label_id,
        component=component.astype(np.int32),
        n_components=np.repeat(n_of_label, n_of_label).astype(np.int32),
        label_pixel_count=np.repeat(total_of_label, n_of_label).astype(np.int32),
        pixel_count=pixel_count.astype(np.int32),
        box_xyxy_px=box_xyxy_px,
        touches_border=touches_border,
        runs=ComponentRuns(
            runs=runs,
            begin=table[:, _RUN0].copy(),
            end=table[:, _RUN1].copy(),
            along_y=bool(scan.along_y),
        ),
    )


def _is_new_group(slices: npt.NDArray[np.int64], label_id: IntArray) -> npt.NDArray[np.bool_]:
    is_new = np.ones(len(slices), dtype=np.bool_)
    is_new[1:] = (slices[1:] != slices[:-1]) | (label_id[1:] != label_id[:-1])
    return is_new


@kernel
def _scan_slices(
    memory: Memory, scan: Scan, extents: AnyArray, targets: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Component table and kept runs of a stack; `targets` sorted, as stored."""
    runs = np.empty((1024, 4), dtype=np.int32)
    labels = np.empty(1024, dtype=memory.flat.dtype)
    table = np.empty((64, 10), dtype=np.int64)
    kept = np.empty((64, 3), dtype=np.int32)
    n_table, n_kept = 0, 0
    for slice_in_stack in range(scan.n_slices):
        n_runs, above = 0, 0
        for line in range(scan.n_lines):
            here = n_runs
            begin = scan.origin + slice_in_stack * scan.slice_stride + line * scan.line_stride
            extent = extents[
                scan.extent_origin
                + slice_in_stack * scan.extent_slice_stride
                + line * scan.extent_line_stride
            ]
            if extent[1] > 0:
                runs = _with_room(runs, here, scan.length)
                labels = _with_room(labels, here, scan.length)
                n_runs = _append_runs(memory, begin, extent, runs, labels, here)
                runs[here:n_runs, LINE] = line
                _join_lines(runs, labels, above, here, n_runs)
            above = here
        found, owner = _collect(runs[:n_runs], labels, scan)
        found[:, _SLICE] = slice_in_stack
        n_found = _mark_targets(found, targets, n_kept)
        kept = _with_room(kept, n_kept, n_found)
        _keep_runs(runs[:n_runs], owner, found, kept)
        n_kept += n_found
        table = _with_room(table, n_table, len(found))
        table[n_table : n_table + len(found)] = found
        n_table += len(found)
    return table[:n_table].copy(), kept[:n_kept].copy()


@kernel
def _with_room(array: AnyArray, used: int, more: int) -> AnyArray:
    """The array, or a longer copy, with room for `more` rows after the first `used`."""
    if used + more <= len(array):
        return array
    longer = np.empty((max(2 * len(array), used + more), *array.shape[1:]), dtype=array.dtype)
    longer[:used] = array[:used]
    return longer


@kernel
def _append_runs(
    memory: Memory, begin: int, extent: AnyArray, runs: AnyArray, labels: AnyArray, n_runs: int
) -> int:
    """Append the runs of equal non-zero labels of one line; returns the new count."""
    at, end = begin + extent[0], begin + extent[1]
    while at < end:
        stop = same_until(memory, at, end)
        if memory.flat[at] != 0:
            runs[n_runs, START] = at - begin
            runs[n_runs, END] = stop - begin
            runs[n_runs, _PARENT] = n_runs
            labels[n_runs] = memory.flat[at]
            n_runs += 1
        at = stop
    return n_runs


@kernel
def _root(runs: AnyArray, run: int) -> int:
    while runs[run, _PARENT] != run:
        runs[run, _PARENT] = runs[runs[run, _PARENT], _PARENT]
        run = runs[run, _PARENT]
    return run


@kernel
def _join_lines(runs: AnyArray, labels: AnyArray, above: int, here: int, end: int) -> None:
    """Join runs `here` to `end` with the runs of the line before where they touch."""
    upper, lower = above, here
    while upper < here and lower < end:
        if runs[upper, END] <= runs[lower, START]:
            upper += 1
        elif runs[lower, END] <= runs[upper, START]:
            lower += 1
        else:
            if labels[upper] == labels[lower]:
                a, b = _root(runs, upper), _root(runs, lower)
                runs[max(a, b), _PARENT] = min(a, b)
            if runs[upper, END] < runs[lower, END]:
                upper += 1
            else:
                lower += 1


@kernel
def _collect(runs: AnyArray, labels: AnyArray, scan: Scan) -> tuple[AnyArray, AnyArray]:
    """One row per component, extents turned to the slice frame, and each run's component."""
    owner = np.empty(len(runs), dtype=np.int32)
    found = np.empty((len(runs), 10), dtype=np.int64)
    n_found = 0
    for run in range(len(runs)):
        if scan.run_flipped:
            start, end = scan.length - runs[run, END], scan.length - runs[run, START]
            runs[run, START], runs[run, END] = start, end
        line, start, end = runs[run, LINE], runs[run, START], runs[run, END]
        first = start * scan.n_lines + line if scan.along_y else line * scan.length + start
        root = _root(runs, run)
        if root == run:
            owner[run] = n_found
            row = found[n_found]
            row[_LABEL], row[_COUNT], row[_LINE0], row[_LINE1] = labels[run], 0, line, line + 1
            row[_POS0], row[_POS1], row[_FIRST] = start, end, first
            row[_RUN0], row[_RUN1] = 0, 0
            n_found += 1
        owner[run] = owner[root]
        row = found[owner[run]]
        row[_COUNT] += end - start
        row[_LINE1] = line + 1
        row[_POS0], row[_POS1] = min(row[_POS0], start), max(row[_POS1], end)
        row[_FIRST] = min(row[_FIRST], first)
        row[_RUN1] += 1
    return found[:n_found], owner


@kernel
def _mark_targets(found: AnyArray, targets: AnyArray, n_kept: int) -> int:
    """Turn run counts into ranges of kept runs, empty for other labels; returns the new runs."""
    n_new = 0
    for row in found:
        place = np.searchsorted(targets, row[_LABEL])
        is_target = place < len(targets) and targets[place] == row[_LABEL]
        n_runs = row[_RUN1] if is_target else 0
        row[_RUN0], row[_RUN1] = n_kept + n_new, n_kept + n_new + n_runs
        n_new += n_runs
    return n_new


@kernel
def _keep_runs(runs: AnyArray, owner: AnyArray, found: AnyArray, kept: AnyArray) -> None:
    """Copy the runs of target components into `kept`, those of a component together."""
    filled = found[:, _RUN0].copy()
    for run in range(len(runs)):
        place = filled[owner[run]]
        if place < found[owner[run], _RUN1]:
            kept[place] = runs[run, :3]
            filled[owner[run]] += 1
