"""Lines that several commands print."""

import sys
from collections.abc import Iterable, Mapping

from medvision.cli.printable import printable
from medvision.table.annotate_case import Problem


def print_rows(rows: Mapping[str, str]) -> None:
    """Names and words in two columns."""
    width = max([23, *map(len, rows)])
    for name, words in rows.items():
        print(f"{name:<{width}} {words}")


def print_problems(problems: Iterable[Problem]) -> None:
    """What could not be used of which case and why, on standard error."""
    for problem in problems:
        line = f"{problem.case_id}: {problem.reason}: {problem.message}"
        print(printable(line), file=sys.stderr)
