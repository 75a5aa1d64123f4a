"""Clinical decisions: how often an answer puts the patient into another class than the truth."""

import itertools
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medvision.analysis.verdicts.estimates import Estimate, of_sums, share
from medvision.analysis.verdicts.rows import RunRows, TaskRows
from medvision.analysis.verdicts.verdict import Verdict, settled
from medvision.declarations import decoded, read_toml
from medvision.errors import UsageError
from medvision.scoring.metrics import FloatArray
from medvision.tasks import TASKS, Task

logger = logging.getLogger(__name__)

LEAST_FLIPS = 0.1
"""Fewer than one decision in ten turned is within what two readers differ by."""

GROWTH, SHRINKAGE, LEAST_GROWTH_MM = 1.2, 0.7, 5.0
"""RECIST 1.1 (Eisenhauer 2009, Eur J Cancer 45:228): progression from 20 % and 5 mm more, partial
response from 30 % less, of the sum of longest diameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Classes that a measurement is put into.

    Attributes:
        name: As shown.
        task: Whose answers.
        value: Which of the task's values.
        about: Regular expression, searched in the name of what is asked, case ignored.
        unit: Of the cuts.
        cuts: Ascending.
        classes: One more than cuts.
        source: Where they come from.
        at_cut: Whether a value that equals a cut belongs to the class above or below it.
    """

    name: str
    task: Task
    value: str
    about: str
    unit: str
    cuts: tuple[float, ...]
    classes: tuple[str, ...]
    source: str
    at_cut: Literal["upper", "lower"] = "upper"

    def __post_init__(self) -> None:
        is_rising = all(low < high for low, high in itertools.pairwise((-math.inf, *self.cuts)))
        if len(self.classes) != len(self.cuts) + 1 or not is_rising:
            msg = (
                f"decision {self.name!r}: expected rising cuts and one class more than cuts, found "
                f"{len(self.cuts)} cuts {list(self.cuts)} and {len(self.classes)} classes"
            )
            raise UsageError(msg)
        for key, known in (("value", TASKS[self.task].names), ("unit", TASKS[self.task].units)):
            if getattr(self, key) not in known:
                msg = (
                    f"decision {self.name!r}: expected {key} to be one of {', '.join(known)}; "
                    f"found {getattr(self, key)!r}"
                )
                raise UsageError(msg)
        try:
            re.compile(self.about)
        except re.error as error:
            msg = (
                f"decision {self.name!r}: expected about to be a regular expression, found "
                f"{self.about!r}: {error}"
            )
            raise UsageError(msg) from error

    def classes_of(self, values: FloatArray) -> np.ndarray:
        """(n,) place of each value's class."""
        side: Literal["left", "right"] = "right" if self.at_cut == "upper" else "left"
        return np.searchsorted(self.cuts, values, side=side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """A file of decisions."""

    decisions: tuple[Decision, ...]


def read_decisions(path: Path | None = None) -> tuple[Decision, ...]:
    """The package's decisions, or those of a file.

    Raises:
        UsageError: The file cannot be read or declares something else.
    """
    path = path or Path(__file__).with_name("cutoffs.toml")
    return decoded(Decisions, read_toml(path), str(path)).decisions


def clinical(
    runs: Sequence[RunRows], *, decisions: Sequence[Decision] | None = None
) -> Iterator[Verdict]:
    """Flipped decisions for each set of cuts that some question is about."""
    own = [] if decisions is None else [decision.name for decision in decisions]
    decisions = read_decisions() if decisions is None else decisions
    asked = set()
    for run in runs:
        for rows in run.tasks:
            read = rows.where(rows.is_parsed)
            for decision in decisions:
                if (decision.task, decision.unit) == (rows.task, rows.unit):
                    for verdict in _decided(read, decision):
                        asked.add(decision.name)
                        yield verdict
            if rows.task is Task.TUMOR_LESION:
                yield from _responses(read)
    for name in own:
        if name not in asked:
            logger.warning("decision %r: no answer that was read is about it; see `about`", name)


def _decided(rows: TaskRows, decision: Decision) -> Iterator[Verdict]:
    pattern = re.compile(decision.about, re.IGNORECASE)
    kinds = [rows.kinds(column) for column in ("name", "label")]
    members = np.logical_or.reduce(
        [np.array([bool(pattern.search(w)) for w in kind.words])[kind.code] for kind in kinds]
    )
    if members.any():
        about, at = rows.where(members), TASKS[rows.task].names.index(decision.value)
        both = (about.truth(), about.answers())
        true, answered = (decision.classes_of(values[:, at]) for values in both)
        classes, name, source = decision.classes, decision.name, decision.source
        yield _agreement(about, about.subject, true, answered, classes, name, source)


def _agreement(
    rows: TaskRows,
    subject: np.ndarray,
    true: np.ndarray,
    answered: np.ndarray,
    classes: Sequence[str],
    group: str,
    source: str,
) -> Verdict:
    flips = share(subject, true != answered)
    kappa = weighted_kappa(subject, true, answered, len(classes))
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (true, answered), 1)
    details: dict[str, Any] = {
        "weighted_kappa": None if math.isnan(kappa.value) else kappa.value,
        "weighted_kappa_interval": kappa.interval,
        "classes": list(classes),
        "confusion": confusion.tolist(),
        "source": source,
    }
    return Verdict(
        name="clinical",
        model=rows.run.name,
        task=rows.name,
        group=group,
        verdict=settled(flips, found=flips.low > 0 and flips.value >= LEAST_FLIPS),
        value=None if math.isnan(flips.value) else flips.value,
        interval=flips.interval,
        n=flips.n,
        n_subjects=flips.n_subjects,
        quantity="share of decisions that differ from the truth's",
        words=f"{flips.value:.0%} of the decisions would be another.",
        details=details,
    )


