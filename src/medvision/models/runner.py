"""The run loop: questions to a model, replies to the store, nothing asked twice, nothing lost."""

import asyncio
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any

from medvision.errors import ItemError, UsageError
from medvision.models.base import (
    AccessRefusedError,
    Drawn,
    ErrorKind,
    LocalModel,
    Question,
    Reply,
    ResponseStatus,
    ServedModel,
    ServerDeadError,
    error_reply,
)
from medvision.models.keys import request_key
from medvision.models.limits import Budget, Spending
from medvision.models.store import DrawnSlice, RequestRow, ResponseStore

logger = logging.getLogger(__name__)

STAGGER_S = 0.01
"""Time between the starts of two workers. Started at once they would stay in step: each round's
replies come together, wait for each other's handling, and leave the server idle meanwhile."""

ANSWERS = (ResponseStatus.OK, ResponseStatus.TRUNCATED, ResponseStatus.REFUSED)


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
        if self.time_limit_s is not None and self.time_limit_s <= 0:
            msg = f"expected a positive time limit, found {self.time_limit_s}"
            raise UsageError(msg)
        if self.concurrency < 1:
            msg = f"expected a concurrency of at least 1, found {self.concurrency}"
            raise UsageError(msg)


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
        """Whether the user ended the run."""
        return self.stopped is StopReason.INTERRUPTED

    def exceeds(self, max_error_rate: float) -> bool:
        """Whether too many questions have no answer to report a metric."""
        return self.n_errors > max_error_rate * self.n_total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A question with the key of its request."""

    key: str
    question: Question


@dataclass(slots=True, kw_only=True)
class _Plan:
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
    claimed: set[str] = field(default_factory=set)

    def open_questions(self) -> Iterator[_Asked]:
        """Each unanswered request once, made only when it is its turn."""
        for key, question in zip(self.keys, self.questions, strict=True):
            if key in self.unanswered:
                self.unanswered.discard(key)
                self.claimed.add(key)
                yield _Asked(key=key, question=question)

    def with_picture(self, asked: _Asked, picture: Drawn, tally: "_Tally") -> _Asked | None:
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
        return _Asked(key=key, question=question)


@dataclass(slots=True, kw_only=True)
class _Tally:
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


def run_questions(
    model: ServedModel | LocalModel,
    questions: Iterable[Question],
    *,
    store: ResponseStore,
    settings: RunSettings | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Put to the model every question that the store holds no answer to.

    The questions become the store's current requests before anything is asked. A container of
    questions is walked twice and none of it kept; an iterator is collected first.

    Args:
        model: Who is asked.
        questions: In the order to ask them; pictures are made only for those asked.
        store: Where replies go, each as soon as it came.
        settings: How many at once, and what may be spent.
        on_progress: Called after every reply, in the thread of the caller, or in one of its
            own where the caller's runs an event loop (a notebook).

    Raises:
        AccessRefusedError: The server accepts nothing from this user; what came before is kept.
        DuplicateRequestError: Two questions share sample and repeat.
    """
    settings = settings or RunSettings()
    plan = _planned(model, questions, store)
    tally = _Tally(
        n_reused=plan.n_reused,
        n_total=plan.n_reused + len(plan.unanswered),
        spending=Spending(settings.budget),
        on_progress=on_progress,
    )
    if not plan.unanswered:
        return _summary(plan, tally, store)
    if isinstance(model, LocalModel):
        _run_local(model, plan, store, settings=settings, tally=tally)
    else:
        _run_served(_ServedRun(model, plan, store, settings=settings, tally=tally))
    return _summary(plan, tally, store)


def _planned(
    model: ServedModel | LocalModel, questions: Iterable[Question], store: ResponseStore
) -> _Plan:
    if iter(questions) is questions:
        questions = list(questions)
    applicable = _Applicable(questions, model)
    keys: list[str] = []

    def rows() -> Iterator[RequestRow]:
        for question in applicable:
            keys.append(request_key(question, model))
            yield RequestRow(
                sample_id=question.sample.sample_id,
                repeat=question.repeat,
                key=keys[-1],
                prompt=question.prompt_text,
            )

    store.set_requests(rows())
    unanswered = store.unanswered_keys()
    return _Plan(
        model=model,
        store=store,
        questions=applicable,
        keys=keys,
        unanswered=unanswered,
        n_not_applicable=applicable.n_left_out,
        n_reused=sum(key not in unanswered for key in keys),
    )


class _Applicable:
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


