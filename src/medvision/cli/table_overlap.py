"""Scans used more than once, between tables or in one, and test cases trained on elsewhere."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.table.overlap import find_overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapOptions:
    """Options of `medvision table overlap`."""

    tables: Annotated[tuple[Path, ...], Argument("TABLES", help="table folders")]
    json: Annotated[bool, Option(help="print JSON instead of lines")] = False


def run(options: OverlapOptions) -> int:
    """List shared scans; 1 if there are any."""
    overlap = find_overlap(options.tables)
    if options.json:
        scans = [
            {
                "volume_fingerprint": scan.volume_fingerprint,
                "n_tables": scan.n_tables,
                "uses": [asdict(use) | {"leaked": use in scan.leaked_uses} for use in scan.uses],
            }
            for scan in overlap.scans
        ]
        found = {"n_cases": overlap.n_cases, "n_leaked": overlap.n_leaked, "scans": scans}
        print(json.dumps(found, indent=1))
        return 1 if overlap.scans else 0
    for scan in overlap.scans:
        where = f"in {scan.n_tables} tables" if scan.n_tables > 1 else "repeated in one table"
        print(f"scan {scan.volume_fingerprint[:12]} {where}:")
        for use in scan.uses:
            name = "/".join(filter(None, (use.dataset, use.cohort, use.case_id)))
            leaked = "  <- test here, trained on elsewhere" if use in scan.leaked_uses else ""
            print(f"  {printable(name)}  {use.split}{leaked}")
    between = sum(scan.n_tables > 1 for scan in overlap.scans)
    print(
        f"{sum(overlap.n_cases.values())} cases of {len(overlap.n_cases)} tables: {between} scans "
        f"shared between tables, {len(overlap.scans) - between} repeated inside one; "
        f"{overlap.n_leaked} test cases are training cases elsewhere"
    )
    return 1 if overlap.scans else 0
