"""The system says no: a full disk, read-only storage, a file where a folder belongs, signals."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from medvision import storage
from medvision.cli import main
from tests.faults.system import limited, obey_permissions
from tests.faults.test_damage import tables_of


@pytest.fixture
def copy(study, tmp_path):
    return study.copy(tmp_path / "study")


def one_line(err):
    (line,) = err.strip().splitlines()
    assert "Traceback" not in line
    assert not re.search(r"\.py:\d+\)", line), line
    return line


@pytest.fixture
def full(monkeypatch):
    """Nothing more fits on the disk from the file of that name on."""

    def fill(name):
        sync = storage.sync

        def no_space(path):
            if name in path.name:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(path)

        monkeypatch.setattr(storage, "sync", no_space)

    return fill


COMMANDS = {
    "build": lambda study: study.build(),
    "eval": lambda study: study.eval(),
    "score": lambda study: ["score", str(study.run)],
    "report": lambda study: ["report", str(study.run)],
    "render": lambda study: ["render", "--tables", str(study.tables), "--sheet", "2", "--out",
                             str(study.folder / "sheet.png")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("build", "manifest.json"),
        ("eval", "manifest.json"),
        ("eval", "samples.parquet"),
        ("eval", "scores.parquet"),
        ("score", "scores.parquet"),
        ("report", "report.html"),
        ("render", "sheet.png"),
    ],
)
def test_a_full_disk_is_one_line_and_nothing_is_lost(
    copy, study, full, monkeypatch, capsys, command, name
):
    if command == "build":
        (copy.tables / "manifest.json").unlink()
    if name == "samples.parquet":
        (copy.run / name).unlink()
    full(name)
    capsys.readouterr()
    assert main(COMMANDS[command](copy)) == 1
    line = one_line(capsys.readouterr().err)
    assert re.search(rf"/{re.escape(name)}: No space left on device; free some space and run", line)
    assert list(copy.folder.rglob(f".{name}.*")) == []
    monkeypatch.undo()
    assert main(COMMANDS[command](copy)) == 0
    assert main(["report", str(copy.run), "--json"]) == 0
    assert all(
        a.equals(b) for a, b in zip(tables_of(copy.tables), tables_of(study.tables), strict=True)
    )


@pytest.mark.parametrize("n_bytes", [0, 2_000, 20_000])
@pytest.mark.parametrize("command", ["build", "eval", "report"])
def test_no_file_may_grow(copy, study, n_bytes, command):
    """As a full disk does, whatever library writes: Parquet, SQLite, HTML."""
    if command == "build":
        shutil.rmtree(copy.tables)
    if command == "eval":
        shutil.rmtree(copy.run)
    words = [sys.executable, "-m", "medvision.cli", *COMMANDS[command](copy)]
    done = subprocess.run(words, preexec_fn=limited(n_bytes), capture_output=True, text=True)
    if done.returncode:
        assert done.returncode in (1, 2)
        assert re.search(r"ulimit -f|free some space|check the disk", one_line(done.stderr))
    assert main(COMMANDS[command](copy)) == 0
    assert all(
        a.equals(b) for a, b in zip(tables_of(copy.tables), tables_of(study.tables), strict=True)
    )


def obeying(words):
    command = [sys.executable, "-m", "medvision.cli", *words]
    return subprocess.run(command, preexec_fn=obey_permissions, capture_output=True, text=True)


@pytest.fixture
def locked(copy):
    """A study that may be read and not be written."""
    for path in (copy.folder, *copy.folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    for path in (copy.folder, *copy.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("command", ["build", "eval", "score", "report", "render"])
def test_storage_that_cannot_be_written_is_one_line(locked, command):
    words = COMMANDS[command](locked)
    if command == "build":
        words = [*words[:-1], str(locked.folder / "other")]
    if command == "eval":
        words = [*words, "--style", "cot"]
    done = obeying(words)
    assert done.returncode in (1, 2), done
    line = one_line(done.stderr)
    assert re.search(r"[Pp]ermission denied|cannot be written", line), line
    assert re.search(r"give a place|copy the run", line), line


def test_a_run_that_cannot_be_written_is_reported_elsewhere(locked, tmp_path):
    words = ["report", str(locked.run), "--out", str(tmp_path / "report.html")]
    assert obeying(words).returncode == 0
    assert "<html" in (tmp_path / "report.html").read_text("utf-8")[:200]
    locked.run.chmod(0o755)
    (locked.run / "scores.parquet").unlink()
    locked.run.chmod(0o555)
    done = obeying(words)
    assert done.returncode == 0, done.stderr
    assert "cannot be written; its scores are made for this once" in one_line(done.stderr)


@pytest.mark.parametrize("command", ["build", "eval", "report", "render"])
def test_an_output_below_a_file_is_one_line(copy, command, capsys):
    (copy.folder / "file").write_text("x")
    words = {
        "build": [*copy.build()[:-1], str(copy.folder / "file")],
        "eval": copy.eval(copy.folder / "file"),
        "report": ["report", str(copy.run), "--out", str(copy.folder / "file" / "r.html")],
        "render": [*COMMANDS["render"](copy)[:-1], str(copy.folder / "file" / "r.png")],
    }[command]
    capsys.readouterr()
    assert main(words) in (1, 2)
    line = one_line(capsys.readouterr().err)
    assert f"{copy.folder / 'file'}" in line
    assert "expected a folder, found a file" in line
    assert (copy.folder / "file").read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize("command", ["build", "report"])
def test_a_signal_ends_a_command_in_one_line(copy, number, status, word, command):
    if command == "build":
        shutil.rmtree(copy.tables)
    script = (
        "import sys, time; from medvision import storage; from medvision.cli import main\n"
        "def slow(path): print('there', flush=True); time.sleep(60)\n"
        "storage.sync = slow\n"
        "from medvision.table import build; build.sync = slow\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *COMMANDS[command](copy)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "there\n"
        time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert one_line(err) == f"medvision {command}: {word}; run it again to go on"
    assert main(COMMANDS[command](copy)) == 0


def test_two_builders_two_evaluations_two_scorings(copy):
    """Started at once, again and again: each ends well or is told, and what is left is whole."""
    for command in ("build", "eval", "score"):
        if command == "build":
            (copy.tables / "manifest.json").unlink()
        words = [sys.executable, "-m", "medvision.cli", *COMMANDS[command](copy)]
        pair = [
            subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in pair:
            _, err = process.communicate(timeout=120)
            assert process.returncode in (0, 2), err
            if process.returncode:
                assert "another process is" in one_line(err)
        assert 0 in [process.returncode for process in pair]
        assert main(COMMANDS[command](copy)) == 0
