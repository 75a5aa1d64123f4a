"""How families without tiles resize and pad: pure functions of height and width.

The rules are those of the published image processors, their rounding included: where a processor
computes in floating point, the order of operations here is the same, so that no size on the
border between two grids comes out differently. Caps that differ per model are arguments.

A comment names what each rule follows: a function of Hugging Face's transformers, or the page on
which a provider says how its API resizes pictures. `benchmarks/bench_perceived.py` compares them
with the processors on random sizes.
"""

import math
from fractions import Fraction

from medvision.pictures.perceived.sizes import AspectRatioError, PerceivedSize, unpadded

MAX_SMART_RESIZE_ASPECT = 200
"""Slenderest picture that the smart resize of Qwen and GLM accepts."""

CLAUDE_GRID_PX = 28
CLAUDE_AREA_PER_TOKEN_PX = 750
OPENAI_PATCH_PX = 32
OPENAI_TILE_LONG_EDGE_PX = 2048
OPENAI_TILE_SHORT_EDGE_PX = 768
GEMINI_LONG_EDGE_PX = 3072
CLIP_SIDE_PX = 336
KIMI_PATCH_PX = 14
GEMMA4_PATCH_PX = 16
GEMMA4_POOL = 3


def smart_resized(
    height_px: int, width_px: int, *, factor: int, min_pixels: float, max_pixels: float
) -> PerceivedSize:
    """Each side to a multiple of `factor`, the area brought within the limits (Qwen-VL).

    Raises:
        AspectRatioError: One side is more than 200 times the other.

    Example:
        160 / 28 = 5.7 and 384 / 28 = 13.7, to the nearest: 6 and 14 times 28.

        >>> limits = {"min_pixels": 56**2, "max_pixels": 28**2 * 16384}
        >>> smart_resized(160, 384, factor=28, **limits).canvas_hw
        (168, 392)
    """
    # transformers: qwen2_vl `smart_resize`. `round` takes halves to the even neighbour, and the
    # area that is compared with the limits is the rounded one, but what is scaled is the picture.
    aspect = max(height_px, width_px) / min(height_px, width_px)
    if aspect > MAX_SMART_RESIZE_ASPECT:
        msg = (
            f"this model family takes aspect ratios up to {MAX_SMART_RESIZE_ASPECT}, found "
            f"{aspect:.1f} (picture of {height_px}×{width_px} px): leave the slice out or pad it"
        )
        raise AspectRatioError(msg)
    return within_area(
        height_px,
        width_px,
        rounded_hw=(round(height_px / factor) * factor, round(width_px / factor) * factor),
        factor=factor,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
    )


def within_area(
    height_px: int,
    width_px: int,
    *,
    rounded_hw: tuple[int, int],
    factor: int,
    min_pixels: float,
    max_pixels: float,
) -> PerceivedSize:
    """The rounded size, or the picture scaled to multiples of `factor` within the limits of area.

    Example:
        >>> limits = {"factor": 28, "min_pixels": 56**2, "max_pixels": 28**2 * 4}
        >>> within_area(100, 70, rounded_hw=(112, 84), **limits).canvas_hw
        (56, 28)
    """
    sides, (height, width) = (height_px, width_px), rounded_hw
    if height * width > max_pixels:
        shrink = math.sqrt((height_px * width_px) / max_pixels)
        height, width = (max(factor, math.floor(side / shrink / factor) * factor) for side in sides)
    elif height * width < min_pixels:
        enlarge = math.sqrt(min_pixels / (height_px * width_px))
        height, width = (math.ceil(side * enlarge / factor) * factor for side in sides)
    return unpadded(height, width)


def glm_resized(
    height_px: int, width_px: int, *, min_pixels: int, max_pixels: int
) -> PerceivedSize:
    """Smart resize to multiples of 28; the limits count a still picture as two frames (GLM-V).

    Raises:
        AspectRatioError: One side is more than 200 times the other.

    Example:
        >>> glm_resized(978, 522, min_pixels=112**2, max_pixels=28**2 * 12288).canvas_hw
        (980, 532)
    """
    # transformers: glm4v `smart_resize`, which takes a still picture for two frames of a film.
    factor = 28
    if min(height_px, width_px) < factor:
        enlarge = max(factor / height_px, factor / width_px)
        height_px, width_px = int(height_px * enlarge), int(width_px * enlarge)
    return smart_resized(
        height_px, width_px, factor=factor, min_pixels=min_pixels / 2, max_pixels=max_pixels / 2
    )


