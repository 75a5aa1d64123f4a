"""One self-contained HTML page from one or more runs."""

import argparse
import json
import sys
from pathlib import Path

from medvision.analysis import report_json, write_report
from medvision.analysis.read_run import read_runs, row_pictures
from medvision.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision report`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: RUN/report/report.html")
    parser.add_argument("--json", action="store_true", help="print the report's tables as JSON")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--figures", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Write the page and print its path."""
    if args.serve or args.figures:
        msg = "--serve and --figures are not built yet; the page opens from disk"
        raise UsageError(msg)
    runs = read_runs(args.runs)
    if args.json:
        json.dump(report_json(runs), sys.stdout, indent=1)
        print()
        return 0
    out = args.out or args.runs[0] / "report" / "report.html"
    print(write_report(runs, out, picture=row_pictures()))
    return 0
