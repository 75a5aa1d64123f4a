"""The model families whose preprocessing is known, in plain sight, and `perceived_size`."""

import math
import operator
import re
from dataclasses import fields
from functools import partial

from medvision.errors import UsageError
from medvision.pictures.perceived import rules, tiles
from medvision.pictures.perceived.family import Family, Limits, LimitsLike, Preparation
from medvision.pictures.perceived.sizes import EmptyPictureError, PerceivedSize


class UnknownFamilyError(UsageError):
    """No rule is known under this family name."""


class LimitsError(UsageError):
    """A family's limits are missing, misnamed or impossible."""


_TRANSFORMERS = "transformers"
"""Source of what is published as an image processor of that library."""


def _per_cell(perceived: PerceivedSize, *, cell_px: int) -> int:
    return math.prod(side // cell_px for side in perceived.canvas_hw)


def _with_overview(perceived: PerceivedSize, *, tile_px: int, of_tile: int) -> int:
    n_tiles = _per_cell(perceived, cell_px=tile_px)
    return of_tile * (n_tiles + (n_tiles > 1))


def _always_alike(_perceived: PerceivedSize) -> int:
    return 0


FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Family(
        about="each side to a multiple of 28 px, the area within limits",
        source=f"{_TRANSFORMERS}: Qwen2VLImageProcessor",
        perceive=partial(rules.smart_resized, factor=28),
        limits={"min_pixels": 56**2, "max_pixels": 28**2 * 16384},
        tokens=partial(_per_cell, cell_px=28),
    ),
    "qwen3_vl": Family(
        about="each side to a multiple of 32 px, the area within limits",
        source=f"{_TRANSFORMERS}: Qwen2VLImageProcessor with patches of 16 px",
        perceive=partial(rules.smart_resized, factor=32),
        limits={"min_pixels": 256**2, "max_pixels": 4096**2},
        tokens=partial(_per_cell, cell_px=32),
    ),
    "gemma3": Family(
        about="stretched to 896×896 px",
        source=f"{_TRANSFORMERS}: Gemma3ImageProcessor, pan-and-scan off",
        perceive=partial(rules.stretched, to_hw=(896, 896)),
        tokens=_always_alike,
    ),
    "gemma4": Family(
        about="scaled, up or down, to a budget of cells of 48 px",
        source=f"{_TRANSFORMERS}: Gemma4ImageProcessor",
        perceive=rules.gemma4_resized,
        limits={"max_soft_tokens": 280},
        tokens=partial(_per_cell, cell_px=48),
    ),
    "glm4v": Family(
        about="each side to a multiple of 28 px, the area of two frames within limits",
        source=f"{_TRANSFORMERS}: Glm4vImageProcessor, Glm46VImageProcessor",
        perceive=rules.glm_resized,
        limits={"min_pixels": 112**2, "max_pixels": 28**2 * 12288},
        tokens=partial(_per_cell, cell_px=28),
    ),
    "pixtral": Family(
        about="shrunk to a long edge, then each side enlarged to whole patches",
        source=f"{_TRANSFORMERS}: PixtralImageProcessor",
        perceive=rules.patch_ceiled,
        limits={"long_edge_px": 1024, "patch_px": 16},
    ),
    "kimi": Family(
        about="sent on a grid of 28 px within a budget of patches, which is then left as it is",
        source=f"{_TRANSFORMERS}: Kimi_K25ImageProcessor",
        perceive=rules.kimi_resized,
        limits={"max_patches": 16384, "max_side_patches": 512},
        preparation=Preparation.RESIZE,
        tokens=partial(_per_cell, cell_px=28),
    ),
    "ovis2_5": Family(
        about="each side to a multiple of 32 px, the area within limits; slender ones enlarged",
        source="the authors' model code, smart_resize",
        verified=False,
        perceive=rules.lifted_resized,
        limits={"min_pixels": 448**2, "max_pixels": 1792**2},
        tokens=partial(_per_cell, cell_px=32),
    ),
    "internvl3": Family(
        about="stretched to the grid of tiles nearest in aspect ratio",
        source=f"{_TRANSFORMERS}: GotOcr2ImageProcessor",
        perceive=tiles.tiled,
        limits={"max_tiles": 12, "tile_px": 448},
        tokens=partial(_with_overview, tile_px=448, of_tile=256),
    ),
    "cohere2_vision": Family(
        about="stretched to the grid of tiles that enlarges least",
        source=f"{_TRANSFORMERS}: Cohere2VisionImageProcessor",
        perceive=tiles.least_scaled,
        limits={"max_tiles": 12, "tile_px": 512},
    ),
    "molmo2": Family(
        about="stretched to overlapping crops of 378 px, the canvas that enlarges least",
        source=f"{_TRANSFORMERS}: Molmo2ImageProcessor",
        perceive=tiles.molmo2_tiled,
        limits={"max_tiles": 8},
    ),
    "idefics3": Family(
        about="scaled, up or down, to a long edge, then stretched to whole tiles",
        source=f"{_TRANSFORMERS}: Idefics3ImageProcessor, SmolVLMImageProcessor",
        perceive=tiles.idefics_tiled,
        limits={"long_edge_px": 1456, "tile_px": 364},
    ),
    "lfm2_vl": Family(
        about="to multiples of 32 px within an area; a picture twice as large is cut into tiles",
        source=f"{_TRANSFORMERS}: Lfm2VlImageProcessor",
        perceive=tiles.lfm2_tiled,
        limits={"min_pixels": 256**2, "max_pixels": 512**2, "max_tiles": 10, "tile_px": 512},
    ),
    "minicpm_v": Family(
        about="stretched to a grid of slices, each about 448×448 px in area",
        source=f"{_TRANSFORMERS}: MiniCPMV4_6ImageProcessor",
        perceive=tiles.minicpm_sliced,
        limits={"max_tiles": 9, "tile_px": 448, "patch_px": 56},
    ),
    "llava_onevision": Family(
        about="aspect kept, padded all around to the best of 36 grids of 384 px",
        source=f"{_TRANSFORMERS}: LlavaOnevisionImageProcessor",
        perceive=partial(tiles.grid_padded, grids=tiles.ONEVISION_GRIDS, tile_px=384),
        preparation=Preparation.RESIZE_THEN_PAD,
    ),
    "llava_next": Family(
        about="aspect kept, padded all around to the best of 5 grids of 336 px",
        source=f"{_TRANSFORMERS}: LlavaNextImageProcessor",
        perceive=partial(tiles.grid_padded, grids=tiles.NEXT_GRIDS, tile_px=336),
        preparation=Preparation.RESIZE_THEN_PAD,
    ),
    "granite_vision": Family(
        about="aspect kept, padded all around to the best of 26 grids of 384 px",
        source=f"{_TRANSFORMERS}: LlavaNextImageProcessor with the published grids",
        perceive=partial(tiles.grid_padded, grids=tiles.GRANITE_GRIDS, tile_px=384),
        preparation=Preparation.RESIZE_THEN_PAD,
    ),
    "deepseek_vl2": Family(
        about="aspect kept, padded all around to the best grid of up to 9 tiles",
        source="the authors' processing_deepseek_vl_v2",
        verified=False,
        perceive=tiles.deepseek_padded,
        limits={"tile_px": 384},
        preparation=Preparation.RESIZE_THEN_PAD,
        pad_rgb=(127, 127, 127),
    ),
    "mllama": Family(
        about="aspect kept, padded right and below to a grid of tiles",
        source=f"{_TRANSFORMERS}: MllamaImageProcessor",
        perceive=tiles.mllama_padded,
        limits={"max_tiles": 4, "tile_px": 560},
        preparation=Preparation.RESIZE_THEN_PAD,
        smooth=False,
    ),
    "llama4": Family(
        about="aspect kept, padded right and below to a grid of tiles",
        source=f"{_TRANSFORMERS}: Llama4ImageProcessor",
        perceive=tiles.mllama_padded,
        limits={"max_tiles": 16, "tile_px": 336},
        preparation=Preparation.RESIZE_THEN_PAD,
        smooth=False,
    ),
    "phi4_multimodal": Family(
        about="aspect kept, padded right and below to the tiles it reaches into",
        source=f"{_TRANSFORMERS}: Phi4MultimodalImageProcessor",
        perceive=tiles.phi4_padded,
        limits={"max_tiles": 36, "tile_px": 448},
        preparation=Preparation.RESIZE_THEN_PAD,
        smooth=False,
        pad_rgb=(255, 255, 255),
    ),
    "clip336_pad": Family(
        about="padded to a square, then resized to 336×336 px",
        source=f"{_TRANSFORMERS}: LlavaImageProcessor, as LLaVA's expand2square pads",
        perceive=rules.square_padded,
        preparation=Preparation.PAD_THEN_RESIZE,
        pad_rgb=(122, 116, 104),  # 255 times the mean of CLIP, floored, as LLaVA pads
        tokens=_always_alike,
    ),
    "stretch448": Family(
        about="stretched to 448×448 px",
        source=f"{_TRANSFORMERS}: CLIPImageProcessor without a crop",
        perceive=partial(rules.stretched, to_hw=(448, 448)),
        tokens=_always_alike,
    ),
    "hulu_med": Family(
        about="sent stretched to 448×448 px, which every version of it leaves as it is",
        source="the authors' image processor",
        verified=False,
        perceive=partial(rules.stretched, to_hw=(448, 448)),
        preparation=Preparation.RESIZE,
        tokens=_always_alike,
    ),
    "claude": Family(
        about="sent on a grid of 28 px within a long edge and a budget of tokens",
        source="Anthropic's documentation, Vision",
        verified=False,
        perceive=rules.claude_resized,
        limits={"long_edge_px": None, "max_tokens": None},
        preparation=Preparation.RESIZE,
    ),
    "openai_patch": Family(
        about="sent on a grid of 32 px within a long edge and a budget of patches",
        source="OpenAI's documentation, Images and vision",
        verified=False,
        perceive=rules.openai_patch_resized,
        limits={"long_edge_px": None, "patch_budget": None},
        preparation=Preparation.RESIZE,
    ),
    "openai_tile": Family(
        about="sent within a long edge of 2048 and a short edge of 768 px",
        source="OpenAI's documentation, Images and vision",
        verified=False,
        perceive=rules.openai_tile_resized,
        preparation=Preparation.RESIZE,
    ),
    "gemini": Family(
        about="sent within a long edge of 3072 px",
        source="Google's documentation, Image understanding",
        verified=False,
        perceive=rules.gemini_resized,
        preparation=Preparation.RESIZE,
    ),
    "as_sent": Family(
        about="as it is",
        source="the user, who declares it",
        verified=False,
        perceive=rules.as_sent,
    ),
}

