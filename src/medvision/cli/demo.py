"""The whole flow on embedded phantoms, or on real sample images, with every baseline."""

import argparse
import sys
from pathlib import Path

from medvision.cli.summary import print_scores
from medvision.demo import run_demo
from medvision.fetch import FetchError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision demo`."""
    parser.add_argument("--out", type=Path, default=Path("medvision-demo"), metavar="DIR")
    parser.add_argument(
        "--real", action="store_true", help="real images from package registries (pip, apt)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo and print the report's path."""
    try:
        result = run_demo(args.out, _say, real=args.real)
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
