"""Rows to groups: codes in a stable order, whatever the order of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.scoring.columns import IndexArray, one_chunk


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
    for name in columns:
        ranks, n_values = _ranks(table[name])
        code = code * n_values + ranks
        _, code = np.unique(code, return_inverse=True)
    _, first, code = np.unique(code, return_index=True, return_inverse=True)
    keys = table.select(list(columns)).take(pa.array(first))
    return Groups(keys=keys, code=code)


def _ranks(column: pa.ChunkedArray) -> tuple[IndexArray, int]:
    """Place of each value among the column's sorted values, null last, and how many there are."""
    encoded = one_chunk(column).dictionary_encode(null_encoding="encode")
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[encoded.indices.to_numpy()], len(order)
