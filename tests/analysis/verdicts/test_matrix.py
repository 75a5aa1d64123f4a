"""Runs with one known defect each: its analysis finds it, and no other one does without cause."""

import re
from pathlib import Path

import numpy as np
import pytest

from medvision.analysis.verdicts.analyse import ANALYSES, analyse
from medvision.best_constant import best_constant
from medvision.tasks import TASKS
from tests.analysis.verdicts import studies

QUESTIONS = studies.questions()
TRAINING = studies.questions(seed=9)
BEST = {
    task: best_constant(
        TASKS[task].headline_column, [one.truth for one in TRAINING if one.task is task]
    )
    for task in {one.task for one in TRAINING}
}
OPPONENT = studies.run(
    "train-best", QUESTIONS, lambda one, _: np.array(BEST[one.task]), model="baseline/train-best"
)


def of(answer, **options):
    name = options.pop("name", answer.__name__)
    return lambda: studies.run(name, QUESTIONS, answer, **options)


def copy_of_train_best(one, rng):
    return np.array(BEST[one.task])


RUNS = {
    "no defect": (of(studies.sure), set()),
    "rounds to tens": (of(studies.rounded), {"clinical"}),
    "five values": (of(studies.five_values), {"collapse", "bias", "clinical"}),
    "right on large targets only": (of(studies.large_only), {"size", "collapse"}),
    "fails on coronal slices": (
        of(studies.not_coronal), {"generalisation", "size", "collapse", "clinical", "bias"}
    ),
    "ten per cent too large": (of(studies.ten_percent), {"bias", "clinical"}),
    "drawn to the middle": (of(studies.to_the_middle), {"bias", "clinical"}),
    "a third unread": (of(studies.sure, unread=0.3, name="unread"), {"instructions"}),
    "right for one scanner only": (
        of(studies.one_scanner), {"metadata", "size", "collapse", "clinical", "bias"}
    ),
    "copy of train-best": (
        of(copy_of_train_best), {"size", "collapse", "bias", "clinical"}
    ),
    "uses the pixel size": (
        lambda: studies.asked_with_pixel_sizes("uses", QUESTIONS, studies.sure), set()
    ),
    "ignores the pixel size": (
        lambda: studies.asked_with_pixel_sizes("ignores", QUESTIONS, studies.guessed_pixel_size),
        {"spacing", "clinical", "bias"},
    ),
    "wrong arithmetic": (
        lambda: studies.reasoned("sums", QUESTIONS, seed=4, arithmetic=0.25),
        {"steps:calculating", "clinical"},
    ),
    "wrong places": (
        lambda: studies.reasoned("places", QUESTIONS, seed=5, place_mm=6.0),
        {"steps:locating", "clinical", "bias"},
    ),
}  # fmt: skip
"""Each run with what its defect is, and what that implies; the margin is told apart."""

NO_MARGIN = {"copy of train-best"}


@pytest.fixture(scope="module")
def found():
    """What is found of each run."""
    verdicts = {}
    for name, (make, _) in RUNS.items():
        run = make()
        own = [one for one in analyse([run, OPPONENT]) if one.model == run.name]
        verdicts[name] = {
            f"{one.name}:{one.group}" if one.name == "steps" else one.name
            for one in own
            if one.verdict == "found"
        }
    return verdicts


@pytest.mark.parametrize("name", RUNS)
def test_a_defect_is_found_and_nothing_that_it_does_not_imply(name, found):
    defects = found[name] - {"margin"}
    if RUNS[name][1]:
        assert defects & RUNS[name][1], "the defect itself"
    assert defects <= RUNS[name][1]
    assert ("margin" in found[name]) == (name not in NO_MARGIN)


FIRST = {
    "five values": "collapse", "right on large targets only": "size",
    "fails on coronal slices": "generalisation", "ten per cent too large": "bias",
    "drawn to the middle": "bias", "a third unread": "instructions",
    "right for one scanner only": "metadata", "copy of train-best": "collapse",
    "ignores the pixel size": "spacing",
    "wrong arithmetic": "steps:calculating", "wrong places": "steps:locating",
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_the_defect_made_is_the_one_found(name, found):
    assert FIRST[name] in found[name]


def test_two_models_whose_difference_is_noise_cannot_be_told_apart():
    pair = [studies.run(f"seed {seed}", QUESTIONS, studies.sure, seed=seed) for seed in (11, 12)]
    compared = [one.verdict for one in analyse(pair) if one.name == "comparison"]
    assert set(compared) == {"not_found"}
    assert len(compared) > 10


def test_a_better_model_is_told_from_a_worse_one():
    pair = [
        studies.run("better", QUESTIONS, studies.exact, seed=1),
        studies.run("worse", QUESTIONS, lambda one, rng: studies.noisy(one, rng, 0.2), seed=2),
    ]
    whole = [one for one in analyse(pair) if one.name == "comparison" and not one.group]
    assert {one.task for one in whole} == {"detection", "tl", "ad (deg)", "area"}
    assert all(one.verdict == "found" and one.value > 0 for one in whole)
    assert all(one.words == "better is better." for one in whole)


def test_the_table_in_the_docs_is_what_is_found(found):
    page = Path("docs/analyses.md").read_text(encoding="utf-8")
    table = page.partition("<!-- matrix -->\n")[2].partition("<!-- end -->")[0]
    assert table == matrix(found), f"expected in docs/analyses.md:\n{matrix(found)}"


def matrix(found):
    names = [name for name in ANALYSES if name not in ("comparison", "repeats")]
    lines = [f"| run | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for run, verdicts in found.items():
        plain = {re.sub(":.*", "", one) for one in verdicts}
        cells = ["found" if name in plain else "" for name in names]
        lines.append(f"| {run} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
