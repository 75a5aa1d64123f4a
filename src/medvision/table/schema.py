"""Columns of the tables: what every reader can rely on."""

from collections.abc import Iterable

import pyarrow as pa

from medvision.annotate.columns import COMPONENT_COLUMNS, SLICE_COLUMNS

INT, REAL, TEXT = pa.int32(), pa.float64(), pa.string()

_IMAGE = pa.struct([("image_id", TEXT), ("modality", TEXT), ("uri", TEXT), ("sha256", TEXT)])
POINT_TYPE = pa.struct([("key", TEXT), ("name", TEXT), ("x_px", REAL), ("y_px", REAL)])
"""A named point on a slice: pixel centres, top-left origin."""

CASE_KEYS = [("dataset", TEXT), ("cohort", TEXT), ("case_id", TEXT), ("subject_id", TEXT)]

CASE_SCHEMA = pa.schema(
    [
        *CASE_KEYS,
        ("split", TEXT),
        ("images", pa.list_(_IMAGE)),
        ("mask_uri", TEXT),
        ("shape_ijk", pa.list_(INT)),
        ("spacing_mm", pa.list_(REAL)),
        ("affine", pa.list_(REAL)),
        ("orientation_as_stored", TEXT),
        ("obliquity_deg", REAL),
        ("spacing_source", TEXT),
        ("flags", pa.list_(TEXT)),
        ("volume_fingerprint", TEXT),
    ]
)
"""One row per case. `affine` has 16 values, row by row; a 2D image's axes are x, then y."""

SUBJECT_PREFIX = "subject_"
"""Of columns that say more of subjects, after those of `CASE_SCHEMA`."""


def fact_columns(names: Iterable[str]) -> list[str]:
    """Columns that say more of subjects, among those of cases, samples or scores.

    Example:
        >>> fact_columns(["subject_id", "split", "subject_age"])
        ['subject_age']
    """
    return [name for name in names if name.startswith(SUBJECT_PREFIX) and name != "subject_id"]


def with_facts(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    """A schema of cases, samples or scores with the columns that say more of subjects, as text.

    Example:
        >>> with_facts(CASE_SCHEMA, ["subject_age"]).names[-1]
        'subject_age'
    """
    return pa.schema([*schema, *((name, TEXT) for name in fact_columns(names))])


STRUCTURE_SCHEMA = pa.schema(
    [
        *CASE_KEYS,
        ("split", TEXT),
        ("label_id", INT),
        ("label", TEXT),
        ("i0_vox", INT),
        ("j0_vox", INT),
        ("k0_vox", INT),
        ("i1_vox", INT),
        ("j1_vox", INT),
        ("k1_vox", INT),
        ("voxel_count", INT),
        ("volume_mm3", REAL),
        ("touches_border", pa.bool_()),
    ]
)
"""One row per case and label. Boxes are half-open on voxel edges of the RAS+ array; of a 2D image
i is x, j is y, k is 0 to 1, and the volume is null."""

REGION_SCHEMA = pa.schema(
    [
        *CASE_KEYS,
        ("plane", TEXT),
        ("split", TEXT),
        *SLICE_COLUMNS,
        ("label_id", INT),
        ("label", TEXT),
        *COMPONENT_COLUMNS,
    ]
)
"""One row per connected component of one label of one mask on one slice."""

PARTITION_COLUMNS = ("plane", "split")
"""As Hive has it, these stand in the path and not in the files."""

BIOMETRIC_SCHEMA = pa.schema(
    [
        *CASE_KEYS,
        ("image_id", TEXT),
        ("plane", TEXT),
        ("split", TEXT),
        *SLICE_COLUMNS,
        ("metric_kind", TEXT),
        ("metric_key", TEXT),
        ("name", TEXT),
        ("value", REAL),
        ("unit", TEXT),
        ("vertex_value_deg", REAL),
        ("points", pa.list_(POINT_TYPE)),
    ]
)
"""One row per measurement from landmarks."""

ROW_SCHEMAS = {
    "structures": STRUCTURE_SCHEMA,
    "regions": REGION_SCHEMA,
    "biometrics": BIOMETRIC_SCHEMA,
}
"""Tables with rows of each case."""

SCHEMAS = {"cases": CASE_SCHEMA, **ROW_SCHEMAS}
"""All tables."""


def file_schema(table: str) -> pa.Schema:
    """Columns of a table's files; those of a table by plane lack the columns of the path."""
    schema = SCHEMAS[table]
    left_out = PARTITION_COLUMNS if "plane" in schema.names else ()
    return pa.schema([field for field in schema if field.name not in left_out])
