"""The samples that a suite asks for, drawn by seed, and the count of what was left out.

The tables hold everything; what a benchmark leaves out is decided, and counted, here and in
`candidates`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from medvision.errors import UsageError
from medvision.protocols import MEDVISION, Protocol
from medvision.samples.candidates import (
    IN_PIECES,
    Candidates,
    Split,
    candidate_table,
    candidates,
    draw_candidates,
)
from medvision.samples.sample import Sample, samples_from_table
from medvision.samples.suite import Suite
from medvision.samples.unmet import missing_datasets, unmet
from medvision.table.read import tables_manifest

__all__ = ["Selection", "Split", "select_samples", "table_folders"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """Samples of a run, and why rows of the tables were left out.

    Attributes:
        table: In order of config, case, plane and slice; columns as in `SAMPLE_SCHEMA`.
        dropped: Number of candidate rows left out, by "task: reason".
        protocol: By which they were selected, and are to be asked.
        in_pieces: What was left out for being in several pieces, columns `IN_PIECES`; None where
            the protocol does not list it.
        unmet: What was asked for and is not there, or is all left out: a sentence each.
    """

    table: pa.Table
    dropped: dict[str, int] = field(default_factory=dict)
    protocol: Protocol = MEDVISION
    in_pieces: pa.Table | None = None
    unmet: tuple[str, ...] = ()

    @cached_property
    def samples(self) -> list[Sample]:
        """The samples as objects."""
        return samples_from_table(self.table)

    def _repr_html_(self) -> str:
        # As for `Sample`: drawn by a later stage.
        notebook = import_module("medvision.analysis.notebook")
        drawn: str = notebook.selection_html(self.table, self.dropped)
        return drawn


def select_samples(
    suite: Suite,
    tables: dict[str, Path],
    *,
    split: Split = "test",
    limit: int | None = None,
    root: Path | None = None,
    protocol: Protocol = MEDVISION,
) -> Selection:
    """The samples that a suite asks for.

    Args:
        suite: Task configs and cap.
        tables: Dataset name to table folder. A config's dataset that is not among them is left
            out; a config without a dataset takes them all.
        split: Which subjects.
        limit: At most so many samples over all configs, drawn by the suite's seed.
        root: Data root that replaces the one the tables were built under.
        protocol: What it leaves out, and in which view slices are shown.

    Raises:
        UsageError: A limit below 1, tables that are not whole, or a suite that asks for nothing but
            what none of them has: a label, a plane, targets, measurements.
    """
    if limit is not None and limit < 1:
        msg = f"expected a limit of at least 1 sample, found {limit}"
        raise UsageError(msg)
    dropped: Counter[str] = Counter()
    found: list[Candidates] = []
    in_pieces: list[pa.Table] = []
    unmet_lines = list(missing_datasets(suite, tables))
    left_over: list[str] = []
    salt = str(suite.seed)
    for config in suite.configs:
        names = [config.dataset] if config.dataset else sorted(tables)
        names = [name for name in names if name in tables]
        line = f"suite {suite.name!r}: {config.task}: "
        absent = [line + what for what in unmet(config, [tables[name] for name in names])]
        unmet_lines += absent
        for name in names:
            left_out: Counter[str] = Counter()
            all_of_it = candidates(
                config, tables[name], left_out, split=split, root=root, protocol=protocol
            )
            dropped.update(
                {f"{all_of_it.config.task}: {why}": n for why, n in left_out.items() if n}
            )
            in_pieces += [] if all_of_it.in_pieces is None else [all_of_it.in_pieces]
            found += draw_candidates([all_of_it], suite.cap_per_config, salt)
            if not len(all_of_it) and not absent:
                reasons = [f"{n} {why}" for why, n in left_out.items() if n]
                why = f"left out: {', '.join(reasons)}" if reasons else f"no row of split {split!r}"
                left_over.append(f"{line}nothing to ask of {tables[name]}; {why}")
    if unmet_lines and not any(map(len, found)):
        raise UsageError("\n".join([*unmet_lines, *left_over]))
    table = candidate_table(draw_candidates(found, limit, salt))
    listed = None
    if in_pieces:  # of which two lines of a suite may leave out the same
        rows = pa.concat_tables(in_pieces).group_by(list(IN_PIECES), use_threads=False)
        listed = rows.aggregate([])
    return Selection(
        table=table,
        dropped=dict(dropped),
        protocol=protocol,
        in_pieces=listed,
        unmet=(*unmet_lines, *left_over),
    )


def table_folders(paths: Iterable[Path]) -> dict[str, Path]:
    """Dataset name to table folder, for folders that hold complete tables."""
    return {tables_manifest(path)["name"]: path for path in paths}
