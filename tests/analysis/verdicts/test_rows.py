"""What is done for all rows at once is what a loop over rows gives."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from medvision.analysis.verdicts.estimates import mean
from medvision.analysis.verdicts.groups import GROUP_COLUMNS, groups_of
from medvision.analysis.verdicts.repeats import repeats
from medvision.analysis.verdicts.rows import (
    kinds_of,
    paired,
    places_in,
    reply_texts,
    run_rows,
    task_rows,
)
from medvision.analysis.verdicts.verdict import MIN_ROWS
from medvision.scoring.aggregate import DEFAULT_SEED
from medvision.scoring.bootstrap import subject_counts, subject_draws
from tests.analysis.verdicts import studies

QUESTIONS = studies.questions(n_subjects=8)
RUN = studies.run("m", QUESTIONS, studies.sure, unread=0.3, repeats=3)


def test_kinds_are_the_sorted_words_and_nothing_is_empty():
    words = [None, "b", "", "a", "b", "ä", None]
    kinds = kinds_of(pa.chunked_array([words[:3], words[3:]]))
    assert kinds.words == ("", "a", "b", "ä")
    assert [kinds.words[code] for code in kinds.code] == [word or "" for word in words]
    assert {word: members.tolist() for word, members in kinds.members()} == {
        word: [one == word for one in words] for word in ("a", "b", "ä")
    }


def test_places_are_those_of_a_dictionary():
    rng = np.random.default_rng(0)
    keys = [(f"q{number}", repeat) for number in range(40) for repeat in range(3)]
    tables, chosen = [], []
    for _ in range(2):
        chosen.append([keys[at] for at in rng.permutation(len(keys))[:70]])
        ids, times = zip(*chosen[-1], strict=True)
        tables.append(pa.table({"sample_id": list(ids), "repeat": list(times)}))
    expected = [chosen[0].index(key) if key in chosen[0] else -1 for key in chosen[1]]
    assert places_in(*tables).tolist() == expected
    assert -1 in expected


def test_rows_of_a_run_are_its_scores_but_errors():
    statuses = RUN.scores["status"].to_pylist()
    statuses[::7] = ["error"] * len(statuses[::7])
    at = RUN.scores.column_names.index("status")
    broken = dataclasses.replace(
        RUN, scores=RUN.scores.set_column(at, "status", pa.array(statuses))
    )
    for rows in task_rows(broken):
        expected = [
            row
            for row in broken.scores.to_pylist()
            if (row["task"], row["unit"]) == (rows.task, rows.unit) and row["status"] != "error"
        ]
        assert rows.column("sample_id").to_pylist() == [row["sample_id"] for row in expected]
        assert rows.truth().tolist() == [row["truth"] for row in expected]
        read = rows.where(rows.is_parsed)
        assert read.answers().tolist() == [r["values"] for r in expected if r["status"] == "ok"]
        people = [row["subject_id"] for row in expected]
        assert [sorted(set(people)).index(one) for one in people] == (
            np.unique(rows.subject, return_inverse=True)[1].tolist()
        )


def test_pairs_are_in_the_first_runs_order():
    backwards = RUN.scores.slice(100, 300).take(pa.array(np.arange(300)[::-1]))
    less = dataclasses.replace(RUN, scores=backwards)
    for first, second in zip(task_rows(RUN), task_rows(less), strict=True):
        ours, theirs = paired(first, second)
        assert len(ours) == len(second)
        for name in ("sample_id", "repeat"):
            assert ours.column(name).to_pylist() == theirs.column(name).to_pylist()
        assert np.all(np.diff(ours.places) > 0)


def test_groups_are_those_of_equal_words():
    for rows in task_rows(RUN):
        expected = {"": [True] * len(rows)}
        for column in GROUP_COLUMNS:
            words = rows.text(column)
            values = sorted(set(words) - {""})
            if len(values) > 1:
                masks = {f"{column}={value}": words == value for value in values}
                expected |= {n: m.tolist() for n, m in masks.items() if m.sum() >= MIN_ROWS}
        assert {name: mask.tolist() for name, mask in groups_of(rows)} == expected


def test_replies_stand_beside_their_rows():
    shuffled = np.random.default_rng(3).permutation(RUN.replies.num_rows)
    mixed = dataclasses.replace(RUN, replies=RUN.replies.take(pa.array(shuffled[20:])))
    texts = {(r["sample_id"], r["repeat"]): r["text"] for r in mixed.replies.to_pylist()}
    for rows in task_rows(mixed):
        names = (rows.column(name).to_pylist() for name in ("sample_id", "repeat"))
        assert reply_texts(rows) == [texts.get(key, "") for key in zip(*names, strict=True)]


def test_spread_over_repeats_is_that_of_each_question():
    for found, rows in zip(repeats([run_rows(RUN)]), task_rows(RUN), strict=True):
        spreads = []
        ids = np.array(rows.column("sample_id").to_pylist())
        for name in np.unique(ids):
            said = rows.answers()[(ids == name) & rows.is_parsed]
            if len(said) > 1:
                scale = np.abs(np.median(said, axis=0)).mean()
                spreads.append(said.std(axis=0).mean() / scale)
        assert found.details["median_relative_spread"] == pytest.approx(np.median(spreads))


@pytest.mark.parametrize("n_subjects", [2, 3, 63, 65, 200])
def test_draws_are_those_of_this_number_of_subjects(n_subjects):
    """Draws are kept for a power of two of subjects, and cut."""
    rng = np.random.default_rng(n_subjects)
    values = rng.normal(size=n_subjects)
    draws = subject_draws(n_subjects, range(1000), seed=DEFAULT_SEED)
    means = subject_counts(draws, n_subjects) @ values / n_subjects
    reach = stats.t.ppf(0.975, n_subjects - 1) * np.sqrt(n_subjects / (n_subjects - 1))
    tail = stats.norm.cdf(-reach)
    found = mean(np.arange(n_subjects), values)
    assert found.interval == pytest.approx(tuple(np.quantile(means, [tail, 1 - tail])))
