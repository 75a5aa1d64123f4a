"""How far a run is, live: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from medvision.cli.progress import progress_bar
from medvision.models.runner import OnProgress, Progress
from medvision.scoring.running_score import RunningScore

LOG_EVERY_S = 30.0


@contextmanager
def live_progress(what: str, running: RunningScore) -> Iterator[OnProgress]:
    """Show a run's progress on standard error; gives what the run is to call after each reply."""
    if sys.stderr.isatty():
        with progress_bar(what, "questions") as move:
            yield _Shown(running, lambda progress, words: _move(move, progress, words))
    else:
        yield _Shown(running, _log(what))


class _Shown:
    """Takes in every reply, and passes the state on in words."""

    def __init__(self, running: RunningScore, show: Callable[[Progress, str], None]) -> None:
        self._running, self._show = running, show

    def __call__(self, progress: Progress) -> None:
        self._running.add(progress.question, progress.reply)
        self._show(progress, progress_words(progress, self._running))


def progress_words(progress: Progress, running: RunningScore) -> str:
    """Parsed, errors, rate and mean score, of this run so far."""
    words = [
        f"parsed {running.n_parsed}",
        f"errors {progress.n_errors}",
        f"{progress.per_s:.1f}/s",
        running.words(),
    ]
    return ", ".join(word for word in words if word)


def _move(move: Callable[[int, int, str], None], progress: Progress, words: str) -> None:
    move(progress.n_done, progress.n_total, words)


def _log(what: str) -> Callable[[Progress, str], None]:
    last_s = time.monotonic()

    def show(progress: Progress, words: str) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < LOG_EVERY_S and progress.n_done < progress.n_total:
            return
        last_s = now_s
        left = "" if progress.left_s is None else f", {_duration(progress.left_s)} left"
        print(
            f"{what}: {progress.n_done}/{progress.n_total} done, {words}{left}",
            file=sys.stderr,
            flush=True,
        )

    return show


def _duration(seconds: float) -> str:
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest_s:02d}"
