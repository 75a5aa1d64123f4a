"""Reading table folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from medvision.errors import UsageError
from medvision.storage import absolute
from medvision.table.manifest import MANIFEST, TABLE_KEYS, read_manifest
from medvision.table.own_files import first_line, read_rows
from medvision.table.parts import BUILD_AGAIN, DamagedTablesError, require_parts
from medvision.table.schema import (
    BIOMETRIC_SCHEMA,
    CASE_SCHEMA,
    REGION_SCHEMA,
    STRUCTURE_SCHEMA,
)


def tables_folder(root: Path, dataset: str) -> Path:
    """Where a dataset's tables lie below the data root."""
    return root / "tables" / dataset


def tables_manifest(tables: Path) -> dict[str, Any]:
    """Manifest of a complete table folder.

    Raises:
        UsageError: The folder holds no complete tables, or files of them are missing.
    """
    manifest = read_manifest(tables, TABLE_KEYS, BUILD_AGAIN)
    if manifest is None or manifest["stage"] != "build":
        msg = f"{tables}: expected a table folder with a manifest.json; run `medvision build` first"
        raise UsageError(msg)
    require_parts(tables, manifest, (tables / MANIFEST).stat().st_mtime_ns)
    return manifest


def read_cases(tables: Path) -> pa.Table:
    """One row per case: columns as in `CASE_SCHEMA`, then what is known of its subject."""
    tables_manifest(tables)
    return read_rows(tables / "cases.parquet", CASE_SCHEMA, BUILD_AGAIN)


def read_structures(tables: Path) -> pa.Table:
    """One row per case and label, with columns as in `STRUCTURE_SCHEMA`."""
    tables_manifest(tables)
    return read_rows(tables / "structures.parquet", STRUCTURE_SCHEMA, BUILD_AGAIN)


def read_regions(
    tables: Path, where: pads.Expression | None = None, *, columns: Sequence[str] | None = None
) -> pa.Table:
    """Region rows, with columns as in `REGION_SCHEMA`; `where` may use any of them.

    Args:
        tables: Table folder.
        where: Rows to keep.
        columns: Names of those to read; None reads all.
    """
    names = REGION_SCHEMA.names if columns is None else columns
    wanted = pa.schema([REGION_SCHEMA.field(name) for name in names])
    return _read(tables, "regions", wanted, where)


def read_biometrics(tables: Path, where: pads.Expression | None = None) -> pa.Table:
    """Biometric rows, with columns as in `BIOMETRIC_SCHEMA`; `where` may use any of them."""
    return _read(tables, "biometrics", BIOMETRIC_SCHEMA, where)


def _read(tables: Path, name: str, schema: pa.Schema, where: pads.Expression | None) -> pa.Table:
    tables_manifest(tables)
    folder = tables / name
    if not any(folder.glob("**/*.parquet")):
        return schema.empty_table()
    checked = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    parquet = pads.ParquetFileFormat(default_fragment_scan_options=checked)
    try:
        dataset = pads.dataset(folder, format=parquet, partitioning="hive")
        return dataset.to_table(columns=schema.names, filter=where).cast(schema)
    except (pa.ArrowException, OSError) as error:
        msg = f"{folder}: damaged: {first_line(error)}; {BUILD_AGAIN}"
        raise DamagedTablesError(msg) from error


def image_path(uri: str, tables: Path, root: Path | None = None) -> Path:
    """Path of an image or mask URI of a table folder.

    Args:
        uri: As in `cases.parquet`.
        tables: The table folder; relative URIs start there.
        root: Data root that replaces the one the tables were built under, or None. Of a user's own
            tables: folder that replaces the one that held all their files.

    Example:
        >>> image_path("images/p1.nii.gz", Path("/tables/toy"))
        PosixPath('/tables/toy/images/p1.nii.gz')
    """
    if not Path(uri).is_absolute():
        return absolute(tables / uri)
    if root is None:
        return Path(uri)
    manifest = tables_manifest(tables)
    built_under, files_root = manifest["root"], manifest.get("files_root")
    if built_under and Path(uri).is_relative_to(built_under):
        return absolute(root / Path(uri).relative_to(built_under))
    # A user's own files may lie anywhere: the root is theirs once they are not where they were.
    if files_root and Path(uri).is_relative_to(files_root) and not Path(uri).exists():
        return absolute(root / Path(uri).relative_to(files_root))
    return Path(uri)
