"""Samples with another pixel size than theirs: the same pictures, every length and area scaled."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.samples.views import Lists
from medvision.tasks import Task

PIXEL_SIZE_POWERS = {"mm": 1, "mm2": 2}
"""Units of truths that rise with the pixel size, and by which power of it."""


def of_pixel_size(samples: pa.Table, tasks: Collection[Task]) -> pa.Table:
    """The samples whose answer rises with the pixel size: lengths and areas of some tasks.

    Args:
        samples: Columns as in `SAMPLE_SCHEMA`.
        tasks: Those whose prompts state the pixel size.
    """
    words = pa.array([str(task) for task in tasks], pa.string())
    units = pa.array(list(PIXEL_SIZE_POWERS), pa.string())
    return samples.filter(
        pc.and_(
            pc.is_in(samples["task"], value_set=words), pc.is_in(samples["unit"], value_set=units)
        )
    )


def with_pixel_size_scaled(samples: pa.Table, factor: float) -> pa.Table:
    """Samples as they would be if every pixel were `factor` times as wide and high.

    Pictures, boxes and points in pixels stay; spacings, and truths in mm and mm², are scaled.
    Ids stay too: it is the same question about the same picture.

    Args:
        samples: Columns as in `SAMPLE_SCHEMA`.
        factor: Above 0.
    """
    columns = {name: samples[name] for name in samples.column_names}
    for name in ("spacing_y_mm", "spacing_x_mm"):
        columns[name] = pc.multiply(samples[name], factor)
    powers = [PIXEL_SIZE_POWERS.get(unit, 0) for unit in samples["unit"].to_pylist()]
    truths = Lists.of(samples["truth"])
    scales = np.power(float(factor), powers)[truths.row]
    columns["truth"] = truths.refilled(pa.array(np.asarray(truths.flat) * scales))
    return pa.table(columns, schema=samples.schema)