def _run_local(
    model: LocalModel,
    plan: _Plan,
    store: ResponseStore,
    *,
    settings: RunSettings,
    tally: _Tally,
) -> None:
    end_s = tally.start_s + (settings.time_limit_s or math.inf)
    try:
        for batch in _batches_by_length(plan, model, settings, tally):
            replies = model.replies([asked.question for asked in batch])
            keyed = [(asked.key, reply) for asked, reply in zip(batch, replies, strict=True)]
            store.put_many(keyed, model=model.model_id)
            for asked, reply in zip(batch, replies, strict=True):
                tally.add(asked.question, reply)
            tally.stopped = _over_budget(tally.spending)
            if time.monotonic() > end_s:
                tally.stopped = tally.stopped or StopReason.TIME_LIMIT
            if tally.stopped:
                return
    except KeyboardInterrupt:
        tally.stopped = StopReason.INTERRUPTED


def _batches_by_length(
    plan: _Plan, model: LocalModel, settings: RunSettings, tally: _Tally
) -> Iterator[list[_Asked]]:
    """Batches of questions alike in length, longest first, so that little of a batch is filling."""
    pending = plan.open_questions()
    with ThreadPoolExecutor(settings.n_render_threads, thread_name_prefix="render") as renderers:
        while window := list(islice(pending, model.window_size)):
            window = _with_pictures(window, plan, tally, renderers)
            window.sort(key=lambda asked: _length(asked.question), reverse=True)
            for start in range(0, len(window), model.batch_size):
                yield window[start : start + model.batch_size]


def _with_pictures(
    window: list[_Asked], plan: _Plan, tally: _Tally, renderers: ThreadPoolExecutor
) -> list[_Asked]:
    """Those still to be asked once all pictures are drawn; one that cannot be is an error."""
    draws = [asked.question.draw for asked in window]
    drawing = [None if draw is None else renderers.submit(draw) for draw in draws]
    ready: list[_Asked] = []
    for asked, picture in zip(window, drawing, strict=True):
        if picture is None:
            ready.append(asked)
            continue
        try:
            drawn = plan.with_picture(asked, picture.result(), tally)
        except (ItemError, OSError) as error:
            reply = _picture_error(asked, error)
            plan.store.put(asked.key, reply, model=plan.model.model_id)
            tally.add(asked.question, reply)
        else:
            if drawn is not None:
                ready.append(drawn)
    return ready


def _picture_error(asked: _Asked, error: Exception) -> Reply:
    logger.warning("%s: picture not made: %s", asked.question.sample.sample_id, error)
    return error_reply(ErrorKind.IMAGE)


def _length(question: Question) -> tuple[int, int]:
    """Pixels and characters: what decides how many tokens a question takes."""
    height_px, width_px = question.pixel_shape[:2]
    return height_px * width_px, len(question.prompt_text)


def _over_budget(spending: Spending) -> StopReason | None:
    if spending.is_exhausted:
        return StopReason.BUDGET
    return StopReason.BUDGET_UNKNOWN if spending.is_unknown else None