def weighted_kappa(
    subject: np.ndarray, true: np.ndarray, answered: np.ndarray, n_classes: int
) -> Estimate:
    """Cohen's kappa with quadratic weights; NaN where all are of one class."""
    cells = np.zeros((len(true), n_classes * n_classes))
    cells[np.arange(len(true)), true * n_classes + answered] = 1
    steps = np.arange(n_classes)
    weights = (steps[:, None] - steps[None]) ** 2

    def kappa(sums: FloatArray) -> FloatArray:
        table = sums.reshape(*sums.shape[:-1], n_classes, n_classes)
        total = table.sum(axis=(-1, -2))
        expected = table.sum(axis=-1)[..., :, None] * table.sum(axis=-2)[..., None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            chance = (weights * expected).sum(axis=(-1, -2)) / total
            return np.asarray(1 - (weights * table).sum(axis=(-1, -2)) / chance)

    return of_sums(subject, cells, kappa)


def _responses(rows: TaskRows) -> Iterator[Verdict]:
    """Response between consecutive cases of one subject, by the sum of longest diameters."""
    keys = ("subject_id", "dataset", "case_id", "label_id")
    columns = [rows.text(name) for name in keys]
    largest: dict[tuple[str, ...], tuple[float, float, int]] = {}
    lengths = zip(*columns, rows.truth()[:, 0], rows.answers()[:, 0], rows.subject, strict=True)
    for subject, dataset, case, label, true_mm, answer_mm, code in lengths:
        key = (dataset, subject, case, label)
        if key not in largest or largest[key][0] < true_mm:
            largest[key] = (true_mm, answer_mm, code)
    visits: dict[tuple[str, str], dict[str, list[tuple[float, float, int]]]] = {}
    for (dataset, subject, case, _), found in sorted(largest.items()):
        visits.setdefault((dataset, subject), {}).setdefault(case, []).append(found)
    pairs = []
    for cases in visits.values():
        sums = [np.sum(found, axis=0)[:2] for _, found in sorted(cases.items())]
        code = next(iter(cases.values()))[0][2]
        pairs += [(code, before, after) for before, after in itertools.pairwise(sums)]
    if pairs:
        subjects, before, after = (np.array(column) for column in zip(*pairs, strict=True))
        true, answered = (_response(before[:, at], after[:, at]) for at in (0, 1))
        yield _agreement(
            rows, subjects, true, answered, ("partial response", "stable", "progression"),
            "response between visits", "RECIST 1.1, Eisenhauer 2009, Eur J Cancer 45:228",
        )  # fmt: skip


def _response(before_mm: FloatArray, after_mm: FloatArray) -> np.ndarray:
    grown = (after_mm >= GROWTH * before_mm) & (after_mm - before_mm >= LEAST_GROWTH_MM)
    shrunk = after_mm <= SHRINKAGE * before_mm
    return np.where(grown, 2, np.where(shrunk, 0, 1))
