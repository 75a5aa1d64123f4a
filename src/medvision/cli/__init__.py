"""The command `medvision`: one subcommand per arrow of the data flow.

Nothing heavy is imported here: a subcommand's module is loaded when it is called.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from medvision import __version__
from medvision.cli.log import log_to_stderr
from medvision.cli.options import add_options, options_from
from medvision.cli.printable import printable
from medvision.cli.stopped import Terminated, exit_status, stoppable, system_words
from medvision.declarations import DeclarationError
from medvision.errors import MedVisionError

DONE, SOME_FAILED, USAGE = 0, 1, 2

PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand, or a name with subcommands below it.

    Attributes:
        help: What it does, in one line.
        module: Its module below `medvision.cli`, with `run(options: OptionsOfIt) -> int`. The
            class of that argument is the command line (`medvision.cli.options`), the module's
            docstring what the help says above it.
        commands: The subcommands, instead of a module.
    """

    help: str
    module: str = ""
    commands: Mapping[str, "Command"] = field(default_factory=dict)


IMPORT_PLAN = Command(
    help="a published benchmark_plan_*.json(.gz) as tables", module="table_import_plan"
)

COMMANDS = {
    "demo": Command(
        help="the whole flow on phantoms or real samples, with baselines", module="demo"
    ),
    "catalog": Command(
        help="datasets: tasks, licence, access, size",
        commands={
            "list": Command(help="one line per dataset", module="catalog_list"),
            "show": Command(help="all about one dataset", module="catalog_show"),
            "status": Command(
                help="where each stands, and how large it is", module="catalog_status"
            ),
            "page": Command(help="the page about all datasets", module="catalog_page"),
            "check": Command(
                help="labels, groups, tasks, suites and landmarks fit together",
                module="check_catalog",
            ),
            "schema": Command(
                help="JSON schema of declarations, for editors", module="catalog_schema"
            ),
        },
    ),
    "fetch": Command(help="download, verify and unpack datasets", module="fetch"),
    "describe": Command(
        help="what a folder holds and how it pairs; writes a declaration", module="describe"
    ),
    "build": Command(help="images with masks or landmarks to tables", module="build"),
    "table": Command(
        help="compare tables, find shared scans, import published plans",
        commands={
            "diff": Command(
                help="compare two table folders, measurement by measurement", module="table_diff"
            ),
            "overlap": Command(
                help="scans that several table folders share", module="table_overlap"
            ),
            "verify": Command(
                help="every file is there, byte for byte as written", module="table_verify"
            ),
            "import-plan": IMPORT_PLAN,
        },
    ),
    "render": Command(help="draw one sample or slice", module="render"),
    "eval": Command(help="ask a model the questions of a suite or table, and score", module="eval"),
    "score": Command(help="score the stored replies of a run again", module="score"),
    "analyse": Command(help="how and why models fail: verdicts over runs", module="analyse"),
    "report": Command(help="one HTML page from one or more runs", module="report"),
    "import": Command(
        help="published plans and results as tables and runs",
        commands={
            "plan": IMPORT_PLAN,
            "results": Command(
                help="result files of the original benchmark as a run", module="import_results"
            ),
        },
    ),
    "train": Command(
        help="fine-tune a model: sft, merge",
        commands={
            "sft": Command(help="supervised fine-tuning", module="train_sft"),
            "merge": Command(help="fold an adapter into its base", module="train_merge"),
        },
    ),
    "doctor": Command(help="what is installed, and what a model will see", module="doctor"),
}


MEDVISION = Command(
    help="Quantitative medical image analysis with vision-language models. Not for clinical use.",
    commands=COMMANDS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 some items failed (listed, with reasons), 2 usage; 130 after Ctrl-C and 143 after
        SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        _listing("medvision", MEDVISION).print_help()
        return USAGE
    try:
        call = _parsed("medvision", MEDVISION, words)
    except SystemExit as stop:
        return USAGE if stop.code else DONE
    try:
        with log_to_stderr(verbose=call.verbose), stoppable():
            status = call.run(call.options)
        sys.stdout.flush()
    except MedVisionError as error:
        keep = "\n" if isinstance(error, DeclarationError) else ""  # a line for each mistake
        print(f"{call.name}: {printable(str(error), keep=keep)}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt as stop:
        is_term = isinstance(stop, Terminated)
        how = "terminated" if is_term else "interrupted"
        print(f"{call.name}: {how}; run it again to go on", file=sys.stderr)
        return exit_status(is_term=is_term)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            # Python flushes standard output once more as it ends; that must not fail either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SOME_FAILED
        if call.verbose:
            raise
        if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError):
            print(f"{call.name}: {printable(system_words(error))}", file=sys.stderr)
            return SOME_FAILED
        # The last place in our own code, below this function, tells more than one in a library.
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames[1:] if Path(frame.filename).is_relative_to(PACKAGE)]
        place = (ours or frames)[-1]
        what = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        print(f"{call.name}: {printable(what)}; -v shows the whole traceback", file=sys.stderr)
        return SOME_FAILED
    return status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What a command line asks for; `name` is all words of the command."""

    name: str
    run: Callable[[Any], int]
    options: Any
    verbose: bool


def _parsed(name: str, command: Command, words: Sequence[str], *, verbose: bool = False) -> _Call:
    """The call that the words after `name` describe.

    Raises:
        SystemExit: As argparse does, for help and for words that cannot be.
    """
    # argparse's own subparsers would need the options of every command, and with them its imports.
    if command.commands:
        # Only flags stand before the next word, so the first word without a dash is it.
        at = next((at for at, word in enumerate(words) if not word.startswith("-")), len(words))
        given = _listing(name, command).parse_args(words[: at + 1])
        return _parsed(
            f"{name} {given.command}",
            command.commands[given.command],
            words[at + 1 :],
            verbose=verbose or given.verbose,
        )
    module = importlib.import_module(f"medvision.cli.{command.module}")
    # The class that a type checker sees in `run` is the one the parser is made of.
    options, _status_type = get_type_hints(module.run).values()
    parser = argparse.ArgumentParser(prog=name, description=module.__doc__)
    _add_verbose(parser)
    add_options(parser, options)
    given = parser.parse_args(words)
    return _Call(
        name=name,
        run=module.run,
        options=options_from(options, given),
        verbose=verbose or given.verbose,
    )


def _listing(name: str, command: Command) -> argparse.ArgumentParser:
    """A parser of the next word alone; its help tells what there is below a command."""
    width = max(map(len, command.commands))
    lines = (f"  {one:<{width}}  {below.help}" for one, below in command.commands.items())
    listed = "\n".join(lines)
    parser = argparse.ArgumentParser(
        prog=name,
        description=command.help,
        epilog=f"commands:\n{listed}\n\n`{name} COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if command is MEDVISION:
        parser.add_argument("--version", action="version", version=f"medvision {__version__}")
    _add_verbose(parser)
    parser.add_argument("command", choices=list(command.commands), metavar="COMMAND")
    return parser


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="show what is being done")


def _reader_is_gone() -> bool:
    """Whether nobody reads what is printed any more, as after `| head`; prints a line end."""
    try:
        print(flush=True)
    except BrokenPipeError:
        return True
    return False
