"""The real Hugging Face image processors, built from their published settings, and what they see.

Peers for the perceived-size rules: a picture goes through the processor, and the canvas that the
vision encoder receives is put together again from the tensors and index arrays that come out.
Nothing here computes a size. Needs `transformers` and Pillow; neither torch nor a download.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}

MLLAMA_GRID_OF_ID = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1)]
"""Rows and columns of the model's published `supported_aspect_ratios`; ids count from 1."""

X_RAMP, Y_RAMP, MARKS = 0, 1, 2
"""Channels of a probe picture: brightness grows along x, along y; the third is free for marks."""


BRIGHT = 180
"""Level of an all-bright picture's marks: resampling may ring above it without being cut off."""

HALF_BRIGHT = 0.5

NARROW_PADDING_PX = 8


def probe_picture(marks: Array) -> Array:
    """(H, W, 3) picture of 8-bit marks (H, W), with ramps that tell tiles' places apart."""
    height_px, width_px = marks.shape
    probe = np.empty((height_px, width_px, 3), dtype=np.uint8)
    probe[:, :, X_RAMP] = np.linspace(0, 255, width_px).round()
    probe[:, :, Y_RAMP] = np.linspace(0, 255, height_px).round()[:, np.newaxis]
    probe[:, :, MARKS] = marks
    return probe


def _from_qwen_patches(output: dict[str, Array], processor: Any) -> Array:
    """Patches come in 2×2 groups, each patch as channel, frame, row, column."""
    _, rows, columns = (int(n) for n in output["image_grid_thw"][0])
    patch, merge = processor.patch_size, processor.merge_size
    grouped = output["pixel_values"].reshape(
        rows // merge, columns // merge, merge, merge, 3, -1, patch, patch
    )[:, :, :, :, MARKS, 0]
    return grouped.transpose(0, 2, 4, 1, 3, 5).reshape(rows * patch, columns * patch)


def _from_gemma4_patches(output: dict[str, Array], processor: Any) -> Array:
    """Each patch has its x, y in the position ids; −1 is filling."""
    places, patch = output["image_position_ids"][0], processor.patch_size
    filled = places[:, 0] >= 0
    columns, rows = places[filled].max(axis=0) + 1
    canvas = np.full((rows, patch, columns, patch), np.nan, dtype=np.float32)
    pixels = output["pixel_values"][0][filled].reshape(-1, patch, patch, 3)[..., MARKS]
    for (x, y), pixel in zip(places[filled], pixels, strict=True):
        canvas[y, :, x] = pixel
    return canvas.reshape(rows * patch, columns * patch)


def _from_one_square(output: dict[str, Array], _processor: Any) -> Array:
    square: Array = output["pixel_values"][0, MARKS]
    return square


