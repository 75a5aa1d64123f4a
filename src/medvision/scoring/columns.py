"""List columns of numbers as plain arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.scoring.metrics import BoolArray, FloatArray
from medvision.tasks import TASKS, Task

IndexArray = npt.NDArray[np.int64]


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A table's column as one array, of its own type even without rows."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.num_chunks == 0:
        return pa.array([], type=column.type)
    return pa.concat_arrays(column.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLists:
    """A list<double> column: `flat[start[row] : start[row] + length[row]]`; null reads as empty."""

    flat: FloatArray
    start: IndexArray
    length: IndexArray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """Numbers of a list column of any numeric type; a null number reads as NaN."""
        lists = one_chunk(column.cast(pa.list_(pa.float64())))
        offsets = lists.offsets.to_numpy().astype(np.int64)
        empty = lists.is_null().to_numpy(zero_copy_only=False)
        return cls(
            flat=lists.values.to_numpy(zero_copy_only=False),
            start=offsets[:-1],
            length=np.where(empty, 0, np.diff(offsets)),
        )

    def matrix(self, rows: IndexArray, width: int) -> FloatArray:
        """(len(rows), width) numbers of rows that all have `width` of them."""
        return np.asarray(self.flat[self.start[rows, None] + np.arange(width)])

    def padded(self, rows: IndexArray, least: int) -> FloatArray:
        """(len(rows), longest or `least`) numbers of rows, NaN after the last of each."""
        length = self.length[rows]
        is_there = np.arange(length.max(initial=least)) < length[:, None]
        numbers = np.full(is_there.shape, np.nan)
        places = self.start[rows, None] + np.arange(is_there.shape[1])
        numbers[is_there] = self.flat[places[is_there]]
        return numbers

    def of_task(self, task: Task, rows: IndexArray) -> FloatArray:
        """Truths or answers of one task: those of lists are padded."""
        if TASKS[task].is_list:
            return self.padded(rows, TASKS[task].n_values)
        return self.matrix(rows, TASKS[task].n_values)

    def may_be_of(self, task: Task, rows: IndexArray) -> BoolArray:
        """(len(rows),) whether rows have as many numbers as a task asks for."""
        n_values = TASKS[task].n_values
        length = self.length[rows]
        may_be = length % n_values == 0 if TASKS[task].is_list else length == n_values
        return np.asarray(may_be)
