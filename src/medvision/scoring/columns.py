"""List columns of numbers as plain arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.scoring.metrics import FloatArray

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
