"""Compare two table folders, measurement by measurement; 1 when they differ."""

import argparse
import json
from pathlib import Path
from typing import Any

from medvision.table.diff import Example, TableDiff, Tolerance, diff_tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision table diff`."""
    default = Tolerance()
    parser.add_argument("a", type=Path, metavar="A", help="table folder")
    parser.add_argument("b", type=Path, metavar="B", help="table folder; what it has more is added")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=default.absolute,
        metavar="X",
        help="mm, mm², degrees by which numbers may differ (default %(default)s)",
    )
    parser.add_argument(
        "--relative",
        type=float,
        default=default.relative,
        metavar="F",
        help="fraction by which numbers may differ beside (default %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")


def run(args: argparse.Namespace) -> int:
    """Print what differs; 0 when nothing does."""
    tolerance = Tolerance(absolute=args.tolerance, relative=args.relative)
    found = diff_tables(args.a, args.b, tolerance)
    equal = all(diff.equal for diff in found.values())
    if args.json:
        tables = {name: _jsonable(diff) for name, diff in found.items()}
        print(json.dumps({"equal": equal, "tables": tables}, indent=1))
    else:
        for name, diff in found.items():
            _print(name, diff)
        print("equal" if equal else "different")
    return 0 if equal else 1


def _counts(diff: TableDiff) -> dict[str, dict[str, int]]:
    kinds = {"added": diff.added, "dropped": diff.dropped, "changed": diff.changed}
    return {kind: dict(counter.most_common()) for kind, counter in kinds.items()}


def _jsonable(diff: TableDiff) -> dict[str, Any]:
    examples = {
        reason: [{"key": list(e.key), "a": e.a, "b": e.b} for e in kept]
        for reason, kept in diff.examples.items()
    }
    sizes = {"n_a": diff.n_a, "n_b": diff.n_b, "n_matched": diff.n_matched}
    return {**sizes, **_counts(diff), "unknown": dict(diff.unknown), "examples": examples}


def _print(name: str, diff: TableDiff) -> None:
    print(f"{name}: {diff.n_a} in A, {diff.n_b} in B, {diff.n_matched} matched")
    for kind, counts in _counts(diff).items():
        for reason, count in counts.items():
            print(f"  {kind:<8} {count:>9}  {reason}")
            for example in diff.examples[f"{kind}: {reason}"]:
                print(f"             {_words(example)}")
    if diff.unknown:
        columns = ", ".join(f"{name} {count}" for name, count in diff.unknown.items())
        print(f"  on one side only, not compared: {columns}")


def _words(example: Example) -> str:
    about = "/".join(map(str, example.key))
    return f"{about}: {example.a} -> {example.b}" if example.a or example.b else about
