"""Instruction following: how often no answer could be read, and what stood there instead."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from medvision.analysis.verdicts.estimates import known_mean, share
from medvision.analysis.verdicts.rows import (
    RunRows,
    TaskRows,
    quality_of_answers,
    reply_texts,
)
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.scoring.columns import NumberLists
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

LEAST_SHARE_UNREAD = 0.05
"""Under one in twenty unread, the form is followed."""

_MOST_CLUSTERS = 5
_EXAMPLE_CHARACTERS = 300


def instructions(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """The share of replies that state no readable answer, with the kinds of them."""
    for run in runs:
        yield from map(_unread, run.tasks)


def _unread(rows: TaskRows) -> Verdict:
    unread, truth, answers = ~rows.is_parsed, rows.truth(), rows.answers()[rows.is_parsed]
    found = share(rows.subject, unread)
    counted = pc.value_counts(rows.column("status")).to_pylist()
    statuses = Counter({one["values"]: one["counts"] for one in counted})
    recovered = pc.equal(rows.column("recovered_status"), "ok").to_numpy()
    gained = int(np.sum(recovered & unread))
    style = str(rows.run.manifest.get("style", ""))
    return Verdict(
        name="instructions",
        model=rows.run.name,
        task=rows.name,
        verdict=settled(found, found=found.low > LEAST_SHARE_UNREAD),
        value=found.value,
        interval=found.interval,
        n=found.n,
        n_subjects=found.n_subjects,
        quantity="share of replies without a readable answer",
        words=f"{found.value:.1%} of the replies state no readable answer.",
        details={
            "style": style,
            "statuses": dict(statuses.most_common()),
            "recovered": gained,
            **_measure_recovered(rows, recovered & unread),
            "answers_by_value": _quantiles(rows, answers),
            "truths_by_value": _quantiles(rows, truth),
            "clusters": _clusters(rows.where(unread)),
            "distinct_answers": _n_distinct(answers),
            "distinct_truths": _n_distinct(truth),
        },
    )


def _measure_recovered(rows: TaskRows, regained: np.ndarray) -> dict[str, Any]:
    """The mean measure as scored, and with the answers that a lenient reading finds."""
    quality = rows.quality.copy()
    places = np.flatnonzero(regained)
    if len(places):
        found = NumberLists.of(rows.column("recovered_values")).of_task(rows.task, places)
        quality[places] = quality_of_answers(rows.task, rows.truth()[places], found)
    scored, with_recovered = (abs(known_mean(one)) for one in (rows.quality, quality))
    measure = TASKS[rows.task].headline_column
    return {"measure": measure, "measure_scored": scored, "measure_with_recovered": with_recovered}


def _quantiles(rows: TaskRows, numbers: FloatArray) -> dict[str, list[float]]:
    """Of each value: what 5, 25, 50, 75 and 95 % lie under; nothing of no answers.

    Of lists every structure counts.
    """
    numbers = numbers.reshape(-1, rows.n_values)
    numbers = numbers[~np.isnan(numbers[:, 0])]
    if not len(numbers):
        return {}
    found = np.quantile(numbers, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    return dict(zip(TASKS[rows.task].names, found.T.tolist(), strict=True))


def _n_distinct(numbers: FloatArray) -> int:
    # What lists end in is no number, and so never alike.
    return len(np.unique(np.nan_to_num(numbers, nan=-1.0), axis=0))


def _clusters(rows: TaskRows) -> list[dict[str, Any]]:
    """Unread replies that differ in their numbers only, the most frequent first."""
    members: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for text, status in zip(reply_texts(rows), rows.column("status").to_pylist(), strict=True):
        shape = re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*", "#", text)).strip().lower()
        members[status, shape[:80]].append(text)
    largest = sorted(members.items(), key=lambda item: -len(item[1]))[:_MOST_CLUSTERS]
    return [
        {"status": status, "n": len(found), "example": found[0][:_EXAMPLE_CHARACTERS]}
        for (status, _), found in largest
    ]