_DECLARED_CANVAS = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)


def family_named(name: str) -> Family:
    """The family of a name in `FAMILIES`, or of a declared canvas "HxW" (as "448x448").

    Raises:
        UnknownFamilyError: Neither; the message lists the known names.

    Example:
        >>> family_named("448x448").perceive(160, 384).canvas_hw
        (448, 448)
    """
    if name in FAMILIES:
        return FAMILIES[name]
    if canvas := _DECLARED_CANVAS.fullmatch(name):
        return Family(
            about=f"stretched to {canvas[1]}×{canvas[2]} px",
            source="the user, who declares it",
            verified=False,
            perceive=partial(rules.stretched, to_hw=(int(canvas[1]), int(canvas[2]))),
            tokens=_always_alike,
        )
    msg = (
        f"no model family {name!r} is known: how it resizes pictures must be declared before "
        f"sizes can be asked for in mm. Give --family NAME with one of {', '.join(FAMILIES)}, "
        "or --family HxW (as 448x448) if the model stretches every picture to one size"
    )
    raise UnknownFamilyError(msg)


def resolved_limits(name: str, limits: LimitsLike | None = None) -> dict[str, int]:
    """A family's limits by name: those given, the published ones for the rest.

    Args:
        name: Of the family, or "HxW".
        limits: `Limits` or a mapping with its field names.

    Raises:
        UnknownFamilyError: No such family.
        LimitsError: A limit is missing, is not one of this family's, or is impossible.

    Example:
        >>> resolved_limits("internvl3", {"max_tiles": 6})
        {'max_tiles': 6, 'tile_px': 448}
    """
    taken = family_named(name).limits
    given = _given(limits)
    if unknown := sorted(given.keys() - taken.keys()):
        takes = ", ".join(taken) or "none"
        msg = f"family {name!r} takes the limits: {takes}; found {', '.join(unknown)}: leave it out"
        raise LimitsError(msg)
    resolved = {key: given.get(key, published) for key, published in taken.items()}
    missing = [key for key, value in resolved.items() if value is None]
    if missing:
        msg = (
            f"family {name!r} has caps that differ per model: limits must give "
            f"{', '.join(taken)}, missing {', '.join(missing)}. They belong in the model's profile"
        )
        raise LimitsError(msg)
    values = {key: _whole_number(name, key, value) for key, value in resolved.items()}
    if values.get("min_pixels", 0) > values.get("max_pixels", 0):
        msg = (
            f"family {name!r}: min_pixels must not exceed max_pixels, found "
            f"{values['min_pixels']} and {values['max_pixels']}"
        )
        raise LimitsError(msg)
    return values


