"""Columns of the tables: the contract of DESIGN's tables with every reader."""

import pyarrow as pa

INT, REAL, TEXT = pa.int32(), pa.float64(), pa.string()

CASE_SCHEMA = pa.schema(
    [
        ("dataset", TEXT),
        ("cohort", TEXT),
        ("case_id", TEXT),
        ("subject_id", TEXT),
        ("split", TEXT),
        (
            "images",
            pa.list_(
                pa.struct([("image_id", TEXT), ("modality", TEXT), ("uri", TEXT), ("sha256", TEXT)])
            ),
        ),
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

CASE_KEYS = [("dataset", TEXT), ("cohort", TEXT), ("case_id", TEXT), ("subject_id", TEXT)]

SLICE_COLUMNS = [
    ("slice_index", INT),
    ("height_px", INT),
    ("width_px", INT),
    ("spacing_y_mm", REAL),
    ("spacing_x_mm", REAL),
]

COMPONENT_COLUMNS = [
    ("component", INT),
    ("n_components", INT),
    ("label_pixel_count", INT),
    ("touches_border", pa.bool_()),
    ("x0_px", INT),
    ("y0_px", INT),
    ("x1_px", INT),
    ("y1_px", INT),
    ("pixel_count", INT),
    ("area_mm2", REAL),
    ("ellipse_status", TEXT),
    *[
        (name, REAL)
        for name in (
            "ellipse_major_mm",
            "ellipse_minor_mm",
            "major_x0_px",
            "major_y0_px",
            "major_x1_px",
            "major_y1_px",
            "minor_x0_px",
            "minor_y0_px",
            "minor_x1_px",
            "minor_y1_px",
            "ellipse_area_ratio",
            "moment_major_mm",
            "moment_minor_mm",
            "feret_max_mm",
            "feret_perp_mm",
            "feret_x0_px",
            "feret_y0_px",
            "feret_x1_px",
            "feret_y1_px",
        )
    ],
]

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
        (
            "points",
            pa.list_(pa.struct([("key", TEXT), ("name", TEXT), ("x_px", REAL), ("y_px", REAL)])),
        ),
    ]
)
"""One row per measurement from landmarks."""
