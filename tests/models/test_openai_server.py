"""A served model asks a real server, which fails in every way a server can."""

import asyncio
import base64
import logging
import time

import pytest

from medvision.errors import UsageError
from medvision.models import (
    AccessRefusedError,
    BreakerPolicy,
    ErrorKind,
    Generation,
    ResponseStatus,
    RetryPolicy,
    ServerDeadError,
    ServerSettings,
)
from medvision.models.failures import retry_after_s
from medvision.models.openai_server import OpenAIServer
from tests import builders
from tests.model_server import CutShort, Flood, Hang, Reset, Respond


@pytest.fixture
def ask():
    """Ask one question of a model and close it."""

    def run(model, **changes):
        question = builders.question(**changes)

        async def one():
            try:
                return await model.reply(question, question.image_png())
            finally:
                await model.aclose()

        return asyncio.run(one())

    return run


@pytest.fixture
def serve_first(serve):
    def start(*first):
        def behave(_request, index):
            return first[index] if index < len(first) else Respond()

        return serve(behave)

    return start


def test_request_holds_prompt_picture_and_settings(serve_first, served_model, ask):
    server = serve_first()
    generation = Generation(
        temperature=0.7, max_tokens=33, seed=5, stop=("END",), extra_body={"min_p": 0.1}
    )
    reply = ask(
        served_model(server.base_url, generation=generation), repeat=2, system_text="Be brief."
    )
    assert reply.status is ResponseStatus.OK
    assert (reply.attempts, reply.prompt_tokens, reply.completion_tokens) == (1, 10, 5)
    (request,) = server.requests
    system, user = request.body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    picture, text = user["content"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == builders.question().image_png()
    assert text == {"type": "text", "text": "Where is the liver? (0)"}
    others = {name: value for name, value in request.body.items() if name != "messages"}
    assert others == {
        "model": "tiny",
        "temperature": 0.7,
        "max_tokens": 33,
        "seed": 7,
        "stop": ["END"],
        "min_p": 0.1,
    }


def test_settings_left_to_the_server_are_not_sent(serve_first, served_model, ask):
    server = serve_first()
    ask(served_model(server.base_url, generation=Generation(temperature=None, max_tokens=None)))
    assert set(server.requests[0].body) == {"model", "messages"}


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 529])
def test_passing_failures_are_tried_again(code, serve_first, served_model, ask):
    server = serve_first(Respond(code=code, body={"error": {"message": "99"}}))
    reply = ask(served_model(server.base_url))
    assert (reply.status, reply.attempts) == (ResponseStatus.OK, 2)


@pytest.mark.parametrize("broken", [Reset, CutShort])
def test_broken_connections_are_tried_again(broken, serve_first, served_model, ask):
    server = serve_first(broken())
    reply = ask(served_model(server.base_url))
    assert (reply.status, reply.attempts) == (ResponseStatus.OK, 2)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(500, "server"), (503, "server"), (429, "rate_limited"), (409, "server")],
)
def test_lasting_failure_is_an_error_after_all_attempts(code, kind, serve, served_model, ask):
    server = serve(lambda *_: Respond(code=code, body="25, 30, 0.5 0.7", content_type="x"))
    reply = ask(served_model(server.base_url))
    assert (reply.status, reply.error_kind, reply.http_code) == ("error", kind, code)
    assert (reply.attempts, reply.text) == (3, "")
    assert len(server.requests) == 3


@pytest.mark.parametrize("code", [400, 413, 415, 422])
def test_rejected_request_fails_at_once(code, serve, served_model, ask):
    server = serve(lambda *_: Respond(code=code, body={"error": {"message": "25"}}))
    reply = ask(served_model(server.base_url))
    assert (reply.error_kind, reply.http_code, reply.attempts) == ("rejected", code, 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        ('{"choices": [{"message": {"content": "25', "application/json", "malformed_json"),
        ("<html>25</html>", "text/html; charset=utf-8", "wrong_content_type"),
        ({"choices": []}, "application/json", "empty_choices"),
        ('"' + "1" * 10_000_000 + '"', "application/json", "oversized"),
    ],
)
def test_unusable_success_is_an_error(body, content_type, kind, serve, served_model, ask):
    server = serve(lambda *_: Respond(body=body, content_type=content_type))
    reply = ask(served_model(server.base_url))
    assert (reply.status, reply.error_kind, reply.text) == ("error", kind, "")


@pytest.mark.parametrize(("code", "kind"), [(500, "server"), (422, "rejected"), (200, "oversized")])
def test_body_without_end_is_cut_off(code, kind, serve, served_model, ask):
    flood = Flood(code=code)
    server = serve(lambda *_: flood)
    retry = RetryPolicy(max_attempts=1)
    reply = ask(served_model(server.base_url, retry=retry))
    assert (reply.error_kind, reply.http_code) == (kind, code)
    assert flood.n_bytes < 30_000_000


def test_hanging_server_is_a_timeout(serve, served_model, ask):
    server = serve(lambda *_: Hang())
    retry = RetryPolicy(max_attempts=2, request_timeout_s=0.2, first_delay_s=0.01)
    reply = ask(served_model(server.base_url, retry=retry))
    assert (reply.error_kind, reply.attempts, reply.http_code) == ("timeout", 2, None)


