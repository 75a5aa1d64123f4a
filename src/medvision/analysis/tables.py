"""Aggregates as tables to read: one row per model and group, values printed with their interval."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from medvision.analysis.metric_columns import AVERAGE_COLUMNS, METRIC_COLUMNS, MetricColumn
from medvision.analysis.run_scores import RunScores
from medvision.analysis.units import UNIT_TEXT
from medvision.protocols import protocol_from
from medvision.scoring.aggregate import aggregate
from medvision.scoring.group_averages import GROUP, group_averages
from medvision.table.schema import SUBJECT_PREFIX
from medvision.tasks import TASKS, Task

logger = logging.getLogger(__name__)

COUNT_COLUMNS = (
    "n",
    "n_subjects",
    "n_parsed",
    "n_refused",
    "n_truncated",
    "n_unreadable",
    "n_error",
)
"""n is the sum of n_parsed, n_refused, n_truncated, n_unreadable and n_error."""

GROUP_TITLE: dict[str, str] = {
    "size_bin": "target size",
    "label": "structure",
    "name": "measurement",
    "dataset": "dataset",
    "modality": "modality",
    "plane": "plane",
    "anatomy_group": "anatomy group",
    "is_tumor_lesion": "kind of structure",
}


def group_title(column: str) -> str:
    """Head of a column that groups rows.

    Example:
        >>> group_title("size_bin"), group_title("subject_scanner")
        ('target size', 'scanner')
    """
    return GROUP_TITLE.get(column, column.removeprefix(SUBJECT_PREFIX))


SIZE_BIN_TEXT: dict[str, str] = {"<5%": "< 5 %", "5-10%": "5–10 %", ">10%": "> 10 %"}
"""Printed form of the target size bins, in their order."""

KIND_TEXT: dict[str, str] = {"False": "healthy", "True": "tumour or lesion"}
"""Printed form of `is_tumor_lesion`."""

MISSING = "–"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One printed value.

    Attributes:
        text: The value in the column's unit, or why there is none.
        interval: The 95 % interval in the same unit, or "".
        value: What to sort by, or None.
        is_best: Best of the models (not the baselines) in its group.
    """

    text: str
    interval: str
    value: float | None
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One model in one group; `cells` is empty where every metric is withheld."""

    group: tuple[str, ...]
    model: str
    is_baseline: bool
    counts: tuple[int, ...]
    cells: tuple[Cell, ...]
    withheld: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTable:
    """A table of one task and unit.

    Attributes:
        task: The task of all its rows.
        unit: The samples' unit, as in `Sample.unit`.
        by: Columns of the score table that its rows are grouped by; () for all together.
        over: What makes the groups that its rows are averages over; () for plain rows.
        count_columns: The counts shown.
        columns: The metric columns.
        rows: Models first, then baselines, within each group.
        records: The aggregate rows behind `rows`, unprinted, for JSON.
        n_left_out: Groups not shown because the table had too many.
    """

    task: Task
    unit: str
    by: tuple[str, ...]
    over: tuple[str, ...]
    count_columns: tuple[str, ...]
    columns: tuple[MetricColumn, ...]
    rows: tuple[TableRow, ...]
    records: tuple[Record, ...]
    n_left_out: int

    @property
    def title(self) -> str:
        """Task, with the unit where a task has several."""
        record = TASKS[self.task]
        of_unit = f", {UNIT_TEXT.get(self.unit, self.unit)}" if len(record.units) > 1 else ""
        return f"{record.title}{of_unit}"

    @property
    def group_titles(self) -> tuple[str, ...]:
        """Heads of the group columns."""
        return tuple(map(group_title, self.by))

    @property
    def n_text(self) -> str:
        """Samples per model: one number, or the range where models differ."""
        counts = sorted({row.counts[0] for row in self.rows})
        return "–".join(str(count) for count in (counts[:1] + counts[1:][-1:]))

    def unit_of(self, column: MetricColumn) -> str:
        """Printed unit of one metric column: its own, or the task's."""
        return column.unit or UNIT_TEXT.get(self.unit, self.unit)


