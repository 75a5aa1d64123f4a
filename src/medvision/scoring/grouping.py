"""Rows to groups: codes in a stable order, whatever the order of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.scoring.columns import IndexArray, one_chunk

_COUNTED_CODES = 1 << 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Rows that share their values in some columns.

    Attributes:
        keys: One row per group, sorted by its columns in their order, null last.
        code: (rows,) row of `keys` each row belongs to.
    """

    keys: pa.Table
    code: IndexArray

    def __len__(self) -> int:
        return int(self.keys.num_rows)


def grouped(table: pa.Table, columns: Sequence[str]) -> Groups:
    """Rows of a table by their values in `columns`; null is a value."""
    code = np.zeros(table.num_rows, dtype=np.int64)
    n_codes = 1
    for name in columns:
        ranks, n_values = _ranks(table[name])
        found, code = dense(code * n_values + ranks, n_codes * n_values)
        n_codes = len(found)
    first = np.empty(n_codes if len(code) else 0, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return Groups(keys=table.select(list(columns)).take(pa.array(first)), code=code)


def dense(code: IndexArray, n_codes: int) -> tuple[IndexArray, IndexArray]:
    """Distinct codes in order, and the place of each row's code among them.

    Args:
        code: (rows,) in 0 … n_codes − 1.
        n_codes: Bound; a moderate one spares the sorting.
    """
    if n_codes > _COUNTED_CODES:
        found, place = np.unique(code, return_inverse=True)
        return found, place
    occurs = np.zeros(n_codes, dtype=np.bool_)
    occurs[code] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[code]


def _ranks(column: pa.ChunkedArray) -> tuple[IndexArray, int]:
    """Place of each value among the column's sorted values, null last, and how many there are."""
    encoded = one_chunk(column).dictionary_encode(null_encoding="encode")
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[encoded.indices.to_numpy()], len(order)
