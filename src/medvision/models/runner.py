"""The run loop: questions to a model, replies to the store, nothing asked twice, nothing lost."""

import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from medvision.errors import ItemError
from medvision.models.base import LocalModel, Question, ResponseStatus, ServedModel
from medvision.models.limits import Spending
from medvision.models.run_plan import Asked, Plan, Tally, over_budget, picture_error, planned_run
from medvision.models.run_words import OnProgress, Progress, RunSettings, RunSummary, StopReason
from medvision.models.served_run import ServedRun, run_served
from medvision.models.store import ResponseStore

__all__ = ["OnProgress", "Progress", "RunSettings", "RunSummary", "StopReason", "run_questions"]

ANSWERS = (ResponseStatus.OK, ResponseStatus.TRUNCATED, ResponseStatus.REFUSED)


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
    plan = planned_run(model, questions, store)
    tally = Tally(
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
        run_served(ServedRun(model, plan, store, settings=settings, tally=tally))
    return _summary(plan, tally, store)


def _run_local(
    model: LocalModel,
    plan: Plan,
    store: ResponseStore,
    *,
    settings: RunSettings,
    tally: Tally,
) -> None:
    end_s = tally.start_s + (settings.time_limit_s or math.inf)
    try:
        for batch in _batches_by_length(plan, model, settings, tally):
            replies = model.replies([asked.question for asked in batch])
            keyed = [(asked.key, reply) for asked, reply in zip(batch, replies, strict=True)]
            store.put_many(keyed, model=model.model_id)
            for asked, reply in zip(batch, replies, strict=True):
                tally.add(asked.question, reply)
            tally.stopped = over_budget(tally.spending)
            if time.monotonic() > end_s:
                tally.stopped = tally.stopped or StopReason.TIME_LIMIT
            if tally.stopped:
                return
    except KeyboardInterrupt as stop:
        # The command line turns SIGTERM into a kind of it.
        is_plain = type(stop) is KeyboardInterrupt
        tally.stopped = StopReason.INTERRUPTED if is_plain else StopReason.TERMINATED


def _batches_by_length(
    plan: Plan, model: LocalModel, settings: RunSettings, tally: Tally
) -> Iterator[list[Asked]]:
    """Batches of questions alike in length, longest first, so that little of a batch is filling."""
    pending = plan.open_questions()
    with ThreadPoolExecutor(settings.n_render_threads, thread_name_prefix="render") as renderers:
        while window := list(islice(pending, model.window_size)):
            window = _with_pictures(window, plan, tally, renderers)
            window.sort(key=lambda asked: _length(asked.question), reverse=True)
            for start in range(0, len(window), model.batch_size):
                yield window[start : start + model.batch_size]


def _with_pictures(
    window: list[Asked], plan: Plan, tally: Tally, renderers: ThreadPoolExecutor
) -> list[Asked]:
    """Those still to be asked once all pictures are drawn; one that cannot be is an error."""
    draws = [asked.question.draw for asked in window]
    drawing = [None if draw is None else renderers.submit(draw) for draw in draws]
    ready: list[Asked] = []
    for asked, picture in zip(window, drawing, strict=True):
        if picture is None:
            ready.append(asked)
            continue
        try:
            drawn = plan.with_picture(asked, picture.result(), tally)
        except (ItemError, OSError) as error:
            reply = picture_error(asked, error)
            plan.store.put(asked.key, reply, model=plan.model.model_id)
            tally.add(asked.question, reply)
        else:
            if drawn is not None:
                ready.append(drawn)
    return ready


def _length(question: Question) -> tuple[int, int]:
    """Pixels and characters: what decides how many tokens a question takes."""
    height_px, width_px = question.pixel_shape[:2]
    return height_px * width_px, len(question.prompt_text)


def _summary(plan: Plan, tally: Tally, store: ResponseStore) -> RunSummary:
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
