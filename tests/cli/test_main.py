import argparse
import json
import logging
import os
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest

from medvision.cli import COMMANDS, catalog_list, main
from medvision.cli.catalog_list import ListOptions
from medvision.cli.options import add_options

HEAVY = ("numpy", "numba", "cv2", "nibabel", "pyarrow", "openai", "plotly", "PIL", "rich")


def leaves(commands=COMMANDS, above=()):
    """Words and command, of those that do something."""
    for name, command in commands.items():
        if command.commands:
            yield from leaves(command.commands, (*above, name))
        else:
            yield " ".join((*above, name)), command


LEAVES = dict(leaves())


def option_strings(command):
    """`--name` of options, placeholders of arguments."""
    options, _ = get_type_hints(sys.modules[f"medvision.cli.{command.module}"].run).values()
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser, options)
    return sorted(
        word for action in parser._actions for word in action.option_strings or [action.metavar]
    )


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


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_help_and_typed_options(words, capsys):
    assert main([*words.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: medvision {words} " in shown
    module = sys.modules[f"medvision.cli.{LEAVES[words].module}"]
    assert module.__doc__.split()[0] in shown
    options, status = get_type_hints(module.run).values()
    assert is_dataclass(options)
    assert options.__dataclass_params__.frozen
    assert status is int


@pytest.mark.parametrize("words", LEAVES)
def test_options_come_and_go_on_purpose(words, capsys):
    """Users' scripts hold these words; a new one is entered in the file."""
    recorded = json.loads((Path(__file__).parent / "option_strings.json").read_text("utf-8"))
    assert set(recorded) == set(LEAVES)
    main([*words.split(), "--help"])
    assert " ".join(option_strings(LEAVES[words])) == recorded[words]


@pytest.mark.parametrize("group", [name for name, one in COMMANDS.items() if one.commands])
def test_commands_with_commands_below_list_them(group, capsys):
    assert main([group, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS[group].commands)
    assert main([group]) == 2
    assert "required: COMMAND" in capsys.readouterr().err
    assert main([group, "nothing"]) == 2
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["export"],
        ["train", "grpo", "x.toml"],
        ["eval", "--model", "baseline/oracle", "--run", "r", "--refine"],
        ["catalog", "show", "nothing"],
        ["build"],
        ["build", "--images", "x"],
        ["build", "--images", "x", "--out", "y"],
        ["build", "x", "--images", "x", "--out", "y"],
        ["build", "--images", "x", "--nnunet", "x", "--out", "y"],
        ["eval", "--model", "baseline/oracle", "--run", "r"],
        ["eval", "--suite", "nothing", "--model", "baseline/oracle", "--run", "r"],
        ["eval", "--task", "tl", "--model", "baseline/oracle", "--run", "r"],
        ["score", "nothing"],
        ["report", "nothing"],
        ["report"],
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
    if words:
        assert not shown.out


def test_unknown_model_names_are_usage_errors(study_tables, tmp_path, capsys):
    words = ["eval", "--tables", str(study_tables), "--task", "area", "--run", str(tmp_path / "r")]
    for model in ("oracle", "baseline/nothing", "other/x", "hf/x", "baseline/constant:a"):
        assert main([*words, "--model", model]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("medvision eval: ")


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


@pytest.fixture
def broken(monkeypatch):
    """Makes `medvision catalog list` raise."""

    def breaks_with(error):
        def run(_options: ListOptions) -> int:
            raise error

        monkeypatch.setattr(catalog_list, "run", run)

    return breaks_with


@pytest.mark.parametrize("error", [KeyError("gone"), BrokenPipeError("of a worker")])
def test_a_mistake_of_ours_is_one_line_and_verbose_a_traceback(error, broken, capsys):
    broken(error)
    assert main(["catalog", "list"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"medvision catalog list: {type(error).__name__}: {error} (")
    assert f"{Path(__file__).name}:" in line
    assert line.endswith("; -v shows the whole traceback")
    for words in (["catalog", "list", "-v"], ["catalog", "-v", "list"], ["-v", "catalog", "list"]):
        with pytest.raises(type(error), match=str(error)):
            main(words)


def test_an_interruption_is_one_line(broken, capsys):
    broken(KeyboardInterrupt())
    assert main(["catalog", "list", "-v"]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "medvision catalog list: interrupted; run it again to go on"


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([], ["our warning", "their error"]),
        (["-v"], ["our note", "our warning", "their note", "their error"]),
    ],
)
def test_warnings_of_ours_are_shown_and_errors_of_others(flags, shown, monkeypatch, capsys):
    def run(_options: ListOptions) -> int:
        for whose, name in (("our", "medvision.somewhere"), ("their", "elsewhere")):
            logging.getLogger(name).info("%s note", whose)
            if whose == "our":
                logging.getLogger(name).warning("our warning")
            else:
                logging.getLogger(name).error("their error")
        for library in ("httpx", "httpx2"):
            logging.getLogger(library).info("POST http://me:password@host")
        return 0

    monkeypatch.setattr(catalog_list, "run", run)
    levels = [logging.getLogger(name).level for name in (None, "medvision", "httpx")]
    assert main(["catalog", "list", *flags]) == 0
    assert capsys.readouterr().err.splitlines() == shown
    assert [logging.getLogger(name).level for name in (None, "medvision", "httpx")] == levels
    assert main(["catalog", "list"]) == 0
    assert capsys.readouterr().err.splitlines() == ["our warning", "their error"]
