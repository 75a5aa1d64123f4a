"""Boxes that somebody drew, as region rows: structures of 2D pictures without a mask.

Such a row says where a structure is and nothing of its shape: pixels, area, ellipse and diameters
are null, and `ellipse_status` is `not_target`.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from medvision.annotate.columns import REGION_COLUMNS
from medvision.errors import ItemError
from medvision.frames import Plane

_SCHEMA = pa.schema(REGION_COLUMNS)
_NOT_TARGET = "not_target"


class BoxError(ItemError):
    """A box without an area, or one that leaves its picture."""

    reason = "bad_box"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBox:
    """A box as an annotation file states it.

    Attributes:
        label: Name of its class, or its number where the file has only that.
        x0_px: Left edge; edges count from the upper left corner of the picture's first pixel, so
            that pixel x spans x to x + 1.
        y0_px: Upper edge.
        x1_px: Right edge.
        y1_px: Lower edge.
    """

    label: str
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelBox:
    """A box on pixel edges, half-open, that lies in its picture."""

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int

    @property
    def area_px(self) -> int:
        """Pixels it spans."""
        return (self.x1_px - self.x0_px) * (self.y1_px - self.y0_px)


def pixel_box(box: LabelledBox, shape_yx: tuple[int, int], *, item: str) -> PixelBox:
    """A box with each edge moved to the nearest pixel edge, halves up.

    Args:
        box: As stated, in fractions of pixels too.
        shape_yx: Of the picture.
        item: The file, for messages.

    Raises:
        BoxError: Not finite, outside the picture by half a pixel or more, or without a pixel.

    Example:
        >>> box = LabelledBox(label="nodule", x0_px=2.5, y0_px=1.2, x1_px=6.4, y1_px=4.0)
        >>> pixel_box(box, (10, 10), item="a.txt")
        PixelBox(x0_px=3, y0_px=1, x1_px=6, y1_px=4)
    """
    stated = (box.x0_px, box.y0_px, box.x1_px, box.y1_px)
    shown = f"{item}: box of {box.label!r} from {stated[:2]} to {stated[2:]} px"
    if not all(math.isfinite(edge) for edge in stated):
        msg = f"{shown} is not finite"
        raise BoxError(msg)
    x0, y0, x1, y1 = (math.floor(edge + 0.5) for edge in stated)
    height_px, width_px = shape_yx
    if x0 < 0 or y0 < 0 or x1 > width_px or y1 > height_px:
        msg = f"{shown} leaves its picture of {width_px}×{height_px} px; is it of another picture?"
        raise BoxError(msg)
    if x0 >= x1 or y0 >= y1:
        msg = f"{shown} holds no pixel; expected right and lower edges beyond left and upper ones"
        raise BoxError(msg)
    return PixelBox(x0_px=x0, y0_px=y0, x1_px=x1, y1_px=y1)


def box_region_table(
    boxes: Sequence[tuple[int, PixelBox]],
    shape_yx: tuple[int, int],
    spacing_yx_mm: tuple[float, float] | None,
    plane: Plane,
) -> pa.Table:
    """Region rows of a 2D picture's boxes.

    Args:
        boxes: Label id and box.
        shape_yx: Of the picture.
        spacing_yx_mm: Pixel spacing; None where unknown.
        plane: The plane to name in the table.

    Returns:
        `REGION_COLUMNS`, sorted by label_id, component: the largest box first, then the one whose
        upper left corner comes first, row by row. `n_components` counts the boxes of the label.

    Example:
        >>> box = PixelBox(x0_px=3, y0_px=1, x1_px=6, y1_px=4)
        >>> table = box_region_table([(1, box)], (10, 10), (0.5, 0.5), Plane.NATIVE)
        >>> table.select(["label_id", "x0_px", "x1_px", "ellipse_status"]).to_pylist()
        [{'label_id': 1, 'x0_px': 3, 'x1_px': 6, 'ellipse_status': 'not_target'}]
    """
    height_px, width_px = shape_yx
    by_label: dict[int, list[PixelBox]] = defaultdict(list)
    for label_id, box in boxes:
        by_label[label_id].append(box)
    rows = []
    for label_id in sorted(by_label):
        order = sorted(by_label[label_id], key=lambda box: (-box.area_px, box.y0_px, box.x0_px))
        for component, box in enumerate(order):
            sides = (box.x0_px, box.y0_px, width_px - box.x1_px, height_px - box.y1_px)
            rows.append(
                {
                    "plane": str(plane),
                    "slice_index": 0,
                    "height_px": height_px,
                    "width_px": width_px,
                    "spacing_y_mm": spacing_yx_mm[0] if spacing_yx_mm else None,
                    "spacing_x_mm": spacing_yx_mm[1] if spacing_yx_mm else None,
                    "label_id": label_id,
                    "component": component,
                    "n_components": len(order),
                    "touches_border": min(sides) == 0,
                    "x0_px": box.x0_px,
                    "y0_px": box.y0_px,
                    "x1_px": box.x1_px,
                    "y1_px": box.y1_px,
                    "ellipse_status": _NOT_TARGET,
                }
            )
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
