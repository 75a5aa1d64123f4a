"""The files of a table folder, listed with rows and digests, so that a lost one is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medvision.declarations import decoded
from medvision.storage import sha256_file
from medvision.table.own_files import DamagedFileError, first_line, wrong_columns
from medvision.table.schema import SCHEMAS, file_schema

BUILD_AGAIN = "run `medvision build` (or `table import-plan`) for these tables again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of a table folder."""

    rows: int
    sha256: str


class DamagedTablesError(DamagedFileError):
    """Files of a table folder are missing, damaged, or not those that were written."""


def table_parts(folder: Path) -> dict[str, Part]:
    """Rows and SHA-256 of every Parquet file of a table folder, by its path below it."""
    return {
        path.relative_to(folder).as_posix(): Part(
            rows=pq.read_metadata(path).num_rows, sha256=sha256_file(path)
        )
        for path in sorted(folder.glob("**/*.parquet"))
        if not path.relative_to(folder).as_posix().startswith(".")
    }


def missing_parts(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """What is wrong with the files that a manifest lists: absent, unreadable, other rows, columns.

    Footers alone are read. Files that are there and not listed are told too: they would be read
    with the others. Manifests of an earlier version list none, and nothing is wrong.
    """
    if "parts" not in manifest:
        return []
    where = f"{folder}: damaged: parts of the manifest"
    listed = decoded(dict[str, Part], manifest["parts"], where, DamagedFileError)
    problems = []
    for name, part in listed.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
            continue
        try:
            footer = pq.read_metadata(path)
        except (pa.ArrowException, OSError) as error:
            problems.append(f"{name} cannot be read ({first_line(error)})")
            continue
        table = name.removesuffix(".parquet").partition("/")[0]
        if table in SCHEMAS and (
            wrong := wrong_columns(footer.schema.to_arrow_schema(), file_schema(table))
        ):
            problems.append(f"{name}: {wrong}")
        if footer.num_rows != part.rows:
            problems.append(f"{name} holds {footer.num_rows} rows instead of {part.rows}")
    for table in ("regions", "biometrics"):
        for path in sorted((folder / table).glob("**/*.parquet")):
            name = path.relative_to(folder).as_posix()
            if name not in listed:
                problems.append(f"{name} was not written by the build")
    return problems


def changed_parts(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Names of listed files whose bytes are not those that were written, missing ones first."""
    missing = missing_parts(folder, manifest)
    if missing:
        return missing
    return [
        f"{name} has other bytes than were written"
        for name, part in manifest.get("parts", {}).items()
        if sha256_file(folder / name) != part["sha256"]
    ]


def require_parts(folder: Path, manifest: Mapping[str, Any], written_ns: int) -> None:
    """Refuse tables that are not whole.

    Args:
        folder: Table folder.
        manifest: Its manifest.
        written_ns: When that was written: what was found whole then is not looked at again.

    Raises:
        DamagedTablesError: Says which files.
    """
    place = (folder, written_ns)
    if place in _WHOLE:
        return
    problems = missing_parts(folder, manifest)
    if problems:
        shown = problems[:3]
        shown += [f"{len(problems) - 3} more"] if len(problems) > 3 else []
        msg = f"{folder}: {'; '.join(shown)}; {BUILD_AGAIN}"
        raise DamagedTablesError(msg)
    _WHOLE.add(place)


_WHOLE: set[tuple[Path, int]] = set()
"""Table folders that this process found whole: a command reads a manifest hundreds of times."""
