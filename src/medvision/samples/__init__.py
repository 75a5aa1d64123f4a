"""Tables to samples: which questions are asked, of which slices, with which truth."""

from medvision.samples.sample import (
    SAMPLE_SCHEMA,
    Point,
    Sample,
    sample_from_row,
    sample_table,
    samples_from_table,
)

__all__ = [
    "SAMPLE_SCHEMA",
    "Point",
    "Sample",
    "sample_from_row",
    "sample_table",
    "samples_from_table",
]
