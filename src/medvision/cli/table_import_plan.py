"""A published benchmark plan as table folders, one per task."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.lines import print_problems
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.table.plan_import import import_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlanOptions:
    """Options of `medvision import plan` and `medvision table import-plan`."""

    plan: Annotated[Path, Argument("FILE", help="benchmark_plan_*.json(.gz)")]
    out: Annotated[Path, Option("DIR", help="a folder per task")]
    name: Annotated[str, Option(help="dataset name (default: what the plan says)")] = ""
    data: Annotated[
        Path | None, Option("DIR", help="where the plan's images lie (default: beside it)")
    ] = None


def run(options: ImportPlanOptions) -> int:
    """Import, print counts and problems; 1 when a case could not be used."""
    tasks = import_plan(options.plan, options.out, name=options.name, data=options.data)
    for task in tasks:
        print_problems(task.problems)
        state = "already up to date" if task.up_to_date else "written"
        counts = f"{task.n_cases} cases, {task.n_rows} rows of {task.content}"
        print(printable(f"{task.folder}: {state}; {counts}"))
    return 1 if any(task.problems for task in tasks) else 0
