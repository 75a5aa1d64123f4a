"""Crops: a part of a slice around a structure, and a sample as it reads in the part's own frame."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from statistics import median_high

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.frames import FloatArray, SliceGeometry, box_px_from_relative, relative_from_box_px
from medvision.samples.sample import GEOMETRY_COLUMNS, Sample, known_geometry
from medvision.tasks import TASKS

LEAST_SIDE_PX = 32
"""A crop's sides are at least so long, where the slice is: smaller ones show a structure without
anything around it."""


def crop_around(
    box_px: Sequence[float],
    height_px: int,
    width_px: int,
    *,
    margin_frac: float = 0.5,
    least_px: int = LEAST_SIDE_PX,
    shift_frac: tuple[float, float] = (0.0, 0.0),
) -> tuple[int, ...]:
    """The square part of a slice around a box; narrower only where the slice is.

    Args:
        box_px: Half-open x0, y0, x1, y1; it may leave the slice, which the crop does not.
        height_px: Of the slice.
        width_px: Of the slice.
        margin_frac: On each side of the box, as a share of that side's length; at least 0.
        least_px: Least side.
        shift_frac: Of the crop along x and y, as shares of the box's sides; no farther than the box
            stays in it.

    Returns:
        Half-open pixel box x0, y0, x1, y1; () where it would be all of the slice. All of a box of
        whole pixels within the slice is in it.

    Example:
        A box of 20×10 px and 10 px on its left and right, moved into the slice:

        >>> crop_around([2, 50, 22, 60], 100, 200)
        (0, 35, 40, 75)
    """
    x0, y0, x1, y1 = box_px
    side_px = max(least_px, math.ceil(max(x1 - x0, y1 - y0) * (1 + 2 * margin_frac)))
    starts, ends = [], []
    sides = ((x0, x1, width_px), (y0, y1, height_px))
    for (low, high, whole_px), shift in zip(sides, shift_frac, strict=True):
        length_px = min(side_px, whole_px)
        start_px = math.floor((low + high - length_px) / 2 + shift * (high - low) + 0.5)
        start_px = min(max(start_px, math.ceil(high) - length_px), math.floor(low))
        starts.append(min(max(start_px, 0), whole_px - length_px))
        ends.append(starts[-1] + length_px)
    crop_px = (*starts, *ends)
    return () if crop_px == (0, 0, width_px, height_px) else crop_px


def is_part(sample: Sample) -> bool:
    """Whether a sample is stated in the frame of its crop.

    A crop is less than its slice, so the size tells which of the two the geometry is of.
    """
    on = sample.geometry
    return bool(sample.crop_px) and (on.height_px, on.width_px) == _crop_hw(sample.crop_px)


def as_shown(sample: Sample) -> Sample:
    """The sample as it reads on its crop: geometry, truth, box and points in the crop's frame.

    Boxes end at the crop's edges; of one outside nothing but the nearest pixel is left. A sample
    without a crop, or in its crop's frame already, stays as it is.
    """
    if not sample.crop_px or is_part(sample):
        return sample
    crop, on = sample.crop_px, sample.geometry
    shown = geometry_of_crop(on, crop)
    truth = sample.truth
    if TASKS[sample.task].is_box:
        boxes = box_px_from_relative(np.reshape(truth, (-1, 4)), on.height_px, on.width_px)
        # Edges of pixels: rounding takes away what the division left.
        moved = _boxes_on_crop(np.rint(boxes), crop)
        truth = tuple(relative_from_box_px(moved, shown.height_px, shown.width_px).ravel().tolist())
    box_px = sample.box_px and tuple(_boxes_on_crop(np.array(sample.box_px), crop).tolist())
    return replace(
        sample,
        geometry=shown,
        truth=truth,
        box_px=box_px,
        points=tuple(
            replace(point, x_px=point.x_px - crop[0], y_px=point.y_px - crop[1])
            for point in sample.points
        ),
    )


def geometries_shown(samples: pa.Table) -> list[SliceGeometry]:
    """Size and spacing of what each sample shows: of its crop, or of the whole slice.

    Args:
        samples: Columns as in `SAMPLE_SCHEMA`; lists of earlier versions have no crops.
    """
    rows = zip(*(samples[name].to_pylist() for name in GEOMETRY_COLUMNS), strict=True)
    crops: Iterable[Sequence[int] | None] = repeat(None)
    if "crop_px" in samples.column_names:
        crops = samples["crop_px"].to_pylist()
    wholes = (known_geometry(*row) for row in rows)
    return [
        geometry_of_crop(whole, crop) if crop else whole
        for whole, crop in zip(wholes, crops, strict=False)
    ]


def middle_side_px(samples: pa.Table) -> int:
    """The longer side of the middle one of samples' slices, by that side."""
    sides = (samples[name].to_pylist() for name in ("height_px", "width_px"))
    return int(median_high(map(max, *sides)))


