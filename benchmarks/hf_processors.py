"""The real Hugging Face image processors, built from their published settings, and what they see.

Peers for the perceived-size rules: a picture goes through the processor, and the canvas that the
vision encoder receives is put together again from the tensors and index arrays that come out.
Nothing here computes a size. Needs `transformers` and Pillow; neither torch nor a download.
"""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from medvision.models.in_process.seen import levels, views_in
from medvision.pictures.perceived import (
    PerceivedSize,
    Preparation,
    family_named,
    perceived_size,
)

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


Views = list[Array]


def _whole(views: Views, _output: dict[str, Array]) -> Array:
    """The first view is the canvas."""
    whole: Array = views[0][MARKS]
    return whole


def _side_by_side(tiles: Views, columns: int, step_px: int = 0) -> Array:
    """Tiles in row-major order on one canvas, a step apart, or as far as they are wide."""
    _, height_px, width_px = tiles[0].shape
    rows, step_y, step_x = len(tiles) // columns, step_px or height_px, step_px or width_px
    canvas = np.full(((rows - 1) * step_y + height_px, (columns - 1) * step_x + width_px), np.nan)
    for number, tile in enumerate(tiles):
        y, x = number // columns * step_y, number % columns * step_x
        canvas[y : y + height_px, x : x + width_px] = tile[MARKS]
    return canvas


def _columns_of(tiles: Views) -> int:
    """How many tiles are in the first row: those that reach no further in y."""
    ramps = np.array([tile[Y_RAMP] for tile in tiles])
    reach = ramps.max(axis=(1, 2))
    below = np.flatnonzero(reach > reach[0] + 0.03 * np.ptp(ramps))
    return int(below[0]) if below.size else len(tiles)


def _overview_last(views: Views, _output: dict[str, Array]) -> Array:
    """The last of several views is a thumbnail."""
    tiles = views[:-1] if len(views) > 1 else views
    return _side_by_side(tiles, _columns_of(tiles))


def _overview_first(views: Views, _output: dict[str, Array]) -> Array:
    """The first view is one of the whole; it is the canvas where there is no other."""
    tiles = views[1:] or views
    return _side_by_side(tiles, _columns_of(tiles))


