"""Whether every file of table folders is there, byte for byte as it was written."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Argument
from medvision.errors import UsageError
from medvision.table.manifest import TABLE_KEYS, read_manifest
from medvision.table.parts import BUILD_AGAIN, changed_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Options of `medvision table verify`."""

    tables: Annotated[tuple[Path, ...], Argument("TABLES", help="table folders")]


def run(options: VerifyOptions) -> int:
    """Say what is wrong; 1 if anything is."""
    n_wrong = 0
    for tables in options.tables:
        manifest = read_manifest(tables, TABLE_KEYS, BUILD_AGAIN)
        if manifest is None or manifest["stage"] != "build":
            msg = f"{tables}: expected a table folder with a manifest.json, found none"
            raise UsageError(msg)
        if "parts" not in manifest:
            msg = f"{tables}: written by a version that listed no digests; build them again"
            raise UsageError(msg)
        wrong = changed_parts(tables, manifest)
        n_wrong += len(wrong)
        for problem in wrong:
            print(f"{tables}: {problem}", file=sys.stderr)
        if wrong:
            print(f"{tables}: {BUILD_AGAIN}", file=sys.stderr)
        else:
            print(f"{tables}: {len(manifest['parts'])} files, all as written")
    return 1 if n_wrong else 0
