"""How families cut pictures into tiles: pure functions of height and width.

What is perceived is the resized whole that the tiles cover; the overview that most of these models
get beside the tiles shows the same whole. As in `rules`, the order of operations is that of the
published processors, so that rounding is the same.
"""

import math
from collections.abc import Iterator, Sequence

from medvision.pictures.perceived.rules import within_area
from medvision.pictures.perceived.sizes import AspectRatioError, PerceivedSize, unpadded

Size = tuple[int, int]

ONEVISION_GRIDS = tuple((rows, columns) for rows in range(1, 7) for columns in range(1, 7))
NEXT_GRIDS = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
"""Pinpoints as published: of LLaVA-OneVision, of LLaVA-NeXT."""

PHI4_LEAST_SIDE_PX = 10
MOLMO_CROP_PX, MOLMO_MARGIN_PX = 378, 112
LFM2_CELL_PX, LFM2_PATCH_PX = 32, 16
LFM2_TOLERANCE = 2.0


def _grids(max_tiles: int) -> Iterator[Size]:
    """Rows and columns of every grid of so many tiles, columns first."""
    for columns in range(1, max_tiles + 1):
        for rows in range(1, max_tiles // columns + 1):
            yield rows, columns


GRANITE_GRIDS = tuple(sorted(_grids(10)))[1:]
"""Of Granite Vision: two to ten tiles, rows first."""

DEEPSEEK_GRIDS = tuple(sorted(_grids(9)))
"""Of DeepSeek-VL2: up to nine tiles, rows first."""


def tiled(height_px: int, width_px: int, *, max_tiles: int, tile_px: int) -> PerceivedSize:
    """Stretched to the grid of tiles that is nearest in aspect ratio (InternVL).

    Among grids equally near, a larger one is taken while the picture has more than half as many
    pixels as it.

    Example:
        Of the square grids, 1, 4 or 9 tiles, the one that 768² pixels still fill by half:

        >>> tiled(768, 768, max_tiles=12, tile_px=448).canvas_hw
        (896, 896)
    """
    # transformers: got_ocr2 `get_optimal_tiled_canvas`. Grids are visited by area and, for one
    # area, in the order of the processor: with equal differences the order decides.
    rows, columns = _nearest_grid(height_px, width_px, range(1, max_tiles + 1), tile_px)
    return unpadded(rows * tile_px, columns * tile_px)


def _nearest_grid(height_px: int, width_px: int, n_tiles: range, tile_px: int) -> Size:
    """The grid nearest in aspect; of equals, a later one that the picture fills by half."""
    grids = [grid for grid in _grids(n_tiles.stop - 1) if math.prod(grid) in n_tiles]
    aspect, area_px = width_px / height_px, width_px * height_px
    best, best_difference = (1, 1), math.inf
    for rows, columns in sorted(grids, key=math.prod):
        difference = abs(aspect - columns / rows)
        fills = area_px > 0.5 * tile_px * tile_px * rows * columns
        if difference < best_difference or (difference == best_difference and fills):
            best, best_difference = (rows, columns), difference
    return best


def grid_padded(
    height_px: int, width_px: int, *, grids: Sequence[Size], tile_px: int
) -> PerceivedSize:
    """Aspect kept, then padded all around to the best of a list of grids of tiles (LLaVA-NeXT).

    Best: keeps most pixels of the slice, then wastes fewest of the canvas, then comes first.

    Args:
        height_px: Of the picture.
        width_px: Of the picture.
        grids: Rows and columns, in the model's own order.
        tile_px: Side of a tile.

    Example:
        >>> size = grid_padded(160, 384, grids=ONEVISION_GRIDS, tile_px=384)
        >>> size.canvas_hw, size.content_hw, size.content_origin_yx
        ((384, 384), (160, 384), (112, 0))
    """
    # transformers: `select_best_resolution`, then `get_patch_output_size`.
    canvas_height, canvas_width = _best_grid(height_px, width_px, grids, tile_px)
    scale_x, scale_y = canvas_width / width_px, canvas_height / height_px
    if scale_x < scale_y:
        height, width = min(math.ceil(height_px * scale_x), canvas_height), canvas_width
    else:
        height, width = canvas_height, min(math.ceil(width_px * scale_y), canvas_width)
    origin_yx = ((canvas_height - height) // 2, (canvas_width - width) // 2)
    return PerceivedSize((canvas_height, canvas_width), (height, width), origin_yx)


def _best_grid(height_px: int, width_px: int, grids: Sequence[Size], tile_px: int) -> Size:
    """Height and width of the canvas that keeps most pixels, then wastes fewest."""

    def fitness(canvas_hw: Size) -> Size:
        scale = min(canvas_hw[1] / width_px, canvas_hw[0] / height_px)
        kept = min(int(width_px * scale) * int(height_px * scale), width_px * height_px)
        return kept, kept - canvas_hw[0] * canvas_hw[1]

    # `max` takes the first of equals, as the processors do.
    return max(((rows * tile_px, columns * tile_px) for rows, columns in grids), key=fitness)


def mllama_padded(height_px: int, width_px: int, *, max_tiles: int, tile_px: int) -> PerceivedSize:
    """Aspect kept, then padded right and below to a grid of tiles (Llama 3.2 Vision).

    The canvas enlarges least, else shrinks least, then has fewest tiles. The slice itself is
    enlarged only until its longer side fills a tile.

    Example:
        560 / 384 = 1.46 times as large: 160 rows become 233.

        >>> size = mllama_padded(160, 384, max_tiles=4, tile_px=560)
        >>> size.canvas_hw, size.content_hw, size.content_origin_yx
        ((560, 560), (233, 560), (0, 0))
    """
    # transformers: mllama `get_optimal_tiled_canvas`, then `get_image_size_fit_to_canvas`.
    grids = sorted(_grids(max_tiles))  # rows first: of equal canvases the first one is taken
    canvases = [(rows * tile_px, columns * tile_px) for rows, columns in grids]
    scales = [min(h / height_px, w / width_px) for h, w in canvases]
    scale = min((s for s in scales if s >= 1), default=max(scales))
    fitting = [canvas for canvas, s in zip(canvases, scales, strict=True) if s == scale]
    canvas_height, canvas_width = min(fitting, key=math.prod)
    height = min(max(height_px, tile_px), canvas_height)
    width = min(max(width_px, tile_px), canvas_width)
    scale_y, scale_x = height / height_px, width / width_px
    if scale_x < scale_y:
        height = min(math.floor(height_px * scale_x) or 1, height)
    else:
        width = min(math.floor(width_px * scale_y) or 1, width)
    return PerceivedSize((canvas_height, canvas_width), (height, width), (0, 0))


def deepseek_padded(height_px: int, width_px: int, *, tile_px: int) -> PerceivedSize:
    """Aspect kept, then padded all around to the best grid of up to nine tiles (DeepSeek-VL2).

    Example:
        >>> size = deepseek_padded(160, 384, tile_px=384)
        >>> size.canvas_hw, size.content_hw, size.content_origin_yx
        ((384, 384), (160, 384), (112, 0))
    """
    # DeepSeek-VL2, `select_best_resolution` in the authors' code, then Pillow's `ImageOps.pad`,
    # which rounds where others floor or ceil.
    canvas_height, canvas_width = _best_grid(height_px, width_px, DEEPSEEK_GRIDS, tile_px)
    height, width = canvas_height, canvas_width
    if width_px / height_px > canvas_width / canvas_height:
        height = min(round(height_px / width_px * canvas_width), canvas_height)
    elif width_px / height_px < canvas_width / canvas_height:
        width = min(round(width_px / height_px * canvas_height), canvas_width)
    origin_yx = (round((canvas_height - height) * 0.5), round((canvas_width - width) * 0.5))
    return PerceivedSize((canvas_height, canvas_width), (height, width), origin_yx)


def idefics_tiled(
    height_px: int, width_px: int, *, long_edge_px: int, tile_px: int
) -> PerceivedSize:
    """Scaled, up or down, to a long edge, then stretched to whole tiles (Idefics3, SmolVLM).

    Example:
        1456 × 300 / 500 = 873.6, to an even number: 874 rows, which three rows of tiles hold.

        >>> idefics_tiled(300, 500, long_edge_px=1456, tile_px=364).canvas_hw
        (1092, 1456)
    """
    # transformers: idefics3 `get_resize_output_image_size`, then `resize_for_vision_encoder`.
    is_wide = width_px >= height_px

    def shorter(longer: int, aspect: float) -> int:
        return int(longer / aspect) if is_wide else int(longer * aspect)

    short = shorter(long_edge_px, width_px / height_px)
    short = max(1, short + short % 2)
    aspect = long_edge_px / short if is_wide else short / long_edge_px
    long = math.ceil(long_edge_px / tile_px) * tile_px
    short = math.ceil(shorter(long, aspect) / tile_px) * tile_px
    return unpadded(*((short, long) if is_wide else (long, short)))


def phi4_padded(height_px: int, width_px: int, *, max_tiles: int, tile_px: int) -> PerceivedSize:
    """Aspect kept, then padded right and below to the tiles it reaches into (Phi-4-multimodal).

    Raises:
        AspectRatioError: So slender that a side has fewer than 10 px then.

    Example:
        500 columns reach into two tiles: 896 / 500 = 1.79 times as large, but 448 / 300 = 1.49.

        >>> size = phi4_padded(300, 500, max_tiles=36, tile_px=448)
        >>> size.canvas_hw, size.content_hw
        ((448, 896), (448, 746))
    """
    # transformers: phi4_multimodal `dynamic_preprocess`.
    rows, columns = math.ceil(height_px / tile_px), math.ceil(width_px / tile_px)
    if rows * columns > max_tiles:
        rows, columns = _nearest_grid(height_px, width_px, range(1, max_tiles + 1), tile_px)
    canvas_height, canvas_width = rows * tile_px, columns * tile_px
    scale_x, scale_y = canvas_width / width_px, canvas_height / height_px
    height, width = (
        (int(height_px * scale_x), canvas_width)
        if scale_x < scale_y
        else (canvas_height, int(width_px * scale_y))
    )
    if min(height, width) < PHI4_LEAST_SIDE_PX:
        msg = (
            f"this model family takes pictures of {PHI4_LEAST_SIDE_PX} px a side after its resize, "
            f"found {height}×{width} (picture of {height_px}×{width_px} px): leave the slice out "
            "or pad it"
        )
        raise AspectRatioError(msg)
    return PerceivedSize((canvas_height, canvas_width), (height, width), (0, 0))


def least_scaled(height_px: int, width_px: int, *, max_tiles: int, tile_px: int) -> PerceivedSize:
    """Stretched to the grid that enlarges least, else shrinks least (Command A Vision).

    Example:
        Two columns of 512 px hold 700 columns, two rows 1000 rows.

        >>> least_scaled(1000, 700, max_tiles=12, tile_px=512).canvas_hw
        (1024, 1024)
    """
    # transformers: cohere2_vision `get_optimal_tiled_canvas`.
    rows, columns = _least_scaled_grid(height_px, width_px, max_tiles, tile_px)
    return unpadded(rows * tile_px, columns * tile_px)


def _least_scaled_grid(height_px: int, width_px: int, max_tiles: int, tile_px: int) -> Size:
    """Rows and columns; a side of the picture may be zero or negative, as beside Molmo's margin."""

    def scale(grid: Size) -> float:
        pairs = zip(grid, (height_px, width_px), strict=True)
        return min(n * tile_px / side if side else math.inf for n, side in pairs)

    grids = sorted(_grids(max_tiles), key=lambda grid: (math.prod(grid), grid))
    enlarging = [grid for grid in grids if scale(grid) >= 1]
    return min(enlarging, key=scale) if enlarging else max(grids, key=scale)


def molmo2_tiled(height_px: int, width_px: int, *, max_tiles: int) -> PerceivedSize:
    """Stretched to the canvas of overlapping crops that enlarges least (Molmo 2).

    Example:
        Crops of 378 px reach 112 px into each other: two rows are 2 × 266 + 112.

        >>> molmo2_tiled(300, 500, max_tiles=8).canvas_hw
        (378, 644)
    """
    # transformers: molmo2 `compute_crop_geometry`.
    window_px = MOLMO_CROP_PX - MOLMO_MARGIN_PX
    rows, columns = _least_scaled_grid(
        height_px - MOLMO_MARGIN_PX, width_px - MOLMO_MARGIN_PX, max_tiles, window_px
    )
    return unpadded(rows * window_px + MOLMO_MARGIN_PX, columns * window_px + MOLMO_MARGIN_PX)


def lfm2_tiled(
    height_px: int,
    width_px: int,
    *,
    min_pixels: int,
    max_pixels: int,
    max_tiles: int,
    tile_px: int,
) -> PerceivedSize:
    """To multiples of 32 within an area; twice as large a picture is cut into tiles (LFM2-VL).

    Example:
        >>> caps = {"min_pixels": 65536, "max_pixels": 262144, "max_tiles": 10, "tile_px": 512}
        >>> lfm2_tiled(300, 500, **caps).canvas_hw, lfm2_tiled(1000, 700, **caps).canvas_hw
        ((288, 512), (1536, 1024))
    """
    # transformers: lfm2_vl `_is_image_too_large`, `smart_resize`, `_get_grid_layout`.
    cells = [round(side / LFM2_CELL_PX) * LFM2_CELL_PX for side in (height_px, width_px)]
    area_px = math.prod(max(LFM2_PATCH_PX, side) for side in cells)
    if area_px > max_pixels * LFM2_TOLERANCE:
        rows, columns = _nearest_grid(height_px, width_px, range(2, max_tiles + 1), tile_px)
        return unpadded(rows * tile_px, columns * tile_px)
    height, width = (max(LFM2_CELL_PX, side) for side in cells)
    return within_area(
        height_px,
        width_px,
        rounded_hw=(height, width),
        factor=LFM2_CELL_PX,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
    )


def minicpm_sliced(
    height_px: int, width_px: int, *, max_tiles: int, tile_px: int, patch_px: int
) -> PerceivedSize:
    """Stretched to a grid of slices near a square of `tile_px` in area each (MiniCPM-V).

    Example:
        700 × 1000 px are 3.5 times 448 × 448: a grid of 3 to 5 slices, the nearest 2 × 2.

        >>> minicpm_sliced(1000, 700, max_tiles=9, tile_px=448, patch_px=56).canvas_hw
        (1120, 784)
    """
    # transformers: minicpmv4_6 `get_sliced_grid`, `get_refine_size`; without slices its overview.
    rows, columns = _slices(height_px, width_px, max_tiles, tile_px)
    aspect = width_px / height_px
    if rows * columns > 1:
        sides = ((width_px, columns), (height_px, rows))
        width, height = (max(round(side / n) * n, n) / n for side, n in sides)
        aspect = width / height
    best_height = int(tile_px / math.sqrt(aspect))
    best_hw = best_height, int(best_height * aspect)
    slice_height, slice_width = (
        max(round(side / patch_px) * patch_px, patch_px) for side in best_hw
    )
    return unpadded(slice_height * rows, slice_width * columns)


def _slices(height_px: int, width_px: int, max_tiles: int, tile_px: int) -> Size:
    """Rows and columns of slices; 1, 1 for a picture that is not cut."""
    n_wanted = min(math.ceil(height_px * width_px / (tile_px * tile_px)), max_tiles)
    if n_wanted <= 1:
        return 1, 1
    log_aspect = math.log(width_px / height_px)
    grids = [
        (rows, n // rows)
        for n in (n_wanted - 1, n_wanted, n_wanted + 1)
        if 1 < n <= max_tiles
        for rows in range(1, n + 1)
        if n % rows == 0
    ]
    # Of grids equally near the one with more rows, of these the first.
    return min(grids, key=lambda grid: (abs(log_aspect - math.log(grid[1] / grid[0])), -grid[0]))
