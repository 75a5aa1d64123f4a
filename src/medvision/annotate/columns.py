"""Columns of the region tables, apart from what measures: whoever reads tables compiles nothing."""

import pyarrow as pa

_INT, _REAL, _TEXT = pa.int32(), pa.float64(), pa.string()

SLICE_COLUMNS = [
    ("slice_index", _INT),
    ("height_px", _INT),
    ("width_px", _INT),
    ("spacing_y_mm", _REAL),
    ("spacing_x_mm", _REAL),
]
"""Columns that say which slice a row is about."""

COMPONENT_COLUMNS = [
    ("component", _INT),
    ("n_components", _INT),
    ("label_pixel_count", _INT),
    ("touches_border", pa.bool_()),
    ("x0_px", _INT),
    ("y0_px", _INT),
    ("x1_px", _INT),
    ("y1_px", _INT),
    ("pixel_count", _INT),
    ("area_mm2", _REAL),
    ("ellipse_status", _TEXT),
    ("ellipse_major_mm", _REAL),
    ("ellipse_minor_mm", _REAL),
    ("major_x0_px", _REAL),
    ("major_y0_px", _REAL),
    ("major_x1_px", _REAL),
    ("major_y1_px", _REAL),
    ("minor_x0_px", _REAL),
    ("minor_y0_px", _REAL),
    ("minor_x1_px", _REAL),
    ("minor_y1_px", _REAL),
    ("ellipse_area_ratio", _REAL),
    ("moment_major_mm", _REAL),
    ("moment_minor_mm", _REAL),
    ("feret_max_mm", _REAL),
    ("feret_perp_mm", _REAL),
    ("feret_x0_px", _REAL),
    ("feret_y0_px", _REAL),
    ("feret_x1_px", _REAL),
    ("feret_y1_px", _REAL),
]
"""Columns that measure one component."""

REGION_COLUMNS = [("plane", _TEXT), *SLICE_COLUMNS, ("label_id", _INT), *COMPONENT_COLUMNS]
"""Columns of the region tables made here: all that need no case."""
