"""Compare tables, find shared scans, import published plans."""

import argparse
import importlib

ACTIONS = {
    "diff": ("compare two table folders, measurement by measurement", "table_diff"),
    "overlap": ("scans that several table folders share", "table_overlap"),
    "import-plan": ("a published benchmark_plan_*.json(.gz) as tables", "table_import_plan"),
}
"""Subcommand to its help and its module below `medvision.cli`, with `add_arguments` and `run`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision table`."""
    actions = parser.add_subparsers(dest="action", required=True)
    for name, (text, module) in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text)
        importlib.import_module(f"medvision.cli.{module}").add_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Run one subcommand."""
    module = importlib.import_module(f"medvision.cli.{ACTIONS[args.action][1]}")
    status: int = module.run(args)
    return status
