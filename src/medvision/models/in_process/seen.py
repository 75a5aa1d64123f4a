"""What a loaded processor really makes of pictures, measured on its output, against the rule.

A picture whose brightness grows along x and along y goes through the processor; where each tile or
patch of the output lies on it is read from the brightness. No size is computed here, so that a rule
and its check cannot share a mistake.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.errors import ItemError, UsageError
from medvision.models.in_process.chat import Chat
from medvision.pictures.perceived import FAMILIES, Preparation, perceived_size
from medvision.pictures.view import PictureFamily, SliceView

Array = npt.NDArray[np.floating[Any]]
Size = tuple[int, int]

LEAST_PROBE_PX = 8
"""Shorter sides hold too few steps of brightness to measure on."""

EDGE_TOLERANCE_FRAC = 0.012
OVERLAP_TOLERANCE_FRAC = 0.008
"""Of a canvas whose tiles overlap, the size is measured, and as exact as 8-bit steps are; of any
other it is counted."""

OUTPUTS = (
    "pixel_values",
    "image_pixel_values",
    "image_grid_thw",
    "image_position_ids",
    "spatial_shapes",
    "target_sizes",
)
"""What is read of a processor's output."""

MOST_BENT = 0.05
"""Off a straight line, in brightness; rounding and filters stay far below, padding does not."""

X_RAMP, Y_RAMP = 0, 1
"""Channels of the probe."""


class SeenOtherwiseError(UsageError):
    """The loaded processor shows the model another picture than prompts would state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPicture:
    """A picture as a processor hands it to the vision encoder.

    Attributes:
        canvas_hw: Height and width of all tiles side by side, px.
        is_exact: Whether the canvas was counted; else measured, to `OVERLAP_TOLERANCE_FRAC`.
        box_frac: x0, y0, x1, y1 of the canvas on the picture: 0, 0, 1, 1 where the whole picture
            fills it; within these where something is cut off, beyond where a little is padded.
        is_padded: Whether so much is padded that `box_frac` says nothing.
    """

    canvas_hw: Size
    is_exact: bool
    box_frac: tuple[float, float, float, float]
    is_padded: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the picture fills the canvas, and nothing of it is cut off."""
        pairs = zip(self.box_frac, (0, 0, 1, 1), strict=True)
        is_filled = all(abs(found - whole) < EDGE_TOLERANCE_FRAC for found, whole in pairs)
        return is_filled and not self.is_padded

    def agrees_with(self, canvas_hw: Size) -> bool:
        """Whether the canvas is this one, and the picture fills it."""
        slack = 0.0 if self.is_exact else OVERLAP_TOLERANCE_FRAC
        pairs = zip(self.canvas_hw, canvas_hw, strict=True)
        return self.is_whole and all(abs(found - side) <= slack * side for found, side in pairs)

    def __str__(self) -> str:
        size = f"{'' if self.is_exact else 'about '}{self.canvas_hw[0]}×{self.canvas_hw[1]}"
        if self.is_whole:
            return f"{size} px"
        if self.is_padded:
            return f"{size} px, padded"
        x0, y0, x1, y1 = (f"{100 * side:.0f}" for side in self.box_frac)
        return f"{size} px from {x0} to {x1} % of its width and {y0} to {y1} % of its height"


def check_pictures(chat: Chat, views: Iterable[SliceView], family: PictureFamily, name: str) -> int:
    """Compare what the processor makes of every size of picture with what prompts state.

    Args:
        chat: The model's conversation form.
        views: Of the slices that are to be asked about.
        family: How the model is said to see pictures.
        name: The model, for messages.

    Returns:
        How many sizes of picture could be compared.

    Raises:
        SeenOtherwiseError: At least one comes out otherwise; the message shows both.
    """
    stated = {view.sent_hw: view.perceived.canvas_hw for view in views}
    seen = {size: seen_picture(chat, *size) for size in sorted(stated)}
    compared = {size: found for size, found in seen.items() if found is not None}
    differing = {
        size: found
        for size, found in compared.items()
        if isinstance(found, str) or not found.agrees_with(stated[size])
    }
    if differing:
        size, found = next(iter(differing.items()))
        height_px, width_px = stated[size]
        msg = (
            f"{name}: family {family.name!r} says that the model sees {height_px}×{width_px} px of "
            f"a picture of {size[0]}×{size[1]} px, but its processor makes {found} "
            f"({len(differing)} of {len(compared)} sizes of picture differ). {_advice(differing)}"
        )
        raise SeenOtherwiseError(msg)
    return len(compared)