def _run_served(run: "_ServedRun") -> None:
    """Run in an event loop of its own; beside the caller's, where that is in one (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run.run())
        return
    with ThreadPoolExecutor(1, thread_name_prefix="run") as beside:
        ended = beside.submit(asyncio.run, run.run())
        try:
            ended.result()
        except KeyboardInterrupt:
            run.interrupt_from_another_thread()
            ended.result()


class _ServedRun:
    """A run under way against a served model: workers that share one stream of questions."""

    def __init__(
        self,
        model: ServedModel,
        plan: _Plan,
        store: ResponseStore,
        *,
        settings: RunSettings,
        tally: _Tally,
    ) -> None:
        self._model = model
        self._plan = plan
        self._store = store
        self._settings = settings
        self._tally = tally
        self._pending = plan.open_questions()
        self._n_workers = min(settings.concurrency, len(plan.unanswered))
        self._stop = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._renderers = ThreadPoolExecutor(settings.n_render_threads, thread_name_prefix="render")
        self._fatal: AccessRefusedError | None = None
        self._dead: ServerDeadError | None = None
        self._failed: set[str] = set()
        self._n_signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Ask until all is answered or something ends the run; what came is in the store."""
        self._loop = asyncio.get_running_loop()
        if self._settings.time_limit_s is not None:
            self._loop.call_later(self._settings.time_limit_s, self._end, StopReason.TIME_LIMIT)
        try:
            with self._on_signals():
                self._workers = [
                    asyncio.create_task(self._work(number * STAGGER_S))
                    for number in range(self._n_workers)
                ]
                await self._until_done_or_stopped()
        finally:
            self._renderers.shutdown(wait=False, cancel_futures=True)
            await self._model.aclose()
        if self._fatal:
            raise self._fatal
        if self._dead:
            self._give_up_rest(self._dead)

    async def _work(self, start_after_s: float) -> None:
        try:
            await asyncio.sleep(start_after_s)
            if self._stop.is_set():
                return
            for asked in self._pending:
                await self._ask(asked)
                if over := _over_budget(self._tally.spending):
                    self._end(over)
                if self._stop.is_set():
                    return
        except AccessRefusedError as error:
            self._fatal = error
        except ServerDeadError as error:
            self._dead = error
        finally:
            if self._fatal or self._dead:
                self._stop.set()

    async def _ask(self, asked: _Asked) -> None:
        question, image_png = asked.question, b""
        in_pool = partial(asyncio.get_running_loop().run_in_executor, self._renderers)
        try:
            if question.draw is not None:
                picture = await in_pool(question.draw)
                drawn = self._plan.with_picture(asked, picture, self._tally)
                if drawn is None:
                    return
                asked, image_png = drawn, picture.png
            elif question.image_png is not None:
                image_png = await in_pool(question.image_png)
        except (ItemError, OSError) as error:
            self._record(asked, _picture_error(asked, error))
            return
        self._record(asked, await self._model.reply(asked.question, image_png))

    def _record(self, asked: _Asked, reply: Reply) -> None:
        self._store.put(asked.key, reply, model=self._model.model_id)
        if not reply.is_answer:
            self._failed.add(asked.key)
        self._tally.add(asked.question, reply)

    async def _until_done_or_stopped(self) -> None:
        stopping: asyncio.Future[Any] = asyncio.create_task(self._stop.wait())
        everyone: asyncio.Future[Any] = asyncio.gather(*self._workers)
        await asyncio.wait([stopping, everyone], return_when=asyncio.FIRST_COMPLETED)
        if self._stop.is_set():
            await asyncio.wait(self._workers, timeout=self._settings.grace_s)
        stopping.cancel()
        for worker in self._workers:
            worker.cancel()
        outcomes = await asyncio.gather(*self._workers, everyone, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _end(self, reason: StopReason) -> None:
        self._tally.stopped = self._tally.stopped or reason
        self._stop.set()

    def _give_up_rest(self, error: ServerDeadError) -> None:
        """Record what was not asked as given up, in one commit and without a request."""
        logger.error("%s: %s", self._model.model_id, error)
        self._tally.stopped = StopReason.BREAKER_OPEN
        given_up = error_reply(ErrorKind.BREAKER_OPEN)
        keys = self._store.unanswered_keys() - self._failed
        self._store.put_many(((key, given_up) for key in keys), model=self._model.model_id)

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        """Turn the first Ctrl-C (or SIGTERM) into an orderly stop, the second into a quick one."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        names = (signal.SIGINT, signal.SIGTERM)
        former = {name: signal.getsignal(name) for name in names}
        for name in names:
            loop.add_signal_handler(name, self._interrupted)
        try:
            yield
        finally:
            for name in names:
                loop.remove_signal_handler(name)
                signal.signal(name, former[name])

    def interrupt_from_another_thread(self) -> None:
        """What the first Ctrl-C does."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._interrupted)

    def _interrupted(self) -> None:
        self._n_signals += 1
        if self._n_signals > 1:
            for worker in self._workers:
                worker.cancel()
            return
        logger.warning(
            "stopping: waiting up to %g s for questions under way", self._settings.grace_s
        )
        self._end(StopReason.INTERRUPTED)


def _summary(plan: _Plan, tally: _Tally, store: ResponseStore) -> RunSummary:
    counts = store.status_counts()
    by_status = {count.status: count.n for count in counts if count.status in ANSWERS}
    return RunSummary(
        n_total=len(plan.keys),
        n_not_applicable=plan.n_not_applicable,
        n_asked=tally.n_asked,
        n_reused=plan.n_reused,
        n_ok=by_status.get(ResponseStatus.OK, 0),
        n_truncated=by_status.get(ResponseStatus.TRUNCATED, 0),
        n_refused=by_status.get(ResponseStatus.REFUSED, 0),
        errors={count.error_kind: count.n for count in counts if count.error_kind},
        prompt_tokens=tally.spending.prompt_tokens,
        completion_tokens=tally.spending.completion_tokens,
        money=tally.spending.money,
        stopped=tally.stopped,
    )
