"""Words of a run: its settings, how far it is, why it stopped, and what it did."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from medvision.errors import UsageError
from medvision.models.base import ErrorKind, Question, Reply
from medvision.models.limits import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run goes; nothing here changes an answer.

    Attributes:
        concurrency: Questions under way at once.
        render_threads: Threads that make pictures; None is one for each core, at most four.
        grace_s: Time that questions under way get to finish after the first Ctrl-C; a second
            Ctrl-C cuts it short.
        budget: What the run may spend.
        time_limit_s: For the whole run; what is under way then gets `grace_s`. None is no limit.
    """

    concurrency: int = 32
    render_threads: int | None = None
    grace_s: float = 5.0
    budget: Budget = field(default_factory=Budget)
    time_limit_s: float | None = None

    @property
    def n_render_threads(self) -> int:
        """How many threads make pictures."""
        return self.render_threads or min(4, os.cpu_count() or 1)

    def __post_init__(self) -> None:
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            msg = f"expected a positive time limit, found {self.time_limit_s}"
            raise UsageError(msg)
        if self.concurrency < 1:
            msg = f"expected a concurrency of at least 1, found {self.concurrency}"
            raise UsageError(msg)

    def after(self, summary: "RunSummary", elapsed_s: float) -> "RunSettings":
        """What is left of budget and time for a run that follows another."""
        tokens, money, time_s = self.budget.max_tokens, self.budget.max_money, self.time_limit_s
        if tokens is not None:
            tokens = max(0, tokens - summary.prompt_tokens - summary.completion_tokens)
        if money is not None:
            money = max(0.0, money - (summary.money or 0.0))
        return replace(
            self,
            budget=replace(self.budget, max_tokens=tokens, max_money=money),
            # A limit of 0 is refused: with next to none the run ends as soon as it looks.
            time_limit_s=None if time_s is None else max(1e-3, time_s - elapsed_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is, after one more reply.

    Attributes:
        n_done: Questions with a reply in this run, or one kept from before.
        n_total: The same once the run is through; questions alike in every pixel and word
            count once.
        n_errors: Of this run.
        per_s: Replies a second in this run.
        left_s: Time left at that rate; None while there is none yet.
        question: The question just answered.
        reply: Its reply.
    """

    n_done: int
    n_total: int
    n_errors: int
    per_s: float
    left_s: float | None
    question: Question
    reply: Reply


OnProgress = Callable[[Progress], None]


class StopReason(StrEnum):
    """Why a run ended before its last question."""

    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    BREAKER_OPEN = "breaker_open"
    BUDGET = "budget"
    BUDGET_UNKNOWN = "budget_unknown"
    """There is a budget, and the server counts no tokens."""
    TIME_LIMIT = "time_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run did, and how all current questions stand after it.

    Attributes:
        n_total: Questions asked for, those of tasks the model does not answer left out.
        n_not_applicable: Questions left out so.
        n_asked: Distinct requests put to the model in this run.
        n_reused: Questions whose answer was there already.
        n_ok: Of `n_total`, as are the following.
        n_truncated: Replies cut at their token limit.
        n_refused: Replies that decline.
        errors: Questions without an answer, by kind; not_asked where never tried.
        prompt_tokens: Spent in this run.
        completion_tokens: Spent in this run.
        money: Spent in this run, where prices are known.
        stopped: Why the run ended early, if it did.
    """

    n_total: int
    n_not_applicable: int
    n_asked: int
    n_reused: int
    n_ok: int
    n_truncated: int
    n_refused: int
    errors: dict[ErrorKind, int]
    prompt_tokens: int
    completion_tokens: int
    money: float | None
    stopped: StopReason | None

    @property
    def n_errors(self) -> int:
        """Questions without an answer."""
        return sum(self.errors.values())

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the run."""
        return self.stopped in (StopReason.INTERRUPTED, StopReason.TERMINATED)

    def exceeds(self, max_error_rate: float) -> bool:
        """Whether too many questions have no answer to report a metric."""
        return self.n_errors > max_error_rate * self.n_total
