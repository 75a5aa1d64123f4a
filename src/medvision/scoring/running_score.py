"""The mean score of the replies so far, while a run is under way."""

from dataclasses import dataclass, field

from medvision.models.base import Question, Reply
from medvision.replies import AnswerStatus
from medvision.scoring.score import score
from medvision.scoring.score_run import ReplyReader


@dataclass(slots=True, kw_only=True)
class _Mean:
    total: float = 0.0
    n: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total += value
            self.n += 1


@dataclass(slots=True, kw_only=True)
class RunningScore:
    """Counts and means over parsed replies, read and scored one at a time as they come.

    Attributes:
        reader: Reads replies as they will be scored.
        n_parsed: Replies that state a complete answer.
    """

    reader: ReplyReader
    n_parsed: int = 0
    _iou: _Mean = field(default_factory=_Mean)
    _relative_error: _Mean = field(default_factory=_Mean)

    def add(self, question: Question, reply: Reply) -> None:
        """Take in one reply; an error is none."""
        if not reply.is_answer:
            return
        sample = question.sample
        seen = self.reader.family.view(sample.geometry).perceived
        answer, _ = self.reader.readings(sample.task, reply.text, seen)
        if answer.status is not AnswerStatus.OK:
            return
        row = score(sample.task, sample.truth, answer)
        self.n_parsed += 1
        self._iou.add(row.iou)
        self._relative_error.add(row.relative_error)

    def words(self) -> str:
        """The means in words, "" before the first parsed reply."""
        means = {"mean IoU": self._iou, "mean relative error": self._relative_error}
        return ", ".join(
            f"{name} {mean.total / mean.n:.3f}" for name, mean in means.items() if mean.n
        )
