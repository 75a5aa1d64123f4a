"""The report's tables as plain ones: each from the same rows and columns that its page shows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medvision.analysis.confusion import ANSWERED_BINS
from medvision.analysis.export.plain_table import Column, Entry, PlainTable
from medvision.analysis.metric_columns import SUCCESS_RATE, MetricColumn
from medvision.analysis.process import PROCESS_TITLES
from medvision.analysis.sections import ReportTables, Section
from medvision.analysis.standing import Standing
from medvision.analysis.tables import MetricTable, group_title
from medvision.analysis.verdicts.analyse import ANALYSES
from medvision.analysis.verdicts.verdict import Verdict
from medvision.tasks import TASKS

INTERVALS = "Intervals are 95 %, by subject."

MODEL = Column(key="model", title="model")


def plain_tables(
    tables: ReportTables, verdicts: Sequence[Verdict], stands: Standing
) -> Iterator[PlainTable]:
    """Every table of the report, each under a name of its own.

    Args:
        tables: What the page shows.
        verdicts: What `analyse` gives.
        stands: Which numbers are best, and which beat nothing.
    """
    taken: dict[str, int] = {}
    for table in _all(tables, verdicts, stands):
        # Columns of subjects are named by their owner, and two may look alike as file names.
        name = re.sub("[^a-z0-9_]+", "-", table.name.lower()).strip("-")
        taken[name] = taken.get(name, 0) + 1
        again = f"-{taken[name]}" if taken[name] > 1 else ""
        yield replace(table, name=name + again)


def table_name(table: MetricTable) -> str:
    """The name of a task's table, such as "detection" or "ad-deg"."""
    return f"{table.task}-{table.unit}" if len(TASKS[table.task].units) > 1 else str(table.task)


def _all(
    tables: ReportTables, verdicts: Sequence[Verdict], stands: Standing
) -> Iterator[PlainTable]:
    main = [table for section in tables.sections for table in section.tables]
    if main:
        yield _overview(main)
    for section in tables.sections:
        for table in section.tables:
            yield _metric_table(table, table_name(table), stands)
        if section.size:
            yield _metric_table(section.size, f"{table_name(section.size)}-by-size_bin", stands)
        for breakdown in section.breakdowns:
            for table in breakdown.tables:
                by = table.by[0] if table.by else "reading"
                name = f"{table_name(table)}-by-{by}{'-averaged' if table.over else ''}"
                yield _metric_table(table, name, stands, by=breakdown.title)
        yield from _counts(section)
    for name in ANALYSES:
        if own := [one for one in verdicts if one.name == name and one.task]:
            yield _analysis(name, own)


def _metric_column(column: MetricColumn, unit: str) -> Column:
    return Column(
        key=column.key,
        title=column.title,
        note=f"{column.policy}, {unit}",
        decimals=column.decimals,
        scale=column.scale,
        has_interval=True,
        is_number=True,
    )


def _metric_entry(record: Mapping[str, Any], key: str) -> Entry:
    low, high = record.get(f"{key}_low"), record.get(f"{key}_high")
    interval = None if low is None or high is None else (low, high)
    return Entry(value=record.get(key), interval=interval)


def _number_column(name: str) -> Column:
    return Column(key=name, title=name, is_number=True)


def _count(value: int) -> Entry:
    return Entry(value=value)


def _metric_table(table: MetricTable, name: str, stands: Standing, by: str = "") -> PlainTable:
    """A table of metrics; a row whose main number does not beat a constant says so."""
    columns = (
        Column(key="task", title="task", only_data=True),
        Column(key="unit", title="unit", only_data=True),
        *(Column(key=one, title=group_title(one)) for one in table.by),
        MODEL,
        Column(key="is_baseline", title="baseline", only_data=True),
        Column(key="protocol", title="protocol", only_data=True),
        *map(_number_column, table.count_columns),
        *(_metric_column(column, table.unit_of(column)) for column in table.columns),
        Column(key="remark", title="remark"),
    )
    rows = []
    for row, record in zip(table.rows, table.records, strict=True):
        marks = [stands.words(table, row, at) for at in range(len(row.cells))]
        counts = [record[one] for one in table.count_columns]
        facts = [row.model, str(row.is_baseline).lower(), record["protocol"]]
        rows.append(
            (
                *(Entry(value=one) for one in (str(table.task), table.unit, *row.group)),
                *(Entry(value=one) for one in (*facts, *counts)),
                *(_metric_entry(record, column.key) for column in table.columns),
                Entry(value="; ".join([row.withheld, *marks]).strip("; ")),
            )
        )
    left_out = f" {table.n_left_out} smaller groups are left out." if table.n_left_out else ""
    of = f" by {by or group_title(table.by[0])}" if by or table.by else ""
    return PlainTable(
        name=name,
        caption=f"{table.title}{of}. n: samples. {INTERVALS}{left_out}",
        columns=columns,
        rows=tuple(rows),
    )


