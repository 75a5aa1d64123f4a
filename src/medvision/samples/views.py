"""Samples of the displayed slice turned into another view: all that is stated or drawn of them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.frames import (
    View,
    box_px_from_relative,
    box_px_in_view,
    point_px_in_view,
    relative_from_box_px,
)
from medvision.samples.case_images import BoolArray, IntArray
from medvision.table.schema import POINT_TYPE
from medvision.tasks import Task


def in_view(samples: pa.Table, view: View, is_native: BoolArray) -> pa.Table:
    """Samples as a view shows them.

    Lengths, angles, areas and counts stay; sizes, spacings, boxes and points are turned, and with
    them the truths that are boxes.

    Args:
        samples: Columns as in `SAMPLE_SCHEMA`, of the displayed slice.
        view: To show.
        is_native: (n,) whether each slice is a 2D image.
    """
    if view is View.RADIOLOGICAL:
        return samples
    columns = {name: samples[name] for name in samples.column_names}
    for axis, other in (("height_px", "width_px"), ("spacing_y_mm", "spacing_x_mm")):
        columns[axis], columns[other] = samples[other], samples[axis]
    height_px, width_px = (np.asarray(samples[name]) for name in ("height_px", "width_px"))

    boxes = Lists.of(samples["box_px"])
    of_box = boxes.row[::4]
    flat_boxes = np.asarray(boxes.flat, dtype=np.float64).reshape(-1, 4)
    sides = (height_px[of_box], width_px[of_box])
    turned = box_px_in_view(flat_boxes, *sides, view, is_native=is_native[of_box])
    columns["box_px"] = boxes.refilled(pa.array(turned.ravel()))

    # A detection's truth is its box, relative to the turned picture: its height was the width.
    truths = Lists.of(samples["truth"])
    numbers = np.array(truths.flat, dtype=np.float64)
    is_detection = np.asarray(pc.equal(samples["task"], str(Task.DETECTION)))
    relative = relative_from_box_px(turned, sides[1], sides[0])
    numbers[is_detection[truths.row]] = relative[is_detection[of_box]].ravel()
    is_list = np.asarray(pc.equal(samples["task"], str(Task.INSTANCES)))
    of_number = np.flatnonzero(is_list[truths.row])
    of_listed = truths.row[of_number[::4]]
    sides = (height_px[of_listed], width_px[of_listed])
    # Edges of pixels: rounding takes away what the division left.
    listed = np.rint(box_px_from_relative(numbers[of_number].reshape(-1, 4), *sides))
    listed = box_px_in_view(listed, *sides, view, is_native=is_native[of_listed])
    numbers[of_number] = relative_from_box_px(listed, sides[1], sides[0]).ravel()
    columns["truth"] = truths.refilled(pa.array(numbers))

    points = Lists.of(samples["points"])
    xy = np.stack([points.flat.field(name).to_numpy() for name in ("x_px", "y_px")], axis=-1)
    sides = (height_px[points.row], width_px[points.row])
    moved = point_px_in_view(xy, *sides, view, is_native=is_native[points.row])
    words = [points.flat.field(name) for name in ("key", "name")]
    places = [pa.array(moved[:, axis]) for axis in (0, 1)]
    columns["points"] = points.refilled(
        pa.StructArray.from_arrays([*words, *places], fields=list(POINT_TYPE))
    )
    columns["view"] = pa.repeat(pa.scalar(str(view)), samples.num_rows)
    return pa.table(columns, schema=samples.schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """A list column taken apart: its values in a row, and the row of the table each belongs to."""

    flat: pa.Array
    length: IntArray
    row: IntArray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """The lists of a column, none of them null."""
        lists = column.combine_chunks()
        length = np.asarray(pc.list_value_length(lists), dtype=np.int64)
        return cls(
            flat=lists.flatten(), length=length, row=np.repeat(np.arange(len(length)), length)
        )

    def refilled(self, flat: pa.Array) -> pa.ListArray:
        """Lists as long as these, of other values."""
        offsets = pa.array(np.concatenate([[0], np.cumsum(self.length)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, flat)