def geometry_of_crop(whole: SliceGeometry, crop_px: Sequence[int]) -> SliceGeometry:
    """Size of a crop; its pixels are those of its slice."""
    height_px, width_px = _crop_hw(crop_px)
    return replace(whole, height_px=height_px, width_px=width_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A crop and the size of the slice that it is of."""

    crop_px: tuple[int, ...]
    height_px: int
    width_px: int

    @property
    def area_frac(self) -> float:
        """Its area as a share of the slice's."""
        height_px, width_px = _crop_hw(self.crop_px)
        return height_px * width_px / (self.height_px * self.width_px)

    def on_slice(self, boxes_relative: npt.ArrayLike) -> FloatArray:
        """Relative boxes of the slice from those of the crop: (..., 4) to (..., 4).

        Example:
            The whole of a crop, the upper left quarter of its slice:

            >>> quarter = Part(crop_px=(0, 0, 50, 40), height_px=80, width_px=100)
            >>> quarter.on_slice([0, 0, 1, 1]).tolist()
            [0.0, 0.5, 0.5, 1.0]
        """
        x0, y0 = self.crop_px[:2]
        on_crop = box_px_from_relative(boxes_relative, *_crop_hw(self.crop_px))
        return relative_from_box_px(
            np.add(on_crop, (x0, y0, x0, y0)), self.height_px, self.width_px
        )


def part_of(sample: Sample) -> Part | None:
    """The part that a sample, as stored, asks about; None for a whole slice."""
    on = sample.geometry
    if not sample.crop_px:
        return None
    return Part(crop_px=sample.crop_px, height_px=on.height_px, width_px=on.width_px)


def parts_of(samples: pa.Table) -> list[Part | None]:
    """The part that each sample of a list asks about; None for a whole slice."""
    if "crop_px" not in samples.column_names:
        return [None] * samples.num_rows
    names = ("crop_px", "height_px", "width_px")
    rows = zip(*(samples[name].to_pylist() for name in names), strict=True)
    return [
        Part(crop_px=tuple(crop), height_px=height_px, width_px=width_px) if crop else None
        for crop, height_px, width_px in rows
    ]


def _crop_hw(crop_px: Sequence[int]) -> tuple[int, int]:
    x0, y0, x1, y1 = crop_px
    return y1 - y0, x1 - x0


def _boxes_on_crop(boxes_px: FloatArray, crop_px: Sequence[int]) -> FloatArray:
    """(..., 4) pixel boxes of the slice in the crop's frame, at least a pixel of each."""
    height_px, width_px = _crop_hw(crop_px)
    x0, y0 = crop_px[:2]
    moved = boxes_px - (x0, y0, x0, y0)
    last = (width_px - 1, height_px - 1)
    low = np.clip(moved[..., :2], 0, last)
    high = np.clip(moved[..., 2:], (1, 1), (width_px, height_px))
    return np.concatenate([low, high], axis=-1)
