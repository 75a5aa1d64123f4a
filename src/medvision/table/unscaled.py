"""Pictures whose pixel size nobody knows: counts of pixels stay, what is in mm is null."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.annotate.columns import COMPONENT_COLUMNS
from medvision.volumes import Volume
from medvision.volumes.volume import SpacingSource

SPACING_UNKNOWN = "spacing_unknown"
"""Flag of such cases, status of their ellipses, and the reason why tasks in mm leave them out."""

NOMINAL_YX_MM = (1.0, 1.0)
"""Readers want a size of pixels; this one is taken back at once."""

_OF_SHAPE = ("area", "ellipse", "major", "minor", "moment", "feret")
_NEEDS_MM = (
    *("spacing_y_mm", "spacing_x_mm"),
    *(n for n, _ in COMPONENT_COLUMNS if n.startswith(_OF_SHAPE) and n != "ellipse_status"),
)
"""Fitted in mm, an ellipse's ends in px depend on the ratio of the two spacings too."""


def unscaled(volume: Volume) -> Volume:
    """A picture that was read with nominal pixels, flagged."""
    flags = (*volume.flags, SPACING_UNKNOWN)
    return replace(volume, flags=flags, spacing_source=SpacingSource.UNKNOWN)


def is_unscaled(volume: Volume) -> bool:
    """Whether nobody knows the size of its pixels."""
    return SPACING_UNKNOWN in volume.flags


def without_mm(regions: pa.Table) -> pa.Table:
    """Region rows whose values in mm are null; target labels have no ellipse."""
    for name in _NEEDS_MM:
        place = regions.schema.get_field_index(name)
        nothing = pa.nulls(regions.num_rows, regions.schema.field(place).type)
        regions = regions.set_column(place, regions.schema.field(place), nothing)
    place = regions.schema.get_field_index("ellipse_status")
    is_target = pc.not_equal(regions["ellipse_status"], "not_target")
    statuses = pc.if_else(is_target, SPACING_UNKNOWN, regions["ellipse_status"])
    return regions.set_column(place, "ellipse_status", statuses)


def known_mm(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Spacings as samples state them: NaN where unknown."""
    return pc.fill_null(values, np.nan)
