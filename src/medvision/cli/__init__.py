"""The command `medvision`: one subcommand per arrow of the data flow.

Nothing heavy is imported here: each subcommand's module is loaded when it is called.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from medvision import __version__
from medvision.errors import MedVisionError

DONE, SOME_FAILED, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One subcommand. `module` is below `medvision.cli`; "" marks one that is not built yet.

    A module has `add_arguments(parser)` and `run(args) -> int`.
    """

    help: str
    module: str = ""


COMMANDS = {
    "demo": Command(
        help="the whole flow on phantoms or real samples, with baselines", module="demo"
    ),
    "catalog": Command(help="datasets: tasks, licence, access, size", module="catalog"),
    "fetch": Command(help="download, verify and unpack a dataset", module="fetch"),
    "build": Command(help="images with masks or landmarks to tables", module="build"),
    "table": Command(
        help="compare tables, find shared scans, import published plans", module="table"
    ),
    "render": Command(help="draw one sample or slice", module="render"),
    "eval": Command(help="ask a model the questions of a suite or table, and score", module="eval"),
    "score": Command(help="score the stored replies of a run again", module="score"),
    "report": Command(help="one HTML page from one or more runs", module="report"),
    "export": Command(help="samples and tables for other tools"),
    "import": Command(help="published plans of other tools", module="import_formats"),
    "train": Command(help="fine-tune a model: sft, merge", module="train"),
    "doctor": Command(help="what is installed, and what a model will see", module="doctor"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 some items failed (listed, with reasons), 2 usage.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not words:
        parser.print_help()
        return USAGE
    if words[0] in COMMANDS:
        return _run_command(words[0], words[1:])
    try:
        parser.parse_args(words)
    except SystemExit as stop:
        return USAGE if stop.code else DONE
    return DONE


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(f"  {name:<9}{command.help}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="medvision",
        description="Quantitative medical image analysis with vision-language models. "
        "Not for clinical use.",
        epilog=f"commands:\n{listing}\n\n`medvision COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"medvision {__version__}")
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND")
    return parser


def _reader_is_gone() -> bool:
    """Whether nobody reads what is printed any more, as after `| head`; prints a line end."""
    try:
        print(flush=True)
    except BrokenPipeError:
        return True
    return False


def _run_command(name: str, words: list[str]) -> int:
    command = COMMANDS[name]
    if not command.module:
        print(f"medvision {name}: not built yet ({command.help})", file=sys.stderr)
        return USAGE
    module = importlib.import_module(f"medvision.cli.{command.module}")
    parser = argparse.ArgumentParser(prog=f"medvision {name}", description=module.__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="show what is being done")
    module.add_arguments(parser)
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:
        return USAGE if stop.code else DONE
    logging.basicConfig(level=logging.INFO if args.verbose else logging.ERROR, format="%(message)s")
    try:
        status: int = module.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except MedVisionError as error:
        print(f"medvision {name}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"medvision {name}: interrupted; run it again to go on", file=sys.stderr)
        return SOME_FAILED
    return status
