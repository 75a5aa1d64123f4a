"""Chain of thought: is the error in where the points are put, or in what is computed from them?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from medvision.analysis.verdicts.arithmetic import stated_sums
from medvision.analysis.verdicts.estimates import mean
from medvision.analysis.verdicts.rows import RunRows, TaskRows, reply_texts
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import samples_from_table
from medvision.samples.crops import as_shown
from medvision.scoring.metrics import FloatArray
from medvision.scoring.process import HIT_MM, PROCESS_TASKS, process_of

LEAST_ERROR_FRAC = 0.1
"""A mean error of a part under a tenth of the truth is none worth telling."""

FOLLOWS_FRAC = 0.02
"""An answer this close to what its own points give follows from them."""

_MOST_QUESTIONS = 20_000
_MOST_ERROR_FRAC = 2.0
"""A part's error is counted as at most twice the truth, so that one slip is not the whole mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPoints:
    """What one reply says of its points.

    Attributes:
        values: What follows from them, in the answer's order and unit.
        distances_mm: Of each from the true one.
        sums: Whether each stated equation holds.
    """

    values: tuple[float, ...]
    distances_mm: tuple[float, ...]
    sums: tuple[bool, ...]


def steps(runs: Sequence[RunRows]) -> Iterator[Verdict]:
    """The error of the points stated, and that of the answer against its own points."""
    for run in runs:
        if run.run.manifest.get("style") == Style.COT:
            for rows in run.tasks:
                if rows.task in PROCESS_TASKS:
                    yield from _of_task(rows)


def _of_task(rows: TaskRows) -> Iterator[Verdict]:
    read = rows.where(np.flatnonzero(rows.is_parsed)[:_MOST_QUESTIONS])
    said = _said(read)
    known = np.array([one is not None for one in said], dtype=bool)
    rows = read.where(known)
    stated = [one for one in said if one is not None]
    truth, answers = rows.truth(), rows.answers()
    implied = np.array([one.values for one in stated]).reshape(len(stated), rows.n_values)
    scale = np.maximum(np.abs(truth), 1e-9)
    parts = {
        "locating": (np.abs(implied - truth) / scale, "error of what the stated points give"),
        "calculating": (np.abs(answers - implied) / scale, "answer less what its points give"),
    }
    details = _details(rows, stated, answers, implied, n_read=len(read))
    for group, (error, quantity) in parts.items():
        found = mean(rows.subject, np.minimum(error.mean(axis=1), _MOST_ERROR_FRAC))
        is_found = found.low > 0 and found.value >= LEAST_ERROR_FRAC
        yield Verdict(
            name="steps",
            model=rows.run.name,
            task=rows.name,
            group=group,
            verdict=settled(found, found=is_found),
            value=None if math.isnan(found.value) else found.value,
            interval=found.interval,
            n=found.n,
            n_subjects=found.n_subjects,
            quantity=f"{quantity}, as a share of the truth",
            words=f"Errors of {group}: {found.value:.1%} of the truth.",
            details=details,
        )


def _details(
    rows: TaskRows,
    stated: Sequence[StatedPoints],
    answers: FloatArray,
    implied: FloatArray,
    *,
    n_read: int,
) -> dict[str, Any]:
    distances = np.array([mm for one in stated for mm in one.distances_mm])
    sums = [right for one in stated for right in one.sums]
    near = np.abs(answers - implied) <= FOLLOWS_FRAC * np.maximum(np.abs(implied), 1e-9)
    known = len(stated) > 0
    return {
        "n_with_points": len(stated),
        "n_read": n_read,
        "unit": rows.unit,
        "point_error_mm_mean": float(distances.mean()) if known else None,
        "point_error_mm_median": float(np.median(distances)) if known else None,
        "hits_within_5_mm_share": float(np.mean(distances <= HIT_MM)) if known else None,
        "answer_follows_share": float(np.mean(near.all(axis=1))) if known else None,
        "sums_stated": len(sums),
        "sums_wrong_share": float(1 - np.mean(sums)) if sums else None,
    }


def _said(rows: TaskRows) -> list[StatedPoints | None]:
    """What each row's reply says; None where it does not state all of its points."""
    ids = rows.column("sample_id")
    asked = rows.run.samples.filter(
        pc.is_in(rows.run.samples["sample_id"], value_set=pc.unique(ids))
    )
    samples = {sample.sample_id: as_shown(sample) for sample in samples_from_table(asked)}
    family = PictureFamily(**rows.run.manifest.get("family", {"name": "as_sent"}))
    found: list[StatedPoints | None] = []
    for sample_id, text in zip(ids.to_pylist(), reply_texts(rows), strict=True):
        sample = samples[sample_id]
        process = process_of(sample, text, family.view(sample.geometry))
        if process.implied is None:
            found.append(None)
            continue
        sums = tuple(stated_sums(text))
        found.append(
            StatedPoints(values=process.implied, distances_mm=process.distances_mm, sums=sums)
        )
    return found
