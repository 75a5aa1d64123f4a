"""The whole flow on embedded phantoms, or on real sample images, with every baseline."""

import argparse
import sys
from pathlib import Path

from medvision.cli.summary import print_scores
from medvision.demo import N_CASES, run_demo
from medvision.errors import UsageError
from medvision.fetch import FetchError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision demo`."""
    parser.add_argument("--out", type=Path, default=Path("medvision-demo"), metavar="DIR")
    parser.add_argument(
        "--real", action="store_true", help="real images from package registries (pip, apt)"
    )
    parser.add_argument(
        "--cases",
        type=int,
        default=N_CASES,
        metavar="N",
        help=f"phantoms of each kind (default {N_CASES}); a few hundred to train on",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo and print the report's path."""
    if args.cases < 2:
        msg = f"--cases: expected at least 2, one to train and one to test, found {args.cases}"
        raise UsageError(msg)
    try:
        result = run_demo(args.out, _say, real=args.real, n_cases=args.cases)
    except FetchError as error:
        print(f"medvision demo: {error.reason}: {error}", file=sys.stderr)
        return 1
    for name, scores in result.scores.items():
        print(f"\nbaseline/{name}")
        print_scores(scores, max_error_rate=0.0)
    print("\nThe oracle states the truth: its errors are the answer's decimals.")
    print("Not for clinical use.")
    print(f"report: {result.report.resolve()}")
    return 0


def _say(words: str) -> None:
    print(f"- {words}", file=sys.stderr)
