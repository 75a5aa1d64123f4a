"""The order of training: how often each entry of the mixture comes, and which sample when."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]


def shares(sizes: Sequence[int], temperature: float) -> npt.NDArray[np.float64]:
    """Share of each entry of the mixture, p ∝ n^(1/T).

    Example:
        >>> shares([100, 10000], 2.0).round(3).tolist()
        [0.091, 0.909]
    """
    weights = np.asarray(sizes, dtype=np.float64) ** (1 / temperature)
    return np.asarray(weights / weights.sum())


def counts(sizes: Sequence[int], temperature: float, total: int) -> npt.NDArray[np.int64]:
    """Examples of each entry among `total`, by largest remainder.

    Example:
        >>> counts([1, 1, 2], 1.0, 10).tolist()
        [3, 2, 5]
    """
    exact = shares(sizes, temperature) * total
    whole = np.floor(exact + 1e-9).astype(np.int64)  # 3 − 4e-16 is 3
    by_remainder = np.argsort(-(exact - whole), kind="stable")
    whole[by_remainder[: total - int(whole.sum())]] += 1
    return whole


def epoch_rows(
    entries: Sequence[Rows], temperature: float, total: int, rng: np.random.Generator
) -> Rows:
    """Rows of one epoch: each entry's samples in random passes, none again before all were seen.

    Args:
        entries: Row numbers of each entry's samples.
        temperature: Of `shares`.
        total: Examples in the epoch; 0 for as many as there are rows.
        rng: Draws passes and leaves nothing to chance beside.
    """
    sizes = [len(rows) for rows in entries]
    wanted = counts(sizes, temperature, total or sum(sizes))
    taken = []
    for rows, count in zip(entries, wanted.tolist(), strict=True):
        passes = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
        taken.append(np.concatenate([*passes, rows[:0]])[:count])
    return np.concatenate(taken)


def interleaved_by_volume(
    rows: Rows, volumes: Rows, in_flight: int, rng: np.random.Generator
) -> Rows:
    """The rows shuffled such that at most `in_flight` volumes are in use at any time.

    Volumes come in random order; while `in_flight` of them are open, the next row is drawn from
    all their rows left, with equal chance for each row. So a reader that keeps `in_flight` volumes
    reads each of them once.

    Args:
        rows: Row numbers, repeats allowed.
        volumes: Number of the volume of each row number.
        in_flight: Volumes open at a time.
        rng: Draws both orders.
    """
    shuffled = rng.permutation(rows)
    of_row = volumes[shuffled]
    together = np.argsort(of_row, kind="stable")
    ends = np.flatnonzero(np.diff(of_row[together])) + 1
    by_volume = np.split(shuffled[together], ends) if len(rows) else []
    waiting = deque(rng.permutation(len(by_volume)).tolist())
    open_rows: list[list[int]] = []
    ordered = []
    for draw in rng.random(len(rows)).tolist():
        while waiting and len(open_rows) < in_flight:
            open_rows.append(by_volume[waiting.popleft()].tolist())
        ordered.append(_drawn_row(open_rows, draw))
    return np.asarray(ordered, dtype=np.int64)


def _drawn_row(open_rows: list[list[int]], draw: float) -> int:
    """Takes one row, each with equal chance, and closes a volume that is used up."""
    place = int(draw * sum(map(len, open_rows)))
    for number, rows in enumerate(open_rows):
        if place < len(rows):
            row = rows.pop()
            if not rows:
                del open_rows[number]
            return row
        place -= len(rows)
    raise IndexError(place)


def training_order(
    entries: Sequence[pa.Table],
    *,
    temperature: float,
    total: int,
    epochs: int,
    in_flight: int,
    seed: int,
) -> tuple[pa.Table, Rows]:
    """All samples, each once, and the rows of all epochs in the order of training.

    Args:
        entries: Samples of each entry of the mixture, columns as in `SAMPLE_SCHEMA`.
        temperature: Of `shares`.
        total: Examples in one epoch; 0 for as many as there are samples.
        epochs: Passes, each drawn anew.
        in_flight: Volumes in use at a time.
        seed: Of everything drawn.
    """
    # A sample of several entries is one row: rows count distinct ids in order of appearance.
    whole = pa.concat_tables(entries)
    row_of_each = _codes(whole["sample_id"])
    samples = whole.take(np.unique(row_of_each, return_index=True)[1])
    ends = np.cumsum([entry.num_rows for entry in entries])
    entry_rows = np.split(row_of_each, ends[:-1])
    volumes = _codes(samples["image_uri"])
    orders = []
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        rows = epoch_rows(entry_rows, temperature, total, rng)
        orders.append(interleaved_by_volume(rows, volumes, in_flight, rng))
    return samples, np.concatenate(orders)


def _codes(column: pa.ChunkedArray) -> Rows:
    """Equal values to equal numbers, in order of first appearance."""
    return np.asarray(pc.index_in(column, pc.unique(column)), dtype=np.int64)
