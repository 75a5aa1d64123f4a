"""A published benchmark plan as table folders, one per task."""

import argparse
from pathlib import Path

from medvision.table.plan_import import ImportedTask, import_plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision table import-plan`."""
    parser.add_argument("plan", type=Path, metavar="FILE", help="benchmark_plan_*.json(.gz)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder per task")
    parser.add_argument("--name", default="", help="dataset name (default: what the plan says)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the plan's images lie (default: beside it)"
    )


def run(args: argparse.Namespace) -> int:
    """Import, print counts and problems; 1 when a case could not be used."""
    tasks = import_plan(args.plan, args.out, name=args.name, data=args.data)
    for task in tasks:
        _print(task)
    return 1 if any(task.problems for task in tasks) else 0


def _print(task: ImportedTask) -> None:
    for problem in task.problems:
        print(f"{problem.case_id}: {problem.reason}: {problem.message}")
    state = "already up to date" if task.up_to_date else "written"
    print(f"{task.folder}: {state}; {task.n_cases} cases, {task.n_rows} rows of {task.content}")
