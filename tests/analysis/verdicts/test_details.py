"""What analyses tell beside their verdicts, on runs of known answers; and the shape of the JSON."""

import dataclasses
import json
import math
import re

import numpy as np
import pyarrow as pa
import pytest

from medvision.analysis.beaten import not_beaten
from medvision.analysis.drawing.chart_svg import chart_svg
from medvision.analysis.verdicts.analyse import ANALYSES, analyse, verdicts_json
from medvision.analysis.verdicts.charts import charts
from medvision.analysis.verdicts.clinical import clinical, read_decisions, weighted_kappa
from medvision.analysis.verdicts.collapse import decoding
from medvision.analysis.verdicts.comparison import RIGHT_IS, comparison
from medvision.analysis.verdicts.instructions import instructions
from medvision.analysis.verdicts.metadata import metadata
from medvision.analysis.verdicts.rows import run_rows
from medvision.analysis.verdicts.size import crosses_half
from medvision.tasks import TASKS, Task
from tests.analysis.verdicts import studies
from tests.builders import sample

QUESTIONS = studies.questions(n_subjects=20)
LESIONS = [one for one in QUESTIONS if one.task is Task.TUMOR_LESION]
LISTS = [
    sample("instances", number=at, subject_id=f"s{at % 20}", case_id=f"c{at % 20}")
    for at in range(40)
]
BOXES = [one for one in QUESTIONS if one.task is Task.DETECTION]


# --- instructions -------------------------------------------------------------------------------


def test_recovering_is_told_by_what_the_measure_would_be():
    run = studies.run("m", BOXES, studies.exact, unread=0.5)
    wanted = [one.truth for one in BOXES]
    at = run.scores.column_names.index("recovered_status")
    ok = pa.array(["ok"] * len(BOXES))
    scores = run.scores.set_column(at, "recovered_status", ok)
    at = scores.column_names.index("recovered_values")
    truths = pa.array([list(map(float, one)) for one in wanted])
    scores = scores.set_column(at, "recovered_values", truths)
    (found,) = instructions([run_rows(dataclasses.replace(run, scores=scores))])
    n_unread = found.details["recovered"]
    assert n_unread == round(found.value * len(BOXES)) > 0
    read = np.array(run.scores["iou"].to_pylist(), dtype=float)
    assert found.details["measure_scored"] == pytest.approx(np.nansum(read) / len(BOXES))
    assert found.details["measure_with_recovered"] == pytest.approx(
        (np.nansum(read) + n_unread) / len(BOXES)
    )


def test_unread_replies_that_differ_in_numbers_only_are_one_kind_and_answers_have_quantiles():
    run = studies.run("m", LESIONS, studies.exact, unread=0.5)
    is_read = [status == "ok" for status in run.scores["status"].to_pylist()]
    texts = ["" if read else ("I see 3.4 cm." if at % 3 else f"No: {at}.")
             for at, read in enumerate(is_read)]  # fmt: skip
    replies = run.replies.set_column(3, "text", pa.array(texts))
    (found,) = instructions([run_rows(dataclasses.replace(run, replies=replies))])
    assert [one["example"][:5] for one in found.details["clusters"]] == ["I see", "No: "+texts[
        next(at for at, text in enumerate(texts) if text.startswith("No"))][4]]  # fmt: skip
    assert sum(one["n"] for one in found.details["clusters"]) == is_read.count(False)
    major = [one.truth[0] for one in LESIONS]
    assert found.details["truths_by_value"]["major"] == pytest.approx(
        np.quantile(major, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    )


def test_lists_of_boxes_are_counted_box_by_box_and_may_hold_none():
    said = {"s0": 0, "s1": 1, "s2": 2}
    lists = [sample("instances", number=at, subject_id=f"s{at % 3}") for at in range(6)]
    run = studies.run("m", lists, lambda one, _: one.truth[: 4 * said[one.subject_id]])
    (found,) = instructions([run_rows(run)])
    first, second = lists[0].truth[:4], lists[0].truth[4:]
    # twice a list of the first box, twice one of both
    assert found.details["answers_by_value"]["x0"] == pytest.approx(
        np.quantile([first[0]] * 4 + [second[0]] * 2, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    )
    assert (found.details["distinct_answers"], found.details["distinct_truths"]) == (3, 1)
    (found,) = instructions([run_rows(studies.run("m", lists, lambda *_: ()))])
    assert (found.details["answers_by_value"], found.details["distinct_answers"]) == ({}, 1)


# --- collapse -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"settings": {"temperature": 0.0}}, "greedy"),
        ({"settings": {"generation": {"temperature": 0.7}}}, "sampled at temperature 0.7"),
        ({"settings": {"temperature": None}}, ""),
        ({}, ""),
    ],
)
def test_greedy_and_sampled_runs_are_told_apart(manifest, words):
    assert decoding(manifest) == words


