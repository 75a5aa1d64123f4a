"""One self-contained HTML page from one or more runs."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from medvision.analysis import report_json, write_report
from medvision.analysis.case_server import CaseServer, ServedCases
from medvision.analysis.drawing import MaskOutlines
from medvision.analysis.export.write import DRAWN, write_exports
from medvision.analysis.merged_runs import told_apart
from medvision.analysis.paper_tables import paper_tables, tables_json, tables_text
from medvision.analysis.read_run import read_apart, read_runs, row_pictures, row_samples
from medvision.analysis.run_scores import RunScores
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.protocol import ReadingOptions
from medvision.cli.run_names import named_runs
from medvision.cli.summary import n_missing
from medvision.errors import MissingExtraError
from medvision.extras import require


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Options of `medvision report`."""

    runs: Annotated[tuple[Path, ...], Argument("RUN")]
    reading: ReadingOptions
    root: Annotated[
        Path | None, Option("FOLDER", help="stands for the folder of images that were moved")
    ] = None
    out: Annotated[Path | None, Option("FILE", help="default: RUN/report/report.html")] = None
    tables: Annotated[
        Literal["paper"] | None, Option(help="print the paper's and its leaderboard's tables")
    ] = None
    json: Annotated[bool, Option(help="print the tables as JSON")] = False
    name: Annotated[
        tuple[str, ...],
        Option("RUN=NAME", repeated=True, help="call a run so; runs of one name are one row"),
    ] = ()
    figures: Annotated[
        Path | None,
        Option("DIR", help="write every figure (SVG, PDF, PNG) and table (CSV, Markdown, LaTeX)"),
    ] = None
    serve: Annotated[
        bool, Option(help="show all cases with all pictures, on this machine alone, until stopped")
    ] = False
    port: Annotated[int, Option("N", help="of --serve; 0 takes a free one")] = 0
    masks: Annotated[
        Path | None, Option("TABLES", help="of --serve: tables whose masks are outlined")
    ] = None


def run(options: ReportOptions) -> int:
    """Write the page and print its path."""
    reading, names = options.reading.chosen(), named_runs(options.name)
    # The paper's tables name the suite of each row, which a row of several runs has not.
    if options.tables:
        runs = told_apart(read_apart(options.runs, reading, names=names))
    else:
        runs = read_runs(options.runs, reading, names=names)
    for one in runs:
        if missing := n_missing(one.scores):
            words = f"{missing} of {one.scores.num_rows} questions have no answer"
            line = f"{one.name}: {words}: run `medvision eval` again to ask them"
            print(printable(line), file=sys.stderr)
    if options.tables:
        found = paper_tables(runs)
        print(json.dumps(tables_json(found), indent=1) if options.json else tables_text(found))
        return 0
    status = _write_exports(runs, options.figures) if options.figures else 0
    if options.json:
        json.dump(report_json(runs), sys.stdout, indent=1)
        print()
        return status
    if options.serve:
        return _serve(runs, options)
    out = options.out or options.runs[0] / "report" / "report.html"
    print(printable(str(write_report(runs, out, picture=row_pictures(options.root)))))
    return status


def _serve(runs: list[RunScores], options: ReportOptions) -> int:
    """Answer on loopback until the user stops it."""
    outline = MaskOutlines(options.masks).of_sample if options.masks else lambda _: None
    cases = ServedCases(runs, outline=outline, sample_of=row_samples(options.root))
    with CaseServer(cases, options.port) as server:
        print(f"{server.url} (Ctrl+C stops it)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _write_exports(runs: Sequence[RunScores], folder: Path) -> int:
    """Write figures and tables, PDF where its library is there; 1 where it is not."""
    kinds, status = tuple(DRAWN), 0
    try:
        require("fpdf", "figures", item="figures as PDF")
    except MissingExtraError as error:
        print(printable(f"{error}"), file=sys.stderr)
        kinds, status = tuple(kind for kind in DRAWN if kind != "pdf"), 1
    n_files = sum(1 for _ in write_exports(runs, folder, kinds=kinds))
    print(printable(f"{folder}: {n_files} files"), file=sys.stderr)
    return status
