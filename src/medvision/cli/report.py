"""One self-contained HTML page from one or more runs."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.analysis import report_json, write_report
from medvision.analysis.read_run import read_runs, row_pictures
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.summary import n_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Options of `medvision report`."""

    runs: Annotated[tuple[Path, ...], Argument("RUN")]
    out: Annotated[Path | None, Option("FILE", help="default: RUN/report/report.html")] = None
    json: Annotated[bool, Option(help="print the report's tables as JSON")] = False


def run(options: ReportOptions) -> int:
    """Write the page and print its path."""
    runs = read_runs(options.runs)
    for one in runs:
        if missing := n_missing(one.scores):
            words = f"{missing} of {one.scores.num_rows} questions have no answer"
            print(
                f"{printable(one.name)}: {words}: run `medvision eval` again to ask them",
                file=sys.stderr,
            )
    if options.json:
        json.dump(report_json(runs), sys.stdout, indent=1)
        print()
        return 0
    out = options.out or options.runs[0] / "report" / "report.html"
    print(printable(str(write_report(runs, out, picture=row_pictures()))))
    return 0
