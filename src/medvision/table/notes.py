"""What a build tells at its end though nothing failed: labels that are rare, files left over."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.storage import absolute
from medvision.table.cases import CaseSource
from medvision.table.find_files import HEADERS
from medvision.volumes import companion_files

SHOWN = 5
"""Most names in a message."""

KEPT = 1000
"""Most names in a manifest."""


class NoteKind(StrEnum):
    """What a note is about."""

    LABEL_ABSENT = "label_absent"
    """Labels that are declared and in no case."""
    LABEL_RARE = "label_rare"
    """Labels that are in fewer than half of the cases."""
    CASE_EMPTY = "case_empty"
    """Cases whose masks hold background only."""
    FILE_UNMATCHED = "file_unmatched"
    """Files that no pattern and no structure is for."""
    ROW_UNMATCHED = "row_unmatched"
    """Rows of a table of landmarks, spacings or subjects that no case has."""
    CASE_UNKNOWN = "case_unknown"
    """Ids in `excluded` and `placeholder_spacing` that no case has."""
    CASE_EXCLUDED = "case_excluded"
    """Cases that the declaration leaves out."""
    FILE_UNVERIFIED = "file_unverified"
    """Archives that are not proven to be those that the catalogue pins."""


LABEL_NOTES = frozenset({NoteKind.LABEL_ABSENT, NoteKind.LABEL_RARE, NoteKind.CASE_EMPTY})
"""Notes about what the tables hold; the others are about what lies beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that may be meant, and may be a mistake.

    Attributes:
        message: With the first names.
        items: Names, at most `KEPT`.
    """

    kind: NoteKind
    message: str
    items: tuple[str, ...]


def note(kind: NoteKind, what: str, items: Sequence[str]) -> Note:
    """A note about some things.

    Example:
        >>> note(NoteKind.LABEL_ABSENT, "in no case", ["liver", "spleen"]).message
        'in no case: liver, spleen'
    """
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    message = f"{what}: {', '.join(items[:SHOWN])}{more}"
    return Note(kind=kind, message=message, items=tuple(items[:KEPT]))


def found_labels(tables: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str, int]]]:
    """What tables hold: (cohort, case) of all cases, (cohort, case, label id) of structures."""
    keys = ["cohort", "case_id", "label_id"]
    # Boxes have no structure as a whole: regions are looked at too.
    parts = [pq.read_table(tables / "structures.parquet", columns=keys)]
    parts += [pq.read_table(path, columns=keys) for path in tables.glob("regions/**/*.parquet")]
    rows = pa.concat_tables(parts).group_by(keys).aggregate([]).to_pylist()
    cases = pq.read_table(tables / "cases.parquet", columns=keys[:2]).to_pylist()
    return (
        {(row["cohort"], row["case_id"]) for row in cases},
        {(row["cohort"], row["case_id"], row["label_id"]) for row in rows},
    )


def case_notes(cases: Sequence[CaseSource], told: AbstractSet[str], tables: Path) -> list[Note]:
    """What is to be told of labels, and of cases that are neither built nor a problem.

    Args:
        cases: All that are complete.
        told: Ids of those with a problem.
        tables: With the others.
    """
    built, found = found_labels(tables)
    ours = [case for case in cases if (case.cohort, case.case_id) in built]
    others = [case for case in cases if (case.cohort, case.case_id) not in built]
    left_out = empty_note([case.case_id for case in others if case.case_id not in told])
    return [*label_notes(ours, found), *left_out]


def label_notes(
    cases: Iterable[CaseSource], found: AbstractSet[tuple[str, str, int]]
) -> Iterator[Note]:
    """Labels that are in no case, and in fewer than half of those that could have them.

    And cases whose masks hold nothing, where a declaration lets them.

    Args:
        cases: Those that are built.
        found: Cohort, case and label id of all structures.
    """
    counts: dict[str, tuple[int, int]] = {}
    drawn = {(cohort, case_id) for cohort, case_id, _ in found}
    empty = []
    for case in cases:
        if (case.mask or case.masks) and (case.cohort, case.case_id) not in drawn:
            empty.append(case.case_id)
        for structure in case.structures:
            if structure.asked and (case.mask or case.masks or case.boxes):
                n_found, n_cases = counts.get(structure.name, (0, 0))
                is_there = (case.cohort, case.case_id, structure.label_id) in found
                counts[structure.name] = (n_found + is_there, n_cases + 1)
    absent = [name for name, (n_found, _) in counts.items() if not n_found]
    rare = [
        f"{name} ({n_found} of {n_cases})"
        for name, (n_found, n_cases) in counts.items()
        if 0 < 2 * n_found < n_cases
    ]
    if empty:
        yield note(NoteKind.CASE_EMPTY, "cases with empty masks, of which nothing is asked", empty)
    if absent:
        yield note(NoteKind.LABEL_ABSENT, "declared labels that are in no case", absent)
    if rare:
        yield note(
            NoteKind.LABEL_RARE, "declared labels that are in fewer than half of the cases", rare
        )


def file_notes(root: Path, used: AbstractSet[Path]) -> Iterator[Note]:
    """Files below a folder that are not among those used, nor inside one of them.

    Hidden files, and folders of tables, are not looked at; a header's other files count as used.
    """
    # By words alone: what a link leads to is another file, with a name of its own.
    root, used = absolute(root), {absolute(path) for path in used}
    used |= {absolute(data) for path in used for data in companion_files(path)}
    stems = {path.with_suffix("") for path in used if path.suffix.lower() in HEADERS}
    left = []
    for place, folders, names in os.walk(root):
        folder = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and folder / name not in used
            and not (folder / name / "cases.parquet").exists()
        )
        left += [
            str((folder / name).relative_to(root))
            for name in sorted(names)
            if not name.startswith(".")
            and folder / name not in used
            and (folder / name).with_suffix("") not in stems
        ]
    if left:
        yield note(NoteKind.FILE_UNMATCHED, f"files below {root} that nothing is for", left)


def row_notes(rows: Mapping[str, Sequence[str]]) -> Iterator[Note]:
    """Names in tables that no case has, by what the table is of."""
    for table, names in rows.items():
        if names:
            yield note(NoteKind.ROW_UNMATCHED, f"rows of {table} that no case has", names)


def excluded_note(excluded: Mapping[str, str]) -> Iterator[Note]:
    """Cases that are left out, each with the reason."""
    if excluded:
        words = [f"{case_id} ({reason})" for case_id, reason in excluded.items()]
        yield note(NoteKind.CASE_EXCLUDED, "cases left out", words)


def empty_note(case_ids: Sequence[str]) -> Iterator[Note]:
    """Cases that are left out since nothing is in their masks."""
    if case_ids:
        yield note(NoteKind.CASE_EMPTY, "cases with empty masks, left out", case_ids)


def unverified_note(archives: Sequence[str]) -> Iterator[Note]:
    """Archives whose digest differs, or that were given unpacked."""
    if archives:
        words = "archives that are not proven to be the pinned ones"
        yield note(NoteKind.FILE_UNVERIFIED, words, archives)
