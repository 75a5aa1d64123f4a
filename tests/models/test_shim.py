"""The shim for models without a server, with a toy model in a process of its own."""

import base64
import importlib.util
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from medvision.cli import main
from medvision.models import ResponseStore
from medvision.models.run_folder import store_path

SHIMS = Path(__file__).parents[2] / "examples" / "shims"

ECHO = """
def generate(images, prompt, max_tokens, temperature):
    if "crash" in prompt:
        raise MemoryError("25 of 30 GiB are taken")
    return repr((images, prompt, max_tokens, temperature))
"""


@pytest.fixture
def start():
    """Serve a model file; gives the base URL."""
    processes = []

    def run(model):
        command = [sys.executable, str(SHIMS / "openai_shim.py"), str(model), "--port", "0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process.stderr.readline().split(" at ")[1].strip()

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def echo(start, tmp_path):
    (tmp_path / "echo.py").write_text(ECHO)
    return start(tmp_path / "echo.py")


def post(base_url, body, path="/chat/completions"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(base_url + path, data) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def image(data):
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def test_run_against_the_toy_model_is_the_toy_model(start, study_tables, tmp_path):
    base_url = start(SHIMS / "toy_model.py")
    words = ["eval", "--tables", study_tables, "--task", "detection", "--limit", "12"]
    words += ["--model", "openai/toy", "--base-url", base_url, "--run", tmp_path / "run"]
    assert main([str(word) for word in [*words, "--concurrency", "4"]]) == 0
    with ResponseStore(store_path(tmp_path / "run")) as store:
        replies = [stored.reply for stored in store.current_replies()]
    assert len(replies) == 12
    assert {reply.status for reply in replies} == {"ok"}
    assert len({reply.text for reply in replies}) > 3
    assert all(len(reply.text.split(", ")) == 4 for reply in replies)


def test_function_gets_pictures_text_and_settings(echo):
    parts = [image(b"one"), {"type": "text", "text": "Where?"}, image(b"two")]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
    request = {"model": "m", "messages": messages, "max_tokens": 7, "temperature": 0.5}
    code, reply = post(echo, request)
    assert code == 200
    assert reply["choices"][0]["message"]["content"] == repr(
        ([b"one", b"two"], "Be brief.\nWhere?", 7, 0.5)
    )
    newer = {"model": "m", "messages": messages[:1], "max_completion_tokens": 9}
    assert post(echo, newer)[1]["choices"][0]["message"]["content"].endswith("9, 0.0)")


def test_failure_of_the_model_is_http_500_and_the_server_goes_on(echo):
    request = {"messages": [{"role": "user", "content": "crash"}]}
    code, reply = post(echo, request)
    assert (code, reply["error"]["message"]) == (500, "MemoryError: 25 of 30 GiB are taken")
    assert post(echo, {"messages": [{"role": "user", "content": "go on"}]})[0] == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{25", "expected a chat completion request"),
        ({}, "expected a chat completion request"),
        ([25], "expected a chat completion request"),
        ({"messages": [], "seed": 3}, "not ['seed']"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}],
                    }
                ]
            },
            "base64 data URI",
        ),
    ],
)
def test_request_that_is_not_understood_is_http_400(body, words, echo):
    code, reply = post(echo, body)
    assert code == 400
    assert words in reply["error"]["message"]


def test_paths_are_those_of_the_protocol(echo):
    assert post(echo, {"messages": []}, path="/other")[0] == 404
    with urllib.request.urlopen(echo + "/models") as response:
        assert [model["id"] for model in json.load(response)["data"]] == ["echo"]


def test_shim_needs_the_standard_library_only():
    spec = importlib.util.spec_from_file_location("openai_shim", SHIMS / "openai_shim.py")
    before = set(sys.modules)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    assert loaded <= sys.stdlib_module_names
