"""Scans used more than once, between tables or in one, and test cases trained on elsewhere."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from medvision.table.overlap import Overlap, ScanUse, find_overlap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision table overlap`."""
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLES", help="table folders")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")


def run(args: argparse.Namespace) -> int:
    """List shared scans; 1 if there are any."""
    overlap = find_overlap(args.tables)
    if args.json:
        print(json.dumps(_jsonable(overlap), indent=1))
    else:
        _print_lines(overlap)
    return 1 if overlap.scans else 0


def _jsonable(overlap: Overlap) -> dict[str, object]:
    return {
        "n_cases": overlap.n_cases,
        "n_leaked": overlap.n_leaked,
        "scans": [
            {
                "volume_fingerprint": scan.volume_fingerprint,
                "n_tables": scan.n_tables,
                "uses": [asdict(use) | {"leaked": use in scan.leaked_uses} for use in scan.uses],
            }
            for scan in overlap.scans
        ],
    }


def _print_lines(overlap: Overlap) -> None:
    for scan in overlap.scans:
        where = f"in {scan.n_tables} tables" if scan.n_tables > 1 else "repeated in one table"
        print(f"scan {scan.volume_fingerprint[:12]} {where}:")
        for use in scan.uses:
            leaked = "  <- test here, trained on elsewhere" if use in scan.leaked_uses else ""
            print(f"  {_name(use)}  {use.split}{leaked}")
    between = sum(scan.n_tables > 1 for scan in overlap.scans)
    n_cases = sum(overlap.n_cases.values())
    print(
        f"{n_cases} cases of {len(overlap.n_cases)} tables: {between} scans shared between tables, "
        f"{len(overlap.scans) - between} repeated inside one; {overlap.n_leaked} test cases are "
        "training cases elsewhere"
    )


def _name(use: ScanUse) -> str:
    return "/".join(filter(None, (use.dataset, use.cohort, use.case_id)))
