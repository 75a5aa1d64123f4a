"""What went wrong with one attempt, and whether another one may go better."""

import importlib
import importlib.util
import re
from collections.abc import Mapping
from typing import Any

import openai

from medvision import waits
from medvision.models.base import AccessRefusedError, ErrorKind, Failure, Reply, ResponseStatus
from medvision.models.completion import RETRIED_CODES, is_content_filter, kind_of_code


def _transport_errors() -> tuple[type[Exception], ...]:
    found = (name for name in waits.HTTP_LIBRARIES if importlib.util.find_spec(name))
    return tuple(importlib.import_module(name).HTTPError for name in found)


TRANSPORT_ERRORS: tuple[type[Exception], ...] = (openai.APIConnectionError, *_transport_errors())
"""What a connection raises that fails before the reply's last byte."""

UNPAID_CODES = frozenset(
    {
        *("insufficient_quota", "billing_hard_limit_reached", "insufficient_credits", "no_credits"),
        *("insufficient_balance", "arrearage", "payment_required", "billing_error"),
    }
)
_UNPAID_WORDS = re.compile(
    r"(?i)credit balance is too low|\binsufficient (?:credits?|balance|funds)\b"
    r"|\b(?:no|out of|run out of) credits?\b"
)
"""What some say with 400, 403 or 429. "Exceeded your current quota" may be a limit a minute."""


def failure_of_transport(error: Exception) -> Failure:
    """Failure of a connection that could not be made, broke, or was too slow to be made.

    A connect timeout counts as unreachable; a server that accepts but is slow does not.
    """
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    name = type(cause or error).__name__
    is_timeout = isinstance(error, openai.APITimeoutError) or name.endswith("Timeout")
    if is_timeout and name != "ConnectTimeout":
        return Failure(kind=ErrorKind.TIMEOUT)
    return Failure(kind=ErrorKind.CONNECTION)


def failure_of_status(error: openai.APIStatusError) -> Failure | Reply:
    """Failure that an HTTP status states, or the refusal of a provider's content filter.

    Raises:
        AccessRefusedError: The key is not accepted, or nothing is left to spend.
    """
    code, words = error.status_code, _server_words(error)
    if is_content_filter(error.body):
        return Reply(status=ResponseStatus.REFUSED, finish_reason="content_filter", http_code=code)
    if code == 401 or _is_unpaid(code, error.body, words):
        raise access_refused(code, is_unpaid=code != 401)
    return Failure(
        kind=kind_of_code(code),
        http_code=code,
        is_retried=code in RETRIED_CODES or code >= 500,
        retry_after_s=retry_after_s(error.response.headers),
        server_text=words,
    )


def _server_words(error: openai.APIStatusError) -> str:
    """What a server says, wherever it says it.

    The client's own message holds the words of `{"error": {"message": …}}` only. Others write
    `{"error": …}` (Text Generation Inference, xAI) or `{"detail": …}` (FastAPI), or plain text.
    """
    body = error.body
    if body is None:  # never read
        return str(error.message)
    stated = body if isinstance(body, dict) else {"message": body}
    words = (stated.get(name) for name in ("message", "detail"))
    text = error.response.text.strip()
    return f"Error code: {error.status_code} - " + next(
        (word for word in words if isinstance(word, str) and word), text
    )


def access_refused(code: int, *, is_unpaid: bool = False) -> AccessRefusedError:
    """The error that stops a run, in words that hold nothing the server or the user said."""
    advice = {
        401: "check the API key in the variable that --api-key-env names",
        403: "check that this key may use this model",
        404: "check --base-url (it ends in /v1 for most servers) and the model's name",
    }
    unpaid = "no credits are left: check the account's quota and payment, or use another key"
    told = unpaid if is_unpaid else advice.get(code, unpaid)
    return AccessRefusedError(f"expected the server to answer, found HTTP {code}; {told}")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait, from Retry-After (seconds or date) or its ms form."""
    milliseconds = waits.number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return waits.retry_after_s(headers.get("retry-after"))


def _is_unpaid(code: int, body: Any, words: str) -> bool:
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    stated = body if isinstance(body, dict) else {}
    codes = {str(stated.get(name)).lower() for name in ("code", "type")}
    is_said = code < 500 and _UNPAID_WORDS.search(words) is not None
    return code == 402 or not UNPAID_CODES.isdisjoint(codes) or is_said