def _from_phi4_tiles(views: Views, output: dict[str, Array]) -> Array:
    """Padding is as bright as the ramp's end, so the tiles are counted, not looked at."""
    return _side_by_side(views[1:], int(output["image_sizes"][0, 1]) // views[0].shape[2])


def _from_mllama_tiles(views: Views, output: dict[str, Array]) -> Array:
    rows, columns = MLLAMA_GRID_OF_ID[int(output["aspect_ratio_ids"][0, 0]) - 1]
    return _side_by_side(views[: rows * columns], columns)


def _from_llama4_tiles(views: Views, output: dict[str, Array]) -> Array:
    rows, columns = (int(n) for n in output["aspect_ratios"][0])
    return _side_by_side(views[: rows * columns], columns)


def _from_molmo2_crops(views: Views, output: dict[str, Array]) -> Array:
    """Crops of 27 patches, each 19 patches after the one before it."""
    crops = views[1:]
    pooled_columns = int(output["image_grids"][0, 3])
    columns = next(n for n in range(1, 99) if -(-(19 * n + 8) // 2) == pooled_columns)
    return _side_by_side(crops, columns, step_px=19 * 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A processor class, its published settings, and how its output becomes one canvas.

    Attributes:
        canvas: Views as `views_in` finds them and the output to one canvas.
        limits: Of the family, where the settings are not those published for it.
        padding: 8-bit level of its padding in the channel of the marks.
        needs_torch: Whether the class exists for torch and torchvision only.
        accuracy: How close the pixels of a picture sent come to that of the processor's output
            for the slice: exact with Pillow, which we resample with too.
    """

    family: str
    processor: str
    settings: dict[str, Any]
    canvas: Callable[[Views, dict[str, Array]], Array]
    limits: dict[str, int] | None = None
    padding: int = 0
    needs_torch: bool = False
    accuracy: float = 1e-5

    def build(self) -> Any:
        """The processor itself."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        # Also for processors that do without: Transformers imports a torchvision that is there.
        with nullcontext() if self.needs_torch else suppress(ImportError):
            load_torchvision()
        import transformers

        return getattr(transformers, self.processor)(**self.settings)


def load_torchvision() -> None:
    """Make a torchvision without its compiled part importable beside a torch for CPUs.

    Raises:
        ImportError: There is no torch or no torchvision.
    """
    import torch

    if "torchvision" not in sys.modules:
        # Its Python code only looks whether these two exist; resizing calls neither.
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                arguments = "Tensor dets, Tensor scores, float iou_threshold"
                operators.define(f"{name}({arguments}) -> Tensor")
        _KEPT.append(operators)
    import torchvision  # noqa: F401


_KEPT: list[Any] = []
"""A library of operators lasts as long as its object."""


GRANITE_PINPOINTS = [
    *[(1, n) for n in range(2, 11)],
    *[(2, n) for n in range(1, 6)],
    *[(3, n) for n in range(1, 4)],
    *[(n, m) for n in (4, 5) for m in (1, 2)],
    *[(n, 1) for n in range(6, 11)],
]

_QWEN, _GLM_AREA = "Qwen2VLImageProcessorPil", {"shortest_edge": 12544, "longest_edge": 9633792}
_SQUARE_336 = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}


def _square(side_px: int) -> dict[str, Any]:
    return {"size": {"height": side_px, "width": side_px}}


PEERS = {
    "qwen2_5_vl": Peer(
        family="qwen2_5_vl",
        processor=_QWEN,
        settings={"size": {"shortest_edge": 3136, "longest_edge": 12845056}, **CLIP},
        canvas=_whole,
    ),
    "qwen3_vl": Peer(
        family="qwen3_vl",
        processor=_QWEN,
        settings={
            "size": {"shortest_edge": 65536, "longest_edge": 16777216},
            "patch_size": 16,
            **HALF,
        },
        canvas=_whole,
    ),
    "gemma3": Peer(
        family="gemma3",
        processor="Gemma3ImageProcessorPil",
        settings={**_square(896), **HALF},
        canvas=_whole,
    ),
    "gemma4": Peer(
        family="gemma4",
        processor="Gemma4ImageProcessorPil",
        settings={"max_soft_tokens": 280, "patch_size": 16, "pooling_kernel_size": 3},
        canvas=_whole,
    ),
    "internvl3": Peer(
        family="internvl3",
        processor="GotOcr2ImageProcessorPil",
        settings={**_square(448), "crop_to_patches": True, "max_patches": 12, **CLIP},
        canvas=_overview_last,
    ),
    "llava_onevision": Peer(
        family="llava_onevision",
        processor="LlavaOnevisionImageProcessorPil",
        settings={**_square(384), **HALF},
        canvas=_overview_first,
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
        canvas=_whole,
        padding=104,
    ),
    "stretch448": Peer(
        family="stretch448",
        processor="CLIPImageProcessorPil",
        settings={**_square(448), "do_center_crop": False, **CLIP},
        canvas=_whole,
    ),
    "glm4v": Peer(
        family="glm4v",
        processor="Glm4vImageProcessorPil",
        settings={"size": _GLM_AREA, **CLIP},
        canvas=_whole,
    ),
    "internvl3_uncut": Peer(
        family="internvl3",
        processor="GotOcr2ImageProcessorPil",
        settings={**_square(448), "crop_to_patches": False, **CLIP},
        canvas=_whole,
        limits={"max_tiles": 1, "tile_px": 448},
    ),
    "paligemma": Peer(
        family="224x224",
        processor="SiglipImageProcessorPil",
        settings={**_square(224), **HALF},
        canvas=_whole,
    ),
    "idefics3": Peer(
        family="idefics3",
        processor="Idefics3ImageProcessorPil",
        settings={"size": {"longest_edge": 1456}, "max_image_size": {"longest_edge": 364}},
        canvas=_overview_last,
    ),
    "smolvlm": Peer(
        family="idefics3",
        processor="SmolVLMImageProcessorPil",
        settings={"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}},
        canvas=_overview_last,
        limits={"long_edge_px": 2048, "tile_px": 512},
    ),
    "pixtral": Peer(
        family="pixtral",
        processor="PixtralImageProcessorPil",
        settings={"size": {"longest_edge": 1024}, "patch_size": {"height": 16, "width": 16}},
        canvas=_whole,
    ),
    "mistral3": Peer(
        family="pixtral",
        processor="PixtralImageProcessorPil",
        settings={"size": {"longest_edge": 1540}, "patch_size": {"height": 28, "width": 28}},
        canvas=_whole,
        limits={"long_edge_px": 1540, "patch_px": 28},
    ),
    "llava_next": Peer(
        family="llava_next",
        processor="LlavaNextImageProcessorPil",
        settings={**_SQUARE_336, **CLIP},
        canvas=_overview_first,
    ),
    "granite_vision": Peer(
        family="granite_vision",
        processor="LlavaNextImageProcessorPil",
        settings={
            **_square(384),
            "crop_size": {"height": 384, "width": 384},
            "image_grid_pinpoints": [[384 * h, 384 * w] for h, w in GRANITE_PINPOINTS],
            **HALF,
        },
        canvas=_overview_first,
    ),
    "minicpm_v": Peer(
        family="minicpm_v",
        processor="MiniCPMV4_6ImageProcessorPil",
        settings={},
        canvas=_overview_first,
    ),
    "llama4": Peer(
        family="llama4",
        processor="Llama4ImageProcessor",
        settings={"do_normalize": False},  # it would normalize in bfloat16
        canvas=_from_llama4_tiles,
        needs_torch=True,
        accuracy=0.02,
    ),
    "phi4_multimodal": Peer(
        family="phi4_multimodal",
        processor="Phi4MultimodalImageProcessor",
        settings={},
        canvas=_from_phi4_tiles,
        padding=255,
        needs_torch=True,
        accuracy=0.02,
    ),
    "kimi": Peer(
        family="kimi",
        processor="Kimi_K25ImageProcessor",
        settings={},
        canvas=_whole,
        needs_torch=True,
    ),
    "lfm2_vl": Peer(
        family="lfm2_vl",
        processor="Lfm2VlImageProcessor",
        settings={},
        canvas=_overview_last,
        needs_torch=True,
    ),
    "molmo2": Peer(
        family="molmo2",
        processor="Molmo2ImageProcessor",
        settings={},
        canvas=_from_molmo2_crops,
        needs_torch=True,
    ),
    "cohere2_vision": Peer(
        family="cohere2_vision",
        processor="Cohere2VisionImageProcessor",
        settings={},
        canvas=_overview_last,
        needs_torch=True,
    ),
    "glm46v": Peer(
        family="glm4v",
        processor="Glm46VImageProcessorPil",
        settings={"size": _GLM_AREA, **CLIP},
        canvas=_whole,
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
    output = processor(
        picture,
        input_data_format="channels_last",
        return_tensors="pt" if peer.needs_torch else "np",
    )
    arrays = {
        name: np.asarray(value.float() if peer.needs_torch and name != "num_img_tokens" else value)
        for name, value in output.items()
        if name not in {"grids", "num_patches_per_image"}
    }
    views = levels(views_in(arrays, processor), processor)
    return np.asarray(peer.canvas(views, arrays), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenExtent:
    """Canvas of a picture and where the picture lies on it, measured on a processor's output.

    Attributes:
        box_px: x0, y0, x1, y1: edges, to a fraction of a pixel.
    """

    canvas_hw: tuple[int, int]
    box_px: tuple[float, float, float, float]


def perceived_by_rule(peer: Peer, height_px: int, width_px: int) -> PerceivedSize:
    """What the family's rule says, with the peer's limits."""
    return perceived_size(peer.family, height_px, width_px, peer.limits)


def asked_hw(peer: Peer, height_px: int, width_px: int) -> tuple[int, int]:
    """Size of the picture that shows whether the rule is the processor's.

    The slice's own, but for families whose rule is that of the picture which we send.
    """
    if family_named(peer.family).preparation is Preparation.RESIZE:
        return perceived_by_rule(peer, height_px, width_px).canvas_hw
    return height_px, width_px


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
    if not peer.padding or peer.family == "phi4_multimodal":  # which pads what is resized
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
