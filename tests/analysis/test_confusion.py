"""Whole numbers against true ones, counted by hand."""

import json
from types import SimpleNamespace

import pyarrow as pa

from medvision.analysis.confusion import confusions
from medvision.analysis.read_run import read_runs
from medvision.cli import main
from medvision.tasks import Task


def asked(tables, run, model):
    words = ["eval", "--tables", str(tables), "--task", "count", "--split", "all"]
    assert main([*words, "--model", model, "--run", str(run)]) == 0
    return run


def test_a_constant_fills_one_column_and_the_oracle_the_diagonal(study_tables, tmp_path, capsys):
    runs = [
        asked(study_tables, tmp_path / "two", "baseline/constant:2"),
        asked(study_tables, tmp_path / "oracle", "baseline/oracle"),
    ]
    constant, oracle = confusions(read_runs(runs), Task.COUNT)
    n = sum(map(sum, constant.rows))
    assert n > 100
    assert [sum(column) for column in zip(*constant.rows, strict=True)] == [0, 0, n, 0, 0, 0]
    # the study's lesions are in one piece on every slice
    assert oracle.rows == ((0, n, 0, 0, 0, 0), (0,) * 6, (0,) * 6, (0,) * 6)
    assert confusions(read_runs(runs), Task.AREA) == ()
    capsys.readouterr()
    assert main(["report", *map(str, runs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["confusions"]
    assert [(one["model"], one["rows"][0]) for one in found] == [
        ("baseline/constant:2", [0, 0, n, 0, 0, 0]),
        ("baseline/oracle", [0, n, 0, 0, 0, 0]),
    ]


def test_unread_replies_have_a_column_and_errors_none():
    rows = [
        (1, [1.0], "ok", "ok"),
        (1, [], "ok", "no_number"),
        (2, [0.0], "ok", "ok"),
        (7, [12.0], "ok", "ok"),
        (3, None, "error", None),
    ]
    scores = pa.Table.from_pylist(
        [
            {
                "task": "count",
                "truth": [float(true)],
                "values": values,
                "response_status": response,
                "status": status,
            }
            for true, values, response, status in rows
        ]
    )
    (confusion,) = confusions([SimpleNamespace(name="m", scores=scores)], Task.COUNT)
    assert confusion.rows == (
        (0, 1, 0, 0, 0, 1),
        (1, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 1, 0),
    )