def metric_tables(
    runs: Sequence[RunScores], by: Sequence[str] = (), *, max_groups: int = 200
) -> list[MetricTable]:
    """One table per task and unit, over all runs.

    Args:
        runs: In the order of the rows.
        by: Score columns to group by besides task and unit.
        max_groups: The groups with most samples are kept, up to this many.
    """
    found = []
    for run in runs:
        if not run.scores.num_rows:
            logger.warning("run %s has no scores: it has no row in the report's tables", run.name)
            continue
        found += _of_run(run, aggregate(run.scores, by=list(by)).to_pylist())
    table_of = _Tables(by=tuple(by), columns=METRIC_COLUMNS, max_groups=max_groups)
    return table_of.records(runs, found)


def average_tables(runs: Sequence[RunScores]) -> list[MetricTable]:
    """One table of averages over groups per task and unit that has large enough groups."""
    by = ("is_tumor_lesion",)
    found = []
    for run in runs:
        averages = protocol_from(run.manifest).averages
        records = group_averages(
            run.scores,
            by,
            min_samples=averages.min_samples,
            miscellaneous_in=averages.miscellaneous_in,
        )
        found += _of_run(run, records.to_pylist())
    counts = ("n_groups", *COUNT_COLUMNS)
    tables = _Tables(by=by, columns=AVERAGE_COLUMNS, over=GROUP, count_columns=counts)
    return tables.records(runs, found)


def _of_run(run: RunScores, records: list[Record]) -> list[Record]:
    of_run = {"model": run.name, "is_baseline": run.is_baseline, "protocol": run.protocol}
    return [of_run | record for record in records]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """How records become tables."""

    by: tuple[str, ...]
    columns: Mapping[Task, tuple[MetricColumn, ...]]
    over: tuple[str, ...] = ()
    count_columns: tuple[str, ...] = COUNT_COLUMNS
    max_groups: int = 200

    def records(self, runs: Sequence[RunScores], found: Sequence[Record]) -> list[MetricTable]:
        """One table per task and unit, in the order of tasks."""
        grouped: dict[tuple[Task, str], list[Record]] = {}
        for record in found:
            grouped.setdefault((Task(record["task"]), record["unit"]), []).append(record)
        place_of_run = {run.name: place for place, run in enumerate(runs)}
        place_of_task = {task: place for place, task in enumerate(Task)}
        keys = sorted(grouped, key=lambda key: (place_of_task[key[0]], key[1]))
        return [self._table(*key, grouped[key], place_of_run) for key in keys]

    def _table(
        self, task: Task, unit: str, records: list[Record], place_of_run: Mapping[str, int]
    ) -> MetricTable:
        by = self.by
        sizes = {name: place for place, name in enumerate(SIZE_BIN_TEXT.values())}
        kept, n_left_out = _largest_groups(records, by, self.max_groups)
        kept.sort(key=lambda record: place_of_run[record["model"]])
        # Groups by name, but target sizes by size; within a group the runs keep their order.
        kept.sort(
            key=lambda record: [(sizes.get(name, len(sizes)), name) for name in _group(record, by)]
        )
        columns = _shown_columns(self.columns[task], kept)
        return MetricTable(
            task=task,
            unit=unit,
            by=by,
            over=self.over,
            count_columns=self.count_columns,
            columns=columns,
            rows=_rows(kept, by, columns, self.count_columns),
            records=tuple(kept),
            n_left_out=n_left_out,
        )


def narrowed(
    table: MetricTable, *, count_columns: Sequence[str], metrics: Sequence[str]
) -> MetricTable:
    """A table with fewer columns; its records stay whole."""
    counts = [table.count_columns.index(name) for name in count_columns]
    places = [at for at, column in enumerate(table.columns) if column.key in metrics]
    rows = (
        replace(
            row,
            counts=tuple(row.counts[at] for at in counts),
            cells=() if row.withheld else tuple(row.cells[at] for at in places),
        )
        for row in table.rows
    )
    return replace(
        table,
        count_columns=tuple(count_columns),
        columns=tuple(table.columns[at] for at in places),
        rows=tuple(rows),
    )


