"""Commands made of several actions, each in a module of its own that is loaded when called."""

import argparse
import importlib
from collections.abc import Mapping

Actions = Mapping[str, tuple[str, str]]
"""Action to its help and its module below `medvision.cli`, with `add_arguments` and `run`."""


def add_actions(parser: argparse.ArgumentParser, actions: Actions) -> None:
    """Add each action with its own options."""
    subparsers = parser.add_subparsers(dest="action", required=True)
    for name, (text, module) in actions.items():
        action = subparsers.add_parser(name, help=text, description=text)
        importlib.import_module(f"medvision.cli.{module}").add_arguments(action)


def run_action(args: argparse.Namespace, actions: Actions) -> int:
    """Run the action that the command line names."""
    module = importlib.import_module(f"medvision.cli.{actions[args.action][1]}")
    status: int = module.run(args)
    return status
