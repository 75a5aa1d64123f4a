"""Figures: of every analysis, readable whatever the names, and nothing but what verdicts say."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from benchmarks.analysis_gallery import gallery
from medvision.analysis.drawing.axes import Scale, log_ticks, ticks
from medvision.analysis.drawing.chart import SERIES, Axis, Chart, Mark, Row, RowsPanel, Tone
from medvision.analysis.drawing.chart_svg import WIDTH, chart_png, chart_svg
from medvision.analysis.verdicts.analyse import ANALYSES, analyse, verdicts_json
from medvision.analysis.verdicts.charts import charts, write_charts
from tests.analysis.verdicts import studies

SVG = "{http://www.w3.org/2000/svg}"
LONG = "of-a-laboratory/a very long <name> & of-a-model-7b-instruct-2026-checkpoint-120000"
FEW = studies.questions(n_subjects=12)


def words_of(document):
    """Extents and text of all words of a chart, about as wide as a narrow font draws them."""
    found = []

    def walk(element, dx, dy):
        moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        if moved:
            dx, dy = dx + float(moved[1]), dy + float(moved[2])
        if element.tag == f"{SVG}text":
            shown = [element.text or "", *(child.tail or "" for child in element)]
            text, size = "".join(shown), float(element.get("font-size"))
            width = 0.5 * size * len(text)
            left = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor")] * width
            x, y = dx + float(element.get("x")), dy + float(element.get("y"))
            if element.get("transform"):  # upright
                found.append((x - 0.7 * size, y - width + left, x, y + left, text))
            else:
                found.append((x - left, y - 0.7 * size, x - left + width, y, text))
        for child in element:
            walk(child, dx, dy)

    walk(ET.fromstring(document), 0.0, 0.0)
    return found


def assert_readable(document):
    words = words_of(document)
    for x0, _, x1, _, text in words:
        assert x0 >= -1, text
        assert x1 <= WIDTH + 1, text
    for at, (x0, y0, x1, y1, text) in enumerate(words):
        for a0, b0, a1, b1, other in words[at + 1 :]:
            overlaps = x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1
            assert not overlaps, f"{text!r} on {other!r}"
    assert not re.search(r"\bnan\b|\binf\b|None", document)


@pytest.fixture(scope="module")
def drawn():
    """The figure of each analysis, its runs of few subjects and with long names."""
    found = {}
    for name, runs in gallery(n_subjects=12).items():
        named = [dataclasses.replace(run, name=f"{LONG} {run.name}") for run in runs]
        found[name] = chart_svg(dict(charts(analyse(named)))[name])
    return found


@pytest.mark.parametrize("name", ANALYSES)
def test_no_words_lie_on_others_whatever_the_names(name, drawn):
    assert_readable(drawn[name])
    texts = [words[-1] for words in words_of(drawn[name])]
    assert any("subjects" in text for text in texts), "n is told"


def test_an_analysis_without_anything_to_say_says_so():
    silent = {
        name: chart
        for name, chart in charts(analyse([studies.run("m", FEW[:1], studies.exact)]))
        if not chart.panels
    }
    assert {"spacing", "steps", "comparison", "repeats"} <= set(silent)
    assert all(one.caption.startswith("Cannot be told: ") for one in silent.values())
    assert "Cannot be told: Needs a run with --repeats" in chart_svg(silent["repeats"])


def test_figures_are_files_that_open(tmp_path):
    run = studies.run("m", [one for one in FEW if one.task == "tl"], studies.sure)
    verdicts = analyse([run])
    paths = list(write_charts(verdicts, tmp_path / "figures"))
    assert [path.name for path in paths] == [
        f"{name}.{kind}" for name in ANALYSES for kind in ("svg", "png")
    ]
    for path in paths:
        if path.suffix == ".svg":
            ET.parse(path)
            assert '<rect width="' in path.read_text(encoding="utf-8")[:400], "has its own ground"
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    assert "drawn" not in verdicts_json(verdicts)["analyses"][0]


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("tone", [tone for tone in Tone if tone is not Tone.TEXT])
def test_colours_stand_out_on_light_and_dark_paper(tone):
    for paper in ("#ffffff", "#12161c"):
        light, dark = sorted((luminance(tone), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


# Colours as those without one kind of cone see them (Viénot, Brettel and Mollon 1999), linear RGB.
SEEN = {
    "no red": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "no green": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("kind", SEEN)
def test_the_first_colours_of_series_are_told_apart_by_colour_blind_readers(kind):
    seen = []
    for tone in SERIES[:3]:
        parts = np.array([int(tone[at : at + 2], 16) / 255 for at in (1, 3, 5)]) ** 2.2
        seen.append(np.clip(np.array(SEEN[kind]) @ parts, 0, 1) ** (1 / 2.2))
    gaps = [np.abs(a - b).max() for at, a in enumerate(seen) for b in seen[at + 1 :]]
    assert min(gaps) > 0.15


def test_a_mark_stands_where_its_value_is():
    rows = tuple(
        Row(label=str(value), marks=((Mark(value=value, interval=(value - 1, value + 1)),),))
        for value in (0.0, 5.0, 10.0)
    )
    panel = RowsPanel(
        title="", axes=(Axis(title="x", low=-1, high=11),), rows=rows, references=(None,)
    )
    root = ET.fromstring(chart_svg(Chart(title="t", panels=(panel,))))
    x = [float(mark.get("cx")) for mark in root.iter(f"{SVG}circle")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.11)
    whiskers = [
        line for line in root.iter(f"{SVG}line")
        if line.get("stroke") == Tone.BLUE and line.get("y1") == line.get("y2")
    ]  # fmt: skip
    widths = {round(float(one.get("x2")) - float(one.get("x1"))) for one in whiskers}
    assert widths == {round((x[1] - x[0]) * 2 / 5)}


@pytest.mark.parametrize("sign", ["dot", "square", "bar"])
def test_what_a_mark_says_on_hovering_is_xml_whatever_its_signs(sign):
    mark = Mark(value=1.0, interval=(0.0, 2.0), sign=sign, words="site=a\x01<b>\ud800: worse")
    panel = RowsPanel(
        title="", axes=(Axis(title="x"),), rows=(Row(label="", marks=((mark,),)),),
        references=(None,),
    )  # fmt: skip
    root = ET.fromstring(chart_svg(Chart(title="t", panels=(panel,))))
    assert [one.text for one in root.iter(f"{SVG}title")] == ["site=a <b> : worse"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 20, 40, 60, 80, 100]), (-0.3, 0.3, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]),
     (7, 7.4, [7, 7.1, 7.2, 7.3, 7.4])],
)  # fmt: skip
def test_ticks_are_round_numbers_inside(low, high, expected):
    assert ticks(low, high) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.4, 2.2, [0.5, 1, 2]), (1, 1e5, [1, 10, 100, 1000, 1e4, 1e5]), (41, 48, [42, 44, 46, 48])],
)
def test_ticks_of_a_log_scale(low, high, expected):
    assert log_ticks(low, high) == expected


def test_what_lies_beyond_an_axis_is_held_at_its_end():
    scale = Scale(low=0, high=1, start=10, end=20)
    assert [scale.at(value) for value in (-5, 0.5, 7)] == [10, 15, 20]


def test_pictures_of_the_page_are_there_and_of_every_analysis():
    page = Path("docs/analyses.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[.+\]\((figures/analyses/\w+\.svg)\)", page)
    assert shown == [f"figures/analyses/{name}.svg" for name in ANALYSES]
    for path in shown:
        ET.parse(Path("docs") / path)


def test_a_chart_as_png_has_the_shape_of_its_drawing():
    assert chart_png(Chart(title="nothing", panels=(), caption="Cannot be told."))[:4] == b"\x89PNG"