def printed(value: float | None, column: MetricColumn) -> str:
    """A metric as printed in its column's unit, without the unit.

    Example:
        >>> from medvision.analysis.metric_columns import SUCCESS_RATE
        >>> printed(0.9825, SUCCESS_RATE), printed(None, SUCCESS_RATE)
        ('98.2', '–')
    """
    return MISSING if value is None else f"{value * column.scale:.{column.decimals}f}"


def _group(record: Record, by: Sequence[str]) -> tuple[str, ...]:
    """The group of a record as printed."""
    names = (MISSING if record[name] in (None, "") else str(record[name]) for name in by)
    return tuple(SIZE_BIN_TEXT.get(name, KIND_TEXT.get(name, name)) for name in names)


def _largest_groups(
    records: list[Record], by: Sequence[str], max_groups: int
) -> tuple[list[Record], int]:
    """Records of the groups with most samples, and how many groups that leaves out."""
    n_of: dict[tuple[str, ...], int] = {}
    for record in records:
        group = _group(record, by)
        n_of[group] = max(n_of.get(group, 0), record["n"])
    kept = set(sorted(n_of, key=lambda group: (-n_of[group], group))[:max_groups])
    return [r for r in records if _group(r, by) in kept], len(n_of) - len(kept)


def _shown_columns(
    columns: tuple[MetricColumn, ...], records: Sequence[Record]
) -> tuple[MetricColumn, ...]:
    """Columns that hold a value somewhere, or could: a withheld table keeps all it knows of."""
    known = tuple(c for c in columns if any(c.key in record for record in records))
    if all(_is_withheld(record, known) for record in records):
        return known
    return tuple(c for c in known if any(r.get(c.key) is not None for r in records))


def _is_withheld(record: Record, columns: Sequence[MetricColumn]) -> bool:
    """Whether errors of the harness withhold every metric of a row."""
    metrics = [column for column in columns if column.key != "success_rate"]
    return bool(record["n_error"]) and all(record.get(c.key) is None for c in metrics)


def _rows(
    records: Sequence[Record],
    by: Sequence[str],
    columns: Sequence[MetricColumn],
    count_columns: Sequence[str],
) -> tuple[TableRow, ...]:
    """Records as printed; the best model of each group is known from all of the group."""
    rows: list[TableRow] = []
    for group, found in groupby(records, key=lambda record: _group(record, by)):
        members = list(found)
        # Rows of different protocols are not compared, so none is the best of both.
        is_one = len({record["protocol"] for record in members}) == 1
        best: dict[str, float] = {}
        for column in columns if is_one else ():
            of_models = (r.get(column.key) for r in members if not r["is_baseline"])
            values = [value for value in of_models if value is not None]
            if len(values) > 1:  # a single model is the best of none
                best[column.key] = max(values) if column.better == "higher" else min(values)
        for record in members:
            n_error = record["n_error"]
            errors = f"withheld ({n_error} error{'s' if n_error > 1 else ''})"
            withheld = _is_withheld(record, columns)
            cells = [_cell(record, column, best.get(column.key)) for column in columns]
            rows.append(
                TableRow(
                    group=group,
                    model=record["model"],
                    is_baseline=record["is_baseline"],
                    counts=tuple(record[name] for name in count_columns),
                    cells=() if withheld else tuple(cells),
                    withheld=errors if withheld else "",
                )
            )
    return tuple(rows)


def _cell(record: Record, column: MetricColumn, best: float | None) -> Cell:
    """One value as printed, with its interval where both ends are known."""
    value = record.get(column.key)
    low, high = record.get(f"{column.key}_low"), record.get(f"{column.key}_high")
    known = value is not None and low is not None and high is not None
    return Cell(
        text=printed(value, column),
        interval=f"{printed(low, column)}–{printed(high, column)}" if known else "",
        value=value,
        is_best=value is not None and value == best and not record["is_baseline"],
    )
