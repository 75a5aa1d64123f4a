"""The body of a chat completion, read strictly: a reply, or the reason why it is none.

Nothing is inferred from absence: only a stop reason that is known to end an answer makes one.
"""

import json
import re
from collections.abc import Sequence, Set
from typing import Any

from medvision.models.base import ErrorKind, Failure, Json, Reply, ResponseStatus, error_reply

MAX_REPLY_BYTES = 1_000_000
"""A reply whose text is longer than this is no answer to any question of ours."""

MAX_BODY_BYTES = 4 * MAX_REPLY_BYTES
"""No more of a response is read than this."""

MAX_NAME_CHARACTERS = 200
"""Of what a response calls the model."""

RETRIED_CODES = frozenset({408, 409, 429})
"""HTTP codes of failures that may pass, besides 5xx."""

REFUSAL_CODES = frozenset(
    {
        *("content_filter", "content_policy_violation", "responsibleaipolicyviolation"),
        *("data_inspection_failed", "moderation_blocked", "content_blocked", "safety"),
        *("prohibited_content", "sensitive_content", "content_moderation", "image_safety"),
        *("moderation", "moderated", "content_filtered", "blocklist", "sensitive_words_detected"),
        *("image_content_policy_violation", "guardrail_intervened", "1301"),  # the last is Zhipu's
    }
)
"""Codes and types of error objects by which providers say that a filter of theirs declined."""

_FILTER_WORDS = re.compile(r"(?i)content exists risk|content violates usage guidelines")
"""What DeepSeek (400) and xAI (403) say beside a code that says nothing of it."""

_ENDED = frozenset(
    {
        *("stop", "end_turn", "stop_sequence", "eos", "eos_token", "end", "finish", "finished"),
        *("complete", "completed", "done", "eot", "stop_token", "normal"),
    }
)
_CUT = frozenset(
    {
        *("length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_length"),
        *("token_limit", "model_length", "model_context_window_exceeded"),
    }
)
_DECLINED = frozenset(
    {
        *REFUSAL_CODES,
        *("refusal", "refused", "blocked", "blocklist", "spii", "recitation", "sensitive"),
        *("image_prohibited_content", "error_toxic", "unsafe"),
    }
)
"""Stop reasons as OpenAI, Anthropic, Google, Mistral, Zhipu, AWS and servers of
open weights spell them; what stands in none of the three is an error."""

_REASONING_PARTS = frozenset(
    {
        *("thinking", "reasoning", "reasoning_content", "thought"),
        *("reasoning.text", "reasoning.summary"),  # OpenRouter's reasoning_details
    }
)
_REASONING_NAMES = ("text", "summary", "thinking", "reasoning", "reasoning_content", "thought")
_TEXT_PARTS = frozenset({"text", "output_text"})

_MAX_COUNT = 2**53


def reply_from_body(body: bytes, content_type: str) -> Reply | Failure:
    """What a successful HTTP response holds; never raises on bad content.

    Args:
        body: The response's bytes, decompressed.
        content_type: Its Content-Type header.

    Returns:
        A reply, or a failure of the harness that may pass where another attempt is made.
    """
    kind = content_type.lower()
    # Some proxies send JSON as text; a web page is no completion, whatever it holds.
    if "json" not in kind and not (kind.startswith("text/plain") and body.lstrip()[:1] == b"{"):
        return error_reply(ErrorKind.WRONG_CONTENT_TYPE)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return error_reply(ErrorKind.MALFORMED_JSON)
    if not isinstance(document, dict):
        return error_reply(ErrorKind.MALFORMED_REPLY)
    if document.get("error"):
        return outcome_of_error(document["error"])
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        return error_reply(ErrorKind.EMPTY_CHOICES)
    choice = choices[0]
    if isinstance(choice, dict) and choice.get("error"):
        return outcome_of_error(choice["error"])
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or not isinstance(message.get("content"), str | list | None):
        return error_reply(ErrorKind.MALFORMED_REPLY)
    return _reply(choice, document)


def is_content_filter(error: Any) -> bool:
    """Whether a provider's error object, or its bare words, say that its content filter declined.

    Example:
        >>> is_content_filter("Content violates usage guidelines. Failed check: SAFETY_CHECK")
        True
    """
    if isinstance(error, str):
        return _FILTER_WORDS.match(error) is not None
    if not isinstance(error, dict):
        return False
    if any(is_content_filter(error.get(name)) for name in ("error", "message", "detail")):
        return True
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type")]
    codes += [inner.get("code")] if isinstance(inner, dict) else []
    # OpenRouter's moderation: code 403 like a missing right, told apart by what it holds.
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and {"flagged_input", "reasons"} & set(metadata):
        return True
    return any(isinstance(code, str) and _squeezed(code) in _FILTERS for code in codes)


