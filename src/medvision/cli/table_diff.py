"""Compare two table folders, measurement by measurement; 1 when they differ."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.table.diff import TableDiff, Tolerance, diff_tables

DEFAULT = Tolerance()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """Options of `medvision table diff`."""

    a: Annotated[Path, Argument("A", help="table folder")]
    b: Annotated[Path, Argument("B", help="table folder; what it has more is added")]
    tolerance: Annotated[
        float,
        Option(
            "X",
            help=f"mm, mm², degrees by which numbers may differ (default {DEFAULT.absolute})",
        ),
    ] = DEFAULT.absolute
    relative: Annotated[
        float,
        Option(
            "F",
            help=f"fraction by which numbers may differ beside (default {DEFAULT.relative})",
        ),
    ] = DEFAULT.relative
    json: Annotated[bool, Option(help="print JSON instead of lines")] = False


def run(options: DiffOptions) -> int:
    """Print what differs; 0 when nothing does."""
    tolerance = Tolerance(absolute=options.tolerance, relative=options.relative)
    found = diff_tables(options.a, options.b, tolerance)
    equal = all(diff.equal for diff in found.values())
    tables = {}
    for name, diff in found.items():
        kinds = {"added": diff.added, "dropped": diff.dropped, "changed": diff.changed}
        counts = {kind: dict(counter.most_common()) for kind, counter in kinds.items()}
        if not options.json:
            _print(name, diff, counts)
        tables[name] = {
            "n_a": diff.n_a,
            "n_b": diff.n_b,
            "n_matched": diff.n_matched,
            **counts,
            "unknown": dict(diff.unknown),
            "examples": {
                reason: [{"key": list(one.key), "a": one.a, "b": one.b} for one in kept]
                for reason, kept in diff.examples.items()
            },
        }
    if options.json:
        print(json.dumps({"equal": equal, "tables": tables}, indent=1))
    else:
        print("equal" if equal else "different")
    return 0 if equal else 1


def _print(name: str, diff: TableDiff, counts: dict[str, dict[str, int]]) -> None:
    print(f"{name}: {diff.n_a} in A, {diff.n_b} in B, {diff.n_matched} matched")
    for kind, of_reason in counts.items():
        for reason, count in of_reason.items():
            print(f"  {kind:<8} {count:>9}  {reason}")
            for example in diff.examples[f"{kind}: {reason}"]:
                change = f": {example.a} -> {example.b}" if example.a or example.b else ""
                print(printable(f"             {'/'.join(map(str, example.key))}{change}"))
    if diff.unknown:
        columns = ", ".join(f"{column} {count}" for column, count in diff.unknown.items())
        print(f"  on one side only, not compared: {columns}")