def _from_tiles(tiles: Array, columns: int) -> Array:
    """(n, h, w) tiles in row-major order to one canvas."""
    count, height_px, width_px = tiles.shape
    grid = tiles.reshape(count // columns, columns, height_px, width_px)
    return grid.transpose(0, 2, 1, 3).reshape(-1, columns * width_px)


def _columns_of(tiles: Array) -> int:
    """How many of (n, 3, h, w) tiles are in the first row: those that reach no further in y."""
    reach = tiles[:, Y_RAMP].max(axis=(1, 2))
    below = np.flatnonzero(reach > reach[0] + 0.03 * np.ptp(tiles[:, Y_RAMP]))
    return int(below[0]) if below.size else len(tiles)


def _from_internvl_tiles(output: dict[str, Array], _processor: Any) -> Array:
    """The last of several tiles is a thumbnail."""
    tiles = output["pixel_values"]
    tiles = tiles[:-1] if len(tiles) > 1 else tiles
    return _from_tiles(tiles[:, MARKS], _columns_of(tiles))


def _from_onevision_tiles(output: dict[str, Array], _processor: Any) -> Array:
    """The first tile is a base view of the whole."""
    tiles = output["pixel_values"][0, 1:]
    return _from_tiles(tiles[:, MARKS], _columns_of(tiles))


def _from_mllama_tiles(output: dict[str, Array], _processor: Any) -> Array:
    rows, columns = MLLAMA_GRID_OF_ID[int(output["aspect_ratio_ids"][0, 0]) - 1]
    return _from_tiles(output["pixel_values"][0, 0, : rows * columns, MARKS], columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A processor class, its published settings, and how its output becomes one canvas.

    Attributes:
        padding: 8-bit level of its padding in the channel of the marks.
    """

    family: str
    processor: str
    settings: dict[str, Any]
    canvas: Callable[[dict[str, Array], Any], Array]
    padding: int = 0

    def build(self) -> Any:
        """The processor itself."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        import transformers

        return getattr(transformers, self.processor)(**self.settings)


_QWEN, _GLM_AREA = "Qwen2VLImageProcessorPil", {"shortest_edge": 12544, "longest_edge": 9633792}
_SQUARE_336 = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}


def _square(side_px: int) -> dict[str, Any]:
    return {"size": {"height": side_px, "width": side_px}}


PEERS = {
    "qwen2_5_vl": Peer(
        family="qwen2_5_vl",
        processor=_QWEN,
        settings={"size": {"shortest_edge": 3136, "longest_edge": 12845056}, **CLIP},
        canvas=_from_qwen_patches,
    ),
    "qwen3_vl": Peer(
        family="qwen3_vl",
        processor=_QWEN,
        settings={
            "size": {"shortest_edge": 65536, "longest_edge": 16777216},
            "patch_size": 16,
            **HALF,
        },
        canvas=_from_qwen_patches,
    ),
    "gemma3": Peer(
        family="gemma3",
        processor="Gemma3ImageProcessorPil",
        settings={**_square(896), **HALF},
        canvas=_from_one_square,
    ),
    "gemma4": Peer(
        family="gemma4",
        processor="Gemma4ImageProcessorPil",
        settings={"max_soft_tokens": 280, "patch_size": 16, "pooling_kernel_size": 3},
        canvas=_from_gemma4_patches,
    ),
    "internvl3": Peer(
        family="internvl3",
        processor="GotOcr2ImageProcessorPil",
        settings={**_square(448), "crop_to_patches": True, "max_patches": 12, **CLIP},
        canvas=_from_internvl_tiles,
    ),
    "llava_onevision": Peer(
        family="llava_onevision",
        processor="LlavaOnevisionImageProcessorPil",
        settings={**_square(384), **HALF},
        canvas=_from_onevision_tiles,
    ),
    "mllama": Peer(
        family="mllama",
        processor="MllamaImageProcessorPil",
        settings={**_square(560), "max_image_tiles": 4, **CLIP},
        canvas=_from_mllama_tiles,
    ),
    "clip336_pad": Peer(
        family="clip336_pad",
        processor="LlavaImageProcessorPil",
        settings={**_SQUARE_336, "do_pad": True, **CLIP},
        canvas=_from_one_square,
        padding=104,
    ),
    "stretch448": Peer(
        family="stretch448",
        processor="CLIPImageProcessorPil",
        settings={**_square(448), "do_center_crop": False, **CLIP},
        canvas=_from_one_square,
    ),
    "glm4v": Peer(
        family="glm4v",
        processor="Glm4vImageProcessorPil",
        settings={"size": _GLM_AREA, **CLIP},
        canvas=_from_qwen_patches,
    ),
    "glm46v": Peer(
        family="glm4v",
        processor="Glm46VImageProcessorPil",
        settings={"size": _GLM_AREA, **CLIP},
        canvas=_from_qwen_patches,
    ),
}
"""Peers by name; most are named as their family."""


def canvas_marks(peer: Peer, processor: Any, picture: Array) -> Array:
    """(H, W) brightness in [0, 1] of a probe picture's marks, on the canvas the model receives.

    Args:
        peer: Which processor it is.
        processor: As `peer.build()` makes it.
        picture: (H, W, 3) 8-bit, made by `probe_picture`.
    """
    output = dict(processor(picture, input_data_format="channels_last", return_tensors="np"))
    canvas = np.asarray(peer.canvas(output, processor), dtype=np.float32)
    if not processor.do_normalize:
        return canvas
    scale, shift = processor.image_std[MARKS], processor.image_mean[MARKS]
    return np.asarray(canvas * scale + shift)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenExtent:
    """Canvas of a picture and where the picture lies on it, measured on a processor's output.

    Attributes:
        box_px: x0, y0, x1, y1: edges, to a fraction of a pixel.
    """

    canvas_hw: tuple[int, int]
    box_px: tuple[float, float, float, float]


def seen_extent(peer: Peer, processor: Any, height_px: int, width_px: int) -> SeenExtent:
    """Where an all-bright picture of this size lies on the canvas.

    An edge is where the brightness adds up to, as well as `edge_accuracy_px` says.
    """
    bright = np.full((height_px, width_px), BRIGHT, dtype=np.uint8)
    canvas = canvas_marks(peer, processor, probe_picture(bright)).astype(np.float64)
    brightness = (canvas - peer.padding / 255) / ((BRIGHT - peer.padding) / 255)
    rows = np.flatnonzero(brightness.max(axis=1) > HALF_BRIGHT)
    columns = np.flatnonzero(brightness.max(axis=0) > HALF_BRIGHT)
    x0, x1 = _bright_span(brightness[rows[len(rows) // 2]])
    y0, y1 = _bright_span(brightness[:, columns[len(columns) // 2]])
    return SeenExtent(canvas_hw=(canvas.shape[0], canvas.shape[1]), box_px=(x0, y0, x1, y1))


def _bright_span(brightness: Array) -> tuple[float, float]:
    """Start and end, px, of the stretch of 1 in a profile that is 0 elsewhere: by its sum."""
    middle = int(np.flatnonzero(brightness > HALF_BRIGHT).mean())
    return middle - float(brightness[:middle].sum()), middle + float(brightness[middle:].sum())


def edge_accuracy_px(peer: Peer, height_px: int, width_px: int) -> float:
    """How well `seen_extent` finds the edges of a picture of this size.

    Exactly (up to single precision over a few thousand pixels), unless padding is resampled: then
    8-bit rounding matters, and padding narrower than the filter leaves its sum incomplete.
    """
    if not peer.padding:
        return 0.001
    return 0.3 if 0 < abs(height_px - width_px) < NARROW_PADDING_PX else 0.06


def log_uniform_sizes(
    count: int, *, seed: str, max_px: int = 4000, max_aspect: float = 20
) -> list[tuple[int, int]]:
    """Heights and widths from 16 to `max_px`, log-uniform, aspect ratios up to `max_aspect`."""
    rng = np.random.default_rng(list(seed.encode()))
    sizes: list[tuple[int, int]] = []
    while len(sizes) < count:
        height_px, width_px = np.exp(rng.uniform(np.log(16), np.log(max_px), 2)).round()
        if max(height_px, width_px) <= max_aspect * min(height_px, width_px):
            sizes.append((int(height_px), int(width_px)))
    return sizes
