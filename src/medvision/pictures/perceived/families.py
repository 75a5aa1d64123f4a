"""The model families whose preprocessing is known, in plain sight, and `perceived_size`."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import partial

from medvision.errors import UsageError
from medvision.pictures.perceived import rules
from medvision.pictures.perceived.sizes import EmptyPictureError, PerceivedSize


class UnknownFamilyError(UsageError):
    """No rule is known under this family name."""


class LimitsError(UsageError):
    """A family's limits are missing, misnamed or impossible."""


class Preparation(StrEnum):
    """What the client does to a picture before it sends it."""

    NONE = "none"
    """Sent as it is: the model's own resize fills the canvas, relative positions survive."""
    RESIZE = "resize"
    """Resized to the canvas, which the server then leaves unchanged."""
    RESIZE_THEN_PAD = "resize_then_pad"
    """Resized to the content, padded to exactly the canvas, which the processor leaves as is."""
    PAD_THEN_RESIZE = "pad_then_resize"
    """Padded to a square, resized to the canvas, which the processor leaves as is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps that differ between models of one family; a model's profile sets what it needs.

    Attributes:
        min_pixels: Least area (`qwen2_5_vl`, `qwen3_vl`, `glm4v`).
        max_pixels: Greatest area (`qwen2_5_vl`, `qwen3_vl`, `glm4v`).
        max_soft_tokens: Budget in pooled patches of 48 px (`gemma4`).
        max_tiles: Most tiles on a canvas (`internvl3`, `mllama`).
        tile_px: Side of a tile (`internvl3`, `mllama`).
        long_edge_px: Longest side (`claude`, `openai_patch`).
        max_tokens: Budget at 750 px of area a token (`claude`).
        patch_budget: Most patches of 32 px (`openai_patch`).
    """

    min_pixels: int | None = None
    max_pixels: int | None = None
    max_soft_tokens: int | None = None
    max_tiles: int | None = None
    tile_px: int | None = None
    long_edge_px: int | None = None
    max_tokens: int | None = None
    patch_budget: int | None = None


LimitsLike = Limits | Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One model family's preprocessing.

    Attributes:
        perceive: (height, width, **limits) to `PerceivedSize`.
        limits: The limits it takes, with their published value; None: the profile must say.
        preparation: What is done to a picture before it is sent.
        smooth: Bicubic resampling in `preparation`, else bilinear, as the family's own.
        pad_rgb: Colour of the padding in `preparation`, as the family's own.
    """

    perceive: Callable[..., PerceivedSize]
    limits: Mapping[str, int | None] = field(default_factory=dict)
    preparation: Preparation = Preparation.NONE
    smooth: bool = True
    pad_rgb: tuple[int, int, int] = (0, 0, 0)


_MERGE_2_PATCH_14_PX, _MERGE_2_PATCH_16_PX = 28, 32

FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Family(
        perceive=partial(rules.smart_resized, factor=_MERGE_2_PATCH_14_PX),
        limits={"min_pixels": 56**2, "max_pixels": 28**2 * 16384},
    ),
    "qwen3_vl": Family(
        perceive=partial(rules.smart_resized, factor=_MERGE_2_PATCH_16_PX),
        limits={"min_pixels": 256**2, "max_pixels": 4096**2},
    ),
    "gemma3": Family(perceive=partial(rules.stretched, to_hw=(896, 896))),
    "gemma4": Family(perceive=rules.gemma4_resized, limits={"max_soft_tokens": 280}),
    "internvl3": Family(perceive=rules.tiled, limits={"max_tiles": 12, "tile_px": 448}),
    "llava_onevision": Family(
        perceive=rules.onevision_padded, preparation=Preparation.RESIZE_THEN_PAD
    ),
    "mllama": Family(
        perceive=rules.mllama_padded,
        limits={"max_tiles": 4, "tile_px": 560},
        preparation=Preparation.RESIZE_THEN_PAD,
        smooth=False,  # mllama is the one family here whose processor is bilinear
    ),
    "clip336_pad": Family(
        perceive=rules.square_padded,
        preparation=Preparation.PAD_THEN_RESIZE,
        pad_rgb=(122, 116, 104),  # 255 times the mean of CLIP, floored, as LLaVA pads
    ),
    "stretch448": Family(perceive=partial(rules.stretched, to_hw=(448, 448))),
    "glm4v": Family(
        perceive=rules.glm_resized, limits={"min_pixels": 112**2, "max_pixels": 28**2 * 12288}
    ),
    "claude": Family(
        perceive=rules.claude_resized,
        limits={"long_edge_px": None, "max_tokens": None},
        preparation=Preparation.RESIZE,
    ),
    "openai_patch": Family(
        perceive=rules.openai_patch_resized,
        limits={"long_edge_px": None, "patch_budget": None},
        preparation=Preparation.RESIZE,
    ),
    "openai_tile": Family(perceive=rules.openai_tile_resized, preparation=Preparation.RESIZE),
    "gemini": Family(perceive=rules.gemini_resized, preparation=Preparation.RESIZE),
    "as_sent": Family(perceive=rules.as_sent),
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
        return Family(perceive=partial(rules.stretched, to_hw=(int(canvas[1]), int(canvas[2]))))
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
