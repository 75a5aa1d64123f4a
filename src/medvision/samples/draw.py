"""Seeded draws that depend on ids alone: more rows beside do not change who is ahead of whom."""

import hashlib
import heapq
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_AT_A_TIME = 100_000


def draw_rank(salt: str, name: str) -> bytes:
    """What names are ranked by: the SHA-256 of "salt/name"."""
    return hashlib.sha256(f"{salt}/{name}".encode()).digest()


def drawn_places(ids: pa.ChunkedArray, count: int | None, salt: str) -> npt.NDArray[np.int64]:
    """Places of the `count` ids that rank first, in their original order; None for all."""
    if count is None or len(ids) <= count:
        return np.arange(len(ids))
    # Text by text out of Arrow is slow, and millions of texts at once are gigabytes.
    names = chain.from_iterable(
        ids.slice(start, _AT_A_TIME).to_pylist() for start in range(0, len(ids), _AT_A_TIME)
    )
    ranked = ((draw_rank(salt, name), place) for place, name in enumerate(names))
    return np.sort([place for _, place in heapq.nsmallest(count, ranked)])
