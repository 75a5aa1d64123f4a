"""Where the slices of a label map lie in memory, so that lines of pixels are read in one go.

Slices are read along whichever of their two axes is contiguous in memory; where the slice axis
itself is the contiguous one, a block of slices is transposed first. Each row of memory knows
between which elements it holds labels; the empty rest is never looked at again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

LabelArray = npt.NDArray[np.integer[Any]]
AnyArray = npt.NDArray[Any]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile for the processor, kept on disk, running without the interpreter's lock."""
    return cast("_Function", numba.njit(cache=True, nogil=True)(function))


_CACHE_LINE_BYTES = 64
_BLOCK_PIXELS = 1 << 23

# How many zeros lie below the lowest one of a word. Times a power of two, the De Bruijn sequence is
# shifted; its upper six bits are then different for each of the 64 shifts, and a table knows which
# (Leiserson, Prokop, Randall, "Using de Bruijn sequences to index a 1 in a computer word", 1998).
# numba offers no public call of the processor's own instruction.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_ZEROS_BELOW = np.zeros(64, dtype=np.int64)
_ZEROS_BELOW[
    [(int(_DE_BRUIJN) << zeros) % (1 << 64) >> 58 for zeros in range(64)]  # number of zeros back
] = np.arange(64)


class Memory(NamedTuple):
    """Labels in the order of memory: unsigned, read-only, also seen eight bytes at a time."""

    flat: npt.NDArray[np.unsignedinteger[Any]]
    words: npt.NDArray[np.uint64]
    shift: int
    """Binary logarithm of the number of elements in a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseLabels:
    """A label map whose memory is one dense block, whatever the order of its axes."""

    array: LabelArray
    """The label map, indexed as given: a view of the block."""
    memory: Memory
    row_length: int
    """Elements along the contiguous axis."""
    row_extents: npt.NDArray[np.int32]
    """(rows, 2): first label of each row of memory and one past its last; 0, 0 if empty."""


class Scan(NamedTuple):
    """Where the lines of a stack of slices lie, in elements, in the order of display.

    A line is a row of the slice, or a column where `along_y`; its elements ascend in memory, and
    in the slice too unless `run_flipped`. `extent_*` say where its extent is.
    """

    origin: int
    n_slices: int
    slice_stride: int
    n_lines: int
    line_stride: int
    length: int
    run_flipped: int
    along_y: int
    extent_origin: int
    extent_slice_stride: int
    extent_line_stride: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableStack:
    """A stack of slices with contiguous lines."""

    memory: Memory
    scan: Scan
    extents: npt.NDArray[np.int32]
    """(m, 2): where lines hold labels, as `row_extents`."""


def dense_labels(label_map: LabelArray) -> DenseLabels:
    """Arrange a label map in dense memory; copies only where it is not so yet.

    Args:
        label_map: Any shape, integers of 1, 2 or 4 bytes in native byte order, any strides.

    Example:
        >>> labels = dense_labels(np.array([[0, 0, 0, 0], [0, 7, 7, 0]], dtype=np.uint8))
        >>> labels.row_length, labels.row_extents.tolist()
        (4, [[0, 0], [1, 3]])
    """
    shape, strides = label_map.shape, label_map.strides
    order = sorted(range(label_map.ndim), key=lambda axis: (shape[axis] > 1, -abs(strides[axis])))
    flips = tuple(slice(None, None, -1 if strides[axis] < 0 else 1) for axis in order)
    block = label_map.transpose(order)[flips]
    # Words of eight bytes are read where they are aligned.
    if not block.flags.c_contiguous or block.ctypes.data % 8:
        block = np.array(block, order="C")
    memory, row_length = _memory(block), block.shape[-1]
    return DenseLabels(
        array=block[flips].transpose(np.argsort(order)),
        memory=memory,
        row_length=row_length,
        row_extents=row_extents(memory, row_length),
    )


def slices_per_block(stack: LabelArray) -> int:
    """How many slices of a stack to read at once: bounded memory, work for two threads."""
    if not _is_contiguous_along(stack, 1) and not _is_contiguous_along(stack, 2):
        # To be transposed: each pixel's neighbours along slices share a cache line, all of it used.
        return _CACHE_LINE_BYTES // stack.itemsize
    n_slices, height, width = stack.shape
    return int(max(1, min(-(-n_slices // 2), _BLOCK_PIXELS // max(1, height * width))))


def readable_stack(labels: DenseLabels, stack: LabelArray) -> ReadableStack:
    """Find the lines of some slices in memory; transposes them where none are contiguous.

    Args:
        labels: The label map.
        stack: [slice, y, x], a view of `labels.array`: slices as displayed.
    """
    n_slices, height, width = stack.shape
    slice_stride, y_stride, x_stride = (stride // stack.itemsize for stride in stack.strides)
    along_y = _is_contiguous_along(stack, 1)
    contiguous = along_y or _is_contiguous_along(stack, 2)
    if not contiguous:
        along_y = abs(y_stride) < abs(x_stride)
    n_lines, length = (width, height) if along_y else (height, width)
    line_stride, run_stride = (x_stride, y_stride) if along_y else (y_stride, x_stride)
    first = int(stack.ctypes.data - labels.memory.flat.ctypes.data) // stack.itemsize
    first += min(0, run_stride) * (length - 1)  # runs are read in the order of memory
    if contiguous:
        memory, extents = labels.memory, labels.row_extents
        extent_origin, extent_slice_stride = first // length, slice_stride // length
        extent_line_stride = line_stride // length
    else:
        lowest = first + min(0, line_stride) * (n_lines - 1) + min(0, slice_stride) * (n_slices - 1)
        # An odd number of cache lines apart. With an even one, often a power of two, the same pixel
        # of all slices falls into few sets of the cache, and writing one evicts another (Drepper,
        # "What every programmer should know about memory", 3.3.1). 256 slices of 512×256 px take
        # 4.5 ms instead of 25 with bytes, 7 instead of 15 with 16-bit labels.
        per_cache_line = _CACHE_LINE_BYTES // stack.itemsize
        pitch = (-(-n_lines * length // per_cache_line) | 1) * per_cache_line
        block = np.zeros((n_slices, pitch), dtype=labels.memory.flat.dtype)
        extents = np.zeros((n_lines, 2), dtype=np.int32)
        rows = (lowest, abs(line_stride), abs(run_stride), length)
        _transpose_slices(
            labels.memory, labels.row_length, labels.row_extents, rows, block, extents
        )
        # From here on the stack is the block, with the directions that it had.
        memory = _memory(block)
        first = (slice_stride < 0) * (n_slices - 1) * pitch
        first += (line_stride < 0) * (n_lines - 1) * length
        slice_stride = -pitch if slice_stride < 0 else pitch
        extent_origin, extent_slice_stride = (line_stride < 0) * (n_lines - 1), 0
        extent_line_stride = -1 if line_stride < 0 else 1
        line_stride = extent_line_stride * length
    scan = Scan(
        origin=first,
        n_slices=n_slices,
        slice_stride=slice_stride,
        n_lines=n_lines,
        line_stride=line_stride,
        length=length,
        run_flipped=int(run_stride < 0),
        along_y=int(along_y),
        extent_origin=extent_origin,
        extent_slice_stride=extent_slice_stride,
        extent_line_stride=extent_line_stride,
    )
    return ReadableStack(memory=memory, scan=scan, extents=extents)


def _memory(block: LabelArray) -> Memory:
    flat = block.reshape(-1).view(f"u{block.itemsize}")
    flat.flags.writeable = False
    per_word = 8 // flat.itemsize
    words = flat[: flat.size // per_word * per_word].view(np.uint64)
    return Memory(flat=flat, words=words, shift=per_word.bit_length() - 1)


def _is_contiguous_along(stack: LabelArray, axis: int) -> bool:
    return stack.shape[axis] > 1 and abs(stack.strides[axis]) == stack.itemsize


@kernel
def same_until(memory: Memory, at: int, end: int) -> int:
    """One past the last element of the run of equal elements that starts at `at`.

    Eight bytes at a time: the word from `at` on, put together of two aligned ones, is compared with
    the value in all places; the lowest bit that differs names the first element that does.

    Example:
        >>> memory = dense_labels(np.array([7, 7, 7, 0, 0, 7], dtype=np.uint8)).memory
        >>> same_until(memory, 1, 6), same_until(memory, 3, 6), same_until(memory, 0, 2)
        (3, 5, 2)
    """
    flat, words, shift = memory
    per_word, bits = 1 << shift, 64 >> shift
    value = flat[at]
    every_bit = np.uint64(0xFFFFFFFFFFFFFFFF)
    # 0x0101… for bytes: times the value, it stands in all places.
    pattern = np.uint64(value) * (every_bit // (every_bit >> np.uint64(64 - bits)))
    at += 1
    while at < end:
        word = at >> shift
        if word + 1 >= len(words):  # no second word: one by one
            if flat[at] != value:
                return at
            at += 1
            continue
        offset = np.uint64((at & (per_word - 1)) * bits)
        # In two shifts: for an offset of 0 it would be one by 64, which processors take as by 0.
        upper = (words[word + 1] << np.uint64(1)) << (np.uint64(63) - offset)
        different = ((words[word] >> offset) | upper) ^ pattern
        if different != 0:
            lowest = different & (~different + np.uint64(1))  # x & −x, unsigned
            zeros = _ZEROS_BELOW[np.int64((lowest * _DE_BRUIJN) >> np.uint64(58))]
            return int(min(end, at + (zeros >> (6 - shift))))
        at += per_word
    return end


@kernel
def with_room(array: AnyArray, used: int, more: int) -> AnyArray:
    """The array, or a longer copy, with room for `more` rows after the first `used`.

    At least twice as long, so that adding rows one by one copies each of them once on average.

    Example:
        >>> array = np.arange(4)
        >>> len(with_room(array, 3, 1)), len(with_room(array, 4, 1)), len(with_room(array, 4, 9))
        (4, 8, 13)
    """
    if used + more <= len(array):
        return array
    longer = np.empty((max(2 * len(array), used + more), *array.shape[1:]), dtype=array.dtype)
    longer[:used] = array[:used]
    return longer


@kernel
def row_extents(memory: Memory, row_length: int) -> AnyArray:
    """(rows, 2): first label of each row and one past its last, 0, 0 of an empty one.

    Most of a label map is background. That whole words of it are passed over here, and never looked
    at again, took the boxes of a CT-sized mask from 5 times the time of unpacking the file to less
    than that time.
    """
    flat, words, shift = memory
    per_word = 1 << shift
    extents = np.zeros((len(flat) // max(row_length, 1), 2), dtype=np.int32)
    for row in range(len(extents)):
        begin = row * row_length
        end = begin + row_length
        first = begin
        while first < end and flat[first] == 0:
            first += 1
            if first & (per_word - 1) == 0:
                word, last_word = first >> shift, end >> shift
                while word < last_word and words[word] == 0:
                    word += 1
                first = word << shift
        if first < end:
            last = end - 1
            while flat[last] == 0:
                if last & (per_word - 1) == 0 and words[(last >> shift) - 1] == 0:
                    last -= per_word
                else:
                    last -= 1
            extents[row, 0], extents[row, 1] = first - begin, last + 1 - begin
    return extents


@kernel
def _transpose_slices(
    memory: Memory,
    row_length: int,
    row_extents: AnyArray,
    rows: tuple[int, int, int, int],
    block: AnyArray,
    extents: AnyArray,
) -> None:
    """Copy elements contiguous along slices into block[slice, pixel].

    `rows` is the first element, the strides of lines and positions, and positions in a line.
    """
    flat, words, shift = memory
    per_word = 1 << shift
    start, line_stride, run_stride, length = rows
    row0, column = start // row_length, start % row_length
    line_rows, run_rows = line_stride // row_length, run_stride // row_length
    for line in range(len(extents)):
        for position in range(length):
            row = row0 + line * line_rows + position * run_rows
            begin = row * row_length + column
            at = max(begin, row * row_length + row_extents[row, 0])
            stop = min(begin + len(block), row * row_length + row_extents[row, 1])
            if at < stop:
                if extents[line, 1] == 0:
                    extents[line, 0] = position
                extents[line, 1] = position + 1
            while at < stop:
                whole = at & (per_word - 1) == 0 and at + per_word <= stop
                if whole and words[at >> shift] == 0:
                    at += per_word
                else:
                    block[at - begin, line * length + position] = flat[at]
                    at += 1
