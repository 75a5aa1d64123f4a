"""Score the stored replies of a run again; asks no model."""

import argparse
from pathlib import Path

from medvision.cli.summary import print_scores
from medvision.scoring.score_run import score_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision score`."""
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("--max-error-rate", type=float, default=0.0, metavar="F")


def run(args: argparse.Namespace) -> int:
    """Score one run; 1 when more replies than allowed are errors."""
    scores = score_run(args.run_folder)
    print_scores(scores, max_error_rate=args.max_error_rate)
    n_errors = scores["status"].to_pylist().count("error")
    return int(bool(scores.num_rows) and n_errors / scores.num_rows > args.max_error_rate)