def test_deadline_ends_a_question_before_its_attempts_do(serve, served_model, ask):
    server = serve(lambda *_: Hang())
    retry = RetryPolicy(max_attempts=50, request_timeout_s=0.2, deadline_s=0.5, first_delay_s=0.01)
    reply = ask(served_model(server.base_url, retry=retry))
    assert reply.error_kind is ErrorKind.TIMEOUT
    assert reply.attempts <= 3


def test_retry_after_is_waited_for(serve, served_model, ask):
    came_at_s = []

    def behave(_request, index):
        came_at_s.append(time.monotonic())
        return Respond() if index else Respond(code=429, headers={"Retry-After": "0.5"}, body={})

    server = serve(behave)
    assert ask(served_model(server.base_url)).status is ResponseStatus.OK
    first_s, second_s = came_at_s
    assert second_s - first_s >= 0.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-4"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after_forms(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_content_filter_with_http_400_is_a_refusal(serve, served_model, ask):
    body = {"error": {"code": "content_filter", "message": "blocked, 25"}}
    server = serve(lambda *_: Respond(code=400, body=body))
    reply = ask(served_model(server.base_url))
    assert (reply.status, reply.text, reply.http_code) == (ResponseStatus.REFUSED, "", 400)


def test_token_limit_goes_by_its_newer_name_where_asked_for(serve, served_model, ask):
    def behave(request, _index):
        if "max_tokens" in request.body:
            message = "Unsupported parameter: use 'max_completion_tokens' instead."
            return Respond(code=400, body={"error": {"message": message}})
        return Respond()

    server = serve(behave)
    reply = ask(served_model(server.base_url, generation=Generation(max_tokens=33)))
    assert (reply.status, reply.attempts) == (ResponseStatus.OK, 1)
    assert server.requests[-1].body["max_completion_tokens"] == 33
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("code", "body", "advice"),
    [
        (401, {"error": {"message": "bad key"}}, "check the API key"),
        (403, {"error": {"message": "no"}}, "may use this model"),
        (404, {"error": {"message": "no such model"}}, "check --base-url"),
        (429, {"error": {"code": "insufficient_quota"}}, "quota and payment"),
        (402, {"message": "Payment Required"}, "no credits are left"),
        (400, {"error": {"message": "Your credit balance is too low to access"}}, "payment"),
        (400, {"error": {"code": "Arrearage", "message": "Access denied"}}, "payment"),
        (403, {"error": {"message": "Insufficient credits"}}, "payment"),
        (429, {"error": {"type": "insufficient_balance"}}, "payment"),
    ],
)
def test_refused_access_is_a_usage_error(code, body, advice, serve, served_model, ask):
    server = serve(lambda *_: Respond(code=code, body=body))
    with pytest.raises(AccessRefusedError, match=f"found HTTP {code}; .*{advice}"):
        ask(served_model(server.base_url))
    assert len(server.requests) == 1


def test_absent_server_is_found_dead(no_server_url, served_model, ask):
    retry = RetryPolicy(max_attempts=100, first_delay_s=0.001, max_delay_s=0.002)
    breaker = BreakerPolicy(n_failures=5, for_at_least_s=0.0)
    with pytest.raises(ServerDeadError, match=r"found none in 5 connections in a row"):
        ask(served_model(no_server_url, retry=retry, breaker=breaker))


def test_key_of_the_named_variable_is_sent(serve_first, served_model, ask, monkeypatch):
    monkeypatch.setenv("TEST_MODEL_KEY", " sk-secret\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-provider")
    server = serve_first()
    ask(served_model(server.base_url))
    assert server.requests[0].headers["authorization"] == "bearer sk-secret"


def test_own_server_needs_no_key_and_gets_no_other_one(serve_first, served_model, ask, monkeypatch):
    monkeypatch.delenv("TEST_MODEL_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-provider")
    server = serve_first()
    ask(served_model(server.base_url))
    assert server.requests[0].headers["authorization"] == "bearer none"


def test_hosted_model_needs_a_key(monkeypatch):
    monkeypatch.delenv("TEST_MODEL_KEY", raising=False)
    with pytest.raises(UsageError, match=r"expected an API key in .* TEST_MODEL_KEY, found none"):
        OpenAIServer(ServerSettings(name="m", api_key_env="TEST_MODEL_KEY"))


def test_key_of_odd_characters_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-gehéim")
    with pytest.raises(UsageError, match="plain characters in TEST_MODEL_KEY") as caught:
        OpenAIServer(ServerSettings(name="m", api_key_env="TEST_MODEL_KEY"))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ServerSettings(name=""), "expected openai/NAME"),
        (lambda: ServerSettings(name="m", base_url="localhost:8000"), "starts with http"),
        (lambda: Generation(max_tokens=0), "at least 1 token"),
        (lambda: Generation(extra_body={"model": "x"}), r"found \['model'\]"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_secret_is_in_no_log_even_when_the_server_repeats_it(
    serve, served_model, ask, monkeypatch, caplog
):
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    body = {"error": {"message": "the key sk-secret may not ask for 25"}}
    server = serve(lambda *_: Respond(code=400, body=body))
    model = served_model(server.base_url)
    ask(model)
    assert "the key *** may not" in caplog.text
    assert "sk-secret" not in caplog.text
    assert "sk-secret" not in repr(model)
