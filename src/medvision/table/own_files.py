"""Files that the project writes, read back whole or refused in one line.

The line names the file, what is wrong with it, and what makes it again. Nothing here guesses at
what a damaged file may have held.
"""

import json
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from medvision.declarations import DeclarationError
from medvision.table.schema import with_facts

if TYPE_CHECKING:
    import pyarrow as pa


class DamagedFileError(DeclarationError):
    """A file of ours does not hold what was written into it."""


Keys = Mapping[str, type | tuple[type, ...]]
"""Keys that a record must have, with the JSON types of their values."""


class _Record(dict[str, Any]):
    """A JSON object of ours: a key that it lacks is damage, wherever it is asked for."""

    def __init__(self, path: Path, again: str, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self._path, self._again = path, again

    def __missing__(self, key: str) -> NoReturn:
        found = ", ".join(list(self)[:8]) or "no key at all"
        _refuse(self._path, f"expected the key '{key}', found {found}", self._again)


def read_record(path: Path, keys: Keys, again: str) -> dict[str, Any]:
    """The object that a JSON file of ours holds.

    Args:
        path: The file.
        keys: What it must have; any object below raises for a key that it lacks, too.
        again: What makes the file again, as the end of a message.

    Raises:
        DamagedFileError: It is no such file.
        OSError: The file cannot be read: that says nothing of what it holds.
    """
    _require_file(path, again)
    content = path.read_bytes()
    try:
        record = json.loads(content, object_hook=partial(_Record, path, again))
    except (ValueError, RecursionError) as error:
        found = f"{error}" if content else "an empty file"
        _refuse(path, f"expected JSON, found: {found}", again)
    if not isinstance(record, _Record):
        _refuse(path, f"expected a JSON object, found {json.dumps(record)[:40]}", again)
    for key, kind in keys.items():
        if not isinstance(record[key], kind):
            _refuse(path, f"'{key}' holds {json.dumps(record[key])[:40]}", again)
    return record


def read_rows(
    path: Path, schema: "pa.Schema", again: str, *, optional: Collection[str] = ()
) -> "pa.Table":
    """The rows of a Parquet file of ours.

    Args:
        path: The file.
        schema: Columns that it must have, in their order and of these types.
        again: What makes the file again, as the end of a message.
        optional: Those of them that files of ours may lack.

    Raises:
        DamagedFileError: It is no such file.
        OSError: The file cannot be read: that says nothing of what it holds.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _require_file(path, again)
    try:
        rows = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        rows.validate(full=True)  # a changed page without a checksum: text that is no UTF-8
    except (pa.ArrowException, OSError) as error:
        # Arrow tells damage as OSError too; what the system cannot do has a number.
        if isinstance(error, OSError) and error.errno:
            raise
        _refuse(path, f"expected a Parquet file, found: {first_line(error)}", again)
    lacking = set(optional) - set(rows.column_names)
    schema = pa.schema([field for field in schema if field.name not in lacking])
    if problem := wrong_columns(rows.schema, schema):
        _refuse(path, problem, again)
    return rows


def wrong_columns(found: "pa.Schema", expected: "pa.Schema") -> str:
    """What is wrong with the columns of a file: lacking, added, of another type; or ""."""
    problems = [f"column '{name}' is missing" for name in expected.names if name not in found.names]
    # Any number of columns may say more of subjects.
    expected = with_facts(expected, set(found.names) - set(expected.names))
    for field in found:
        if field.name not in expected.names:
            problems.append(f"column '{field.name}' is not ours")
        elif field.type != expected.field(field.name).type:
            wanted = expected.field(field.name).type
            problems.append(f"column '{field.name}' is {field.type} instead of {wanted}")
    return "; ".join(problems)


def first_line(error: Exception) -> str:
    """What an error says first: libraries add lines of their own."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _require_file(path: Path, again: str) -> None:
    if path.exists() and not path.is_file():
        _refuse(path, "expected a file, found a folder or a device", f"move it away, then {again}")


def _refuse(path: Path, problem: str, again: str) -> NoReturn:
    msg = f"{path}: damaged: {problem}; {again}"
    raise DamagedFileError(msg)
