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


REJECTIONS = [
    ("max_tokens", "Unsupported parameter: use 'max_completion_tokens' instead of 'max_tokens'"),
    ("temperature", "'temperature' does not support 0 with this model"),
    ("top_p", "top_p: extra inputs are not permitted"),
    ("seed", "Unknown parameter: 'seed'"),
    ("system", "role 'system' is not supported"),
    ("system", "Developer instruction is not enabled for models/m"),
    ("system", "Conversation roles must alternate user/assistant/user/assistant/..."),
    ("system", "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
    ("detail", "image_url.detail: extra inputs are not permitted"),
]


def uses(body, name):
    if name == "system":
        return any(message["role"] == "system" for message in body["messages"])
    if name == "detail":
        return '"detail"' in json.dumps(body["messages"])
    return name in body


@pytest.fixture
def every_setting(tmp_path):
    """Words of a command that make its requests use each setting that a server may reject."""
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        '[[model]]\nids = ["m"]\nfamily = "openai_tile"\nsystem_text = "Be exact."\n'
        'source = "test"\n',
        encoding="utf-8",
    )
    settings = ["--seed", "7", "--top-p", "0.9"]
    return [*settings, "--concurrency", "32", "--profiles", str(profiles)]


@pytest.mark.parametrize(("name", "words"), REJECTIONS)
def test_a_rejected_setting_is_left_out_by_all_that_used_it(
    name, words, asked, every_setting, tmp_path, capsys
):
    """All twelve are under way when the first rejection comes."""

    def behave(request, _index):
        if uses(request.body, name):
            return Respond(code=400, body={"error": {"message": words}}, delay_s=0.05)
        return Respond()

    status, told, server = asked(behave, *every_setting)
    assert status == 0, told
    assert told.count("the server rejects") == 1
    answered = [request for request in server.requests if not uses(request.body, name)]
    assert len(answered) == 12
    if name == "system":
        assert all("Be exact." in json.dumps(request.body["messages"]) for request in answered)
    assert parsed(tmp_path / "run", capsys)["n_parsed"] == 12


def test_settings_rejected_one_after_the_other_are_all_left_out(
    asked, every_setting, tmp_path, capsys
):
    def behave(request, _index):
        used = [words for name, words in REJECTIONS if uses(request.body, name)]
        return Respond(code=422, body={"detail": [{"msg": used[0]}]}) if used else Respond()

    status, told, _ = asked(behave, *every_setting)
    assert status == 0, told
    assert told.count("the server rejects") == len({name for name, _ in REJECTIONS})
    assert parsed(tmp_path / "run", capsys)["n_parsed"] == 12


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "picture too large"},
        {"error": {"message": "picture too large for this system"}},
        {"error": {"message": "max_tokens: 4096 exceeds the context"}},
    ],
)
def test_words_that_reject_no_setting_change_none(body, asked, every_setting):
    status, told, server = asked(lambda *_: Respond(code=400, body=body), *every_setting)
    assert status == 1
    assert "the server rejects" not in told
    assert len(server.requests) == 12


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


@pytest.mark.parametrize(
    "body",
    [
        {"error": "picture of 9 MB"},
        {"detail": "picture of 9 MB"},
        {"detail": [{"loc": ["body"], "msg": "picture of 9 MB"}]},
        {"message": "picture of 9 MB"},
        "picture of 9 MB",
        "<html><title>picture of 9 MB</title></html>",
        '["picture of 9 MB"]',
    ],
)
def test_the_server_words_are_told_wherever_they_stand(body, asked):
    _, told, _ = asked(lambda *_: Respond(code=400, body=body))
    last = told[told.index("12 rejected (HTTP 400): ") :]
    assert "picture of 9 MB" in last


@pytest.mark.parametrize("body", ["", "null", "{}", "[" * 100_000])
def test_a_rejection_without_words_is_told_by_its_code(body, asked):
    status, told, _ = asked(lambda *_: Respond(code=400, body=body))
    assert (status, "12 rejected (HTTP 400)" in told) == (1, True)


def test_no_credits_ends_the_run_with_that_advice(asked):
    body = {"error": {"message": "Insufficient credits", "code": 402}}
    status, told, server = asked(lambda *_: Respond(code=402, body=body), "--concurrency", "1")
    assert status == 2
    assert "no credits are left" in told
    assert len(server.requests) == 1


def test_no_credits_inside_a_response_ends_the_run_too(asked):
    body = {"error": {"message": "Insufficient credits", "code": 402}}

    def behave(_request, index):
        return Respond(body=body) if index >= 3 else Respond()

    status, told, server = asked(behave, "--concurrency", "1")
    assert status == 2
    assert "no credits are left" in told
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (403, {"error": {"message": "flagged", "code": 403, "metadata": {"reasons": ["gore"]}}}),
        (403, {"code": "no permission", "error": "Content violates usage guidelines. Team: t"}),
        (400, {"error": {"message": "Content Exists Risk", "code": "invalid_request_error"}}),
        (400, {"error": {"message": "declined", "code": "data_inspection_failed"}}),
    ],
)
def test_one_question_that_a_moderator_declines_is_refused_and_the_run_goes_on(
    code, body, asked, tmp_path, capsys
):
    def behave(_request, index):
        return Respond(code=code, body=body) if index == 0 else Respond()

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


def named(model):
    return Respond(body={**completion(), "model": model})


def facts(run):
    return json.loads((run / "manifest.json").read_text(encoding="utf-8"))


def test_the_model_that_responses_name_is_recorded(asked, tmp_path):
    status, err, _ = asked(lambda _, __: named("m-2025-04-14"))

    assert status == 0
    assert "responses name" not in err
    assert facts(tmp_path / "run")["served_models"] == ["m-2025-04-14"]


def test_another_model_in_responses_is_told_once_and_reported(asked, tmp_path, capsys):
    _, err, _ = asked(lambda _, __: named("somebody/else-7b"))

    assert err.count("openai/m: responses name another model: 'somebody/else-7b'\n") == 1
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert "responses name somebody/else-7b" in page


def test_a_change_of_model_on_the_way_is_told_once_over_both_runs(asked, tmp_path):
    def behave(_request, index):
        if index in {2, 5}:
            return Respond(code=400, body={"error": {"message": "not now"}})
        return named("m" if index < 6 else "m-9b")

    _, err, _ = asked(behave, "--concurrency", "1")
    assert err.count("openai/m: responses name 'm-9b' now, not 'm'") == 1
    status, err, _ = asked(lambda _, __: named("m-9b"), "--concurrency", "1")

    assert status == 0
    assert "responses name" not in err
    assert facts(tmp_path / "run")["served_models"] == ["m", "m-9b"]


@pytest.mark.parametrize("model", [None, 7, "", {}])
def test_a_response_that_names_no_model_is_an_answer(asked, tmp_path, model):
    status, err, _ = asked(lambda _, __: named(model))

    assert status == 0
    assert "responses name" not in err
    assert "served_models" not in facts(tmp_path / "run")


def test_what_the_server_said_stands_on_the_case_in_the_report(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-12345")
    refusal = {"error": {"message": "no room for sk-secret-12345 at the table"}}
    asked(lambda _, index: Respond(code=400, body=refusal) if index % 3 == 0 else Respond())

    assert main(["report", str(tmp_path / "run")]) == 0

    page = (tmp_path / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert "no room for *** at the table" in page
    assert "sk-secret-12345" not in page
