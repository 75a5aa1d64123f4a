"""Collapse of continuous answers: many truths, few answers, and these do not follow the truth."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from medvision.analysis.verdicts.estimates import slope
from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import MIN_ROWS, MIN_SUBJECTS, Found, Verdict
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS

FEW_FRAC = 0.5
"""Answers are few if their effective number is under this share of the truths'."""

ROUNDED_RHO = 0.9
"""Few answers that follow the truth this closely (rank correlation) are rounded, not collapsed."""

_BINS = 30

_MIN_TRUTHS = 10
"""Fewer effective truths say nothing about collapse."""


def collapse(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """How many different numbers are answered, beside how many are true, value by value."""
    for run in runs:
        for rows in run.tasks:
            if not (TASKS[rows.task].is_whole or TASKS[rows.task].is_list):
                read = rows.where(rows.is_parsed)
                for at, value_name in enumerate(TASKS[rows.task].names):
                    yield _of_value(read, at, value_name)


def _of_value(rows: TaskRows, at: int, value_name: str) -> Verdict:
    decimals = TASKS[rows.task].decimals
    truth = np.round(rows.truth()[:, at], decimals)
    answers = np.round(rows.answers()[:, at], decimals)
    n_subjects = len(np.unique(rows.subject))
    # As many equally frequent numbers would be as uncertain.
    effective = [2.0 ** _entropy_bits(one) if len(one) else 0.0 for one in (answers, truth)]
    share = effective[0] / effective[1] if effective[1] else math.nan
    rho = _rank_correlation(truth, answers)
    few = share < FEW_FRAC
    verdict = Found.NOT_ENOUGH
    if len(rows) >= MIN_ROWS and n_subjects >= MIN_SUBJECTS and effective[1] >= _MIN_TRUTHS:
        verdict = Found.FOUND if few and rho < ROUNDED_RHO else Found.NOT_FOUND
    kind = "collapsed" if verdict is Found.FOUND else "rounded" if few else "spread"
    return Verdict(
        name="collapse",
        model=rows.run.name,
        task=rows.name,
        group=value_name if rows.n_values > 1 else "",
        verdict=verdict,
        value=None if math.isnan(share) else share,
        n=len(rows),
        n_subjects=n_subjects,
        quantity="effective number of answers, as a share of that of the truths",
        words=f"{len(np.unique(answers))} different answers to {len(np.unique(truth))} different "
        f"truths, rank correlation {rho:.2f}: {kind}.",
        details={
            "decoding": decoding(rows.run.manifest),
            "kind": kind,
            "rank_correlation": rho,
            **_facts(rows, truth, answers),
        },
    )


def _facts(rows: TaskRows, truth: FloatArray, answers: FloatArray) -> dict[str, Any]:
    values, counts = np.unique(answers, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    follows = slope(rows.subject, truth, answers)
    whole = np.abs(answers - np.round(answers)) < 1e-9
    return {
        "histogram": histogram(truth, answers, rows.unit),
        "distinct_answers": len(values),
        "distinct_truths": len(np.unique(truth)),
        "entropy_answers_bits": _entropy_bits(answers),
        "entropy_truths_bits": _entropy_bits(truth),
        "most_frequent": [
            {"value": float(values[one]), "share": float(counts[one] / len(answers))}
            for one in most
        ],
        "slope": None if math.isnan(follows.value) else follows.value,
        "whole_share": float(whole.mean()) if len(answers) else None,
        "multiple_of_5_share": float((whole & (np.round(answers) % 5 == 0)).mean())
        if len(answers)
        else None,
        "last_digits": np.bincount(
            np.round(np.abs(answers[whole])).astype(np.int64) % 10, minlength=10
        ).tolist(),
    }


def decoding(manifest: Mapping[str, Any]) -> str:
    """How a run's answers were drawn: by which runs of one model are told apart.

    Example:
        >>> decoding({"settings": {"temperature": 0.0}}), decoding({"settings": {}})
        ('greedy', '')
    """
    settings = manifest.get("settings") or {}
    generation = settings.get("generation") or settings
    temperature = generation.get("temperature")
    if temperature is None:
        return ""
    return f"sampled at temperature {temperature:g}" if temperature else "greedy"


def histogram(truth: FloatArray, answers: FloatArray, unit: str) -> dict[str, Any] | None:
    """Counts of truths and answers in the same bins; what lies beyond is counted in the last ones.

    The bins reach over the middle 98 % of the truths and half as far again on either side, as far
    as there are answers: a single answer of a million would leave nothing to see.

    Example:
        >>> truth = np.arange(11.0)
        >>> found = histogram(truth, np.full(11, 400.0), "mm")
        >>> found["answers"][-1], sum(found["truths"])
        (11, 11)
    """
    if not len(truth):
        return None
    low, high = np.quantile(truth, [0.01, 0.99])
    reach = (high - low) / 2 or abs(high) / 2 or 1.0
    both = np.concatenate([truth, answers])
    edges = np.linspace(
        max(low - reach, both.min()), min(high + reach, both.max() + 1e-9), _BINS + 1
    )
    counted = (
        np.histogram(np.clip(one, edges[0], edges[-1]), edges)[0] for one in (truth, answers)
    )
    truths, said = (one.tolist() for one in counted)
    return {"unit": unit, "edges": edges.tolist(), "truths": truths, "answers": said}


def _entropy_bits(numbers: FloatArray) -> float:
    _, counts = np.unique(numbers, return_counts=True)
    return float(stats.entropy(counts, base=2)) if len(counts) else 0.0


def _rank_correlation(truth: FloatArray, answers: FloatArray) -> float:
    """Spearman's; 0 where all answers or all truths are equal."""
    if len(truth) < 2 or np.ptp(answers) == 0 or np.ptp(truth) == 0:
        return 0.0
    return float(stats.spearmanr(truth, answers).statistic)
