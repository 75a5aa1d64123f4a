"""How and why models fail: verdicts with the numbers behind them, over the scores of runs."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.analysis.read_run import read_runs
from medvision.analysis.verdicts.analyse import ANALYSES, analyse, verdicts_json
from medvision.analysis.verdicts.charts import write_charts
from medvision.analysis.verdicts.verdict import Verdict
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.run_names import named_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseOptions:
    """Options of `medvision analyse`."""

    runs: Annotated[tuple[Path, ...], Argument("RUN")]
    json: Annotated[bool, Option(help="print the verdicts as JSON")] = False
    seen_planes: Annotated[
        tuple[str, ...], Option("PLANE", help="planes that the models were trained on")
    ] = ()
    seen_labels: Annotated[
        tuple[str, ...], Option("LABEL", help="structures that they were trained on")
    ] = ()
    figures: Annotated[
        Path | None, Option("DIR", help="draw each analysis there, as SVG and PNG")
    ] = None
    name: Annotated[
        tuple[str, ...],
        Option("RUN=NAME", repeated=True, help="call a run so; runs of one name are one row"),
    ] = ()
    cutoffs: Annotated[
        Path | None, Option("FILE", help="clinical decisions as TOML, instead of the built-in ones")
    ] = None


def run(options: AnalyseOptions) -> int:
    """Print the verdicts."""
    seen = {"plane": options.seen_planes, "label": options.seen_labels}
    verdicts = analyse(
        read_runs(options.runs, names=named_runs(options.name)),
        seen={column: values for column, values in seen.items() if values},
        cutoffs=options.cutoffs,
    )
    if options.figures:
        for path in write_charts(verdicts, options.figures):
            print(printable(str(path)), file=sys.stderr)
    if options.json:
        json.dump(verdicts_json(verdicts), sys.stdout, indent=1, allow_nan=False)
        print()
        return 0
    for name in ANALYSES:
        of_analysis = [verdict for verdict in verdicts if verdict.name == name]
        if of_analysis:
            print(name)
            for verdict in of_analysis:
                print(f"  {_line(verdict)}")
    return 0


def _line(verdict: Verdict) -> str:
    where = " ".join(part for part in (verdict.model, verdict.task, verdict.group) if part)
    number = ""
    if verdict.value is not None:
        number = f" {verdict.value:.4g}"
        if verdict.interval:
            number += " [{:.4g}, {:.4g}]".format(*verdict.interval)
    counts = f"n {verdict.n}, subjects {verdict.n_subjects}"
    return f"{verdict.verdict:10} {where}:{number} ({counts}). {verdict.words}"
