import os
import subprocess
import sys

import pytest

from medvision.cli import COMMANDS, main

HEAVY = ("numpy", "numba", "cv2", "nibabel", "pyarrow", "openai", "plotly", "PIL", "rich")


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; from medvision.cli import main; status = main(['--help']); "
        f"print(sorted(set(sys.modules) & set({HEAVY}))); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("[]")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert "Not for clinical use" in done.stdout


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if not c.module])
def test_commands_not_built_say_so_in_one_line(name, capsys):
    assert main([name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "not built yet" in line


def test_reinforcement_training_says_that_it_is_not_built(capsys):
    assert main(["train", "grpo", "x.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "not built yet" in line


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if c.module])
def test_every_command_has_help(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"usage: medvision {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["catalog", "show", "nothing"],
        ["build"],
        ["build", "--images", "x"],
        ["build", "--images", "x", "--out", "y"],
        ["eval", "--model", "baseline/oracle", "--run", "r"],
        ["eval", "--suite", "nothing", "--model", "baseline/oracle", "--run", "r"],
        ["eval", "--task", "tl", "--model", "baseline/oracle", "--run", "r"],
        ["score", "nothing"],
        ["report", "nothing"],
        ["render", "--out", "x.png"],
        ["doctor", "--family", "nothing"],
        ["doctor", "--family", "gemma3", "--size", "12"],
    ],
)
def test_wrong_use_is_exit_2_without_a_traceback(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert shown.out + shown.err


def test_unknown_model_names_are_usage_errors(study_tables, tmp_path, capsys):
    words = ["eval", "--tables", str(study_tables), "--task", "area", "--run", str(tmp_path / "r")]
    for model in ("oracle", "baseline/nothing", "other/x", "hf/x", "baseline/constant:a"):
        assert main([*words, "--model", model]) == 2
        assert capsys.readouterr().err


def test_catalogue_lists_and_shows(capsys):
    assert main(["catalog", "list"]) == 0
    assert "colin27-aal" in capsys.readouterr().out
    assert main(["catalog", "show", "pyradiomics-tumors"]) == 0
    assert "lung cancer" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_ends_the_command_quietly():
    command = [sys.executable, "-m", "medvision.cli", "catalog", "list"]
    read_end, write_end = os.pipe()
    os.close(read_end)  # before the command starts: it cannot be quicker than its reader
    with os.fdopen(write_end, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_pipe_that_breaks_elsewhere_is_not_kept_quiet(monkeypatch):
    def broken(args):
        msg = "of a worker"
        raise BrokenPipeError(msg)

    monkeypatch.setattr("medvision.cli.catalog.run", broken)
    with pytest.raises(BrokenPipeError, match="of a worker"):
        main(["catalog", "list"])
