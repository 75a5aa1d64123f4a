"""The report's tables as files: CSV with types, Markdown and LaTeX whose rows are whole."""

import doctest
import re

import duckdb
import pytest

from medvision.analysis.export import formats, plain_table
from medvision.analysis.export.formats import LONG_TABLE, csv_text, latex_text, markdown_text
from medvision.analysis.export.plain_table import Column, Entry, PlainTable
from medvision.analysis.export.tables import plain_tables
from medvision.analysis.sections import report_tables
from medvision.analysis.standing import standing
from medvision.analysis.verdicts.analyse import analyse

HOSTILE = '[a] & 50 % of_$x^2~\\end{tabular} #1 | `b` <i> \n\r "q" é'


def exported(runs):
    verdicts = analyse(runs)
    return list(plain_tables(report_tables(runs), verdicts, standing(verdicts, runs)))


@pytest.fixture(scope="module")
def runs(make_samples, make_run):
    samples = make_samples({"detection": 48, "tl": 24, "ad": 24})
    return [
        make_run("good", samples),
        make_run(HOSTILE, samples, "clumsy"),
        make_run("down", samples, "broken", is_baseline=True),
    ]


@pytest.fixture(scope="module")
def tables(runs):
    return {table.name: table for table in exported(runs)}


def latex_rows(text):
    """Cells of each row, and the column marks; fails where environments or braces do not match."""
    open_ones = []
    for kind, name in re.findall(r"(?<!\\)\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    body = re.search(r"\\toprule\n(.*)\\bottomrule", text, flags=re.DOTALL)[1]
    marks = re.search(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", text)[1]
    rows = [line for line in body.splitlines() if line not in (r"\midrule", r"\endhead")]
    assert all(line.endswith(r" \\") for line in rows)
    assert not any(line.startswith(("[", "*")) for line in rows)
    return marks, [re.split(r"(?<!\\)&", line) for line in rows]


def test_examples_hold():
    assert doctest.testmod(formats).failed == 0
    assert doctest.testmod(plain_table).failed == 0


def test_every_table_of_the_page_has_its_files(tables, runs):
    shown = report_tables(runs)
    n_metric = len(list(shown.all_tables()))
    named = {"overview", "detection", "detection-by-size_bin", "ad-mm", "tl-by-plane"}
    assert named <= set(tables)
    assert {"detection-outcomes", "analysis-margin", "analysis-comparison"} <= set(tables)
    of_metrics = [one for one in tables.values() if one.columns[0].key == "task"]
    assert len(of_metrics) == n_metric


def test_csv_opens_in_duckdb_with_types_and_unrounded_numbers(tables, runs, tmp_path):
    (table,) = [t for t in report_tables(runs).all_tables() if t.task == "detection" and not t.by][
        :1
    ]
    path = tmp_path / "detection.csv"
    path.write_text(csv_text(tables["detection"]), encoding="utf-8")
    read = duckdb.sql(f"from read_csv('{path}')")
    types = dict(zip(read.columns, map(str, read.types), strict=True))
    assert (types["n"], types["model"], types["is_baseline"]) == ("BIGINT", "VARCHAR", "BOOLEAN")
    for key in ("iou_mean_zero_filled", "iou_mean_zero_filled_low", "iou_mean_zero_filled_high"):
        assert types[key] == "DOUBLE"
        assert [row[0] for row in read.select(key).fetchall()] == [
            pytest.approx(record[key]) if record[key] is not None else None
            for record in table.records
        ]


def test_every_csv_has_as_many_rows_as_its_table(tables, tmp_path):
    for table in tables.values():
        path = tmp_path / f"{table.name}.csv"
        path.write_text(csv_text(table), encoding="utf-8")
        assert len(duckdb.sql(f"from read_csv('{path}', header=true)").fetchall()) == len(
            table.rows
        )


def test_every_latex_table_is_whole(tables):
    for table in tables.values():
        marks, rows = latex_rows(latex_text(table))
        assert {len(row) for row in rows} == {len(marks)}, table.name
        assert len(marks) == len(table.shown)


def test_every_markdown_table_is_whole(tables):
    for table in tables.values():
        lines = markdown_text(table).split("\n\n", 1)[1].strip().splitlines()
        counts = {len(re.split(r"(?<!\\)\|", line)) for line in lines}
        assert counts == {len(table.shown) + 2}, table.name
        assert len(lines) == len(table.rows) + 2


def test_a_row_says_that_its_number_does_not_beat_a_constant_or_is_withheld(tables):
    remarks = [row[-1].value for row in tables["detection"].rows]
    assert "does not beat" in remarks[1]
    assert remarks[2].startswith("withheld")


def test_columns_that_are_empty_everywhere_are_not_printed(tables):
    table = tables["detection"]
    n_error = [column.key for column in table.columns].index("n_error")
    kept = tuple(row for row in table.rows if not row[n_error].value)
    fewer = PlainTable(name="t", caption="", columns=table.columns, rows=kept)
    assert "n\\_error" in latex_text(table)
    assert "n\\_error" not in latex_text(fewer)


def test_a_table_of_many_rows_goes_on_over_pages():
    columns = (Column(key="a", title="a"), Column(key="b", title="b", is_number=True))
    rows = tuple((Entry(value="x"), Entry(value=one)) for one in range(LONG_TABLE + 1))
    text = latex_text(PlainTable(name="long", caption="c", columns=columns, rows=rows))
    marks, found = latex_rows(text)
    assert r"\begin{longtable}" in text
    assert (marks, len(found)) == ("lr", len(rows) + 1)


def test_names_of_subjects_columns_that_look_alike_have_files_of_their_own(make_samples, make_run):
    run = make_run("good", make_samples({"detection": 48}))
    scores = run.scores
    for name in ("subject_scan ner", "subject_scan/ner"):
        values = [("x", "y")[at % 2] for at in range(scores.num_rows)]
        scores = scores.append_column(name, [values])
    names = [table.name for table in exported([type(run)(**fields(run) | {"scores": scores})])]
    assert len(names) == len(set(names))
    assert {"detection-by-subject_scan-ner", "detection-by-subject_scan-ner-2"} <= set(names)


def fields(run):
    return {name: getattr(run, name) for name in run.__dataclass_fields__}
