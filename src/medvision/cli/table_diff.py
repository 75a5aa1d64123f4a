"""Compare two table folders, or a dataset with its published counts; 1 when they differ.

With --published, A is a dataset that is built below the data root, or its table folder: each count
that the original publishes stands beside ours, with what each filter leaves out, and with the
filters that give the published number.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.root import Root, data_root
from medvision.errors import UsageError
from medvision.samples.published import CountDiff, published_diff
from medvision.table.diff import TableDiff, Tolerance, diff_tables
from medvision.table.read import tables_folder, tables_manifest

DEFAULT = Tolerance()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """Options of `medvision table diff`."""

    a: Annotated[Path, Argument("A", help="table folder; with --published, or NAME of a dataset")]
    b: Annotated[Path | None, Argument("B", help="table folder; what it has more is added")] = None
    published: Annotated[bool, Option(help="compare A with the counts of the original")] = False
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
    catalog: Annotated[
        Path | None, Option("DIR", help="declarations of your own, beside the built-in ones")
    ] = None
    root: Root = None


def run(options: DiffOptions) -> int:
    """Print what differs; 0 when nothing does."""
    if options.published == (options.b is not None):
        msg = "expected two table folders, A and B, or one dataset and --published"
        raise UsageError(msg)
    if options.b is None:
        return _run_published(options)
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


def _run_published(options: DiffOptions) -> int:
    """Compare with what the original publishes; 0 when all counts are equal."""
    catalog = OwnCatalog.read(options.catalog)
    is_name = str(options.a) in catalog.names
    tables = tables_folder(data_root(options.root), str(options.a)) if is_name else options.a
    name = tables_manifest(tables)["name"]
    found = published_diff(tables, catalog.load(name))
    if found is None:
        msg = f"{name}: no published counts are known of it"
        raise UsageError(msg)
    if options.json:
        print(json.dumps({"dataset": name, "equal": found.equal, **asdict(found)}, indent=1))
        return 0 if found.equal else 1
    print(f"{name}, published: {found.source}")
    print(f"  cases: {', '.join(f'{n} {what}' for what, n in found.cases.items())}")
    for case_id, reason in found.excluded.items():
        print(f"  left out by the declaration: {case_id}: {reason}")
    for cohort, planes in found.planes_left_out.items():
        print(f"  not measured{' of ' * bool(cohort)}{cohort}: {', '.join(planes)}")
    for what, count in found.counts.items():
        _print_count(what, count)
    print("equal" if found.equal else "different")
    return 0 if found.equal else 1


def _print_count(what: str, count: CountDiff) -> None:
    difference = count.built - count.published
    words = f"{difference:+,}" if difference else "equal"
    print(f"  {what}: {count.published:,} published, {count.built:,} built, {words}")
    for verb, filters in (("removes", count.removed), ("would remove", count.would_remove)):
        for name, number in filters.items():
            if number:
                print(f"    {verb:<12} {number:>11,}  {name}")
    if count.explained_by is None:
        print("    no choice of these filters gives the published number")
    elif difference:
        print(f"    the published number comes {', '.join(count.explained_by)}")


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
