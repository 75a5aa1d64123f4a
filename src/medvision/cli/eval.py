"""Ask a model the questions of a suite or of tables, store every reply, and score them."""

import argparse
import logging
from pathlib import Path

import pyarrow as pa

from medvision.cli.asking import (
    add_generation,
    add_spending,
    run_settings_from,
)
from medvision.cli.live import live_progress
from medvision.cli.model import add_server, add_weights, asked_model
from medvision.cli.pixel_grid import add_grid, grid_from
from medvision.cli.profiles import add_profiles, model_profile
from medvision.cli.root import add_root, root_from
from medvision.cli.summary import print_scores
from medvision.errors import UsageError
from medvision.models.base import LocalModel, ServedModel
from medvision.models.baselines import make_baseline
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.profiles import ModelProfile, declared_family
from medvision.models.runner import RunSummary, StopReason
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import Sample
from medvision.samples.select import Selection, select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig, load_suite
from medvision.scoring.running_score import RunningScore
from medvision.scoring.score_run import ReplyReader, score_run
from medvision.table.catalogue import tables_folder
from medvision.tasks import Task

HTTP_LIBRARIES = ("httpx", "httpx2")
"""Kept from logging: they would name the address of each request, which may hold a password."""

NOT_BUILT = ("refine", "scale_spacing")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision eval`."""
    what = parser.add_argument_group("questions")
    what.add_argument("--suite", metavar="S", help="a built-in suite or a .toml file")
    what.add_argument("--tables", type=Path, nargs="+", metavar="T", help="table folders")
    what.add_argument("--task", choices=[str(task) for task in Task])
    what.add_argument("--split", choices=("test", "train", "all"), default="test")
    what.add_argument("--limit", type=int, metavar="N", help="at most N samples, drawn by seed")
    what.add_argument("--style", choices=[str(style) for style in Style])
    add_root(parser)
    who = parser.add_argument_group("model")
    who.add_argument("--model", required=True, metavar="M", help="openai/, hf/ or baseline/NAME")
    add_server(who)
    who.add_argument("--family", metavar="F", help="how the model sees pictures: a family or HxW")
    add_profiles(who)
    add_grid(who)
    add_generation(who)
    add_weights(parser.add_argument_group("weights of an hf/ model"))
    how = parser.add_argument_group("run")
    how.add_argument("--run", type=Path, required=True, metavar="RUN", help="run folder")
    how.add_argument("--concurrency", type=int, default=32, metavar="N")
    how.add_argument("--max-error-rate", type=float, default=0.0, metavar="F")
    how.add_argument("--repeats", type=int, default=1, metavar="N", help="times each question")
    add_spending(how)
    how.add_argument("--refine", action="store_true", help=argparse.SUPPRESS)
    how.add_argument("--scale-spacing", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Evaluate and score; 1 when more replies than allowed are errors."""
    for option in NOT_BUILT:
        if getattr(args, option):
            msg = f"--{option.replace('_', '-')} is not built yet"
            raise UsageError(msg)
    for library in HTTP_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    suite, tables = suite_and_tables(args)
    selection = select_samples(suite, tables, split=args.split, limit=args.limit, root=args.root)
    profile = model_profile(args)
    model = make_model(args, suite, tables, profile)
    request = EvalRequest(
        samples=selection.table,
        model=model,
        family=picture_family(args, selection.table, profile),
        style=Style(args.style or (profile.style if profile else Style.DIRECT)),
        system_text=profile.system_text if profile else "",
        profile=profile,
        repeats=args.repeats,
        settings=run_settings_from(args),
        selection=_selection_record(args, suite, selection),
    )
    reader = ReplyReader(style=request.style, family=request.family)
    with live_progress(args.model, RunningScore(reader=reader)) as on_progress:
        summary = evaluate(request, args.run, on_progress)
    scores = score_run(args.run)
    _print_selection(selection)
    _print_spending(summary)
    print_scores(scores, max_error_rate=args.max_error_rate)
    return _status(summary, scores, args.max_error_rate)


def suite_and_tables(args: argparse.Namespace) -> tuple[Suite, dict[str, Path]]:
    """What the command line asks for: a suite, and table folders by dataset name."""
    if bool(args.suite) == bool(args.task):
        msg = "expected --suite S, or --tables T with --task detection|tl|ad|area"
        raise UsageError(msg)
    if args.suite:
        suite = load_suite(args.suite)
        folders = args.tables or _suite_folders(suite, root_from(args))
        return suite, table_folders(folders)
    if not args.tables:
        msg = "--task also needs --tables T: the folder that `medvision build` wrote"
        raise UsageError(msg)
    name = f"tables-{args.task}"
    configs = (TaskConfig(task=Task(args.task)),)
    return Suite(name=name, configs=configs, cap_per_config=None), table_folders(args.tables)


def _suite_folders(suite: Suite, root: Path) -> list[Path]:
    folders = [tables_folder(root, config.dataset) for config in suite.configs if config.dataset]
    present = [folder for folder in dict.fromkeys(folders) if (folder / "manifest.json").exists()]
    if not present:
        names = sorted({config.dataset for config in suite.configs})
        msg = (
            f"suite {suite.name!r} asks for {', '.join(names)}, of which none is built below "
            f"{root}; run `medvision build NAME` first, or name folders with --tables"
        )
        raise UsageError(msg)
    return present


def make_model(
    args: argparse.Namespace,
    suite: Suite,
    tables: dict[str, Path],
    profile: ModelProfile | None = None,
) -> ServedModel | LocalModel:
    """The model that `--model` names; what the command line leaves open is its profile's.

    Raises:
        UsageError: An unknown kind or name, or `openai/` without `--base-url`.
    """
    kind, _, name = args.model.partition("/")
    if kind == "baseline" and name:
        train: list[Sample] = []
        if name == "train-mean":
            train = select_samples(suite, tables, split="train", root=args.root).samples
        return make_baseline(args.model, train_samples=train)
    return asked_model(args, profile)


def picture_family(
    args: argparse.Namespace, samples: pa.Table, profile: ModelProfile | None
) -> PictureFamily:
    """How the model sees pictures: as `--family` says, else as its profile does.

    Raises:
        UsageError: A served model without family or profile is asked for millimetres: the prompt
            could not state the pixel size it sees.
    """
    grid = grid_from(args)
    if args.family or profile:
        return declared_family(args.family, profile).shown_on(grid)
    measured = sorted(set(samples["task"].unique().to_pylist()) - {str(Task.DETECTION)})
    if measured and not args.model.startswith("baseline/"):
        msg = (
            f"tasks {', '.join(measured)} state the pixel size that the model sees, which depends "
            f"on how it resizes pictures, and no profile knows {args.model!r}; declare it with "
            "--family NAME, --family HxW, or a profile of your own in --profiles FILE"
        )
        raise UsageError(msg)
    return PictureFamily(name="as_sent").shown_on(grid)


def _selection_record(
    args: argparse.Namespace, suite: Suite, selection: Selection
) -> dict[str, object]:
    return {
        "suite": suite.name,
        "split": args.split,
        "limit": args.limit,
        "seed": suite.seed,
        "cap_per_config": suite.cap_per_config,
        "dropped": selection.dropped,
    }


def _print_selection(selection: Selection) -> None:
    dropped = ", ".join(f"{count} {reason}" for reason, count in selection.dropped.items())
    print(f"{selection.table.num_rows} samples" + (f" (left out: {dropped})" if dropped else ""))


def _print_spending(summary: RunSummary) -> None:
    if summary.prompt_tokens or summary.completion_tokens:
        money = "" if summary.money is None else f", {summary.money:.4f} spent"
        print(f"{summary.prompt_tokens} + {summary.completion_tokens} tokens in and out{money}")


STOPPED = {
    StopReason.INTERRUPTED: "interrupted; run it again to ask the rest",
    StopReason.BUDGET: "the budget is spent; run it again with another to ask the rest",
    StopReason.BUDGET_UNKNOWN: "stopped: the server states no token counts, so the budget cannot "
    "be kept; run it again without --budget",
    StopReason.TIME_LIMIT: "the time is over; run it again to ask the rest",
    StopReason.BREAKER_OPEN: "gave up: the server does not answer; run it again to ask the rest",
}


def _status(summary: RunSummary, scores: pa.Table, max_error_rate: float) -> int:
    n_errors = scores["status"].to_pylist().count("error")
    if summary.stopped:
        print(STOPPED[summary.stopped])
    if summary.interrupted:
        return 1
    if scores.num_rows and n_errors / scores.num_rows > max_error_rate:
        print(f"{n_errors} of {scores.num_rows} questions have no answer; run it again to ask them")
        return 1
    return 0