def _given(limits: LimitsLike | None) -> dict[str, int]:
    if isinstance(limits, Limits):
        values = {item.name: getattr(limits, item.name) for item in fields(limits)}
        return {key: value for key, value in values.items() if value is not None}
    return dict(limits or {})


_LEAST = {"max_tokens": 2, "long_edge_px": 32}
"""Least value of limits for which one cell of the grid must remain; 1 for the others."""


def _whole_number(name: str, key: str, value: object) -> int:
    least = _LEAST.get(key, 1)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"family {name!r}: {key} must be a whole number from {least}, found {value!r}"
        raise LimitsError(msg)
    return value


def perceived_size(
    family: str, height_px: int, width_px: int, limits: LimitsLike | None = None
) -> PerceivedSize:
    """What a model of this family sees of a picture: canvas, and the slice's place on it.

    For an API family it is the picture that `picture_to_send` makes, which the server leaves
    unchanged.

    Args:
        family: A name in `FAMILIES`, or a declared canvas "HxW" that pictures are stretched to.
        height_px: Rows of the picture.
        width_px: Columns of the picture.
        limits: Caps of this model, `Limits` or a mapping with its field names.

    Raises:
        UnknownFamilyError: No such family.
        LimitsError: A limit is missing (`claude` and `openai_patch` need theirs), is not one of
            this family's, or is impossible.
        EmptyPictureError: A side is zero or negative.
        AspectRatioError: The family rejects pictures as slender as this one.

    Example:
        >>> perceived_size("qwen2_5_vl", 160, 384).canvas_hw
        (168, 392)
        >>> padded = perceived_size("llava_onevision", 160, 384)
        >>> padded.canvas_hw, padded.content_hw
        ((384, 384), (160, 384))
    """
    rule, values = family_named(family), resolved_limits(family, limits)
    height_px, width_px = operator.index(height_px), operator.index(width_px)
    if height_px < 1 or width_px < 1:
        msg = (
            f"a picture needs at least one pixel on each side, found {height_px}×{width_px} px: "
            "leave this slice out"
        )
        raise EmptyPictureError(msg)
    return rule.perceive(height_px, width_px, **values)
