"""Connected components of displayed slices: run lengths and union-find, no mask per label.

All results are in the slice frame (x right, y down), whatever the order of memory. Runs instead of
pixels, as in He, Chao, Suzuki, "A run-based two-scan labeling algorithm" (IEEE Transactions on
Image Processing 17(5), 2008): a slice has some hundred runs and a quarter of a million pixels, and
all labels are found in one pass.
"""

from dataclasses import dataclass

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
    with_room,
)

IntArray = npt.NDArray[np.int32]

LINE, START, END = 0, 1, 2
"""Columns of kept runs: the line (a row of pixels, or a column), and its half-open extent."""

_PARENT = 3
"""Column of runs during a scan: another run of the same component, itself for the first one."""

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

    Example:
        Two pixels that touch at a corner are two components of one label:

        >>> from medvision.annotate.label_memory import dense_labels
        >>> labels = dense_labels(np.array([[[7, 0], [0, 7]]], dtype=np.uint8))
        >>> found = label_components(labels, labels.array, 0, np.array([7]))
        >>> found.component.tolist(), found.box_xyxy_px.tolist()
        ([0, 1], [[0, 0, 1, 1], [1, 1, 2, 2]])
    """
    readable = readable_stack(labels, stack)
    scan, unsigned = readable.scan, f"u{stack.itemsize}"
    # Memory is read as unsigned, whatever the sign: target ids go there and labels come back.
    limits = np.iinfo(stack.dtype)
    held = target_ids[(target_ids >= limits.min) & (target_ids <= limits.max)]
    targets = np.sort(held.astype(stack.dtype).view(unsigned).astype(np.int64))
    table, runs = _scan_slices(readable.memory, scan, readable.extents, targets)
    label_id = table[:, _LABEL].astype(unsigned).view(stack.dtype).astype(np.int32)

    # By slice and label; then the largest first, and of equals the one that a reader meets first.
    order = np.lexsort((table[:, _FIRST], -table[:, _COUNT], label_id, table[:, _SLICE]))
    table, label_id = table[order], label_id[order]
    slice_in_stack, pixel_count = table[:, _SLICE], table[:, _COUNT]
    is_new = np.ones(len(table), dtype=np.bool_)
    is_new[1:] = np.diff(slice_in_stack) != 0
    is_new[1:] |= np.diff(label_id) != 0
    first_of_label = np.flatnonzero(is_new)
    n_of_label = np.diff(first_of_label, append=len(table))
    total_of_label = np.add.reduceat(pixel_count, first_of_label) if len(table) else pixel_count
    component = np.arange(len(table)) - np.repeat(first_of_label, n_of_label)

    lines, extents = table[:, [_LINE0, _LINE1]], table[:, [_POS0, _POS1]]
    xs, ys = (lines, extents) if scan.along_y else (extents, lines)
    box_xyxy_px = np.stack([xs[:, 0], ys[:, 0], xs[:, 1], ys[:, 1]], axis=1).astype(np.int32)
    _, height, width = stack.shape
    x0, y0, x1, y1 = box_xyxy_px.T
    return SliceComponents(
        slice_index=(slice_in_stack + first_slice).astype(np.int32),
        label_id=label_id,
        component=component.astype(np.int32),
        n_components=np.repeat(n_of_label, n_of_label).astype(np.int32),
        label_pixel_count=np.repeat(total_of_label, n_of_label).astype(np.int32),
        pixel_count=pixel_count.astype(np.int32),
        box_xyxy_px=box_xyxy_px,
        touches_border=(x0 == 0) | (y0 == 0) | (x1 == width) | (y1 == height),
        runs=ComponentRuns(
            runs=runs,
            begin=table[:, _RUN0].copy(),
            end=table[:, _RUN1].copy(),
            along_y=bool(scan.along_y),
        ),
    )


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
        runs, labels, n_runs = _joined_runs(memory, scan, extents, slice_in_stack, runs, labels)
        found, owner = _collect(runs[:n_runs], labels, scan)
        found[:, _SLICE] = slice_in_stack
        # Run counts become ranges of kept runs, empty for labels that are no targets.
        n_new = 0
        for row in found:
            place = np.searchsorted(targets, row[_LABEL])
            is_target = place < len(targets) and targets[place] == row[_LABEL]
            row[_RUN0], n_new = n_kept + n_new, n_new + (row[_RUN1] if is_target else 0)
            row[_RUN1] = n_kept + n_new
        kept = with_room(kept, n_kept, n_new)
        filled = found[:, _RUN0].copy()
        for run in range(n_runs):
            place = filled[owner[run]]
            if place < found[owner[run], _RUN1]:
                kept[place] = runs[run, :3]
                filled[owner[run]] += 1
        n_kept += n_new
        table = with_room(table, n_table, len(found))
        table[n_table : n_table + len(found)] = found
        n_table += len(found)
    return table[:n_table].copy(), kept[:n_kept].copy()


@kernel
def _joined_runs(
    memory: Memory,
    scan: Scan,
    extents: AnyArray,
    slice_in_stack: int,
    runs: AnyArray,
    labels: AnyArray,
) -> tuple[AnyArray, AnyArray, int]:
    """Runs of equal labels of one slice, as trees of those that touch; how many there are.

    `runs` and `labels` are overwritten, and longer where they have to be. Each run points to one of
    its component that came before, the first one to itself.
    """
    n_runs, above = 0, 0
    for line in range(scan.n_lines):
        here = n_runs
        origin = scan.origin + slice_in_stack * scan.slice_stride + line * scan.line_stride
        first, last = extents[
            scan.extent_origin
            + slice_in_stack * scan.extent_slice_stride
            + line * scan.extent_line_stride
        ]
        at, end = origin + first, origin + last
        if at < end:
            # No line has more runs than pixels: room is asked for once a line, not once a run.
            runs = with_room(runs, here, scan.length)
            labels = with_room(labels, here, scan.length)
        while at < end:
            stop = same_until(memory, at, end)
            if memory.flat[at] != 0:
                runs[n_runs, LINE], runs[n_runs, _PARENT] = line, n_runs
                runs[n_runs, START], runs[n_runs, END] = at - origin, stop - origin
                labels[n_runs] = memory.flat[at]
                n_runs += 1
            at = stop
        # Both lines' runs are in order: one walk along the two finds all pairs that touch.
        upper, lower = above, here
        while upper < here and lower < n_runs:
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
        above = here
    return runs, labels, n_runs


@kernel
def _root(runs: AnyArray, run: int) -> int:
    """The first run of a component; every other link on the way is shortened (path halving)."""
    while runs[run, _PARENT] != run:
        runs[run, _PARENT] = runs[runs[run, _PARENT], _PARENT]
        run = runs[run, _PARENT]
    return run


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
        if root == run:  # comes first: a join points to the earlier run
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
def component_mask(runs: AnyArray, box_xyxy_px: AnyArray, along_y: int) -> AnyArray:
    """One component alone, cropped to its box: (height, width) uint8, 0 and 1.

    Args:
        runs: (r, 3) its line, start, end.
        box_xyxy_px: (4,) its half-open box.
        along_y: Whether lines are columns of the slice.

    Example:
        >>> component_mask(np.array([[7, 3, 5], [8, 4, 5]]), np.array([3, 7, 5, 9]), 0)
        array([[1, 1],
               [0, 1]], dtype=uint8)
    """
    x0, y0, x1, y1 = box_xyxy_px
    mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
    for line, start, end in runs:
        if along_y:
            mask[start - y0 : end - y0, line - x0] = 1
        else:
            mask[line - y0, start - x0 : end - x0] = 1
    return mask
