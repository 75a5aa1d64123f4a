"""Measured cases on their way into tables: a folder each, written whole or not at all.

A folder is named by all that its rows depend on, so that what an earlier run has measured is taken
over if it is still the same, and never if it is not.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from medvision.storage import naming
from medvision.table.cases import CaseSource
from medvision.table.own_files import DamagedFileError, read_record, wrong_columns
from medvision.table.read import image_path
from medvision.table.schema import CASE_SCHEMA, ROW_SCHEMAS

_RECORD = "case.json"


def is_staged(folder: Path) -> bool:
    """Whether a folder holds a measured case, and holds it whole."""
    try:
        read_staged(folder)
        for name, schema in ROW_SCHEMAS.items():
            footer = pq.read_metadata(folder / f"{name}.parquet")
            if wrong_columns(footer.schema.to_arrow_schema(), schema):
                return False
    except (DamagedFileError, pa.ArrowException, OSError):
        return False
    return True


def write_staged(
    folder: Path, tables: Mapping[str, pa.Table], record: Mapping[str, Any], problems: list[Any]
) -> None:
    """Write a case's rows; the folder takes its name when all of it is there.

    Args:
        folder: Where to; what an interrupted run left there goes.
        tables: Rows by name of their table.
        record: Of `cases.parquet`.
        problems: Measurements that could not be made.
    """
    draft = folder.with_name(f"draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    staged = {"record": record, "problems": problems}
    with naming(draft):
        for name in ROW_SCHEMAS:
            pq.write_table(tables[name], draft / f"{name}.parquet")
        (draft / _RECORD).write_text(json.dumps(staged), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def read_staged(folder: Path) -> dict[str, Any]:
    """Record and problems of a staged case."""
    keys = {"record": dict, "problems": list}
    return read_record(folder / _RECORD, keys, "run the build again")


def stage_published(
    folder: Path, tables: Path, case: CaseSource, problems: Sequence[Mapping[str, Any]]
) -> None:
    """Stage a case from tables that hold it already, as if it had been measured again.

    Args:
        folder: Where to.
        tables: Complete table folder, built from the same files in the same way.
        case: That it was measured as.
        problems: Measurements of it that could not be made.
    """
    where = (pads.field("case_id") == case.case_id) & (pads.field("cohort") == case.cohort)
    [record] = _rows(tables, "cases", CASE_SCHEMA, where).to_pylist()
    mask = record["mask_uri"]
    record["mask_uri"] = None if mask is None else str(image_path(mask, tables))
    for image in record["images"]:
        image["uri"] = str(image_path(image["uri"], tables))
    rows = {name: _rows(tables, name, schema, where) for name, schema in ROW_SCHEMAS.items()}
    write_staged(folder, rows, record, list(problems))


def _rows(tables: Path, name: str, schema: pa.Schema, where: pads.Expression) -> pa.Table:
    file, folder = tables / f"{name}.parquet", tables / name
    if file.exists():
        # Not by Hive: a folder above may be called `a=b`, which is no column of ours.
        found = pads.dataset(file, format="parquet", partitioning=None)
    elif any(folder.glob("**/*.parquet")):
        found = pads.dataset(folder, format="parquet", partitioning="hive")
    else:
        return schema.empty_table()
    return found.to_table(columns=schema.names, filter=where).cast(schema)
