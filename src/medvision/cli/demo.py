"""The whole flow on embedded phantoms, or on real sample images, with every baseline."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Option
from medvision.cli.summary import print_scores
from medvision.demo import N_CASES, run_demo
from medvision.errors import UsageError
from medvision.fetch import FetchError


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of `medvision demo`."""

    out: Annotated[Path, Option("DIR")] = Path("medvision-demo")
    real: Annotated[bool, Option(help="real images from package registries (pip, apt)")] = False
    cases: Annotated[
        int,
        Option("N", help=f"phantoms of each kind (default {N_CASES}); a few hundred to train on"),
    ] = N_CASES


def run(options: DemoOptions) -> int:
    """Run the demo and print the report's path."""
    if options.cases < 2:
        msg = f"--cases: expected at least 2, one to train and one to test, found {options.cases}"
        raise UsageError(msg)
    try:
        result = run_demo(
            options.out,
            lambda words: print(f"- {words}", file=sys.stderr),
            real=options.real,
            n_cases=options.cases,
        )
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
