"""Scans that occur more than once: between table folders, and inside one.

Public datasets reuse each other's scans, so a split inside each does not protect a test set.
Scans are compared by `volume_fingerprint`, the digest of the canonical voxels of a case's first
image: the same voxels under another name, type or storage order are found; resampled or cropped
ones are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medvision.errors import UsageError
from medvision.table.read import read_cases

_COLUMNS = ["volume_fingerprint", "dataset", "cohort", "case_id", "subject_id", "split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanUse:
    """One case that a scan is used in."""

    tables: str
    dataset: str
    cohort: str
    case_id: str
    subject_id: str
    split: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedScan:
    """A scan that several cases use.

    Attributes:
        volume_fingerprint: What they have in common.
        uses: In the order of the table folders given.
    """

    volume_fingerprint: str
    uses: tuple[ScanUse, ...]

    @property
    def n_tables(self) -> int:
        """Number of table folders that hold it; 1 if it is repeated inside one."""
        return len({use.tables for use in self.uses})

    @property
    def leaked_uses(self) -> tuple[ScanUse, ...]:
        """Test cases whose scan also is in a training case."""
        if all(use.split != "train" for use in self.uses):
            return ()
        return tuple(use for use in self.uses if use.split == "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What table folders share.

    Attributes:
        n_cases: Cases by table folder.
        scans: Each with two or more uses, those in most folders first.
    """

    n_cases: dict[str, int]
    scans: tuple[SharedScan, ...]

    @property
    def n_leaked(self) -> int:
        """Number of test cases whose scan also is in a training case."""
        return sum(len(scan.leaked_uses) for scan in self.scans)


def find_overlap(tables: Sequence[Path]) -> Overlap:
    """Scans used by several cases of one or more table folders.

    Args:
        tables: Table folders, each once.

    Raises:
        UsageError: No folder, one given twice, or one without complete tables.
    """
    resolved = [folder.resolve() for folder in tables]
    if not tables or len(set(resolved)) != len(resolved):
        msg = f"expected one or more table folders, each once, found {[str(t) for t in tables]}"
        raise UsageError(msg)
    n_cases: dict[str, int] = {}
    uses: dict[str, list[ScanUse]] = {}
    for folder in tables:
        rows = read_cases(folder).select(_COLUMNS).to_pylist()
        n_cases[str(folder)] = len(rows)
        for row in rows:
            fingerprint = row.pop("volume_fingerprint")
            uses.setdefault(fingerprint, []).append(ScanUse(tables=str(folder), **row))
    scans = [
        SharedScan(volume_fingerprint=fingerprint, uses=tuple(found))
        for fingerprint, found in uses.items()
        if len(found) > 1
    ]
    return Overlap(
        n_cases=n_cases,
        scans=tuple(sorted(scans, key=lambda scan: (-scan.n_tables, scan.uses[0].case_id))),
    )
