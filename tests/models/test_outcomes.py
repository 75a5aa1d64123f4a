"""What a server does, and what the run makes of it: scripted servers on 127.0.0.1."""

import json

import pytest

from medvision.cli import main
from tests.model_server import Respond, completion


@pytest.fixture
def asked(serve, study_tables, tmp_path, capsys):
    """Ask 12 detection questions of a scripted server; exit status, output, replies by status."""

    def run(behave, *words):
        server = serve(behave)
        command = ["eval", "--tables", str(study_tables), "--task", "detection", "--split", "all"]
        command += ["--limit", "12", "--model", "openai/m", "--base-url", server.base_url]
        command += ["--run", str(tmp_path / "run"), *words]
        status = main(command)
        return status, capsys.readouterr().err, server

    return run


def parsed(run, capsys):
    main(["report", str(run), "--json"])
    found = json.loads(capsys.readouterr().out)
    return next(table for table in found["tables"] if table["by"] == [])["rows"][0]


REJECTIONS = {
    "max_tokens": "Unsupported parameter: use 'max_completion_tokens' instead of 'max_tokens'",
    "temperature": "'temperature' does not support 0 with this model",
    "seed": "Unknown parameter: 'seed'",
    "system": "role 'system' is not supported",
    "detail": "image_url.detail: extra inputs are not permitted",
}


def uses(body, name):
    if name == "system":
        return any(message["role"] == "system" for message in body["messages"])
    if name == "detail":
        return '"detail"' in json.dumps(body["messages"])
    return name in body


@pytest.mark.parametrize("name", REJECTIONS)
def test_a_rejected_setting_is_left_out_by_all_that_used_it(name, asked, tmp_path, capsys):
    """All twelve are under way when the first rejection comes."""

    def behave(request, _index):
        if uses(request.body, name):
            return Respond(code=400, body={"error": {"message": REJECTIONS[name]}}, delay_s=0.05)
        return Respond()

    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        '[[model]]\nids = ["m"]\nfamily = "openai_tile"\nsystem_text = "Be exact."\n'
        'source = "test"\n'
    )
    status, told, server = asked(
        behave, "--seed", "7", "--concurrency", "32", "--profiles", str(profiles)
    )
    assert status == 0, told
    assert told.count("the server rejects") == 1
    answered = [request for request in server.requests if not uses(request.body, name)]
    assert len(answered) == 12
    if name == "system":
        assert all("Be exact." in json.dumps(request.body["messages"]) for request in answered)
    assert parsed(tmp_path / "run", capsys)["n_parsed"] == 12


def test_an_unknown_stop_is_asked_again_and_told(asked, tmp_path, capsys):
    abort = completion("0.1, 0.2, 0.3, 0.4", finish_reason="abort")
    status, told, _ = asked(lambda *_: Respond(body=abort))
    assert status == 1
    assert "12 unknown_stop (HTTP 200): \"finish_reason 'abort': not known to end" in told
    status, told, _ = asked(lambda *_: Respond())
    assert (status, "unknown_stop" in told) == (0, False)
    assert parsed(tmp_path / "run", capsys)["n_parsed"] == 12


def test_the_server_words_are_told_once_with_advice_and_without_the_key(asked, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1234")
    body = {"error": {"message": "key sk-secret-1234: picture too large"}}
    status, told, _ = asked(lambda *_: Respond(code=413, body=body))
    assert status == 1
    assert "12 rejected (HTTP 413)" in told
    assert "picture too large" in told
    assert "shrink the picture" in told
    assert "sk-secret" not in told


def test_no_credits_ends_the_run_with_that_advice(asked):
    body = {"error": {"message": "Insufficient credits", "code": 402}}
    status, told, server = asked(lambda *_: Respond(code=402, body=body), "--concurrency", "1")
    assert status == 2
    assert "no credits are left" in told
    assert len(server.requests) == 1


def test_one_question_that_a_moderator_declines_is_refused_and_the_run_goes_on(
    asked, tmp_path, capsys
):
    flagged = {"message": "flagged", "code": 403, "metadata": {"reasons": ["violence"]}}

    def behave(_request, index):
        return Respond(code=403, body={"error": flagged}) if index == 0 else Respond()

    status, _, server = asked(behave, "--concurrency", "1")
    assert status == 0
    row = parsed(tmp_path / "run", capsys)
    assert (row["n"], row["n_refused"], row["n_parsed"]) == (12, 1, 11)
    assert len(server.requests) == 12


def test_reasoning_without_text_is_not_read_and_a_hint_says_why(asked, tmp_path, capsys):
    only = completion(None, reasoning_content="It is 0.1, 0.2, 0.3, 0.4.")
    status, told, _ = asked(lambda *_: Respond(body=only))
    assert status == 0
    assert "12 replies hold reasoning and no text" in told
    assert "reasoning parser" in told
    assert parsed(tmp_path / "run", capsys)["n_parsed"] == 0
