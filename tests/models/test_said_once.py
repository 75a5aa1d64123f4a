"""What goes wrong in a run is said once on standard error: failures, stops, missing answers."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from medvision.cli import main
from tests.model_server import Reset, Respond, say

BOX = "0.1000, 0.1000, 0.6000, 0.7000"
FIRST_FAILURE = "openai/m: first failure rejected, HTTP 400: Error code: 400 - too many cooks"
KINDS = (
    "4 rejected (HTTP 400): 'Error code: 400 - too many cooks'; change the setting that the server "
    "names, or shrink the picture"
)


@pytest.fixture
def command(study_tables, tmp_path):
    """The words of an evaluation of 12 detection questions, two at a time."""

    def words(server, *more):
        asked = ["eval", "--tables", study_tables, "--task", "detection", "--limit", "12"]
        asked += ["--model", "openai/m", "--base-url", server.base_url, "--run", tmp_path / "run"]
        return [str(word) for word in [*asked, "--concurrency", "2", *more]]

    return words


@pytest.fixture
def failing(serve):
    """Refuses every third question, and is slow enough for a bar to be drawn."""
    refusal = {"error": {"message": "too many cooks"}}
    return serve(
        lambda _, index: (
            Respond(code=400, body=refusal) if index % 3 == 0 else say(BOX, delay_s=0.1)
        )
    )


def without_progress(err):
    return [line for line in err.splitlines() if "/12 done" not in line]


def test_first_failure_and_missing_answers(command, failing, tmp_path, capsys):
    assert main(command(failing)) == 1
    err = without_progress(capsys.readouterr().err)
    missing = "4 of 12 questions have no answer"
    assert err == [FIRST_FAILURE, KINDS, f"{missing}: run it again to ask them"]
    assert main(["score", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == f"{missing}: run `medvision eval` again to ask them\n"
    assert main(["report", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().err
    assert told == f"openai/m: {missing}: run `medvision eval` again to ask them\n"


def test_missing_answers_are_said_when_they_are_allowed(command, failing, capsys):
    assert main(command(failing, "--max-error-rate", "0.5")) == 0
    assert "4 of 12 questions have no answer: run it again" in capsys.readouterr().err


def test_nothing_is_said_of_a_run_without_failures(command, serve, tmp_path, capsys):
    server = serve(lambda *_: say(BOX))
    assert main(command(server)) == 0
    assert without_progress(capsys.readouterr().err) == []
    for words in (["score", str(tmp_path / "run")], ["report", str(tmp_path / "run")]):
        assert main(words) == 0
        assert capsys.readouterr().err == ""


def test_a_server_that_is_not_there(command, serve, capsys):
    assert main(command(serve(lambda *_: Reset()))) == 1
    failure, dead, kinds, missing = without_progress(capsys.readouterr().err)
    assert kinds.startswith("12 breaker_open; check that the server runs") or "connection" in kinds
    assert failure == "openai/m: first failure connection"
    assert dead.startswith("openai/m: expected a server, found none in ")
    assert missing.startswith("12 of 12 questions have no answer: the server does not answer; ")


def test_budget(command, serve, capsys):
    server = serve(lambda *_: say(BOX))
    assert main(command(server, "--budget", "150", "--concurrency", "1")) == 1
    (line,) = without_progress(capsys.readouterr().err)
    assert line == (
        "2 of 12 questions have no answer: the budget is spent; run it again with another to ask "
        "the rest"
    )


def test_waiting_for_questions_under_way(command, serve):
    server = serve(lambda _, index: say(BOX, delay_s=0.0 if index < 4 else 1.0))
    process = subprocess.Popen(
        [sys.executable, "-m", "medvision.cli", *command(server)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    deadline_s = time.monotonic() + 60
    while len(server.requests) < 6 and process.poll() is None:
        assert time.monotonic() < deadline_s, "the run never got that far"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    waiting, missing = without_progress(err)
    assert waiting == "stopping: waiting up to 5 s for questions under way"
    assert re.fullmatch(
        r"\d of 12 questions have no answer: interrupted; run it again to ask the rest", missing
    )


def on_screen(written):
    """The lines that a terminal shows after this was written to it."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\r\n\x1b]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b"):
            number, kind = re.fullmatch(r"\x1b\[\??(\d*)[\d;]*([A-Za-z])", part).groups()
            if kind == "A":
                row -= int(number or 1)
            elif kind == "K":
                lines[row] = "" if number == "2" else lines[row][:column]
            else:
                assert kind in "mhl", part
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + part + line[column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def test_a_bar_does_not_garble_what_is_said(command, failing):
    ours, theirs = pty.openpty()
    parts = []

    def read():
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                return
            if not part:
                return
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "medvision.cli", *command(failing)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150", "LINES": "40"},
    )
    os.close(theirs)
    reader.join(10)
    os.close(ours)
    written = b"".join(parts).decode()
    assert done.returncode == 1
    assert "━" in written, "no bar was drawn"
    assert on_screen(written.replace("\r\n", "\n\r")) == [
        FIRST_FAILURE,
        KINDS,
        "4 of 12 questions have no answer: run it again to ask them",
    ]


def test_a_judge_that_fails(command, serve, tmp_path, capsys):
    assert main(command(serve(lambda *_: say("I see nothing there.")))) == 0
    capsys.readouterr()
    refusal = {"error": {"message": "too many cooks"}}
    judge = serve(lambda *_: Respond(code=400, body=refusal))
    words = ["--judge", "openai/j", "--base-url", judge.base_url]
    assert main(["score", str(tmp_path / "run"), *words]) == 1
    assert capsys.readouterr().err.splitlines() == [
        FIRST_FAILURE.replace("openai/m", "openai/j"),
        "12 of 12 unread replies have no reading by the judge: run it again to ask them",
    ]
