"""What a run asks: keys of all questions, those still open, and a tally of what came."""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from medvision.models.base import (
    Drawn,
    ErrorKind,
    LocalModel,
    Question,
    Reply,
    ServedModel,
    error_reply,
)
from medvision.models.keys import request_key
from medvision.models.limits import Spending
from medvision.models.run_words import OnProgress, Progress, StopReason
from medvision.models.store import DrawnSlice, RequestRow, ResponseStore

logger = logging.getLogger(__name__)

N_KEPT = 10_000
"""Questions kept from the walk that makes their keys: a few MB. A longer run makes the rest again,
so that its memory does not grow with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with the key of its request."""

    key: str
    question: Question


@dataclass(slots=True, kw_only=True)
class Plan:
    """What is to be asked: keys of all questions in order, and those not asked so far.

    A question whose picture has not been drawn stands under a key that names its slice; drawing
    it, just before it is asked, gives the key that names its pixels.
    """

    model: ServedModel | LocalModel
    store: ResponseStore
    questions: Iterable[Question]
    keys: list[str]
    unanswered: set[str]
    n_not_applicable: int
    n_reused: int
    kept: list[Question] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)

    def open_questions(self) -> Iterator[Asked]:
        """Each unanswered request once, made only when it is its turn."""
        for key, question in zip(self.keys, self._walk(), strict=True):
            if key in self.unanswered:
                self.unanswered.discard(key)
                self.claimed.add(key)
                yield Asked(key=key, question=question)

    def _walk(self) -> Iterator[Question]:
        """All questions; those made for their keys are not made again, as far as they were kept."""
        yield from self.kept
        if len(self.kept) < len(self.keys):
            yield from islice(self.questions, len(self.kept), None)

    def with_picture(self, asked: Asked, picture: Drawn, tally: "Tally") -> Asked | None:
        """The question with its picture; None where its pixels are answered or asked already."""
        question = asked.question.with_picture(picture)
        key = request_key(question, self.model)
        drawn = DrawnSlice(
            sample_id=question.sample.sample_id,
            slice_identity=question.slice_identity,
            slice_sha256=picture.slice_sha256,
            former_key=asked.key,
        )
        n_rows = self.store.give_key(key, drawn)
        if key in self.claimed:
            tally.n_total -= 1
            return None
        if self.store.answered([key]):
            tally.n_total -= 1
            self.n_reused += n_rows
            return None
        if key in self.unanswered:
            self.unanswered.discard(key)
            tally.n_total -= 1
        self.claimed.add(key)
        return Asked(key=key, question=question)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of a run under way."""

    n_reused: int
    n_total: int
    spending: Spending
    on_progress: OnProgress | None
    n_asked: int = 0
    n_errors: int = 0
    stopped: StopReason | None = None
    start_s: float = field(default_factory=time.monotonic)

    def add(self, question: Question, reply: Reply) -> None:
        """Count one reply, and tell how far the run is."""
        self.n_asked += 1
        self.n_errors += not reply.is_answer
        self.spending.add(reply)
        if self.on_progress is None:
            return
        per_s = self.n_asked / max(1e-9, time.monotonic() - self.start_s)
        n_done = self.n_reused + self.n_asked
        progress = Progress(
            n_done=n_done,
            n_total=self.n_total,
            n_errors=self.n_errors,
            per_s=per_s,
            left_s=(self.n_total - n_done) / per_s if per_s else None,
            question=question,
            reply=reply,
        )
        self.on_progress(progress)


def planned_run(
    model: ServedModel | LocalModel, questions: Iterable[Question], store: ResponseStore
) -> Plan:
    """Make these the store's current requests, and see which of them have no answer.

    Raises:
        DuplicateRequestError: Two questions share sample and repeat.
    """
    if iter(questions) is questions:
        questions = list(questions)
    applicable = Applicable(questions, model)
    keys: list[str] = []

    kept: list[Question] = []

    def rows() -> Iterator[RequestRow]:
        for question in applicable:
            keys.append(request_key(question, model))
            if len(kept) < N_KEPT:
                kept.append(question)
            yield RequestRow(
                sample_id=question.sample.sample_id,
                repeat=question.repeat,
                key=keys[-1],
                prompt=question.prompt_text,
            )

    store.set_requests(rows())
    unanswered = store.unanswered_keys()
    return Plan(
        model=model,
        store=store,
        questions=applicable,
        kept=kept,
        keys=keys,
        unanswered=unanswered,
        n_not_applicable=applicable.n_left_out,
        n_reused=sum(key not in unanswered for key in keys),
    )


class Applicable:
    """The questions of a model's tasks, to be walked any number of times."""

    def __init__(self, questions: Iterable[Question], model: ServedModel | LocalModel) -> None:
        self._questions = questions
        self._tasks = model.tasks
        self.n_left_out = 0

    def __iter__(self) -> Iterator[Question]:
        self.n_left_out = 0
        for question in self._questions:
            if question.sample.task in self._tasks:
                yield question
            else:
                self.n_left_out += 1


def picture_error(asked: Asked, error: Exception) -> Reply:
    """The reply to a question whose picture cannot be made: an error of the harness."""
    logger.warning("%s: picture not made: %s", asked.question.sample.sample_id, error)
    return error_reply(ErrorKind.IMAGE)


def over_budget(spending: Spending) -> StopReason | None:
    """Why a run has to stop for what it has spent, if it has to."""
    if spending.is_exhausted:
        return StopReason.BUDGET
    return StopReason.BUDGET_UNKNOWN if spending.is_unknown else None
