"""One record a task, and in every stage one table that covers every task."""

import ast
from pathlib import Path

import pytest

import medvision
from medvision.errors import UsageError
from medvision.tasks import TASKS, Task, UnknownTaskError, known_task

SOURCE = Path(medvision.__file__).parent

STAGE_TABLES = {
    "tasks.py": "TASKS",
    "samples/kinds.py": "KINDS",
    "prompts/questions.py": "WORDINGS",
    "scoring/metrics.py": "SCORERS",
    "analysis/metric_columns.py": "METRIC_COLUMNS",
    "analysis/drawing/kinds.py": "DRAWN",
}
"""The one table of behaviour of each stage; all else follows from the records."""


def tables_keyed_by_task():
    """(file, name) of every dictionary in the source whose keys are written as `Task.X`."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                for shown in ast.walk(node.value):
                    if isinstance(shown, ast.Dict) and shown.keys and all(map(is_task, shown.keys)):
                        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                        keys = {key.attr for key in shown.keys}
                        found[path.relative_to(SOURCE).as_posix(), ast.unparse(target)] = keys
    return found


def is_task(node):
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Task"


def test_every_stage_covers_every_task():
    found = tables_keyed_by_task()
    everything = {task.name for task in Task}
    assert [(key, everything - keys) for key, keys in found.items() if keys != everything] == []


def test_a_stage_keeps_one_table():
    assert sorted(tables_keyed_by_task()) == sorted(STAGE_TABLES.items())


@pytest.mark.parametrize("task", Task)
def test_records_hold_together(task):
    record = TASKS[task]
    assert record.title
    assert record.about.endswith(".")
    assert len(record.shown_names) == record.n_values == len(record.names)
    assert record.units
    assert record.headline_metric in record.short_metrics


def test_headline_metrics_are_aggregates():
    from medvision.scoring import RATIO_METRICS

    names = {metric.name for metric in RATIO_METRICS}
    for record in TASKS.values():
        assert {record.headline_metric, record.validation_metric, *record.short_metrics} <= names


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(
        UnknownTaskError, match="detection, tl, ad, area, count, instances, found 'size'"
    ):
        known_task("size")
    assert issubclass(UnknownTaskError, UsageError)
