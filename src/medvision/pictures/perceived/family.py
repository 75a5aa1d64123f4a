"""What is known of a family of models: how it resizes pictures, and within which limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from medvision.pictures.perceived.sizes import PerceivedSize


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
        max_tiles: Most tiles on a canvas (the families that cut pictures into tiles).
        tile_px: Side of a tile.
        long_edge_px: Longest side (`claude`, `openai_patch`, `pixtral`, `idefics3`).
        max_tokens: Budget at 750 px of area a token (`claude`).
        patch_budget: Most patches of 32 px (`openai_patch`).
        patch_px: Side of what one token stands for (`pixtral`), of what a side of a slice is
            rounded to (`minicpm_v`).
        max_patches: Most patches of 14 px (`kimi`).
        max_side_patches: Most of them along a side (`kimi`).
    """

    min_pixels: int | None = None
    max_pixels: int | None = None
    max_soft_tokens: int | None = None
    max_tiles: int | None = None
    tile_px: int | None = None
    long_edge_px: int | None = None
    max_tokens: int | None = None
    patch_budget: int | None = None
    patch_px: int | None = None
    max_patches: int | None = None
    max_side_patches: int | None = None


LimitsLike = Limits | Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One model family's preprocessing.

    Attributes:
        about: The rule in words.
        source: Where it is published.
        verified: Whether it is compared with a real image processor by the tests; else it is taken
            from what its makers publish of it.
        perceive: (height, width, **limits) to `PerceivedSize`.
        limits: The limits it takes, with their published value; None: the profile must say.
        preparation: What is done to a picture before it is sent.
        smooth: Bicubic resampling in `preparation`, else bilinear, as the family's own.
        pad_rgb: Colour of the padding in `preparation`, as the family's own.
        tokens: Tokens that a picture takes, up to what is the same for every picture; None where
            that is not known.
    """

    about: str
    source: str
    verified: bool = True
    perceive: Callable[..., PerceivedSize]
    limits: Mapping[str, int | None] = field(default_factory=dict)
    preparation: Preparation = Preparation.NONE
    smooth: bool = True
    pad_rgb: tuple[int, int, int] = (0, 0, 0)
    tokens: Callable[[PerceivedSize], int] | None = None
