"""The options of `medvision eval` reach the server; money, secrets and the manifest."""

import json
import logging
from datetime import UTC, datetime

import openai
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.cli.asking import GenerationOptions, PaceOptions
from medvision.errors import UsageError
from medvision.models import Budget, ResponseStore
from tests.model_server import Hang, Respond, completion, say

BOX = "0.1000, 0.1000, 0.6000, 0.7000"


@pytest.fixture
def evaluate(study_tables, tmp_path):
    """Ask 12 detection questions of a server."""

    def run(base_url, *words, limit=12):
        command = ["eval", "--tables", study_tables, "--task", "detection", "--limit", limit]
        command += ["--model", "openai/m", "--base-url", base_url, "--run", tmp_path / "run"]
        return main([str(word) for word in [*command, *words]])

    return run


@pytest.fixture
def boxes(serve):
    """A server that always answers with the same box, at 10 + 5 tokens."""
    return serve(lambda *_: say(BOX))


def test_generation_options_reach_the_server(evaluate, boxes, tmp_path):
    options = ["--temperature", "0.5", "--top-p", "0.9", "--max-tokens", "77", "--seed", "40"]
    options += ["--stop", "END", "--stop", "\n\n", "--extra-body", '{"top_k": 7}']
    assert evaluate(boxes.base_url, *options, "--repeats", "2") == 0
    assert len(boxes.requests) == 24
    assert sorted(request.body["seed"] for request in boxes.requests) == [40] * 12 + [41] * 12
    body = boxes.requests[0].body
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.5, 0.9, 77)
    assert (body["stop"], body["top_k"]) == (["END", "\n\n"], 7)
    scores = pq.read_table(tmp_path / "run" / "scores.parquet", partitioning=None)
    assert sorted(scores["repeat"].to_pylist()) == [0] * 12 + [1] * 12
    settings = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))[
        "settings"
    ]
    assert settings == {
        "temperature": 0.5,
        "max_tokens": 77,
        "top_p": 0.9,
        "seed": 40,
        "stop": ["END", "\n\n"],
        "extra_body": {"top_k": 7},
    }


