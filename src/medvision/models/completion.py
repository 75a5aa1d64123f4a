"""The body of a chat completion, read strictly: a reply, or the reason why it is none."""

import json
from typing import Any

from medvision.models.base import ErrorKind, Json, Reply, ResponseStatus, error_reply

MAX_REPLY_BYTES = 1_000_000
"""A reply whose text is longer than this is no answer to any question of ours."""

MAX_BODY_BYTES = 4 * MAX_REPLY_BYTES
"""No more of a response is read than this."""

REFUSAL_CODES = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation"}
)

_MAX_COUNT = 2**53


def reply_from_body(body: bytes, content_type: str) -> Reply:
    """The reply that a successful HTTP response holds; never raises on bad content.

    Args:
        body: The response's bytes, decompressed.
        content_type: Its Content-Type header.
    """
    if "json" not in content_type.lower():
        return error_reply(ErrorKind.WRONG_CONTENT_TYPE)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return error_reply(ErrorKind.MALFORMED_JSON)
    if not isinstance(document, dict):
        return error_reply(ErrorKind.MALFORMED_REPLY)
    if document.get("error"):
        return _error_object(document["error"])
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        return error_reply(ErrorKind.EMPTY_CHOICES)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return error_reply(ErrorKind.MALFORMED_REPLY)
    if not isinstance(message.get("content"), str | list | None):
        return error_reply(ErrorKind.MALFORMED_REPLY)
    return _reply(choice, document.get("usage"))


def is_content_filter(error: Any) -> bool:
    """Whether a provider's error object says that its content filter declined."""
    if not isinstance(error, dict):
        return False
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type")]
    codes += [inner.get("code")] if isinstance(inner, dict) else []
    return any(isinstance(code, str) and code.lower() in REFUSAL_CODES for code in codes)


def _error_object(error: Any) -> Reply:
    if is_content_filter(error):
        return Reply(status=ResponseStatus.REFUSED, finish_reason="content_filter")
    return error_reply(ErrorKind.SERVER)


def _reply(choice: Json, usage: Any) -> Reply:
    message: Json = choice["message"]
    finish_reason = choice.get("finish_reason")
    finish_reason = finish_reason if isinstance(finish_reason, str) else ""
    refusal = _text(message.get("refusal"))
    text = _text(message.get("content")) or refusal
    reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    if finish_reason == "error":
        return error_reply(ErrorKind.SERVER)
    if len(text) + len(reasoning) > MAX_REPLY_BYTES:
        return error_reply(ErrorKind.OVERSIZED)
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        status=_status(finish_reason, refused=bool(refusal)),
        text=text,
        reasoning=reasoning,
        finish_reason=finish_reason,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
    )


def _status(finish_reason: str, *, refused: bool) -> ResponseStatus:
    if refused or finish_reason == "content_filter":
        return ResponseStatus.REFUSED
    if finish_reason == "length":
        return ResponseStatus.TRUNCATED
    return ResponseStatus.OK


def _text(content: Any) -> str:
    """Text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_COUNT
    return value if is_count else None
