"""Instruction following: how often no answer could be read, and what stood there instead."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from medvision.analysis.verdicts.estimates import mean
from medvision.analysis.verdicts.rows import RunRows, TaskRows, reply_texts
from medvision.analysis.verdicts.verdict import Verdict, settled

LEAST_SHARE_UNREAD = 0.05
"""Under one in twenty unread, the form is followed."""

_MOST_CLUSTERS = 5
_EXAMPLE_CHARACTERS = 300


def instructions(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """The share of replies that state no readable answer, with the kinds of them."""
    for run in runs:
        yield from map(_unread, run.tasks)


def _unread(rows: TaskRows) -> Verdict:
    unread = ~rows.is_parsed
    share = mean(rows.subject, unread.astype(float))
    # `mean` counts rows with a term; every row has the second one.
    counted = pc.value_counts(rows.column("status")).to_pylist()
    statuses = Counter({one["values"]: one["counts"] for one in counted})
    recovered = pc.equal(rows.column("recovered_status"), "ok").to_numpy()
    gained = int(np.sum(recovered & unread))
    style = str(rows.run.manifest.get("style", ""))
    return Verdict(
        name="instructions",
        model=rows.run.name,
        task=rows.name,
        verdict=settled(share, found=share.low > LEAST_SHARE_UNREAD),
        value=share.value,
        interval=share.interval,
        n=share.n,
        n_subjects=share.n_subjects,
        quantity="share of replies without a readable answer",
        words=f"{share.value:.1%} of the replies state no readable answer.",
        details={
            "style": style,
            "statuses": dict(statuses.most_common()),
            "recovered": gained,
            "clusters": _clusters(rows.where(unread)),
            "distinct_answers": len(np.unique(rows.answers()[rows.is_parsed], axis=0)),
            "distinct_truths": len(np.unique(rows.truth(), axis=0)),
        },
    )


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
