"""A run against a served model: workers that share one stream of questions."""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from medvision.errors import ItemError
from medvision.models.base import (
    AccessRefusedError,
    ErrorKind,
    Reply,
    ServedModel,
    ServerDeadError,
    error_reply,
)
from medvision.models.run_plan import Asked, Plan, Tally, over_budget, picture_error
from medvision.models.run_words import RunSettings, StopReason
from medvision.models.spelling import is_same_model
from medvision.models.store import ResponseStore

logger = logging.getLogger(__name__)

STAGGER_S = 0.01
"""Time between the starts of two workers. Started at once they would stay in step: each round's
replies come together, wait for each other's handling, and leave the server idle meanwhile."""


class ServedRun:
    """A run under way against a served model: workers that share one stream of questions."""

    def __init__(
        self,
        model: ServedModel,
        plan: Plan,
        store: ResponseStore,
        *,
        settings: RunSettings,
        tally: Tally,
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
        self._served = store.notes.served()
        self._n_signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_interrupted_early = False
        self._starting = threading.Lock()

    async def run(self) -> None:
        """Ask until all is answered or something ends the run; what came is in the store."""
        with self._starting:
            self._loop = asyncio.get_running_loop()
        if self._is_interrupted_early:
            self._interrupted(signal.SIGINT)
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
                if over := over_budget(self._tally.spending):
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

    async def _ask(self, asked: Asked) -> None:
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
            self._record(asked, picture_error(asked, error))
            return
        self._record(asked, await self._model.reply(asked.question, image_png))

    def _record(self, asked: Asked, reply: Reply) -> None:
        self._store.put(asked.key, reply, model=self._model.model_id)
        if not reply.is_answer:
            self._failed.add(asked.key)
        elif reply.served_model and reply.served_model not in self._served:
            self._note_served(reply.served_model)
        self._tally.add(asked.question, reply)

    def _note_served(self, name: str) -> None:
        """Keep a name that no response had before; say it once where it is of another model."""
        asked = self._model.model_id.removeprefix("openai/")
        if self._served and not is_same_model(self._served[0], name):
            former = self._served[0]
            logger.warning("%s: responses name %r now, not %r", self._model.model_id, name, former)
        elif not self._served and not is_same_model(asked, name):
            logger.warning("%s: responses name another model: %r", self._model.model_id, name)
        self._served.append(name)
        self._store.notes.note_served(name)

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
            loop.add_signal_handler(name, self._interrupted, name)
        try:
            yield
        finally:
            for name in names:
                loop.remove_signal_handler(name)
                signal.signal(name, former[name])

    def interrupt_from_another_thread(self) -> None:
        """What a Ctrl-C does; one that comes before the run has its loop is kept for then."""
        with self._starting:
            if self._loop is None:
                self._is_interrupted_early = True
            else:
                self._loop.call_soon_threadsafe(self._interrupted, signal.SIGINT)

    def _interrupted(self, number: signal.Signals) -> None:
        self._n_signals += 1
        if self._n_signals > 1:
            for worker in self._workers:
                worker.cancel()
            return
        logger.warning(
            "stopping: waiting up to %g s for questions under way", self._settings.grace_s
        )
        is_term = number is signal.SIGTERM
        self._end(StopReason.TERMINATED if is_term else StopReason.INTERRUPTED)


def run_served(run: ServedRun) -> None:
    """Run in an event loop of its own; beside the caller's, where that is in one (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run.run())
        return None
    with ThreadPoolExecutor(1, thread_name_prefix="run") as beside:
        ended = beside.submit(asyncio.run, run.run())
        while True:
            try:
                return ended.result()
            except KeyboardInterrupt:
                run.interrupt_from_another_thread()
