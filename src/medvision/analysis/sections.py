"""The report's tables in the order of the page: one section for each task."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow.compute as pc

from medvision.analysis.confusion import Confusion, confusions
from medvision.analysis.metric_columns import METRIC_COLUMNS, SUCCESS_RATE, MetricColumn
from medvision.analysis.outcomes import OutcomeTable, outcome_tables
from medvision.analysis.process import ProcessRow, process_rows
from medvision.analysis.run_scores import RunScores
from medvision.analysis.tables import (
    MISSING,
    Cell,
    MetricTable,
    average_tables,
    group_title,
    metric_tables,
    narrowed,
)
from medvision.analysis.units import UNIT_TEXT
from medvision.protocols import protocol_from
from medvision.table.schema import fact_columns
from medvision.tasks import TASKS, Task

OF_STRUCTURES = ("label", "dataset", "plane", "anatomy_group")
OF_MEASUREMENTS = ("name", "dataset", "plane")
"""What samples are broken down by: those with a structure, those with a measurement instead."""

MOST_GROUPS_OF_SUBJECTS = 12
"""Ages and other numbers of many values make no table; `analyse` looks at their thirds."""

SIZE_COUNTS = ("n", "n_parsed", "n_error")
SIZE_METRICS = ("success_rate", "iou_mean_zero_filled", "iou_mean_parsed", "iou_at_0.5_frac")
"""Columns of the table by target size, which shares its row with a plot."""

NO_CELL = Cell(text=MISSING, interval="", value=None, is_best=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Tables of one task grouped by one column."""

    title: str
    tables: tuple[MetricTable, ...]

    @property
    def n_rows(self) -> int:
        """Rows of all its tables."""
        return sum(len(table.rows) for table in self.tables)

    @property
    def n_groups(self) -> int:
        """Groups shown."""
        return len({row.group for table in self.tables for row in table.rows})


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All of one task."""

    task: Task
    tables: tuple[MetricTable, ...]
    size: MetricTable | None
    outcomes: OutcomeTable
    breakdowns: tuple[Breakdown, ...]
    confusions: tuple[Confusion, ...] = ()
    processes: tuple[ProcessRow, ...] = ()

    @property
    def title(self) -> str:
        """Head of the section."""
        return TASKS[self.task].title

    @property
    def meaning(self) -> str:
        """What the task asks."""
        return TASKS[self.task].about

    @property
    def columns(self) -> tuple[MetricColumn, ...]:
        """Metric columns of any of its tables, each once."""
        return tuple(dict.fromkeys(column for table in self.tables for column in table.columns))

    @property
    def units(self) -> str:
        """Printed units of the task's numbers."""
        return ", ".join(UNIT_TEXT.get(table.unit, table.unit) for table in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTables:
    """All tables of a report."""

    sections: tuple[Section, ...]
    n_samples: int

    @property
    def size(self) -> MetricTable | None:
        """Detection by target size, if there is detection."""
        return next((section.size for section in self.sections if section.size), None)

    def all_tables(self) -> Iterable[MetricTable]:
        """Every metric table in the order of the page."""
        for section in self.sections:
            yield from section.tables
            if section.size is not None:
                yield section.size
            for breakdown in section.breakdowns:
                yield from breakdown.tables


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewColumn:
    """One task and unit on the overview with its main metric."""

    title: str
    metric: str
    policy: str
    unit: str
    task: Task
    task_unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewEntry:
    """One model's main numbers in one task and unit."""

    n: int
    success: Cell
    metric: Cell
    withheld: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRow:
    """One model; `entries` follows the overview's columns, None where the run lacks the task."""

    model: str
    is_baseline: bool
    entries: tuple[OverviewEntry | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Models against tasks."""

    columns: tuple[OverviewColumn, ...]
    rows: tuple[OverviewRow, ...]


def report_tables(runs: Sequence[RunScores]) -> ReportTables:
    """Every table of the report; a task without samples has no section."""
    main = metric_tables(runs)
    sizes = {
        table.task: narrowed(table, count_columns=SIZE_COUNTS, metrics=SIZE_METRICS)
        for table in metric_tables(runs, ["size_bin"])
    }
    averages, processes = average_tables(runs), process_rows(runs)
    grouped: dict[str, dict[Task, list[MetricTable]]] = {}
    for by in dict.fromkeys((*OF_STRUCTURES, *OF_MEASUREMENTS)):
        for table in metric_tables(runs, [by]):
            grouped.setdefault(by, {}).setdefault(table.task, []).append(table)
    # What was measured between landmarks belongs to no structure.
    of_structures = {
        task
        for run in runs
        for task in run.scores.filter(pc.is_valid(run.scores["label_id"]))["task"].to_pylist()
    }
    facts = _told_apart(runs)
    for by in facts:
        for table in metric_tables([run for run in runs if by in run.scores.column_names], [by]):
            grouped.setdefault(by, {}).setdefault(table.task, []).append(table)
    sections = []
    for outcomes in outcome_tables(runs):
        task = outcomes.task
        names = OF_STRUCTURES if task in of_structures else OF_MEASUREMENTS
        sections.append(
            Section(
                task=task,
                tables=tuple(table for table in main if table.task is task),
                # Where the answer is a box, it matters how large the target is.
                size=sizes.get(task) if TASKS[task].headline_metric in SIZE_METRICS else None,
                outcomes=outcomes,
                breakdowns=(
                    *(
                        Breakdown(title=group_title(by), tables=tuple(grouped[by][task]))
                        for by in (*names, *facts)
                        if task in grouped.get(by, {})
                    ),
                    *_averages(task, averages, runs),
                    *_readings(task, runs),
                ),
                confusions=confusions(runs, task),
                processes=tuple(row for row in processes if row.task is task),
            )
        )
    ids = {i for run in runs for i in run.scores["sample_id"].to_pylist()}
    return ReportTables(sections=tuple(sections), n_samples=len(ids))


def _averages(
    task: Task, averages: Sequence[MetricTable], runs: Sequence[RunScores]
) -> Iterable[Breakdown]:
    """The averages over groups of one task, where any group is large enough."""
    if of_task := tuple(table for table in averages if table.task is task):
        least = {protocol_from(run.manifest).averages.min_samples for run in runs}
        words = " or ".join(map(str, sorted(least)))  # as each run's protocol has it
        title = f"kind of structure, averaged over groups of {words} samples or more"
        yield Breakdown(title=title, tables=of_task)


def _readings(task: Task, runs: Sequence[RunScores]) -> Iterable[Breakdown]:
    """Scores of one task by the readings of its replies, where runs are not read by ours."""
    read: list[RunScores] = []
    n, n_differ = 0, 0
    for run in runs:
        scores = run.scores.filter(pc.equal(run.scores["task"], str(task)))
        if run.strict_scores is None or not scores.num_rows:
            continue
        strict = run.strict_scores.filter(pc.equal(run.strict_scores["task"], str(task)))
        what = ["status", "values"]  # of the same replies, in the same order
        pairs = zip(scores.select(what).to_pylist(), strict.select(what).to_pylist(), strict=True)
        n += scores.num_rows
        n_differ += sum(as_asked != strictly for as_asked, strictly in pairs)
        read.append(replace(run, name=f"{run.name}, {run.protocol}", scores=scores))
        read.append(replace(run, name=f"{run.name}, read strictly", scores=strict))
    if read:
        title = f"reading ({n_differ} of {n} replies read differently)"
        found = metric_tables(read)
        yield Breakdown(title=title, tables=tuple(one for one in found if one.task is task))


def _told_apart(runs: Sequence[RunScores]) -> list[str]:
    """What is known of subjects that makes few enough groups to show."""
    named = dict.fromkeys(name for run in runs for name in fact_columns(run.scores.column_names))
    values = {
        name: {
            value
            for run in runs
            if name in run.scores.column_names
            for value in run.scores[name].unique().to_pylist()
        }
        for name in named
    }
    return [name for name, found in values.items() if 1 < len(found) <= MOST_GROUPS_OF_SUBJECTS]


def overview(runs: Sequence[RunScores], tables: ReportTables) -> Overview:
    """The main metric of each task and unit for every run."""
    main: list[tuple[MetricTable, MetricColumn]] = []
    for table in (table for section in tables.sections for table in section.tables):
        wanted = TASKS[table.task].headline_metric
        headline = (column for column in table.columns if column.key == wanted)
        # Where nothing parsed, the metric has no column of the table, but its cell says "–".
        known = (column for column in METRIC_COLUMNS[table.task] if column.key == wanted)
        main.append((table, next(itertools.chain(headline, known))))
    return Overview(
        columns=tuple(
            OverviewColumn(
                title=table.title,
                metric=column.title,
                policy=column.policy,
                unit=table.unit_of(column),
                task=table.task,
                task_unit=table.unit,
            )
            for table, column in main
        ),
        rows=tuple(
            OverviewRow(
                model=run.name,
                is_baseline=run.is_baseline,
                entries=tuple(_entry(table, run.name, column) for table, column in main),
            )
            for run in runs
        ),
    )


def _entry(table: MetricTable, model: str, column: MetricColumn) -> OverviewEntry | None:
    """A model's numbers in a table; None where it was not asked."""
    row = next((row for row in table.rows if row.model == model), None)
    if row is None:
        return None
    cells = dict(zip((c.key for c in table.columns), row.cells, strict=False))
    return OverviewEntry(
        n=row.counts[0],
        success=cells.get(SUCCESS_RATE.key, NO_CELL),
        metric=cells.get(column.key, NO_CELL),
        withheld=row.withheld,
    )
