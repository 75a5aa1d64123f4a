"""Tables to samples: which questions are asked, of which slices, with which truth."""

from medvision.samples.sample import (
    GEOMETRY_COLUMNS,
    SAMPLE_SCHEMA,
    Point,
    Sample,
    each_sample,
    sample_from_row,
    sample_table,
    samples_from_table,
)

__all__ = [
    "GEOMETRY_COLUMNS",
    "SAMPLE_SCHEMA",
    "Point",
    "Sample",
    "each_sample",
    "sample_from_row",
    "sample_table",
    "samples_from_table",
]
