"""Bodies of HTTP 200 responses become replies, or errors that carry none of their text."""

import json

import pytest

from medvision.models.base import ErrorKind, Failure, ResponseStatus
from medvision.models.completion import MAX_REPLY_BYTES, is_content_filter, reply_from_body

JSON = "application/json; charset=utf-8"


def body_of(message=None, finish_reason="stop", **changes) -> bytes:
    choice = {"index": 0, "finish_reason": finish_reason, "message": message or {"content": "25"}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return json.dumps({"choices": [choice], "usage": usage, **changes}).encode()


def test_plain_reply():
    reply = reply_from_body(body_of(), JSON)
    assert (reply.status, reply.text, reply.finish_reason) == (ResponseStatus.OK, "25", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (10, 5)


@pytest.mark.parametrize(
    ("message", "finish_reason", "status", "text"),
    [
        ({"content": "25, 1"}, "length", "truncated", "25, 1"),
        ({"content": None, "reasoning_content": "so"}, "length", "truncated", ""),
        ({"content": None, "refusal": "I cannot."}, "stop", "refused", "I cannot."),
        ({"content": ""}, "content_filter", "refused", ""),
        ({"content": None}, "stop", "ok", ""),
        (
            {"content": [{"type": "text", "text": "2"}, {"type": "text", "text": "5"}]},
            "stop",
            "ok",
            "25",
        ),
        ({"content": "25"}, "STOP", "ok", "25"),
        ({"content": "25"}, "end_turn", "ok", "25"),
        ({"content": "25"}, "MAX_TOKENS", "truncated", "25"),
        ({"content": "25"}, "max_output_tokens", "truncated", "25"),
        ({"content": ""}, "SAFETY", "refused", ""),
        ({"content": "2"}, "PROHIBITED_CONTENT", "refused", "2"),
        ({"content": "2"}, "content_filter: violence", "refused", "2"),
        ({"content": "25"}, "eos", "ok", "25"),
        ({"content": "25"}, "FinishReason.STOP", "ok", "25"),
        ({"content": "25"}, " Stop ", "ok", "25"),
        ({"content": "25"}, "endTurn", "ok", "25"),
        ({"content": "25"}, "FinishReason.MAX_TOKENS", "truncated", "25"),
        ({"content": "25"}, "max-tokens", "truncated", "25"),
        ({"content": "25"}, "maxOutputTokens", "truncated", "25"),
        ({"content": "2"}, "content-filter", "refused", "2"),
        ({"content": "2"}, "ContentFilter (violence)", "refused", "2"),
        ({"content": "2"}, "IMAGE_SAFETY", "refused", "2"),
        ({"content": "2"}, "ERROR_TOXIC", "refused", "2"),
        (
            {"content": [{"type": "refusal", "refusal": "I cannot."}]},
            "stop",
            "refused",
            "I cannot.",
        ),
        ({"content": [{"type": "text", "text": {"value": "25"}}]}, "stop", "ok", "25"),
        ({"content": [{"type": "text", "thinking": "25"}]}, "stop", "ok", ""),
        ({"content": [{"type": "image_url", "text": "25"}]}, "stop", "ok", ""),
        ({"content": [{"type": "tool_use", "text": "25"}, "25", None]}, "stop", "ok", ""),
        ({"content": [{"type": "redacted_thinking", "data": "25"}]}, "stop", "ok", ""),
    ],
)
def test_status_of_a_completion(message, finish_reason, status, text):
    reply = reply_from_body(body_of(message, finish_reason), JSON)
    assert (reply.status, reply.text) == (status, text)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_kept_apart(name):
    reply = reply_from_body(body_of({"content": "25", name: "First, 99."}), JSON)
    assert (reply.text, reply.reasoning) == ("25", "First, 99.")


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"<html>25</html>", "text/html", ErrorKind.WRONG_CONTENT_TYPE),
        (body_of(), "", ErrorKind.WRONG_CONTENT_TYPE),
        (b"<html>25</html>", JSON, ErrorKind.MALFORMED_JSON),
        (b'{"choices": [{"message": {"content": "25', JSON, ErrorKind.MALFORMED_JSON),
        (b"\xff\xfe\x00", JSON, ErrorKind.MALFORMED_JSON),
        (b"", JSON, ErrorKind.MALFORMED_JSON),
        (b"[" * 200_000, JSON, ErrorKind.MALFORMED_JSON),
        (b"25", JSON, ErrorKind.MALFORMED_REPLY),
        (b"[25]", JSON, ErrorKind.MALFORMED_REPLY),
        (b"{}", JSON, ErrorKind.EMPTY_CHOICES),
        (b'{"choices": []}', JSON, ErrorKind.EMPTY_CHOICES),
        (b'{"choices": null}', JSON, ErrorKind.EMPTY_CHOICES),
        (b'{"choices": [25]}', JSON, ErrorKind.MALFORMED_REPLY),
        (b'{"choices": [{"message": "25"}]}', JSON, ErrorKind.MALFORMED_REPLY),
        (b'{"choices": [{"message": {"content": 25}}]}', JSON, ErrorKind.MALFORMED_REPLY),
        (body_of({"content": "1" * (MAX_REPLY_BYTES + 1)}), JSON, ErrorKind.OVERSIZED),
    ],
    ids=range(16),
)
def test_what_is_no_completion_is_an_error_without_text(body, content_type, kind):
    reply = reply_from_body(body, content_type)
    assert reply.status is ResponseStatus.ERROR
    assert reply.error_kind is kind
    assert reply.text == reply.reasoning == ""