def _squeezed(word: str) -> str:
    """A code without what spellings of it differ in: "DataInspectionFailed", "data-inspection…".

    Example:
        >>> _squeezed("FinishReason.MAX_TOKENS"), _squeezed("content_filter: violence")
        ('maxtokens', 'contentfilter')
    """
    return _BETWEEN_WORDS.sub("", re.split("[:(]", word)[0].rpartition(".")[2].casefold())


_BETWEEN_WORDS = re.compile(r"[-_\s]")
_FILTERS, _ENDS, _CUTS, _DECLINES = (
    frozenset(map(_squeezed, codes)) for codes in (REFUSAL_CODES, _ENDED, _CUT, _DECLINED)
)


def error_code(error: Any) -> int | None:
    """The HTTP code that an error object states of itself, if it does."""
    if not isinstance(error, dict):
        return None
    for name in ("code", "status", "status_code"):
        value = error.get(name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return value
    return None


def kind_of_code(code: int) -> ErrorKind:
    """What an HTTP code that is no success says."""
    if code == 429:
        return ErrorKind.RATE_LIMITED
    if code >= 500 or code in RETRIED_CODES:
        return ErrorKind.SERVER
    return ErrorKind.REJECTED if code >= 400 else ErrorKind.UNEXPECTED_HTTP


def outcome_of_error(error: Any) -> Reply | Failure:
    """What an error object inside a successful response says."""
    if is_content_filter(error):
        return Reply(status=ResponseStatus.REFUSED, finish_reason="content_filter")
    code = error_code(error)
    words = error.get("message") if isinstance(error, dict) else error
    return Failure(
        kind=ErrorKind.SERVER if code is None else kind_of_code(code),
        http_code=code,
        is_retried=code is not None and (code in RETRIED_CODES or code >= 500),
        server_text=words if isinstance(words, str) else "",
    )


def _reply(choice: Json, document: Json) -> Reply | Failure:
    message: Json = choice["message"]
    stated = choice.get("finish_reason")
    stated = stated if isinstance(stated, str) else ""
    refusal = text_of(message.get("refusal")) or _joined(
        message.get("content"), {"refusal"}, ("refusal", "text")
    )
    text = text_of(message.get("content")) or refusal
    reasoning = (
        text_of(message.get("reasoning_content"))
        or text_of(message.get("reasoning"))
        or text_of(message.get("thinking"))
        or reasoning_of(message.get("reasoning_details"))
        or reasoning_of(message.get("content"))
    )
    if len(text) + len(reasoning) > MAX_REPLY_BYTES:
        return error_reply(ErrorKind.OVERSIZED)
    # Azure and others add a reason: "content_filter: violence".
    word = _squeezed(stated)
    if refusal or word in _DECLINES:
        status = ResponseStatus.REFUSED
    elif word in _CUTS:
        status = ResponseStatus.TRUNCATED
    elif word in _ENDS:
        status = ResponseStatus.OK
    else:
        found = f"finish_reason {stated!r}" if stated else "no finish_reason"
        words = f"{found}: not known to end an answer"
        # Not at once again: where a server never says how it stopped, eight tries a question would
        # take hours to tell so.
        return Failure(
            kind=ErrorKind.UNKNOWN_STOP, http_code=200, is_retried=False, server_text=words
        )
    usage, named = document.get("usage"), document.get("model")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        status=status,
        text=text,
        reasoning=reasoning,
        finish_reason=stated,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        served_model=named.strip()[:MAX_NAME_CHARACTERS] if isinstance(named, str) else "",
    )


def text_of(content: Any) -> str:
    """Text of a message's content: a string, or the text parts of a list, no others.

    Example:
        >>> text_of([{"type": "thinking", "thinking": "12?"}, {"type": "text", "text": "25"}])
        '25'
    """
    if isinstance(content, str):
        return content
    return _joined(content, _TEXT_PARTS)


def reasoning_of(content: Any) -> str:
    """Reasoning that stands among the parts of a message's content.

    Example:
        >>> reasoning_of([{"type": "thinking", "thinking": "12?"}, {"type": "text", "text": "25"}])
        '12?'
    """
    return _joined(content, _REASONING_PARTS, _REASONING_NAMES)


def _joined(content: Any, kinds: Set[str], names: Sequence[str] = ("text",)) -> str:
    """What the parts of some kinds hold under the first of some names that they have."""
    found: list[str] = []
    for part in content if isinstance(content, list) else ():
        # A part without a type is text, as older servers wrote it.
        if isinstance(part, dict) and part.get("type", "text") in kinds:
            held = [part.get(name) for name in names]
            # One level deeper in some: {"text": {"value": "25"}}, Mistral's thinking as parts.
            held += [one.get("value") for one in held if isinstance(one, dict)]
            held += [text_of(one) for one in held if isinstance(one, list)]
            found += [next((one for one in held if isinstance(one, str)), "")]
    return "".join(found)


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_COUNT
    return value if is_count else None
