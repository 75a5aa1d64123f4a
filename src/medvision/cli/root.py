"""The data root: `--root`, else `$MEDVISION_ROOT`, else `./medvision-data`. Read only here."""

import argparse
import os
from pathlib import Path


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add `--root` to a command."""
    parser.add_argument(
        "--root",
        type=Path,
        help="data root (default: $MEDVISION_ROOT, else ./medvision-data)",
    )


def root_from(args: argparse.Namespace) -> Path:
    """The data root that the command line and the environment name."""
    return args.root or Path(os.environ.get("MEDVISION_ROOT", "medvision-data"))
