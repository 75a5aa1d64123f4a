"""Score rows to tables of metrics: counts, means under a stated policy, intervals by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from medvision.scoring.alignment import ERROR, require_columns
from medvision.scoring.bootstrap import (
    Intervals,
    RatioTerms,
    SubjectGroup,
    ratio_means,
    subject_intervals,
)
from medvision.scoring.errors import ScoreInputError
from medvision.scoring.grouping import Groups, grouped
from medvision.scoring.metrics import BoolArray, FloatArray
from medvision.scoring.subject_sums import (
    ANSWERED,
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

PROTOCOL_COLUMN = "protocol"
"""Under which protocol a run was asked and read; scores that say nothing are of one."""

READ_COLUMNS = (
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
    keys = key_columns(scores, by)
    groups = grouped(scores, keys)
    settings = Settings(seed=seed, n_resamples=n_resamples, max_error_rate=max_error_rate)
    return means_over_cells(scores, groups, groups, {"": False}, settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How intervals are made, and when metrics are withheld: see `aggregate`."""

    seed: int
    n_resamples: int
    max_error_rate: float


def key_columns(scores: pa.Table, by: Sequence[str]) -> list[str]:
    """Columns to group by, each once, task and unit among them.

    Raises:
        ScoreInputError: The table lacks a column, or holds the scores of several protocols and
            they would be averaged together.
    """
    keys = list(dict.fromkeys([*by, *ALWAYS_BY]))
    require_columns(scores, [*keys, *READ_COLUMNS], "scores")
    if PROTOCOL_COLUMN in scores.column_names and PROTOCOL_COLUMN not in keys:
        protocols = sorted(filter(None, scores[PROTOCOL_COLUMN].unique().to_pylist()))
        if len(protocols) > 1:
            msg = (
                f"scores: expected those of one protocol, found {', '.join(protocols)}, which are "
                f"never averaged together; group by {PROTOCOL_COLUMN!r} too"
            )
            raise ScoreInputError(msg)
    return keys


def means_over_cells(
    scores: pa.Table,
    groups: Groups,
    cells: Groups,
    is_weighted: Mapping[str, bool],
    settings: Settings,
) -> pa.Table:
    """Metrics of groups as means over their cells' metrics.

    Args:
        scores: `SCORE_SCHEMA`.
        groups: A row of the table each.
        cells: Parts of the groups.
        is_weighted: End of the metrics' names, and whether a cell weighs by its samples; else all
            cells of a group weigh the same.
        settings: Of intervals.
    """
    columns = score_columns(scores)
    summed = subject_groups(scores, columns, groups, cells)
    counts = _counts(columns, groups, summed)
    withheld = counts["n_error"] > settings.max_error_rate * counts["n"]
    table = groups.keys
    for name in COUNT_COLUMNS:
        table = table.append_column(name, pa.array(counts[name], type=pa.int32()))
    answered = np.bincount(cells.code[~columns.is_error], minlength=len(cells)).astype(np.float64)
    for ending, by_samples in is_weighted.items():
        ratios = replace(RATIOS, weight=ANSWERED if by_samples else None)
        intervals = subject_intervals(
            summed, ratios, n_resamples=settings.n_resamples, seed=settings.seed
        )
        metrics = _ratio_metrics(summed, ratios, intervals, ending)
        weight = answered if by_samples else np.ones(len(cells))
        for name, column in MEDIAN_METRICS.items():
            mean = _mean_of_medians(columns.measured[column], groups, cells, weight)
            metrics[f"{name}{ending}"] = mean
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


def _ratio_metrics(
    summed: Sequence[SubjectGroup], ratios: RatioTerms, intervals: Intervals, ending: str
) -> dict[str, FloatArray]:
    """Each ratio metric of each group, with the ends of its interval."""
    values = np.full((len(summed), len(RATIO_METRICS)), np.nan)
    for at, group in enumerate(summed):
        totals = np.stack([cell.sums.sum(axis=0) for cell in group.cells])
        values[at] = ratio_means(totals, ratios)
    metrics = {}
    for at, metric in enumerate(RATIO_METRICS):
        metrics[f"{metric.name}{ending}"] = values[:, at]
        metrics[f"{metric.name}{ending}_low"] = intervals.low[:, at]
        metrics[f"{metric.name}{ending}_high"] = intervals.high[:, at]
    return metrics


def _mean_of_medians(
    column: FloatArray, groups: Groups, cells: Groups, weight: FloatArray
) -> FloatArray:
    """(groups,) mean over cells, each with its weight, of the median of a column.

    NaN where no cell has a value.
    """
    rows = np.flatnonzero(~np.isnan(column))
    order = rows[np.lexsort((column[rows], cells.code[rows]))]
    n_of_cell = np.bincount(cells.code[rows], minlength=len(cells))
    has_value = n_of_cell > 0
    start = (np.cumsum(n_of_cell) - n_of_cell)[has_value]
    n = n_of_cell[has_value]
    medians = (column[order[start + (n - 1) // 2]] + column[order[start + n // 2]]) / 2
    owner = group_of_cell(groups, cells)[has_value]
    weight = weight[has_value]
    whole = np.bincount(owner, weights=weight, minlength=len(groups))
    mean = np.full(len(groups), np.nan)
    total = np.bincount(owner, weights=weight * medians, minlength=len(groups))
    return np.asarray(np.divide(total, whole, out=mean, where=whole > 0))