def seen_picture(chat: Chat, height_px: int, width_px: int) -> SeenPicture | str | None:
    """What the processor makes of a picture of this size.

    Returns:
        What it makes; why it refuses the picture; None where its output is of no form known here,
        or the picture too small to measure on.
    """
    if min(height_px, width_px) < LEAST_PROBE_PX:
        return None
    try:
        # The whole processor, as when the model is asked: some hand sizes to their image part.
        output = chat.tokens([chat.prompt("?")], [probe_picture(height_px, width_px)])
    except ValueError as error:
        return f"an error of it: {error}"
    return seen_in(output, chat.processor.image_processor, height_px, width_px)


def probe_picture(height_px: int, width_px: int) -> Image.Image:
    """A picture whose red grows along x and whose green grows along y."""
    probe = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    probe[:, :, X_RAMP] = np.linspace(0, 255, width_px).round()
    probe[:, :, Y_RAMP] = np.linspace(0, 255, height_px).round()[:, np.newaxis]
    return Image.fromarray(probe)


def seen_in(
    output: Mapping[str, Any], processor: Any, height_px: int, width_px: int
) -> SeenPicture | None:
    """What an image processor's output of `probe_picture` shows; None of a form not known here."""
    known = {key: np.asarray(output[key]) for key in OUTPUTS if key in output}
    views = views_in(known, processor)
    return measured(levels(views, processor), height_px, width_px) if views else None


def _advice(differing: Mapping[Size, SeenPicture | str]) -> str:
    """How to declare what was found: a fixed size, or families whose rule gives it."""
    found = [one for one in differing.values() if not isinstance(one, str)]
    sizes = {one.canvas_hw for one in found}
    named = [name for name in FAMILIES if _explains(name, differing)]
    if len(sizes) == 1 and len(found) > 1 and all(one.is_whole for one in found):
        height_px, width_px = sizes.pop()
        named.append(f"{height_px}x{width_px}")
    declared = " or ".join(f"--family {name}" for name in named) or (
        "--family NAME, --family HxW where it stretches every picture to one size"
    )
    return (
        f"Declare how it resizes pictures: {declared}, or other limits of the family in a profile "
        "of your own (--profiles FILE)"
    )


def _explains(name: str, differing: Mapping[Size, SeenPicture | str]) -> bool:
    rule = FAMILIES[name]
    # Of families that are sent a prepared picture, another one would have been sent.
    if rule.preparation is not Preparation.NONE or None in rule.limits.values():
        return False
    with suppress(ItemError):
        return all(
            not isinstance(found, str) and found.agrees_with(perceived_size(name, *size).canvas_hw)
            for size, found in differing.items()
        )
    return False


def views_in(output: Mapping[str, Array], processor: Any) -> list[Array]:
    """Tiles and overviews in a processor's output of one picture, each (3, height, width).

    Args:
        output: Arrays by name.
        processor: The image processor that made them.

    Returns:
        [] for an output of no form known here.
    """
    pixels = output.get("pixel_values", output.get("image_pixel_values"))
    if pixels is None:
        return []
    if "image_grid_thw" in output:
        _, rows, columns = (int(n) for n in output["image_grid_thw"].reshape(-1, 3)[0])
        return [_of_grid(pixels, rows, columns, processor)]
    if "image_position_ids" in output:
        return [_of_positions(pixels[0], output["image_position_ids"][0])]
    if "spatial_shapes" in output:
        shapes = output["spatial_shapes"].astype(int).tolist()
        return [_of_patches(one, *hw) for one, hw in zip(pixels, shapes, strict=True)]
    if "target_sizes" in output:
        return _of_strips(pixels, output["target_sizes"].reshape(-1, 2).astype(int).tolist())
    if pixels.ndim == 3 and round(pixels.shape[1] ** 0.5) ** 2 == pixels.shape[1]:
        side = round(pixels.shape[1] ** 0.5)
        return [_of_patches(one, side, side) for one in pixels]
    if pixels.ndim >= 4 and pixels.shape[-3] == 3:
        return list(pixels.reshape(-1, *pixels.shape[-3:]))
    return []