def test_content_filter_object_is_a_refusal():
    body = json.dumps({"error": {"code": "content_filter", "message": "25"}}).encode()
    reply = reply_from_body(body, JSON)
    assert (reply.status, reply.text) == (ResponseStatus.REFUSED, "")


@pytest.mark.parametrize("count", [-1, 1.5, "7", True, 2**70, None])
def test_impossible_token_counts_are_left_out(count):
    reply = reply_from_body(body_of(usage={"prompt_tokens": count}), JSON)
    assert reply.status is ResponseStatus.OK
    assert reply.prompt_tokens is None


@pytest.mark.parametrize(
    "stated",
    [
        *("abort", "insufficient_system_resource", "error", "tool_calls", "no such", "", None),
        *("FinishReason.OTHER", "FINISH_REASON_UNSPECIFIED", "MALFORMED_FUNCTION_CALL"),
        *(
            "pause_turn",
            "unstopped",
            "stop_error",
            "RECITATION_CHECK",
            {"type": "stop"},
            ["stop"],
            True,
        ),
    ],
)
def test_a_stop_that_is_not_known_to_end_an_answer_is_a_failure(stated):
    failure = reply_from_body(body_of({"content": "25"}, stated), JSON)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.is_retried) == (ErrorKind.UNKNOWN_STOP, False)


@pytest.mark.parametrize("where", ["body", "choice"])
@pytest.mark.parametrize(
    ("error", "kind", "is_retried"),
    [
        ({"message": "25 busy", "code": 502}, ErrorKind.SERVER, True),
        ({"message": "slow down", "code": "429"}, ErrorKind.RATE_LIMITED, True),
        ({"message": "bad picture", "code": 400}, ErrorKind.REJECTED, False),
        ({"message": "who knows"}, ErrorKind.SERVER, False),
        ("just words", ErrorKind.SERVER, False),
    ],
)
def test_an_error_object_has_its_own_code(where, error, kind, is_retried):
    document = json.loads(body_of({"content": ""}))
    (document if where == "body" else document["choices"][0])["error"] = error
    failure = reply_from_body(json.dumps(document).encode(), JSON)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.is_retried) == (kind, is_retried)
    assert failure.server_text == (error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "data_inspection_failed"},
        {"type": "content_policy_violation"},
        {"code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "…"}},
        {"error": {"code": "content_filter"}},
        {"code": "DataInspectionFailed"},
        {"code": "ContentFilter"},
        {"type": "content-policy-violation"},
        {"code": "1301", "message": "sensitive"},
        {"innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"code": "PROHIBITED_CONTENT"},
        {"code": "moderation_blocked"},
        {"code": "invalid_request_error", "message": "Content Exists Risk"},
        {"detail": "Content Exists Risk"},
        {"code": "no permission", "error": "Content violates usage guidelines. Failed check: X"},
        "Content violates usage guidelines. Failed check: X",
    ],
)
def test_a_moderators_error_is_a_refusal(error):
    assert is_content_filter(error)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "invalid_image"},
        {"code": 403},
        {"code": 400, "message": "content_filter is not a parameter"},
        {"type": "safety_settings_invalid"},
        {"metadata": {"provider_name": "x"}},
        {"code": 403, "message": "this key may not see whether content exists risk"},
        "content_filter",
        None,
        ["content_filter"],
    ],
)
def test_another_error_is_no_refusal(error):
    assert not is_content_filter(error)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "25", "reasoning_details": [{"type": "reasoning.text", "text": "99?"}]},
        {"content": "25", "reasoning_details": [{"type": "reasoning.summary", "summary": "99?"}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "99?"}]},
                {"type": "text", "text": "25"},
            ]
        },
        {"content": [{"type": "reasoning", "text": "99?"}, {"type": "output_text", "text": "25"}]},
        {"content": [{"type": "thought", "thought": "99?"}, {"text": "25"}]},
    ],
)
def test_reasoning_in_any_place_is_kept_apart(message):
    reply = reply_from_body(body_of(message), JSON)
    assert (reply.text, reply.reasoning) == ("25", "99?")


def test_thinking_parts_are_no_text():
    parts = [{"type": "thinking", "thinking": "99?"}, {"type": "text", "text": "25"}]
    reply = reply_from_body(body_of({"content": parts}), JSON)
    assert (reply.text, reply.reasoning) == ("25", "99?")


def test_json_that_calls_itself_text_is_read():
    assert reply_from_body(body_of(), "text/plain; charset=utf-8").text == "25"
    assert reply_from_body(b"25", "text/plain").error_kind is ErrorKind.WRONG_CONTENT_TYPE
