"""Compare tables, find shared scans, import published plans."""

import argparse

from medvision.cli.actions import add_actions, run_action

ACTIONS = {
    "diff": ("compare two table folders, measurement by measurement", "table_diff"),
    "overlap": ("scans that several table folders share", "table_overlap"),
    "import-plan": ("a published benchmark_plan_*.json(.gz) as tables", "table_import_plan"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision table`."""
    add_actions(parser, ACTIONS)


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    return run_action(args, ACTIONS)
