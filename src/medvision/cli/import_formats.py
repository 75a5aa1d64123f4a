"""Import what other tools have written."""

import argparse

from medvision.cli.actions import add_actions, run_action

ACTIONS = {
    "plan": ("a published benchmark_plan_*.json(.gz) as tables", "table_import_plan"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision import`."""
    add_actions(parser, ACTIONS)


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    return run_action(args, ACTIONS)