def test_a_run_folder_with_a_colon_is_no_address(study_tables, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["eval", "--tables", str(study_tables), "--task", "tl", "--limit", "4"]
    assert main([*asked, "--model", "baseline/oracle", "--run", "noisy:0.1"]) == 0
    assert main(["report", "noisy:0.1", "--out", "page:1.html"]) == 0
    assert (tmp_path / "noisy:0.1" / "scores.parquet").is_file()
    assert (tmp_path / "page:1.html").is_file()


def test_further_repeats_keep_the_former_ones(evaluate, boxes):
    evaluate(boxes.base_url)
    evaluate(boxes.base_url, "--repeats", "3")
    assert len(boxes.requests) == 36


def test_manifest_says_what_made_the_run(evaluate, boxes, tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    evaluate(boxes.base_url, "--temperature", "0.25")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    started, finished = (
        datetime.fromisoformat(manifest[name]) for name in ("started_at", "finished_at")
    )
    assert before <= started <= finished <= datetime.now(UTC)
    assert (manifest["model"], manifest["settings"]["temperature"]) == ("openai/m", 0.25)
    assert manifest["versions"]["openai"] == openai.__version__
    assert {"revision", "prompt_version", "renderer", "sender", "family", "style"} <= set(manifest)


def test_outdated_manifest_goes_when_another_run_is_refused(evaluate, boxes, serve, tmp_path):
    assert evaluate(boxes.base_url) == 0
    locked = serve(lambda *_: Respond(code=401, body={}))
    assert evaluate(locked.base_url, "--temperature", "1") == 2
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert main(["score", str(tmp_path / "run")]) == 2


def test_a_secret_that_a_reply_repeats_is_not_stored(evaluate, serve, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MY_KEY", "sk-secret-0123456789")
    words = "your key is sk-secret-0123456789"
    choice = {"message": {"content": words, "reasoning": words}, "finish_reason": "stop"}
    server = serve(lambda *_: Respond(body={"choices": [choice]}))
    assert evaluate(server.base_url, "--api-key-env", "MY_KEY") == 0
    shown = capfd.readouterr()
    assert "secret" not in shown.out + shown.err
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"secret" not in path.read_bytes()
    with ResponseStore(tmp_path / "run" / "responses.sqlite") as store:
        stored = next(store.current_replies())
    assert stored.reply.text == stored.reply.reasoning == "your key is ***"


def test_secret_is_in_no_file_and_not_in_the_output(evaluate, serve, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MY_KEY", "sk-secret-0123456789")
    reply = {"error": {"message": "bad request with the key sk-secret-0123456789"}}

    def behave(_request, index):
        code = 400 if index % 3 == 0 else 200
        return Respond(code=code, body=reply if code == 400 else completion(BOX))

    server = serve(behave)
    assert evaluate(server.base_url, "--api-key-env", "MY_KEY", "--verbose") == 1
    assert {request.headers["authorization"] for request in server.requests} == {
        "bearer sk-secret-0123456789"
    }
    shown = capfd.readouterr()
    assert "secret" not in shown.out + shown.err
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"manifest.json", "responses.sqlite", "scores.parquet"} <= {path.name for path in files}
    for path in files:
        assert b"secret" not in path.read_bytes()
        assert b"127.0.0.1" not in path.read_bytes()  # the bare port may be part of a digest


def test_password_in_the_address_is_not_shown(evaluate, boxes, tmp_path, caplog, capfd):
    caplog.set_level(logging.INFO)
    base_url = boxes.base_url.replace("http://", "http://me:secret-word@")
    assert evaluate(base_url, "--verbose") == 0
    assert boxes.requests[0].headers["authorization"].startswith("basic ")
    shown = capfd.readouterr()
    assert "secret-word" not in caplog.text + shown.out + shown.err
    for path in (tmp_path / "run").iterdir():
        assert b"secret-word" not in path.read_bytes()


def test_progress_line_of_a_log_tells_counts_and_mean_score(evaluate, serve, capsys):
    texts = ["0.1, 0.2", BOX]
    server = serve(
        lambda _, index: Respond(code=400, body={}) if index < 2 else say(texts[index % 2])
    )
    evaluate(server.base_url, "--concurrency", "1")
    lines = capsys.readouterr().err.splitlines()
    (line,) = (line for line in lines if "12/12 done" in line)
    assert line.startswith("openai/m: 12/12 done, parsed 5, errors 2, ")
    assert "mean IoU 0." in line
    assert line.endswith(", 0:00:00 left")


@pytest.mark.parametrize(
    ("options", "n_least", "words"),
    [
        (["--budget", "150"], 10, "the budget is spent"),
        (["--budget", "150tokens"], 10, "the budget is spent"),
        # 10 prompt tokens at 1000 and 5 completion tokens at 2000 a million: 0.02 a question
        (["--budget", "0.20", "--price-in", "1000", "--price-out", "2000"], 10, "0.2000 spent"),
    ],
)
def test_budget_stops_the_run(options, n_least, words, evaluate, boxes, capsys):
    status = evaluate(boxes.base_url, *options, "--concurrency", "1", limit=30)
    assert status == 1
    assert len(boxes.requests) == n_least
    shown = capsys.readouterr()
    assert words in shown.out + shown.err
    assert "100 + 50 tokens" in shown.out


def test_time_limits_of_a_request_and_of_the_command(evaluate, serve, capsys):
    hung = serve(lambda *_: Hang())
    words = ["--request-timeout", "600", "--concurrency", "2"]
    for limit_s in ("0.5", "5", "50", "500"):  # longer where both were not asked in so short a time
        hung.requests.clear()
        assert evaluate(hung.base_url, *words, "--time-limit", limit_s) == 1
        assert "the time is over" in capsys.readouterr().err
        if len(hung.requests) == 2:
            break
    assert len(hung.requests) == 2
    assert evaluate(hung.base_url, "--request-timeout", "0") == 2
    assert "positive time" in capsys.readouterr().err


def test_budget_that_the_server_cannot_keep_stops_the_run(evaluate, serve, capsys):
    body = {name: part for name, part in completion(BOX).items() if name != "usage"}
    server = serve(lambda *_: Respond(body=body))
    assert evaluate(server.base_url, "--budget", "1000000", "--concurrency", "1", limit=30) == 1
    assert len(server.requests) == 10
    assert "states no token counts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        (None, Budget()),
        ("200000", Budget(max_tokens=200000)),
        ("200000tokens", Budget(max_tokens=200000)),
        ("5 tokens", Budget(max_tokens=5)),
    ],
)
def test_budget_forms(text, budget):
    assert PaceOptions(budget=text).spending_limits() == budget


@pytest.mark.parametrize("text", ["5.00", "5.", ".5"])
def test_budget_with_a_point_is_money(text):
    budget = PaceOptions(budget=text, price_in=1.0, price_out=4.0).spending_limits()
    assert (budget.max_money, budget.max_tokens) == (float(text), None)
    with pytest.raises(UsageError, match="needs the price"):
        PaceOptions(budget=text).spending_limits()


@pytest.mark.parametrize("text", ["", "much", "-5", "5e3", "$5", "1,000", "5.0.0", "nan"])
def test_other_budgets_are_refused(text):
    with pytest.raises(UsageError, match="--budget: expected tokens"):
        PaceOptions(budget=text).spending_limits()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra_body": "top_k=7"}, "expected a JSON object"),
        ({"extra_body": "[7]"}, "expected a JSON object"),
        ({"extra_body": '{"seed": 7}'}, r"found \['seed'\]"),
        ({"temperature": -1.0}, "temperature of at least 0"),
        ({"temperature": float("nan")}, "temperature of at least 0"),
        ({"top_p": 0.0}, "top_p above 0"),
        ({"max_tokens": 0}, "at least 1 token"),
    ],
)
def test_impossible_generation_options_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        GenerationOptions(**changes).generation(None)
