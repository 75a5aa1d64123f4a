"""The report's figures and tables as files of a folder."""

import importlib.util
import io
import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from medvision.analysis.drawing.chart import Axis, Chart, PlanePanel, RowsPanel
from medvision.analysis.drawing.chart_svg import chart_svg
from medvision.analysis.drawing.svg import document_size
from medvision.analysis.export import write
from medvision.analysis.export.plots import size_chart, truth_chart
from medvision.analysis.export.write import DRAWN, write_exports
from medvision.analysis.plots import size_plot, truth_plots
from medvision.analysis.report import render_command
from medvision.analysis.sections import report_tables
from medvision.analysis.verdicts.analyse import ANALYSES
from medvision.cli import main


@pytest.fixture(scope="module")
def runs(make_samples, make_run):
    samples = make_samples({"detection": 30, "ad": 12})
    return [make_run("good", samples), make_run("clumsy <b>", samples, "clumsy")]


@pytest.fixture(scope="module")
def written(runs, tmp_path_factory):
    return list(write_exports(runs, tmp_path_factory.mktemp("out") / "new", kinds=("svg",)))


def test_every_plot_and_analysis_has_its_figure(written):
    names = {path.stem for path in written if path.suffix == ".svg"}
    plots = {"detection-truth", "ad-mm-truth", "ad-deg-truth", "detection-by-size_bin"}
    assert names == plots | {f"analysis-{name}" for name in ANALYSES}
    for path in written:
        if path.suffix == ".svg":
            ET.fromstring(path.read_text(encoding="utf-8"))


def test_tables_stand_beside_in_three_forms(written):
    by_ending = {
        ending: {path.stem for path in written if path.suffix == ending}
        for ending in (".csv", ".md", ".tex")
    }
    assert by_ending[".csv"] == by_ending[".md"] == by_ending[".tex"]
    assert {"overview", "detection-by-size_bin", "analysis-margin"} <= by_ending[".csv"]


def test_a_truth_chart_draws_every_answer_of_the_plot(runs):
    (plot,) = [one for one in truth_plots(runs, max_points=100) if one["task"] == "detection"]
    chart = truth_chart(plot)
    assert [panel.title for panel in chart.panels] == ["good", "clumsy <b>"]
    for panel, model in zip(chart.panels, plot["models"], strict=True):
        assert isinstance(panel, PlanePanel)
        drawn = [point for layer in panel.layers if layer.sign == "dot" for point in layer.points]
        assert len(drawn) == len(model["points"])
        assert f"{model['n_parsed']} of {model['n']} replies read" in panel.note


def test_answers_beyond_the_edge_are_held_and_counted(runs):
    plot = dict(next(one for one in truth_plots(runs, max_points=9) if one["unit"] == "mm"))
    largest = max(value for _, _, truth in plot["samples"] for value in truth)
    plot["models"] = [{**plot["models"][0], "points": [[0, 0, 100 * largest], [1, 0, -3.0]]}]
    chart = truth_chart(plot)
    held = {y for _, y in chart.panels[0].layers[1].points}
    assert sorted(held) == [0.0, pytest.approx(1.5 * largest)]
    assert "2 answers beyond an edge" in chart.caption


def test_a_size_chart_has_each_model_in_each_bin(runs):
    plot = size_plot(report_tables(runs).size)
    (panel,) = size_chart(plot).panels
    assert isinstance(panel, RowsPanel)
    assert sum(row.is_head for row in panel.rows) == 3
    values = [row.marks[0][0].value for row in panel.rows if row.marks]
    by_bin = [[one["bins"][at]["value"] for one in plot["models"]] for at in range(3)]
    assert values == [value for bin_values in by_bin for value in bin_values]


def test_a_pdf_has_the_size_and_the_words_of_its_chart():
    pytest.importorskip("fpdf")
    axis = Axis(title="error (mm²)")
    chart = Chart(
        title="Größe & Maß",
        panels=(PlanePanel(title="A <b>", x=axis, y=axis, layers=()),),
        caption="n: 3",
    )
    document = DRAWN["pdf"](chart)
    assert document.startswith(b"%PDF-")
    width, height = document_size(chart_svg(chart))
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)
    assert float(box[1]) == pytest.approx(width + 32, abs=0.01)
    assert float(box[2]) == pytest.approx(height + 20, abs=0.01)
    assert b"DejaVuSansCondensed" in document
    assert b"/Subtype /Image" not in document  # words and lines, not a picture of them


def test_png_and_svg_are_of_one_description():
    chart = Chart(
        title="t",
        panels=(
            RowsPanel(
                title="p", axes=(Axis(title="x"),), rows=(), references=(0.0,), note_title="n"
            ),
        ),
    )
    width, _ = Image.open(io.BytesIO(DRAWN["png"](chart))).size
    root = ET.fromstring(DRAWN["svg"](chart).decode("utf-8"))
    assert width == round(2 * float(root.get("viewBox").split()[2]))


def test_the_command_writes_page_and_files(study_tables, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(write, "charts", lambda _: [])  # drawn by another test
    run = tmp_path / "a run"
    asked = ["eval", "--tables", str(study_tables), "--task", "tl", "--run", str(run)]
    assert main([*asked, "--model", "baseline/oracle"]) == 0
    capsys.readouterr()
    status = main(["report", str(run), "--figures", str(tmp_path / "out")])
    told = capsys.readouterr()
    has_pdf = importlib.util.find_spec("fpdf") is not None
    assert status == (0 if has_pdf else 1)
    assert told.out == f"{run / 'report' / 'report.html'}\n"
    assert has_pdf or "pip install 'medvision[figures]'" in told.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"tl.csv", "tl.md", "tl.tex", "tl-truth.svg", "tl-truth.png"} <= names
    assert ("tl-truth.pdf" in names) is has_pdf
    assert f"{tmp_path / 'out'}: {len(names)} files" in told.err


def test_the_printed_command_draws_a_case(study_tables, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["eval", "--tables", str(study_tables), "--task", "tl", "--run", "my runs/o'racle"]
    assert main([*asked, "--model", "baseline/oracle"]) == 0
    assert main(["report", "my runs/o'racle", "--out", "page.html"]) == 0
    (plots,) = re.findall(
        r'id="plots-data">(.*?)</script>', Path("page.html").read_text("utf-8"), flags=re.DOTALL
    )
    data = json.loads(plots)
    sample_id = data["truth"][0]["samples"][0][0]
    words = shlex.split(f"{data['render']['baseline/oracle']['tl']} {shlex.quote(sample_id)}")
    assert shlex.join(words) == render_command(Path("my runs/o'racle"), sample_id)
    capsys.readouterr()
    assert main(words[1:]) == 0
    assert f"{sample_id}, answer of baseline/oracle" in capsys.readouterr().out
    assert max(Image.open("case.png").size) >= 640


def test_a_sample_that_a_run_was_not_asked_is_told(study_tables, tmp_path, capsys):
    run = str(tmp_path / "run")
    asked = ["eval", "--tables", str(study_tables), "--task", "tl", "--run", run]
    assert main([*asked, "--model", "baseline/oracle"]) == 0
    assert main(["render", "--run", run, "--out", str(tmp_path / "a.png"), "no//such"]) == 2
    assert "no sample no//such" in capsys.readouterr().err
