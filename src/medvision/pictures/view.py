"""A view: what one model sees of one slice, and what it is told and sent, worked out once.

*Shown*: the slice on the pixels chosen for it (as stored, square, a fixed shape). *Perceived*: the
canvas that the model's own preprocessing makes of it. *Stated*: image size and pixel size in the
prompt. *Sent*: the picture that the server gets. Everything that asks, trains or scores takes
these four from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from medvision.frames import SliceGeometry
from medvision.pictures.perceived import (
    PerceivedSize,
    Preparation,
    StatedFrame,
    family_named,
    perceived_size,
    prepared_picture,
    stated_frame,
)
from medvision.pictures.perceived.sending import Pixels
from medvision.pictures.render import AS_STORED, PixelGrid, RenderedImage, resampled, shown_geometry

SENDER = "pillow-1"
"""Version of how pictures are prepared for a family; change it with the pixels."""

UNDECLARED = "as_sent"
"""Family of a model of which nobody has said how it resizes pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """One slice as one model meets it.

    Attributes:
        shown: Size and pixel spacing of the slice on the pixels chosen for it.
        perceived: Canvas and content that the model sees of it.
        stated: Image size and pixel size as the prompt states them.
        sent_hw: Height and width of the picture sent.
    """

    shown: SliceGeometry
    perceived: PerceivedSize
    stated: StatedFrame
    sent_hw: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFamily:
    """How a model sees pictures.

    Attributes:
        name: A family of `medvision.pictures.perceived`.
        limits: Its caps for this model.
        square: Slices are resampled to square pixels first.
        shape_hw: Slices are stretched to this height and width first.
        long_side_px: Smaller ones are enlarged first until their longer side is so long.
    """

    name: str
    limits: Mapping[str, int] | None = None
    square: bool = False
    shape_hw: Sequence[int] | None = None
    long_side_px: int | None = None

    @property
    def grid(self) -> PixelGrid:
        """The pixels on which slices are shown, before anything is done for the family."""
        if self.shape_hw is None:
            return PixelGrid(square=self.square, long_side_px=self.long_side_px)
        height_px, width_px = self.shape_hw
        return PixelGrid(square=self.square, shape_hw=(height_px, width_px))

    def shown_on(self, grid: PixelGrid) -> "PictureFamily":
        """The same family with slices on the pixels of `grid`, where that says anything."""
        return replace(
            self, square=grid.square or self.square, shape_hw=grid.shape_hw or self.shape_hw
        )

    def enlarging(self, side_px: int) -> "PictureFamily":
        """The same family for crops, enlarged until their longer side has so many pixels.

        A model that takes pictures at their own size would see no more of a crop than of the slice.
        A family that says itself on which pixels slices are shown stays as it is.
        """
        is_said = self.square or self.shape_hw is not None
        return self if is_said else replace(self, long_side_px=side_px)

    def described(self) -> dict[str, Any]:
        """Its fields, as manifests and keys hold them.

        Without a long side: so keys and manifests of versions that knew of none stay the same.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if self.long_side_px is None:
            del values["long_side_px"]
        return values

    @property
    def is_sent_as_stored(self) -> bool:
        """Whether a slice is sent on its stored pixels."""
        unprepared = family_named(self.name).preparation is Preparation.NONE
        return unprepared and self.grid == AS_STORED

    @property
    def image_detail(self) -> str:
        """What to ask of an API that would else choose how finely it looks at a picture."""
        return "high" if self.name in {"openai_patch", "openai_tile"} else ""

    def view(self, stored: SliceGeometry) -> SliceView:
        """What the model sees of a slice.

        Args:
            stored: Size and pixel spacing of the slice as stored.

        Raises:
            PictureTooLargeError, EmptyPictureError, AspectRatioError: The slice cannot be shown.

        Example:
            >>> slice_ = SliceGeometry(
            ...     height_px=160, width_px=384, spacing_y_mm=2.0, spacing_x_mm=1.0)
            >>> view = PictureFamily(name="as_sent", square=True).view(slice_)
            >>> view.sent_hw, view.stated.pixel_y_mm
            ((320, 384), 1.0)
        """
        limits = None if self.limits is None else tuple(sorted(self.limits.items()))
        return _view(self.name, limits, self.grid, stored)

    def sent_pixels(self, stored: RenderedImage) -> Pixels:
        """The picture that the model gets of a rendered slice: (H, W) grey or (H, W, 3) RGB."""
        view = self.view(stored.geometry)
        shown = resampled(stored, view.shown)
        return prepared_picture(shown.pixels, view.perceived, family_named(self.name))


# A suite asks many questions about slices of few shapes.
@lru_cache(maxsize=4096)
def _view(
    name: str, limits: tuple[tuple[str, int], ...] | None, grid: PixelGrid, stored: SliceGeometry
) -> SliceView:
    shown = shown_geometry(stored, grid)
    caps = None if limits is None else dict(limits)
    perceived = perceived_size(name, shown.height_px, shown.width_px, caps)
    is_prepared = family_named(name).preparation is not Preparation.NONE
    return SliceView(
        shown=shown,
        perceived=perceived,
        stated=stated_frame(
            perceived, shown.height_px, shown.width_px, shown.spacing_y_mm, shown.spacing_x_mm
        ),
        sent_hw=perceived.canvas_hw if is_prepared else (shown.height_px, shown.width_px),
    )
