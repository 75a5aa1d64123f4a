"""How far a run is, live: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from medvision.cli.progress import progress_bar
from medvision.models.runner import OnProgress, Progress
from medvision.scoring.running_score import RunningScore

LOG_EVERY_S = 30.0
BAR_EVERY_S = 0.1


@contextmanager
def live_progress(what: str, running: RunningScore) -> Iterator[OnProgress]:
    """Show a run's progress on standard error; gives what the run is to call after each reply."""
    last_s = time.monotonic()
    with ExitStack() as shown:
        # A bar in a log file would be a line of control characters for each reply.
        on_terminal = sys.stderr.isatty()
        move = shown.enter_context(progress_bar(what, "questions")) if on_terminal else None

        def on_progress(progress: Progress) -> None:
            nonlocal last_s
            running.add(progress.question, progress.reply)
            now_s = time.monotonic()
            # The last line always: it holds the counts of the whole run.
            every_s = BAR_EVERY_S if move is not None else LOG_EVERY_S
            if now_s - last_s < every_s and progress.n_done < progress.n_total:
                return
            last_s = now_s
            words = progress_words(progress, running)
            if move is not None:
                move(progress.n_done, progress.n_total, words)
                return
            left = ""
            if progress.left_s is not None:
                left = f", {timedelta(seconds=round(progress.left_s))} left"
            done = f"{progress.n_done}/{progress.n_total} done"
            print(f"{what}: {done}, {words}{left}", file=sys.stderr, flush=True)

        yield on_progress


def progress_words(progress: Progress, running: RunningScore) -> str:
    """Parsed, errors, rate and mean score, of this run so far."""
    means = running.words()  # counts what was parsed, too
    words = [
        f"parsed {running.n_parsed}",
        f"errors {progress.n_errors}",
        f"{progress.per_s:.1f}/s",
        means,
    ]
    return ", ".join(word for word in words if word)
