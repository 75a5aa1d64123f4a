"""Subjects of a user's own table: whose case it is, on which side, and what else is known."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medvision.declarations import DeclarationError
from medvision.errors import UsageError
from medvision.names import composed
from medvision.table.schema import SUBJECT_PREFIX

SUBJECT, CASE, SPLIT = "subject", "case", "split"
SIDES = ("train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What a table says of subjects.

    Attributes:
        source: The table, for messages.
        columns: Names of the further columns, in their order.
        of_case: Case id to subject, of tables with both columns.
        splits: Subject to "train" or "test"; empty of tables without the column.
        by_subject: Subject to the further columns.
        by_case: Case id to the further columns, of tables with a row for each case.
    """

    source: str = ""
    columns: tuple[str, ...] = ()
    of_case: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    by_subject: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    by_case: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def fact_names(self) -> tuple[str, ...]:
        """What the further columns are called in other tables."""
        return tuple(f"{SUBJECT_PREFIX}{name}" for name in self.columns)

    def facts(self, case_id: str, subject_id: str) -> dict[str, str | None]:
        """Columns of `cases.parquet`, null where the table says nothing."""
        known = self.by_case.get(case_id) or self.by_subject.get(subject_id) or {}
        return {f"{SUBJECT_PREFIX}{name}": known.get(name) or None for name in self.columns}

    def require_splits(self, subject_ids: Iterable[str]) -> None:
        """Refuse subjects whose side the table does not say, where it says any.

        Raises:
            UsageError: Names them.
        """
        lacking = sorted(set(subject_ids) - set(self.splits)) if self.splits else []
        if lacking:
            msg = (
                f"{self.source}: expected the split of every subject, found none of "
                f"{', '.join(map(repr, lacking[:5]))}"
                + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            )
            raise UsageError(msg)


def read_subjects(path: Path) -> Subjects:
    """The subjects of a CSV file (TSV by its suffix; `;` between columns is understood).

    Args:
        path: With a column `subject` or `case` or both, perhaps `split`, and any others.

    Raises:
        DeclarationError: No such file or columns, a column twice, a row without a name, a split
            that is neither train nor test, a subject on both sides: a line for each.
    """
    header, rows = read_table(path)
    mistakes = []
    if SUBJECT not in header and CASE not in header:
        mistakes.append(f"expected a column subject or case, found {', '.join(header)}")
        header = ()
    if "id" in header:  # it would be the column that says whose case it is
        mistakes.append("expected another name for the column id, which would be subject_id")
    keys = [name for name in (SUBJECT, CASE) if name in header]
    columns = tuple(name for name in header if name not in (*keys, SPLIT))
    of_case: dict[str, str] = {}
    splits: dict[str, str] = {}
    by_subject: dict[str, dict[str, str]] = {}
    by_case: dict[str, dict[str, str]] = {}
    for line, row in enumerate(rows if header else (), start=2):
        case_id, subject = row.get(CASE, ""), row.get(SUBJECT) or row.get(CASE, "")
        facts = {name: row[name] for name in columns}
        if not subject or (CASE in header and not case_id):
            mistakes.append(f"line {line}: expected text in {' and '.join(keys)}, found none")
            continue
        if (case_id in by_case) if case_id else (subject in by_subject):
            mistakes.append(f"line {line}: {case_id or subject!r} is there twice; keep one row")
        if case_id:
            of_case[case_id], by_case[case_id] = subject, facts
        by_subject.setdefault(subject, facts)
        side = row.get(SPLIT, "")
        if SPLIT in header and side not in SIDES:
            mistakes.append(f"line {line}: split: expected train or test, found {side!r}")
        elif SPLIT in header and splits.setdefault(subject, side) != side:
            mistakes.append(f"line {line}: subject {subject!r} is on both sides of the split")
    if mistakes:
        raise DeclarationError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return Subjects(
        source=str(path),
        columns=columns,
        of_case=of_case,
        splits=splits,
        by_subject=by_subject,
        by_case=by_case,
    )


def read_table(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Names of the columns, and the rows, of a CSV or TSV file: composed, without outer spaces.

    Raises:
        DeclarationError: No such file, a column without a name or twice, a row of another length.
    """
    try:
        text = composed(path.read_text(encoding="utf-8-sig"))  # spreadsheets write the mark
    except (OSError, UnicodeDecodeError) as found:
        cure = "; save it as UTF-8" if isinstance(found, UnicodeDecodeError) else ""
        msg = f"{path}: expected a table of text, found: {found}{cure}"
        raise DeclarationError(msg) from found
    first = text.split("\n", 1)[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" or "\t" in first else ","
    if delimiter not in first and ";" in first:  # as spreadsheets write it where , is decimal
        delimiter = ";"
    try:
        lines = [
            [cell.strip() for cell in line]
            for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:  # a cell of more than 131,072 characters, mostly
        msg = f"{path}: expected a table of text, found: {error}; is a quote left open?"
        raise DeclarationError(msg) from error
    header = tuple(lines[0]) if lines else ()
    if not all(header) or len(set(header)) != len(header) or not header:
        msg = f"{path}: expected a name over each column, each once, found {', '.join(header)}"
        raise DeclarationError(msg)
    for rank, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            msg = f"{path}: line {rank}: expected {len(header)} cells, found {len(line)}"
            raise DeclarationError(msg)
    return header, [dict(zip(header, line, strict=True)) for line in lines[1:]]