def _overview(main: Sequence[MetricTable]) -> PlainTable:
    """One row a model: n, success and main metric of each task and unit."""
    columns, parts = [MODEL, Column(key="is_baseline", title="baseline", only_data=True)], []
    for table in main:
        wanted = TASKS[table.task].headline_metric
        column = next((one for one in table.columns if one.key == wanted), table.columns[0])
        name, parts_of = table_name(table).replace("-", "_"), []
        for key, made in (
            ("n", _number_column("n")),
            *((one.key, _metric_column(one, table.unit_of(one))) for one in (SUCCESS_RATE, column)),
        ):
            title = f"{table.title}: {made.title}"
            columns.append(replace(made, key=f"{name}_{key}", title=title))
            parts_of.append(key)
        parts.append((table, parts_of))
    models = {row.model: row.is_baseline for table in main for row in table.rows}
    rows = []
    for model in sorted(models, key=lambda name: models[name]):
        row = [Entry(value=model), Entry(value=str(models[model]).lower())]
        for table, keys in parts:
            record = next((one for one in table.records if one["model"] == model), {})
            row += [_metric_entry(record, key) for key in keys]
        rows.append(tuple(row))
    return PlainTable(
        name="overview",
        caption=f"Main metric and success rate of each task. n: samples. {INTERVALS}",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _counts(section: Section) -> Iterator[PlainTable]:
    """What became of the questions; steps; answered against true numbers."""
    outcomes = section.outcomes
    yield PlainTable(
        name=f"{section.task}-outcomes",
        caption=f"{section.title}: samples by outcome; only ok is parsed.",
        columns=(MODEL, *map(_number_column, ("n", *outcomes.outcomes, "recovered"))),
        rows=tuple(
            (Entry(value=row.model), *map(_count, (row.n, *row.counts, row.n_recovered)))
            for row in outcomes.rows
        ),
    )
    if section.processes:
        yield PlainTable(
            name=f"{section.task}-steps",
            caption=f"{section.title}: means over the replies that state a step.",
            columns=(
                MODEL,
                Column(key="unit", title="unit"),
                *map(_number_column, ("n", "n_tagged")),
                *(
                    Column(
                        key=name,
                        title=title,
                        decimals=2 if name.endswith("_mm") else 1,
                        scale=1 if name.endswith("_mm") else 100,
                        is_number=True,
                    )
                    for name, (title, _) in PROCESS_TITLES.items()
                ),
            ),
            rows=tuple(
                (
                    *(Entry(value=one) for one in (row.model, row.unit, row.n, row.n_tagged)),
                    *(Entry(value=mean) for _, _, mean in row.means),
                )
                for row in section.processes
            ),
        )
    if section.confusions:
        yield PlainTable(
            name=f"{section.task}-confusion",
            caption=f"{section.title}: samples by true (rows) and answered number (columns).",
            columns=(
                MODEL,
                Column(key="true", title="true"),
                *(
                    Column(key=f"answered_{word}", title=word, is_number=True)
                    for word in ANSWERED_BINS
                ),
            ),
            rows=tuple(
                (Entry(value=confusion.model), Entry(value=str(number)), *map(_count, counts))
                for confusion in section.confusions
                for number, counts in confusion.by_truth
            ),
        )


def _analysis(name: str, verdicts: Sequence[Verdict]) -> PlainTable:
    """All verdicts of an analysis, groups included."""
    columns = (
        MODEL,
        Column(key="task", title="task"),
        Column(key="group", title="group"),
        Column(key="quantity", title="quantity"),
        Column(
            key="value",
            title="value",
            note="95 % interval",
            decimals=3,
            has_interval=True,
            is_number=True,
        ),
        *map(_number_column, ("n", "n_subjects")),
        Column(key="verdict", title="verdict"),
        Column(key="words", title="in words", only_data=True),
    )
    rows = tuple(
        (
            *(Entry(value=part) for part in (one.model, one.task, one.group, one.quantity)),
            Entry(value=one.value, interval=one.interval),
            *(Entry(value=part) for part in (one.n, one.n_subjects)),
            *(Entry(value=part) for part in (one.verdict.replace("_", " "), one.words)),
        )
        for one in verdicts
    )
    return PlainTable(
        name=f"analysis-{name}",
        caption=f"{ANALYSES[name].asks} n: questions. {INTERVALS}",
        columns=columns,
        rows=rows,
    )