def lifted_resized(
    height_px: int, width_px: int, *, min_pixels: int, max_pixels: int
) -> PerceivedSize:
    """Smart resize to multiples of 32 that enlarges slender pictures first (Ovis 2.5).

    Example:
        A side under 32 px is enlarged to it, the other with it.

        >>> lifted_resized(20, 600, min_pixels=448**2, max_pixels=1792**2).canvas_hw
        (96, 2464)
    """
    # Ovis 2.5, `smart_resize` in the authors' model code: aspects over 200 are cut to it.
    factor = 32
    if min(height_px, width_px) < factor:
        shorter = height_px if height_px < width_px else width_px
        height_px, width_px = (
            factor if side == shorter else round(factor / shorter * side)
            for side in (height_px, width_px)
        )
    most = MAX_SMART_RESIZE_ASPECT
    return smart_resized(
        min(height_px, most * width_px),
        min(width_px, most * height_px),
        factor=factor,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
    )


def patch_ceiled(
    height_px: int, width_px: int, *, long_edge_px: int, patch_px: int
) -> PerceivedSize:
    """Shrunk to a long edge, each side then enlarged to whole patches (Pixtral, Mistral 3).

    Example:
        >>> patch_ceiled(300, 500, long_edge_px=1024, patch_px=16).canvas_hw
        (304, 512)
    """
    # transformers: pixtral `get_resize_output_image_size`. `PixtralProcessor` makes the patch as
    # large as the patches that are merged into one token.
    ratio = max(height_px, width_px) / long_edge_px
    if ratio > 1:
        height_px, width_px = math.floor(height_px / ratio), math.floor(width_px / ratio)
    # A side that vanishes is one patch in Python's floor division: (0 - 1) // n + 1 == 0.
    rows, columns = ((side - 1) // patch_px + 1 for side in (height_px, width_px))
    return unpadded(rows * patch_px, columns * patch_px)


def stretched(_height_px: int, _width_px: int, *, to_hw: tuple[int, int]) -> PerceivedSize:
    """Whatever the input, the same canvas (Gemma 3, MedDr, a declared canvas).

    Example:
        >>> stretched(160, 384, to_hw=(896, 896)).canvas_hw
        (896, 896)
    """
    return unpadded(*to_hw)


def as_sent(height_px: int, width_px: int) -> PerceivedSize:
    """The picture as it is.

    Example:
        >>> as_sent(160, 384).canvas_hw
        (160, 384)
    """
    return unpadded(height_px, width_px)


def gemma4_resized(height_px: int, width_px: int, *, max_soft_tokens: int) -> PerceivedSize:
    """Scaled, up or down, to the patch budget, each side floored to whole pooled patches.

    Beside a side that would vanish and becomes one cell, the other takes the whole budget.

    Example:
        280 cells of 48 px, an aspect of 1: √280 = 16.7, so 16 cells a side.

        >>> gemma4_resized(512, 512, max_soft_tokens=280).canvas_hw
        (768, 768)
    """
    # transformers: gemma4 `get_aspect_ratio_preserving_size`.
    cell_px = GEMMA4_PATCH_PX * GEMMA4_POOL
    budget_px = max_soft_tokens * GEMMA4_POOL**2 * GEMMA4_PATCH_PX**2
    scale = math.sqrt(budget_px / (height_px * width_px))
    rows = math.floor(scale * height_px / cell_px)
    columns = math.floor(scale * width_px / cell_px)
    if rows == 0:
        rows, columns = 1, max_soft_tokens
    elif columns == 0:
        rows, columns = max_soft_tokens, 1
    return unpadded(rows * cell_px, columns * cell_px)


def square_padded(height_px: int, width_px: int) -> PerceivedSize:
    """Padded all around to a square, which is then resized to 336 px (CLIP-L/14-336 models).

    The edges of the slice fall between pixels: `exact_box_px` has them, `content_hw` and
    `content_origin_yx` are rounded for display.

    Example:
        384 columns fill 336 px; 160 rows lie between 112 rows of padding: 98 to 238 px.

        >>> size = square_padded(160, 384)
        >>> size.canvas_hw, size.content_hw, size.content_box_px
        ((336, 336), (140, 336), (0.0, 98.0, 336.0, 238.0))
    """
    # LLaVA's `expand2square`, then the CLIP processor. A pixel size from the rounded content would
    # be 1 to 3 % off on slender slices.
    side_px = max(height_px, width_px)
    scale = CLIP_SIDE_PX / side_px
    y0, x0 = (side_px - height_px) // 2, (side_px - width_px) // 2
    height = max(1, round(height_px * CLIP_SIDE_PX / side_px))
    width = max(1, round(width_px * CLIP_SIDE_PX / side_px))
    origin_yx = (
        min(round(y0 * scale), CLIP_SIDE_PX - height),
        min(round(x0 * scale), CLIP_SIDE_PX - width),
    )
    box_px = (x0 * scale, y0 * scale, (x0 + width_px) * scale, (y0 + height_px) * scale)
    return PerceivedSize((CLIP_SIDE_PX, CLIP_SIDE_PX), (height, width), origin_yx, box_px)


def _grid_floored(
    height_px: int, width_px: int, *, cell_px: int, long_edge_px: int, max_area_px: int
) -> PerceivedSize:
    """Shrunk under a long edge and an area, each side floored to the grid: a fixed point.

    Integer arithmetic, so a side that the cap makes an exact multiple is not lost to rounding. A
    side shorter than one cell becomes one cell.
    """
    # ⌊side × √(largest area / area) / cell⌋ is the whole root of its own square, floored.
    sides, long_px = (height_px, width_px), max(height_px, width_px)
    area_px = height_px * width_px
    rows, columns = (
        max(
            1,
            min(
                side // cell_px,
                side * long_edge_px // (long_px * cell_px),
                math.isqrt(max_area_px * side * side // (area_px * cell_px * cell_px)),
            ),
        )
        for side in sides
    )
    # A side raised to one cell may leave the other one too long for the area.
    cells = max_area_px // (cell_px * cell_px)
    rows, columns = min(rows, cells // columns), min(columns, cells // rows)
    return unpadded(rows * cell_px, columns * cell_px)


def kimi_resized(
    height_px: int, width_px: int, *, max_patches: int, max_side_patches: int
) -> PerceivedSize:
    """The largest picture on the 28 px grid that Kimi's processor neither shrinks nor pads.

    It would pad any other picture right and below to that grid, and shrink a large one to a budget
    that the padding then exceeds, so that a padded picture would come out yet another way.

    Example:
        >>> kimi_resized(300, 500, max_patches=16384, max_side_patches=512).canvas_hw
        (280, 476)
    """
    # transformers: kimi_k25 `navit_resize`; for Kimi-VL the authors' image processor.
    return _grid_floored(
        height_px,
        width_px,
        cell_px=2 * KIMI_PATCH_PX,
        long_edge_px=max_side_patches * KIMI_PATCH_PX,
        max_area_px=max_patches * KIMI_PATCH_PX**2,
    )


def claude_resized(
    height_px: int, width_px: int, *, long_edge_px: int, max_tokens: int
) -> PerceivedSize:
    """The largest picture on the 28 px grid that the Claude API neither shrinks nor pads.

    Example:
        √(1600 × 750) = 1095 px a side hold the tokens; 39 times 28 is 1092.

        >>> claude_resized(2000, 2000, long_edge_px=1568, max_tokens=1600).canvas_hw
        (1092, 1092)
    """
    # Anthropic's documentation, "Vision": tokens = width × height / 750, and a longest edge.
    return _grid_floored(
        height_px,
        width_px,
        cell_px=CLAUDE_GRID_PX,
        long_edge_px=long_edge_px,
        max_area_px=max_tokens * CLAUDE_AREA_PER_TOKEN_PX,
    )


def openai_patch_resized(
    height_px: int, width_px: int, *, long_edge_px: int, patch_budget: int
) -> PerceivedSize:
    """The largest picture on the 32 px grid that an OpenAI patch model leaves as it is.

    Example:
        Of 1536 patches, 39 rows and columns are the largest square:

        >>> openai_patch_resized(2000, 2000, long_edge_px=2048, patch_budget=1536).canvas_hw
        (1248, 1248)
    """
    # OpenAI's documentation, "Images and vision", calculating costs: patches of 32 px.
    return _grid_floored(
        height_px,
        width_px,
        cell_px=OPENAI_PATCH_PX,
        long_edge_px=long_edge_px,
        max_area_px=patch_budget * OPENAI_PATCH_PX**2,
    )


def _shrunk(height_px: int, width_px: int, scale: Fraction) -> PerceivedSize:
    # Fractions, so that no side falls on the other side of a half by a float's last digit.
    scale = min(Fraction(1), scale)
    return unpadded(max(1, round(height_px * scale)), max(1, round(width_px * scale)))


def openai_tile_resized(height_px: int, width_px: int) -> PerceivedSize:
    """Shrunk, never enlarged, to a long edge of 2048 and a short edge of 768 px.

    Example:
        >>> openai_tile_resized(1000, 2000).canvas_hw
        (768, 1536)
    """
    # OpenAI's documentation, "Images and vision", calculating costs: tiles of 512 px, detail high.
    scale = min(
        Fraction(OPENAI_TILE_LONG_EDGE_PX, max(height_px, width_px)),
        Fraction(OPENAI_TILE_SHORT_EDGE_PX, min(height_px, width_px)),
    )
    return _shrunk(height_px, width_px, scale)


def gemini_resized(height_px: int, width_px: int) -> PerceivedSize:
    """As it is, unless its long edge is above 3072 px.

    Example:
        >>> gemini_resized(3000, 6144).canvas_hw
        (1500, 3072)
    """
    # Google's documentation, "Image understanding": larger pictures are scaled down to 3072 px.
    return _shrunk(height_px, width_px, Fraction(GEMINI_LONG_EDGE_PX, max(height_px, width_px)))
