"""The mean score of the replies so far, while a run is under way."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from medvision.models.base import Question, Reply, ResponseStatus
from medvision.replies import AnswerStatus
from medvision.samples import Sample
from medvision.scoring.columns import NumberLists
from medvision.scoring.metrics import measures
from medvision.scoring.score_run import ReplyReader
from medvision.tasks import Task

SHOWN = {"iou": "mean IoU", "relative_error": "mean relative error"}
"""Metrics whose means are shown, and how they are called."""


@dataclass(slots=True, kw_only=True)
class RunningScore:
    """Counts and means over parsed replies.

    Attributes:
        reader: Reads replies as they will be scored.
        n_parsed: Replies that state a complete answer, of those looked at.
    """

    reader: ReplyReader
    n_parsed: int = 0
    _sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHOWN, 0.0))
    _counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHOWN, 0))
    _waiting: list[tuple[Sample, Reply]] = field(default_factory=list)

    def add(self, question: Question, reply: Reply) -> None:
        """Take in one reply; an error is none."""
        if reply.is_answer:
            self._waiting.append((question.sample, reply))

    def words(self) -> str:
        """The means in words, "" before the first parsed reply."""
        # Read and scored together, and only when someone looks: a line every half minute, or ten a
        # second, needs no more, and a baseline answers thousands in between.
        truths: dict[Task, list[tuple[float, ...]]] = {}
        answers: dict[Task, list[tuple[float, ...]]] = {}
        for sample, reply in self._waiting:
            seen = self.reader.family.view(sample.geometry).perceived
            is_cut = reply.status is ResponseStatus.TRUNCATED
            answer, _ = self.reader.readings(
                sample.task, reply.text, seen, unit=sample.unit, is_cut=is_cut
            )
            if answer.status is AnswerStatus.OK:
                self.n_parsed += 1
                truths.setdefault(sample.task, []).append(sample.truth)
                answers.setdefault(sample.task, []).append(answer.values)
        self._waiting.clear()
        for task, truth in truths.items():
            lists = (NumberLists.of(pa.chunked_array([rows])) for rows in (truth, answers[task]))
            found = measures(task, *(one.of_task(task, np.arange(len(truth))) for one in lists))
            for name in SHOWN:
                column = getattr(found, name)
                self._sums[name] += float(np.nansum(column))
                self._counts[name] += int(np.count_nonzero(~np.isnan(column)))
        return ", ".join(
            f"{words} {self._sums[name] / self._counts[name]:.3f}"
            for name, words in SHOWN.items()
            if self._counts[name]
        )
