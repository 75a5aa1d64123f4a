"""The report as an HTML parser sees it: tables, data islands, nothing fetched, nothing injected."""

import base64
import hashlib
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from medvision.analysis import ReportOptions, report_json, write_report
from medvision.analysis.case_browser import BrowserLimits
from medvision.analysis.case_picks import answer_error
from medvision.analysis.verdicts.analyse import analyse, verdicts_json
from medvision.errors import ItemError

OPTIONS = ReportOptions(created_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
COUNTS = {"detection": 40, "tl": 20, "ad": 20, "area": 10}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \u2028 & \" '"


class Page(HTMLParser):
    """Tables as rows of texts, scripts, and every address the page names."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.scripts, self.tables, self.addresses, self.tags = [], [], [], []
        self.main_tables, self.policy, self.text = {}, "", ""
        self._within, self._section = None, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "section":
            self._section = given.get("id")
        elif tag == "script":
            self.scripts.append((given, ""))
            self._within = "script"
        elif tag == "table":
            self.tables.append([])
            self.main_tables.setdefault(self._section, self.tables[-1])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._within = "cell"

    def handle_endtag(self, tag):
        if tag in ("script", "td", "th"):
            self._within = None

    def handle_data(self, data):
        if self._within == "script":
            given, text = self.scripts[-1]
            self.scripts[-1] = (given, text + data)
            return
        self.text += data
        if self._within == "cell":
            self.tables[-1][-1][-1] += data

    def island(self, name):
        return next(json.loads(t) for given, t in self.scripts if given.get("id") == name)


@pytest.fixture(scope="module")
def samples(make_samples):
    return make_samples(COUNTS)


@pytest.fixture(scope="module")
def page_of(tmp_path_factory, picture):
    def build(runs, options=OPTIONS, picture=picture):
        path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
        assert write_report(runs, path, picture=picture, options=options) == path
        assert [child.name for child in path.parent.iterdir()] == ["report.html"]
        return Page(path.read_text(encoding="utf-8"))

    return build


@pytest.fixture(scope="module")
def runs(samples, make_run):
    return [
        make_run("good", samples),
        make_run("clumsy", samples, "clumsy"),
        make_run("down", samples, "broken"),
        make_run("exact", samples, "exact", is_baseline=True),
        make_run("noisy", samples, seed=5, is_baseline=True),
        make_run("silent", samples, "silent"),
    ]


@pytest.fixture(scope="module")
def page(page_of, runs):
    return page_of(runs)


def test_page_loads_nothing(page):
    assert all(re.match(r"#", address) for address in page.addresses)
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "base", "form")]


def test_only_the_page_s_own_scripts_may_run(page):
    running = [text for given, text in page.scripts if given.get("type") != "application/json"]
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in running
    ]

    assert len(running) == 10
    assert re.findall(r"'sha256-([^']+)'", page.policy) == digests
    assert page.policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in page.policy.split("script-src")[1].split(";")[0]


def test_page_says_that_it_is_not_for_clinical_use(page):
    assert "Not for clinical use" in page.text


def test_main_table_has_one_row_per_run_baselines_last(page):
    rows = page.main_tables["detection"][1:]

    assert [row[0].removesuffix("baseline") for row in rows] == [
        "good",
        "clumsy",
        "down",
        "silent",
        "exact",
        "noisy",
    ]
    assert {row[1] for row in rows} == {str(COUNTS["detection"])}


def test_column_names_state_policy_and_unit(page):
    heads = page.main_tables["tl"][0]

    assert "absolute error meanparsed, mm" in heads
    assert "success rateof answered, %" in heads
    assert "relative error < 0.1over all, %" in heads


def test_errors_are_withheld(page):
    down = page.main_tables["area"][3]

    assert down[0] == "down"
    assert down[-1] == "withheld (10 errors)"
    assert not any(re.search(r"\d\.\d", text) for text in down)


def test_angles_and_distances_have_their_own_tables(page):
    assert "Angles and distances, mm" in page.text
    assert "Angles and distances, °" in page.text


def test_plots_hold_every_parsed_answer_and_no_other(page, runs):
    plots = {(p["task"], p["unit"]): p for p in page.island("plots-data")["truth"]}
    clumsy = runs[1].scores.to_pylist()

    assert set(plots) == {
        ("detection", "relative"),
        ("tl", "mm"),
        ("ad", "mm"),
        ("ad", "deg"),
        ("area", "mm2"),
    }
    for (task, unit), plot in plots.items():
        of_plot = [row for row in clumsy if (row["task"], row["unit"]) == (task, unit)]
        model = next(m for m in plot["models"] if m["name"] == "clumsy")
        parsed = [row for row in of_plot if row["status"] == "ok"]
        assert model["n"] == len(of_plot)
        assert model["n_parsed"] == len(parsed)
        assert sorted(point[2] for point in model["points"]) == pytest.approx(
            sorted(value for row in parsed for value in row["values"]), rel=1e-5
        )


def test_plot_points_belong_to_their_truths(page, samples):
    truth_of = {row["sample_id"]: row["truth"] for row in samples.to_pylist()}

    for plot in page.island("plots-data")["truth"]:
        exact = next(m for m in plot["models"] if m["name"] == "exact")
        assert exact["points"]
        for place, component, value in exact["points"]:
            sample_id, _, truth = plot["samples"][place]
            assert truth == pytest.approx(truth_of[sample_id], rel=1e-5)
            assert value == pytest.approx(truth[component], rel=1e-5)


def test_plots_draw_the_same_samples_for_all_models(page_of, runs):
    options = ReportOptions(created_at=OPTIONS.created_at, max_points=7)
    for plot in page_of(runs[:2], options).island("plots-data")["truth"]:
        assert len(plot["samples"]) == min(7, plot["n_samples"])
        assert {p[0] for p in plot["models"][0]["points"]} <= set(range(7))


def test_size_plot_has_every_bin_of_every_model(page):
    size = page.island("plots-data")["size"]

    assert size["bins"] == ["< 5 %", "5–10 %", "> 10 %"]
    assert [len(model["bins"]) for model in size["models"]] == [3] * 6
    exact = next(model for model in size["models"] if model["name"] == "exact")
    assert [entry["value"] for entry in exact["bins"]] == pytest.approx([1, 1, 1])
    assert sum(entry["n"] for entry in exact["bins"]) == COUNTS["detection"]


def test_browser_holds_every_sample_once_with_every_answer(page, runs, samples):
    data = page.island("cases-data")

    assert sorted(data["id"]) == sorted(samples["sample_id"].to_pylist())
    assert [model["name"] for model in data["models"]][-2:] == ["exact", "noisy"]
    assert len(data["details"]) == len(data["id"])
    assert all(len(detail["answers"]) == len(runs) for detail in data["details"])
    assert min(data["picture"]) >= 0


def test_browser_columns_are_those_of_samples_and_scores(page, runs, samples):
    data = page.island("cases-data")
    row_of = {row["sample_id"]: row for row in samples.to_pylist()}
    score_of = {row["sample_id"]: row for row in runs[1].scores.to_pylist()}
    outcome, error = (data["answers"][1][name] for name in ("outcome", "error"))

    for place, sample_id in enumerate(data["id"]):
        row, score = row_of[sample_id], score_of[sample_id]
        for name in ("task", "dataset", "name", "plane", "case_id"):
            assert data["words"][name]["values"][data["words"][name]["at"][place]] == row[name]
        assert data["slice"][place] == row["slice_index"]
        assert outcome["values"][outcome["at"][place]] == score["status"]
        expected = answer_error(score)
        assert error[place] == (expected and pytest.approx(expected, rel=1e-3))
        if row["box_px"]:
            x0, y0, x1, y1 = row["box_px"]
            share = (x1 - x0) * (y1 - y0) / (row["height_px"] * row["width_px"])
            assert data["size"][place] == pytest.approx(share, rel=1e-3)
        else:
            assert data["size"][place] is None


def test_a_sample_of_one_run_was_not_asked_by_the_other(page_of, samples, make_run):
    few = samples.slice(0, 30)
    data = page_of([make_run("all", samples), make_run("some", few)]).island("cases-data")
    asked = {
        data["id"][place] for place, at in enumerate(data["answers"][1]["outcome"]["at"]) if at >= 0
    }
    assert asked == set(few["sample_id"].to_pylist())
    assert [len(detail["answers"][0]) for detail in data["details"]] == [1] * 90


def test_a_page_of_too_many_samples_holds_as_many_as_it_says(page_of, samples, make_run):
    limits = BrowserLimits(max_cases=20, pictures_per_task=2)
    options = ReportOptions(created_at=OPTIONS.created_at, cases=limits)
    page = page_of([make_run("good", samples)], options)
    tasks = page.island("cases-data")["words"]["task"]

    assert "20 of 90 samples" in page.text
    assert "--serve" in page.text
    assert sorted(map(tasks["at"].count, range(4))) == [5, 5, 5, 5]  # every task has its share


def test_browser_shows_reply_prompt_status_and_scores(page, runs):
    data = page.island("cases-data")
    score_of = {row["sample_id"]: row for row in runs[1].scores.to_pylist()}
    reply_of = {row["sample_id"]: row for row in runs[1].replies.to_pylist()}

    for sample_id, case in zip(data["id"], data["details"], strict=True):
        (answer,) = case["answers"][1]
        score = score_of[sample_id]
        assert answer["outcome"] == score["status"]
        assert answer["values"] == (score["values"] or [])
        assert answer["text"] == reply_of[sample_id]["text"]
        assert data["prompts"][answer["prompt"]] == reply_of[sample_id]["prompt"]
        for name in ("iou", "absolute_error"):
            expected = score[name]
            assert answer["scores"].get(name) == (expected and pytest.approx(expected, rel=1e-5))


def test_pictures_are_those_of_their_samples(page, samples, picture):
    data = page.island("cases-data")
    row_of = {row["sample_id"]: row for row in samples.to_pylist()}
    for sample_id, place in list(zip(data["id"], data["picture"], strict=True))[::9]:
        encoded = data["pictures"][place].removeprefix("data:image/png;base64,")
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert np.array_equal(shown, picture(row_of[sample_id]))


def test_error_has_no_reply_and_is_no_wrong_answer(page):
    for case in page.island("cases-data")["details"]:
        (answer,) = case["answers"][2]
        assert (answer["outcome"], answer["text"], answer["values"]) == ("error", None, [])
        assert answer["scores"] == {}


def test_one_run_makes_a_page(page_of, runs):
    page = page_of(runs[:1])

    assert "1 run, 90 samples" in page.text
    assert "best" not in {given.get("class") for tag, given in page.tags if tag == "td"}


def test_all_unparsed_run_makes_a_page(page_of, samples, make_run):
    page = page_of([make_run("silent", samples, "silent")])

    (row,) = page.main_tables["tl"][1:]
    assert row[3] == "0"
    assert page.island("plots-data")["truth"][1]["models"][0]["points"] == []


def test_task_without_samples_has_no_section(page_of, make_samples, make_run):
    page = page_of([make_run("good", make_samples({"area": 5}))])

    sections = [given["id"] for tag, given in page.tags if tag == "section" and "id" in given]
    assert sections == ["area", "analyses", "cases", "appendix"]


def test_run_without_samples_makes_a_page(page_of, make_samples, make_run):
    page = page_of([make_run("none", make_samples({}))])

    assert "No sample has been scored yet" in page.text
    assert page.island("cases-data")["id"] == []


def test_runs_of_different_samples_are_pointed_out(page_of, samples, make_run):
    page = page_of([make_run("all", samples), make_run("some", samples.slice(0, 55))])

    assert "Tumour and lesion size: the runs do not hold the same samples" in page.text
    assert "all 20, some 15; 15 shared" in page.text
    assert "Detection: the runs" not in page.text


def test_hostile_text_stays_text(page_of, samples, make_run):
    evil = samples.set_column(
        samples.schema.get_field_index("name"), "name", pa.array([EVIL] * samples.num_rows)
    )
    texts = dict.fromkeys(samples["sample_id"].to_pylist(), EVIL)
    page = page_of([make_run(EVIL, evil, texts=texts), make_run("b", evil)])

    assert len(page.scripts) == 13
    assert not [tag for tag, given in page.tags if tag == "img" or "onerror" in given]
    data = page.island("cases-data")
    assert data["details"][0]["answers"][0][0]["text"] == EVIL
    assert data["words"]["name"]["values"] == [EVIL]
    assert EVIL in [row[0] for row in page.main_tables["detection"]]


def test_lone_surrogate_in_a_reply_does_not_stop_the_page(page_of, samples, make_run):
    run = make_run("a", samples.slice(0, 3))
    page = page_of([run], ReportOptions(title="half \ud83d sign", created_at=OPTIONS.created_at))

    assert "half ? sign" in page.text


def test_long_reply_is_cut_and_says_so(page_of, samples, make_run):
    few = samples.slice(0, 2)
    texts = dict.fromkeys(few["sample_id"].to_pylist(), "x" * 30_000)
    data = page_of([make_run("talker", few, texts=texts)]).island("cases-data")
    text = data["details"][0]["answers"][0][0]["text"]

    assert text.endswith("… [10000 more characters not shown]")


def test_case_without_a_picture_says_why(page_of, samples, make_run):
    class LostImageError(ItemError):
        reason = "image_lost"

    def lost(row):
        msg = "no file"
        raise LostImageError(msg)

    page = page_of([make_run("a", samples.slice(0, 3))], picture=lost)
    data = page.island("cases-data")

    assert data["picture"] == [-1] * 3
    assert data["no_picture"] == dict.fromkeys("012", "image_lost: no file")
    assert "3 of 3 samples; 0 with a picture" in page.text


def test_page_of_many_large_pictures_stays_small(tmp_path, make_samples, make_run):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (600, 600, 3)).astype(np.uint8)
    samples = make_samples({"detection": 12, "tl": 12})
    out = write_report(
        [make_run("a", samples)],
        tmp_path / "report.html",
        picture=lambda row: np.roll(noise, row["slice_index"], axis=0),
    )

    assert out.stat().st_size < 15e6
    assert "shrunk to" in out.read_text(encoding="utf-8")


def test_failed_report_leaves_the_old_one(tmp_path, samples, make_run):
    def broken(row):
        msg = "a fault of ours"
        raise RuntimeError(msg)

    out = tmp_path / "report.html"
    out.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError, match="a fault of ours"):
        write_report([make_run("a", samples)], out, picture=broken)

    assert out.read_text(encoding="utf-8") == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["report.html"]


def test_json_holds_the_same_numbers(runs, samples):
    report = report_json(runs, options=OPTIONS)
    main = [table for table in report["tables"] if not table["by"]]

    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["created"] == "2026-11-23 12:00 UTC"
    assert sum(table["rows"][0]["n"] for table in main) == samples.num_rows
    assert {row["model"] for table in main for row in table["rows"]} == {r.name for r in runs}
    exact = next(row for row in main[0]["rows"] if row["model"] == "exact")
    assert exact["iou_mean_zero_filled"] == pytest.approx(1)
    assert exact["is_baseline"] is True


def test_each_analysis_opens_with_its_verdict_in_a_sentence(page_of, samples, make_run):
    page = page_of([make_run("good", samples), make_run("bad", samples, "noisy")])

    assert "Does it beat a constant?" in page.text
    assert "Cannot be told: needs a run with --repeats of at least 2." in page.text
    assert "medvision analyse --json" not in page.text or "further rows" in page.text


def test_report_and_analyse_say_the_same(samples, make_run):
    runs = [make_run("good", samples)]
    assert report_json(runs)["analyses"] == verdicts_json(analyse(runs))["analyses"]


def test_the_note_says_which_answers_are_drawn(page_of, samples, make_run):
    page = page_of([make_run("good", samples)])
    assert "the legend says what is drawn of each model" in page.text
    assert "lengths and angles state no place and are drawn on the truth" in page.text


def test_each_analysis_with_rows_has_its_figure(make_samples, make_run, picture, tmp_path):
    samples = make_samples({"detection": 12, "tl": 8})
    runs = [make_run("good <b>", samples), make_run("exact", samples, "exact", is_baseline=True)]
    page = write_report(runs, tmp_path / "report.html", picture=picture).read_text(encoding="utf-8")
    sections = page.split('id="cases"')[0].split('id="analysis-')[1:]
    for section in sections:
        assert ("<table" in section) == ('<figure class="chart"><svg' in section), section[:200]
    assert any("<svg" in section for section in sections)
    assert "good <b>" not in page


def test_main_numbers_that_do_not_beat_a_constant_say_so(make_samples, make_run, page_of):
    samples = make_samples({"detection": 40})
    page = page_of([make_run("clumsy", samples, "clumsy"), make_run("exact", samples, "exact")])
    rows = {row[0]: " ".join(row[1:]) for row in page.main_tables["detection"][1:]}
    words = "does not beat a constant"
    assert rows["clumsy"].count(words) == 1
    assert words not in rows["exact"]
    # in the overview too, before the tables of tasks
    assert page.text.count(words) > 1


def test_success_rate_stands_once_where_no_answer_parsed(page_of, make_run, samples):
    page = page_of([make_run("mute", samples, "silent")])

    heads = [cell for cell in page.tables[0][1] if "success" in cell]
    columns = page.tables[0][1]
    assert len(heads) == len([cell for cell in columns if cell == "n"])  # one for each task
    assert any("IoU" in cell for cell in columns)
    row = page.tables[0][2]
    assert row[:3] == ["mute", "40", "0.00.0–0.0"]
    assert row[3].startswith("0.0000.000–0.000")  # zero-filled
    assert row[4:7] == ["20", "0.00.0–0.0", "–"]


def test_json_has_for_each_task_the_metrics_of_that_task(runs):
    tables = [one for one in report_json(runs, options=OPTIONS)["tables"] if not one["by"]]
    keys = {table["task"]: set().union(*table["rows"]) for table in tables}
    assert "iou_mean_zero_filled_low" in keys["detection"]
    assert not [key for key in keys["detection"] if key.startswith(("mre_", "mae_", "exact_"))]
    assert {"mre_mean_parsed", "mre_below_0.1_frac"} <= keys["tl"] & keys["area"]
    assert not [key for key in keys["tl"] | keys["area"] if key.startswith(("iou_", "f1_"))]
