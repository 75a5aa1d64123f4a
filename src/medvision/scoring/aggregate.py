"""Score rows to tables of metrics: counts, means under a stated policy, intervals by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from medvision.catalog import is_averaged
from medvision.scoring.alignment import ERROR, require_columns
from medvision.scoring.bootstrap import Intervals, SubjectGroup, ratio_means, subject_intervals
from medvision.scoring.grouping import Groups, grouped
from medvision.scoring.metrics import BoolArray, FloatArray
from medvision.scoring.subject_sums import (
    RATIOS,
    SUBJECT_COLUMNS,
    group_of_cell,
    subject_groups,
)
from medvision.scoring.terms import (
    ADDED_COLUMNS,
    MEASURED_COLUMNS,
    MEDIAN_METRICS,
    RATIO_METRICS,
    ScoreColumns,
    is_word,
    score_columns,
)

DEFAULT_SEED = 1024
DEFAULT_RESAMPLES = 1000

ALWAYS_BY = ("task", "unit")
"""Every aggregate is split by these: mm and degrees are never averaged together."""

GROUPINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "task": (),
        "dataset": ("dataset",),
        "label": ("label",),
        "measurement": ("dataset", "metric_kind", "metric_key", "name"),
        "anatomy_modality_plane": ("anatomy_group", "modality", "plane"),
        "tumor_lesion": ("is_tumor_lesion",),
        "size_bin": ("size_bin",),
        "plane": ("plane",),
    }
)
"""The groupings of reports: name to the columns to group by, besides task and unit."""

COUNT_COLUMNS = (
    "n",
    "n_parsed",
    "n_refused",
    "n_truncated",
    "n_unreadable",
    "n_error",
    "n_recovered",
    "n_subjects",
)
"""Counts of every aggregate; n = n_parsed + n_refused + n_truncated + n_unreadable + n_error."""

_READ_COLUMNS = (
    *("status", "recovered_status", "truth", *SUBJECT_COLUMNS),
    *(name for name in MEASURED_COLUMNS if name not in ADDED_COLUMNS),
)


def aggregate(
    scores: pa.Table,
    by: Sequence[str] = (),
    *,
    seed: int = DEFAULT_SEED,
    n_resamples: int = DEFAULT_RESAMPLES,
    max_error_rate: float = 0.0,
) -> pa.Table:
    """Metrics of groups of score rows.

    Args:
        scores: `SCORE_SCHEMA`; further columns (a model's name) may be grouped by too.
        by: Columns to group by. Task and unit are always added.
        seed: Of the resampling; the same rows get the same interval in every table.
        n_resamples: Of subjects, for each interval; 0 for none.
        max_error_rate: Share of errors above which a group's metrics are withheld.

    Returns:
        One row per group, sorted: the group's columns, `COUNT_COLUMNS`, then each metric of
        `RATIO_METRICS` with `_low` and `_high` (95 %, by subject) and each of `MEDIAN_METRICS`.
        A metric is null where undefined, withheld, or of another task; an interval also where
        there is only one subject.

    Raises:
        ScoreInputError: The table lacks a column.
    """
    keys = _key_columns(scores, by)
    groups = grouped(scores, keys)
    resampling = _Resampling(seed=seed, n_resamples=n_resamples)
    return _aggregate(scores, groups, groups, resampling=resampling, max_error_rate=max_error_rate)


def group_average(
    scores: pa.Table,
    by: Sequence[str] = ("is_tumor_lesion",),
    *,
    min_samples: int = 50,
    seed: int = DEFAULT_SEED,
    n_resamples: int = DEFAULT_RESAMPLES,
    max_error_rate: float = 0.0,
) -> pa.Table:
    """The paper's averages: unweighted mean over labels of each label's metric.

    Rows without a label, of an anatomy group that is left out of averages (others, miscellaneous),
    and of labels with fewer than `min_samples` rows in their group are left out. A label on which
    a metric is undefined (no parsed answer) is left out of that metric.

    Args:
        scores: `SCORE_SCHEMA`.
        by: Columns to group by. Task and unit are always added.
        min_samples: Rows a label needs within its group, parsed or not.
        seed: Of the resampling.
        n_resamples: Of subjects, for each interval; 0 for none.
        max_error_rate: Share of errors above which a group's metrics are withheld.

    Returns:
        As `aggregate`, with `n_labels` before the counts; counts are of the rows averaged.

    Raises:
        ScoreInputError: The table lacks a column.
    """
    keys = _key_columns(scores, [*by, "label", "anatomy_group"])
    group_keys = [name for name in keys if name in {*by, *ALWAYS_BY}]
    cell_keys = [*group_keys, *([] if "label" in group_keys else ["label"])]
    added = [name for name in scores.column_names if name in ADDED_COLUMNS]
    scores = scores.select(list(dict.fromkeys([*keys, *_READ_COLUMNS, *added])))
    anatomy = grouped(scores, ["anatomy_group"])
    named = anatomy.keys["anatomy_group"].to_pylist()
    averaged = np.array([group is not None and is_averaged(group) for group in named], dtype=bool)
    scores = scores.filter(pa.array(averaged[anatomy.code]))
    labels = grouped(scores, cell_keys)
    n_of_label = np.bincount(labels.code, minlength=len(labels))
    scores = scores.filter(pa.array(n_of_label[labels.code] >= min_samples))
    groups, cells = grouped(scores, group_keys), grouped(scores, cell_keys)
    resampling = _Resampling(seed=seed, n_resamples=n_resamples)
    table = _aggregate(scores, groups, cells, resampling=resampling, max_error_rate=max_error_rate)
    n_labels = np.bincount(group_of_cell(groups, cells), minlength=len(groups))
    return table.add_column(len(group_keys), "n_labels", pa.array(n_labels, type=pa.int32()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resampling:
    seed: int
    n_resamples: int


def _key_columns(scores: pa.Table, by: Sequence[str]) -> list[str]:
    """Columns to group by, each once, task and unit among them."""
    keys = list(dict.fromkeys([*by, *ALWAYS_BY]))
    require_columns(scores, [*keys, *_READ_COLUMNS], "scores")
    return keys


def _aggregate(
    scores: pa.Table,
    groups: Groups,
    cells: Groups,
    *,
    resampling: _Resampling,
    max_error_rate: float,
) -> pa.Table:
    """Metrics of groups as means over their cells' metrics."""
    columns = score_columns(scores)
    summed = subject_groups(scores, columns, groups, cells)
    counts = _counts(columns, groups, summed)
    withheld = counts["n_error"] > max_error_rate * counts["n"]
    intervals = subject_intervals(
        summed, RATIOS, n_resamples=resampling.n_resamples, seed=resampling.seed
    )
    metrics = {
        **_ratio_metrics(summed, intervals),
        **{
            name: _mean_of_medians(columns.measured[column], groups, cells)
            for name, column in MEDIAN_METRICS.items()
        },
    }
    table = groups.keys
    for name in COUNT_COLUMNS:
        table = table.append_column(name, pa.array(counts[name], type=pa.int32()))
    for name, values in metrics.items():
        table = table.append_column(name, pa.array(values, mask=np.isnan(values) | withheld))
    return table


def _counts(
    columns: ScoreColumns, groups: Groups, summed: Sequence[SubjectGroup]
) -> dict[str, FloatArray]:
    """`COUNT_COLUMNS` of each group."""

    def of(rows: BoolArray) -> FloatArray:
        return np.bincount(groups.code, weights=rows, minlength=len(groups)).astype(np.float64)

    counts = {
        "n": of(np.ones(len(groups.code), dtype=np.bool_)),
        "n_parsed": of(columns.is_parsed),
        "n_refused": of(is_word(columns.status, "refused")),
        "n_truncated": of(is_word(columns.status, "truncated")),
        "n_error": of(is_word(columns.status, ERROR)),
        "n_recovered": of(columns.is_recovered & ~columns.is_error),
        "n_subjects": np.array([group.n_subjects for group in summed], dtype=np.float64),
    }
    parts = ("n_parsed", "n_refused", "n_truncated", "n_error")
    counts["n_unreadable"] = counts["n"] - sum(counts[name] for name in parts)
    return counts


def _ratio_metrics(summed: Sequence[SubjectGroup], intervals: Intervals) -> dict[str, FloatArray]:
    """Each ratio metric of each group, with the ends of its interval."""
    values = np.full((len(summed), len(RATIO_METRICS)), np.nan)
    for at, group in enumerate(summed):
        totals = np.stack([cell.sums.sum(axis=0) for cell in group.cells])
        values[at] = ratio_means(totals, RATIOS)
    metrics = {}
    for at, metric in enumerate(RATIO_METRICS):
        metrics[metric.name] = values[:, at]
        metrics[f"{metric.name}_low"] = intervals.low[:, at]
        metrics[f"{metric.name}_high"] = intervals.high[:, at]
    return metrics


def _mean_of_medians(column: FloatArray, groups: Groups, cells: Groups) -> FloatArray:
    """(groups,) mean over cells of the median of a column; NaN where no cell has a value."""
    rows = np.flatnonzero(~np.isnan(column))
    order = rows[np.lexsort((column[rows], cells.code[rows]))]
    n_of_cell = np.bincount(cells.code[rows], minlength=len(cells))
    has_value = n_of_cell > 0
    start = (np.cumsum(n_of_cell) - n_of_cell)[has_value]
    n = n_of_cell[has_value]
    medians = (column[order[start + (n - 1) // 2]] + column[order[start + n // 2]]) / 2
    owner = group_of_cell(groups, cells)[has_value]
    n_cells = np.bincount(owner, minlength=len(groups))
    mean = np.full(len(groups), np.nan)
    total = np.bincount(owner, weights=medians, minlength=len(groups))
    return np.asarray(np.divide(total, n_cells, out=mean, where=n_cells > 0))
