"""Score the stored replies of a run again; asks no model, unless a judge is named."""

import argparse
from pathlib import Path

import pyarrow as pa

from medvision.cli.asking import add_generation, add_spending, run_settings_from
from medvision.cli.model import add_server, served_model
from medvision.cli.summary import print_scores
from medvision.errors import UsageError
from medvision.scoring.judge import ask_judge
from medvision.scoring.judged_scores import JudgedSummary, add_judged, judged_summaries
from medvision.scoring.score_run import score_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision score`."""
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("--max-error-rate", type=float, default=0.0, metavar="F")
    judge = parser.add_argument_group("judge: a second model re-reads replies that were not read")
    judge.add_argument("--judge", metavar="M", help="openai/NAME")
    add_server(judge)
    add_generation(judge)
    judge.add_argument("--concurrency", type=int, default=32, metavar="N")
    add_spending(judge)
    parser.set_defaults(revision="")


def run(args: argparse.Namespace) -> int:
    """Score one run; 1 when more replies than allowed are errors."""
    score_run(args.run_folder)
    if args.judge:
        _ask(args)
    scores = add_judged(args.run_folder)
    print_scores(scores, max_error_rate=args.max_error_rate)
    summaries = judged_summaries(scores)
    for summary in summaries:
        print(_judged_words(summary))
    return int(_too_many_errors(scores, args) or any(one.n_error for one in summaries))


def _ask(args: argparse.Namespace) -> None:
    kind, _, name = args.judge.partition("/")
    if kind != "openai" or not name:
        msg = f"--judge: expected openai/NAME, found {args.judge!r}"
        raise UsageError(msg)
    judge = served_model(args, name, None)
    ask_judge(args.run_folder, judge, settings=run_settings_from(args))


def _too_many_errors(scores: pa.Table, args: argparse.Namespace) -> bool:
    n_errors = scores["status"].to_pylist().count("error")
    return bool(scores.num_rows) and n_errors / scores.num_rows > args.max_error_rate


def _judged_words(summary: JudgedSummary) -> str:
    means = {
        "iou_mean_judged": summary.iou_mean_judged,
        "relative_error_mean_judged": summary.relative_error_mean_judged,
    }
    words = [f"{name} {mean:.4g}" for name, mean in means.items() if mean is not None]
    counts = f"judge read {summary.n_read} of {summary.n} unread replies, {summary.n_error} errors"
    return f"{summary.task}: " + ", ".join([counts, *words])
