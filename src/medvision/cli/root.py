"""The data root: `--root`, else `$MEDVISION_ROOT`, else `./medvision-data`. Read only here."""

import os
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Option

Root = Annotated[
    Path | None, Option(help="data root (default: $MEDVISION_ROOT, else ./medvision-data)")
]


def data_root(given: Path | None) -> Path:
    """The data root that the command line and the environment name."""
    return given or Path(os.environ.get("MEDVISION_ROOT", "medvision-data"))