# --- clinical -----------------------------------------------------------------------------------


def visits(answers):
    """Two visits of each of six subjects: lesions of 20 mm, then of so many mm."""
    made, said = [], {}
    for subject in range(6):
        for visit, (true, answered) in enumerate(((20.0, 20.0), answers)):
            one = sample(
                "tl", number=2 * subject + visit, subject_id=f"s{subject}",
                case_id=f"c{subject}-{visit}", truth=(true, 5.0),
            )  # fmt: skip
            made.append(one)
            said[one.sample_id] = (answered, 5.0)
    return studies.run("m", made, lambda one, _: said[one.sample_id])


@pytest.mark.parametrize(
    ("true", "answered", "cell"),
    [
        (26.0, 26.0, (2, 2)),  # 30 % and 6 mm more
        (24.0, 24.0, (1, 1)),  # 20 % more, but under 5 mm
        (14.0, 14.0, (0, 0)),  # 30 % less
        (14.5, 26.0, (1, 2)),  # a flip
    ],
)
def test_response_is_that_of_recist_between_visits(true, answered, cell):
    (found,) = (
        one for one in clinical([run_rows(visits((true, answered)))])
        if one.group == "response between visits"
    )  # fmt: skip
    counts = np.zeros((3, 3), dtype=int)
    counts[cell] = 6
    assert found.details["confusion"] == counts.tolist()
    assert found.n == 6
    assert found.value == (cell[0] != cell[1])


@pytest.mark.parametrize(
    ("name", "at", "classes"),
    [
        ("lung nodule, size band", [5.9, 6, 7.9, 8.1], [0, 1, 1, 2]),
        ("SNA", [79.9, 80, 82, 84.1], [0, 1, 1, 2]),
        ("SNB", [77.9, 78, 80, 82.1], [0, 1, 1, 2]),
        ("fetal ventriculomegaly", [9.9, 10], [0, 1]),
        ("renal tumour, T stage by size", [40, 41, 71, 101], [0, 1, 2, 3]),
    ],
)
def test_cut_offs_are_those_of_their_sources(name, at, classes):
    (decision,) = (one for one in read_decisions() if one.name == name)
    assert decision.classes_of(np.array(at)).tolist() == classes
    assert decision.source


# --- comparison ---------------------------------------------------------------------------------


def test_wins_losses_and_what_only_one_has_right_are_counted():
    first = studies.run("a", LESIONS, lambda one, _: np.array(one.truth) * 1.05)
    second = studies.run("b", LESIONS, lambda one, _: np.array(one.truth) * 1.3)
    whole = next(comparison([run_rows(first), run_rows(second)]))
    n = len(LESIONS)
    facts = whole.details
    assert [facts[name] for name in ("wins", "losses")] == [n, 0]
    assert [facts[f"only_{name}_right"] for name in ("first", "second")] == [n, 0]
    assert facts["right_is"] == "an error of at most 10 %"
    assert not facts["equivalent"]
    gaps = [abs(one["difference"]) for one in facts["cases"]]
    assert gaps == sorted(gaps, reverse=True)
    again = next(comparison([run_rows(first), run_rows(dataclasses.replace(first, name="c"))]))
    assert again.details["equivalent"]


# --- metadata -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "is_small"), [(studies.one_scanner, True), (studies.sure, False)]
)
def test_interaction_is_tested_over_subjects(answer, is_small):
    found = [
        one.details["interaction"]
        for one in metadata([run_rows(studies.run("m", QUESTIONS, answer))])
    ]
    assert found
    assert all((one["p"] < 0.01) == is_small for one in found)
    assert all(sum(one["n_subjects"]) == 20 for one in found)


# --- intervals not of means ---------------------------------------------------------------------