def _of_grid(pixels: Array, rows: int, columns: int, processor: Any) -> Array:
    """Patches in rows, or (Qwen, GLM) in groups that are merged, each of several alike frames."""
    if pixels.ndim == 4:
        side = pixels.shape[-1]
        placed = pixels.reshape(rows, columns, 3, side, side).transpose(2, 0, 3, 1, 4)
        return placed.reshape(3, rows * side, columns * side)
    side, merge = processor.patch_size, processor.merge_size
    grouped = pixels.reshape(rows // merge, columns // merge, merge, merge, 3, -1, side, side)
    placed = grouped[:, :, :, :, :, 0].transpose(4, 0, 2, 5, 1, 3, 6)
    return placed.reshape(3, rows * side, columns * side)


def _of_positions(patches: Array, places_xy: Array) -> Array:
    """Patches (n, values) with the column and row of each; negative ones are filling."""
    is_patch = places_xy[:, 0] >= 0
    columns, rows = (int(n) + 1 for n in places_xy[is_patch].max(axis=0))
    x, y = places_xy[is_patch].astype(int).T
    return _of_patches(patches[is_patch][np.lexsort((x, y))], rows, columns)


def _of_patches(patches: Array, rows: int, columns: int) -> Array:
    """Patches (n, values) in rows, of each the values of a pixel together; the rest is filling."""
    side = round((patches.shape[1] // 3) ** 0.5)
    placed = patches[: rows * columns].reshape(rows, columns, side, side, 3)
    return placed.transpose(4, 0, 2, 1, 3).reshape(3, rows * side, columns * side)


def _of_strips(pixels: Array, grids: list[list[int]]) -> list[Array]:
    """One strip (1, 3, side, n × side) of the patches of all views (MiniCPM-V)."""
    side, start, found = pixels.shape[-2], 0, []
    for rows, columns in grids:
        strip = pixels[0, :, :, start : start + rows * columns * side]
        start += rows * columns * side
        placed = strip.reshape(3, side, rows, columns, side).transpose(0, 2, 1, 3, 4)
        found.append(placed.reshape(3, rows * side, columns * side))
    return found


def levels(views: Iterable[Array], processor: Any) -> list[Array]:
    """Brightness in [0, 1] of views as `views_in` finds them."""
    bright: list[Array] = []
    for view in views:
        level = np.asarray(view, dtype=np.float64)
        if getattr(processor, "do_normalize", False):
            std, mean = (np.broadcast_to(getattr(processor, key), 3) for key in _NORMAL)
            level = level * std[:, np.newaxis, np.newaxis] + mean[:, np.newaxis, np.newaxis]
        bright.append(level if getattr(processor, "do_rescale", True) else level / 255)
    return bright


_NORMAL = ("image_std", "image_mean")


def measured(views: Iterable[Array], height_px: int, width_px: int) -> SeenPicture | None:
    """Canvas of views (3, h, w) of a probe, and where it lies on the picture; None of no view.

    The finest views make the canvas; coarser ones are overviews of the whole.
    """
    spans = [(_span(view[X_RAMP], width_px), _span(view[Y_RAMP].T, height_px)) for view in views]
    placed = [(x, y) for x, y in spans if x and y]
    if not placed:
        return None
    area = [x.implied_px * y.implied_px for x, y in placed]
    finest = [pair for pair, one in zip(placed, area, strict=True) if one > 0.75 * max(area)]
    (width, is_exact_x), (height, is_exact_y) = (
        _side([spans[axis] for spans in finest]) for axis in (0, 1)
    )
    return SeenPicture(
        canvas_hw=(height, width),
        is_exact=is_exact_x and is_exact_y,
        box_frac=(
            min(x.start for x, _ in finest),
            min(y.start for _, y in finest),
            max(x.end for x, _ in finest),
            max(y.end for _, y in finest),
        ),
        is_padded=any(span.is_bent for pair in finest for span in pair),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Where the edges of a view lie along one side of the picture, as fractions of it."""

    side_px: int
    start: float
    end: float
    is_bent: bool

    @property
    def implied_px(self) -> float:
        """Side of the whole picture at this view's scale."""
        return self.side_px / (self.end - self.start)


def _span(ramps: Array, picture_px: int) -> _Span | None:
    """From the slope of ramps (lines, n), fitted away from their ends, where filters bend them."""
    n, spread = ramps.shape[1], ramps.std(axis=1)
    # Lines of padding, of whatever colour, hold no ramp.
    profile = ramps[spread >= 0.9 * spread.max()].mean(axis=0)
    middle = np.arange(n)[n // 10 : n - n // 10]
    slope, level = np.polyfit(middle + 0.5, profile[middle], 1) if len(middle) > 1 else (0.0, 0.0)
    if slope * n < 1e-3:  # filling, or a picture of one brightness
        return None
    off = np.abs(level + slope * (middle + 0.5) - profile[middle]).max()
    # The ramp is 0 at the centre of the first pixel and 1 at that of the last.
    start, end = (((level + slope * x) * (picture_px - 1) + 0.5) / picture_px for x in (0, n))
    return _Span(side_px=n, start=start, end=end, is_bent=bool(off > MOST_BENT))


def _side(spans: list[_Span]) -> tuple[int, bool]:
    """Side of the canvas, and whether it could be counted: by tiles that do not overlap."""
    in_order = sorted(spans, key=lambda span: span.start)
    steps = [in_order[0]]
    for span in in_order[1:]:
        if span.start > steps[-1].start + 0.4 * (span.end - span.start):
            steps.append(span)
    reach = steps[-1].end - steps[0].start
    overlap = sum(span.end - span.start for span in steps) - reach
    if overlap < 0.1 * (steps[0].end - steps[0].start):
        return sum(span.side_px for span in steps), True
    return round(float(np.mean([span.implied_px for span in spans])) * reach), False
