"""What happened to questions without an answer, and what to do, in lines for the end of a run."""

from pathlib import Path

from medvision.models.base import ErrorKind
from medvision.models.run_folder import store_path
from medvision.models.store import ResponseStore

ADVICE = {
    ErrorKind.CONNECTION: "check that the server runs and --base-url, then run it again",
    ErrorKind.TIMEOUT: "run it again, with a lower --concurrency or a longer --timeout",
    ErrorKind.RATE_LIMITED: "run it again later, or with a lower --concurrency",
    ErrorKind.SERVER: "run it again; the server's own log says more",
    ErrorKind.REJECTED: "change the setting that the server names, or shrink the picture",
    ErrorKind.UNEXPECTED_HTTP: "check --base-url: the server answers with a redirect or the like",
    ErrorKind.WRONG_CONTENT_TYPE: "check --base-url: what answers there is no model server",
    ErrorKind.MALFORMED_JSON: "run it again; if it stays, the server's replies are broken",
    ErrorKind.MALFORMED_REPLY: "check that the server speaks the chat completions protocol",
    ErrorKind.EMPTY_CHOICES: "run it again; if it stays, ask the provider",
    ErrorKind.UNKNOWN_STOP: "run it again; the server broke off, or states no known finish_reason",
    ErrorKind.OVERSIZED: "set --max-tokens: replies are longer than any answer",
    ErrorKind.IMAGE: "see the messages above: the pictures could not be made",
    ErrorKind.OUT_OF_MEMORY: "lower --batch-size, or use a smaller picture",
    ErrorKind.BREAKER_OPEN: "check that the server runs, then run it again",
    ErrorKind.NOT_ASKED: "run it again to ask them",
}
"""What to do about each kind of error."""


def failure_lines(run: Path) -> list[str]:
    """Kinds of error with counts, the server's words and advice; and replies of reasoning alone.

    Args:
        run: Run folder; the errors of its current questions are told.
    """
    with ResponseStore(store_path(run), must_exist=True) as store:
        failures, n_reasoning = store.failures(), store.n_only_reasoning()
    lines = []
    for failure in failures:
        code = f" (HTTP {failure.http_code})" if failure.http_code else ""
        said = " ".join(failure.message.split())
        words = f": {said!r}" if said else ""
        lines.append(f"{failure.n} {failure.kind}{code}{words}; {ADVICE[failure.kind]}")
    if n_reasoning:
        lines.append(
            f"{n_reasoning} replies hold reasoning and no text, so nothing was read from them; "
            "give the server a reasoning parser, switch thinking off, or raise --max-tokens"
        )
    return lines