N_STUDIES = 300


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
def test_the_crossing_of_a_half_is_covered_as_often_as_its_interval_says(n_subjects):
    """A model that finds targets above 16 % of the picture for sure, and none below 4 %.

    Of 3,000 studies of 20 subjects 98.2 % cover it: a little wide, as bins are few.
    """
    rng = np.random.default_rng(n_subjects)
    run = run_rows(studies.run("m", BOXES, studies.exact)).tasks[0]
    hits = 0
    truth = math.sqrt(0.04 * 0.16)
    for _ in range(N_STUDIES):
        sizes = np.exp(rng.uniform(math.log(0.01), math.log(0.6), n_subjects * 12))
        subject = np.repeat(np.arange(n_subjects), 12)
        share = np.clip(np.log(sizes / 0.04) / math.log(4), 0, 1)
        ease = 0.05 * rng.standard_normal(n_subjects)[subject]
        quality = np.clip(share + ease + 0.1 * rng.standard_normal(len(sizes)), -1, 2)
        rows = dataclasses.replace(
            run, places=np.arange(len(sizes)), subject=subject, quality=quality
        )
        low, high = crosses_half(rows, sizes)["interval"]
        hits += low <= truth <= high
    assert 0.92 <= hits / N_STUDIES <= (0.99 if n_subjects == 20 else 0.98)


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
def test_intervals_of_weighted_kappa_cover_it(n_subjects):
    rng = np.random.default_rng(6)

    def study(n_subjects):
        subject = np.repeat(np.arange(n_subjects), 6)
        shift = 0.4 * rng.standard_normal(n_subjects)[subject]
        true = rng.standard_normal(len(subject)) + shift
        said = true + 0.6 * rng.standard_normal(len(subject))
        return subject, *(np.digitize(one, [-0.7, 0.7]) for one in (true, said))

    wanted = weighted_kappa(*study(20_000), 3).value
    found = [weighted_kappa(*study(n_subjects), 3) for _ in range(N_STUDIES)]
    assert 0.92 <= np.mean([one.low <= wanted <= one.high for one in found]) <= 0.98


# --- report -------------------------------------------------------------------------------------


def test_numbers_that_do_not_beat_the_constant_are_marked():
    best = studies.run(
        "best", LESIONS, lambda one, _: np.array([35.0, 25.0]), model="baseline/train-best"
    )
    worse = studies.run("worse", LESIONS, lambda one, _: np.array([80.0, 60.0]))
    fine = studies.run("fine", LESIONS, studies.sure)
    marks = not_beaten(analyse([worse, fine, best]))
    assert marks.words("worse", Task.TUMOR_LESION, "mm") == "does not beat train-best"
    assert marks.words("fine", Task.TUMOR_LESION, "mm") == ""


# --- JSON ---------------------------------------------------------------------------------------

SHAPE = {
    "name": str, "model": str, "task": str, "group": str, "verdict": str,
    "value": float | int | None, "interval": list | None, "n": int, "n_subjects": int,
    "quantity": str, "words": str, "details": dict,
}  # fmt: skip

HARD = {
    "one subject": lambda: [studies.run("m", studies.questions(n_subjects=1), studies.exact)],
    "nothing read": lambda: [studies.run("m", QUESTIONS, studies.exact, unread=1.0)],
    "always the same": lambda: [studies.run("m", LESIONS, lambda one, _: np.array([7.0, 7.0]))],
    "lists of no boxes": lambda: [studies.run("m", LISTS, lambda *_: ())],
    "zeros": lambda: [studies.run("m", LESIONS, lambda one, _: np.zeros(2))],
    "asked again, nothing read": lambda: [
        dataclasses.replace(
            run := studies.asked_with_pixel_sizes("m", LESIONS, studies.exact),
            asked_again=tuple(
                dataclasses.replace(one, scores=one.scores.slice(0, 0)) for one in run.asked_again
            ),
        )
    ],
    "three that disagree": lambda: [
        studies.run("a", QUESTIONS, studies.sure, repeats=2),
        studies.run("b", QUESTIONS, studies.five_values, repeats=2, unread=0.9),
        studies.run("c", LESIONS[:3], studies.exact),
    ],
}  # fmt: skip


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", HARD)
def test_json_and_figures_have_their_shape_whatever_the_runs(kind):
    verdicts = analyse(HARD[kind]())
    for name, chart in charts(verdicts):
        assert not re.search(r"\b(nan|inf)\b", chart_svg(chart)), name
    text = json.dumps(verdicts_json(verdicts), allow_nan=False)
    found = json.loads(text)
    assert list(found) == ["analyses"]
    assert list(dict.fromkeys(one["name"] for one in found["analyses"])) == list(ANALYSES)
    for one in found["analyses"]:
        assert list(one) == list(SHAPE)
        assert all(isinstance(one[key], kind) for key, kind in SHAPE.items()), one
        assert one["verdict"] in ("found", "not_found", "not_enough")
        assert one["n"] >= 0
        if one["verdict"] != "not_enough":
            assert one["value"] is not None
        if one["interval"] is not None:
            low, high = one["interval"]
            assert low <= high


def test_every_headline_measure_says_when_an_answer_is_right():
    assert {record.headline_column for record in TASKS.values()} <= RIGHT_IS.keys()
