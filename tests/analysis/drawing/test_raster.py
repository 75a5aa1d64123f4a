"""Rasters: pictures keep their greys, shapes lie at their pixels, words need no system font."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medvision.analysis.drawing import MaskOutlines, overlay_png
from medvision.analysis.drawing.outline import outline_shape
from medvision.analysis.drawing.picture import for_raster, raster_zoom, svg_picture
from medvision.analysis.drawing.raster import raster_png
from medvision.analysis.drawing.shapes import Box, Role, canvas_of
from medvision.analysis.drawing.svg import svg_document, svg_ground, svg_group, svg_text
from medvision.frames import SliceGeometry
from medvision.pictures.render import PixelGrid, SlicePictures, png_bytes
from medvision.samples import Point
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from tests.builders import sample

ANISOTROPIC = SliceGeometry(height_px=40, width_px=100, spacing_y_mm=2.2, spacing_x_mm=0.8)


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def geometry(height_px, width_px, spacing_y_mm=1.0, spacing_x_mm=1.0):
    return SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )


def pixel_of(places, zoom_px, count):
    """Which of `count` pixels of `zoom_px` raster pixels each lies under each raster pixel."""
    return np.clip(((np.arange(places) + 0.5) / zoom_px).astype(int), 0, count - 1)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0.3, 5),
    st.floats(0.3, 5),
    st.integers(0, 2**32 - 1),
)
def test_every_raster_pixel_has_the_grey_of_the_pixel_under_it(height, width, y_mm, x_mm, seed):
    """Nearest neighbour, no smoothing; half-way cases may go either way."""
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    canvas = canvas_of(geometry(height, width, y_mm, x_mm))
    picture, zoom = for_raster(png_bytes(grey), canvas)
    document = svg_document(
        [svg_picture(canvas, picture)], width=canvas.width, height=canvas.height, title=""
    )
    found = opened(raster_png(document, zoom=zoom))
    across, down = canvas.units_per_px_x * zoom, canvas.units_per_px_y * zoom
    size = [canvas.height * zoom, canvas.width * zoom]
    assert list(found.shape[:2]) == pytest.approx([max(1.0, side) for side in size], abs=0.52)
    if min(found.shape[:2]) < 2:
        return  # a slice of one raster pixel's breadth is blended with the ground
    rows, columns = pixel_of(found.shape[0], down, height), pixel_of(found.shape[1], across, width)
    inside = found[:-1, :-1, 0]
    wrong = inside != grey[np.ix_(rows, columns)][:-1, :-1]
    assert wrong.mean() <= 0.02
    # What is wrong is at most one row or column off: that of a pixel's edge.
    edges = [(np.diff(places) != 0)[:-1] for places in (rows, columns)]
    near = [
        np.convolve(np.r_[edge, False], np.ones(3), "same")[: wrong.shape[axis]] > 0
        for axis, edge in enumerate(edges)
    ]
    assert not wrong[~near[0]][:, ~near[1]].any()


@pytest.mark.parametrize(("side", "blocks"), [(640, 1), (512, 2), (256, 3), (200, 4), (128, 5)])
def test_pixels_of_a_square_slice_are_blocks_of_one_size(side, blocks):
    grey = np.random.default_rng(side).integers(0, 256, (side, side), dtype=np.uint8)
    canvas = canvas_of(geometry(side, side))
    picture, zoom = for_raster(png_bytes(grey), canvas)
    document = svg_document([svg_picture(canvas, picture)], width=640, height=640, title="")
    found = opened(raster_png(document, zoom=zoom))
    assert np.array_equal(found[..., 0], grey.repeat(blocks, axis=0).repeat(blocks, axis=1))


def test_large_pictures_are_shrunk_to_the_mean_of_their_pixels():
    grey = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (2048, 2048))
    canvas = canvas_of(geometry(4096, 4096))
    picture, zoom = for_raster(png_bytes(grey), canvas)
    assert zoom == 2048 / 640
    assert np.ptp(opened(picture)) == 0
    assert opened(picture).shape == (2048, 2048)
    assert 126 <= opened(picture)[0, 0] <= 129


def test_what_fits_is_not_touched():
    png = png_bytes(np.zeros((30, 40), np.uint8))
    picture, zoom = for_raster(png, canvas_of(geometry(30, 40)))
    assert picture is png
    assert zoom == 1


def drawn_green(drawing):
    return (drawing[..., 1] > 150) & (drawing[..., 0] < 120) & (drawing[..., 2] < 200)


@pytest.mark.parametrize("picture_hw", [(40, 100), (400, 1000), (83, 77), (3000, 2800)])
def test_box_and_axis_ends_lie_at_their_pixels_whatever_the_spacing_and_zoom(picture_hw):
    """The truth on anisotropic pixels, drawn over pictures of several resolutions."""
    picture = png_bytes(np.zeros(picture_hw, np.uint8))
    canvas = canvas_of(ANISOTROPIC)
    zoom = raster_zoom(canvas, picture_hw[::-1])
    across, down = canvas.units_per_px_x * zoom, canvas.units_per_px_y * zoom
    box_px = (20.0, 8.0, 70.0, 30.0)
    asked = sample(Task.AREA, geometry=ANISOTROPIC, box_px=box_px)
    green = drawn_green(opened(overlay_png(asked, picture_png=picture)))
    assert green.shape == (round(canvas.height * zoom), round(canvas.width * zoom))
    middle = green[round(19 * down)], green[:, round(45 * across)]
    columns, rows = (np.flatnonzero(line) + 0.5 for line in middle)
    half_line = 1.0 * zoom + 0.5  # the line is 2 units wide
    assert [columns.min(), columns.max()] == pytest.approx(
        [20 * across, 70 * across], abs=half_line
    )
    assert [rows.min(), rows.max()] == pytest.approx([8 * down, 30 * down], abs=half_line)
    # the middle of each edge's line is the pixel edge itself
    left = columns[columns < 45 * across]
    top = rows[rows < 19 * down]
    assert [left.mean(), top.mean()] == pytest.approx([20 * across, 8 * down], abs=0.51)

    # axes without their ellipse: the minor one has no ends
    ends = (Point(key="a", name="a", x_px=15, y_px=12), Point(key="b", name="b", x_px=80, y_px=12))
    asked = sample(Task.TUMOR_LESION, geometry=ANISOTROPIC, points=ends, truth=(52.0, 20.0))
    green = drawn_green(opened(overlay_png(asked, picture_png=picture)))
    row = np.flatnonzero(green[round(12.5 * down)]) + 0.5
    # up to the label, which begins 12 units beyond the line's end
    line = row[row < 80.5 * across + 8 * zoom]
    assert [line.min(), line.max()] == pytest.approx([15.5 * across, 80.5 * across], abs=1.0)
    column = np.flatnonzero(green[:, round(40 * across)]) + 0.5
    assert column.mean() == pytest.approx(12.5 * down, abs=0.51)


@pytest.mark.parametrize("grid", [PixelGrid(), PixelGrid(square=True)])
def test_outline_and_box_of_a_phantom_enclose_its_pixels(study_tables, grid):
    """Read off the raster alone: within the drawn border is the mask, pixel for pixel."""
    suite = Suite(name="t", configs=(TaskConfig(task=Task.TUMOR_LESION),), cap_per_config=None)
    found = select_samples(suite, table_folders([study_tables]), split="all").samples
    lesion = next(s for s in found if s.plane == "coronal" and s.case_id == "c3")
    outline_px = MaskOutlines(study_tables).of_sample(lesion)
    shown = SlicePictures().image(lesion, grid).pixels
    canvas = canvas_of(lesion.geometry)
    picture, zoom = for_raster(png_bytes(np.zeros_like(shown)), canvas)
    x0, y0, x1, y1 = canvas.edges(lesion.box_px)
    shapes = [
        outline_shape(canvas, outline_px, "#ff0000"),
        Box(x0=x0, y0=y0, x1=x1, y1=y1, role=Role.TRUTH, colour="#0000ff"),
    ]
    document = svg_document(
        [svg_picture(canvas, picture), svg_group(shapes, Role.TRUTH)],
        width=canvas.width,
        height=canvas.height,
        title="",
    )
    drawing = opened(raster_png(document, zoom=zoom))
    ink = drawing.max(axis=-1) > 150
    across, down = canvas.units_per_px_x * zoom, canvas.units_per_px_y * zoom
    ys, xs = np.nonzero(ink)
    outer = [xs.min() / across, ys.min() / down, (xs.max() + 1) / across, (ys.max() + 1) / down]
    assert outer == pytest.approx(lesion.box_px, abs=1.6 * zoom / min(across, down))
    red = (drawing[..., 0] > 150) | (ink & (drawing[..., 2] > 150))
    # No pixel's middle is hidden; between the middles of neighbours a line stands or does not.
    height, width = lesion.geometry.height_px, lesion.geometry.width_px
    mask = np.zeros((height, width + 1), int)
    for x, top, x_end, bottom in outline_px.tolist():
        if x == x_end:
            mask[top:bottom, x] += 1
    inside = np.cumsum(mask, axis=1)[:, :width] % 2 == 1
    centres_x = ((np.arange(width) + 0.5) * across).astype(int)
    for y, (line, line_inside) in enumerate(
        zip(red[((np.arange(height) + 0.5) * down).astype(int)], inside, strict=True)
    ):
        for x in range(width - 1):
            stands = line[centres_x[x] : centres_x[x + 1]].any()
            on_box = lesion.box_px[1] <= y < lesion.box_px[3] and x + 1 in lesion.box_px[::2]
            assert stands == (line_inside[x] != line_inside[x + 1] or on_box), (y, x)


def words(text):
    document = svg_document(
        [svg_ground(60, 24), svg_text(text, x=4, y=18, size=16)], width=60, height=24, title=""
    )
    return opened(raster_png(document, zoom=2))


def test_letters_of_many_scripts_are_drawn_and_told_apart():
    """With our font alone: a letter it lacks would be drawn as the same empty box."""
    signs = ["a", "Ł", "ß", "Ω", "Ж", "Ա", "ש", "ع", "×", "²", "°", "µ", "–", "−", "…", "≥", "→"]
    drawn = {sign: words(sign) for sign in signs}
    lacking = words("\u0378")  # no letter at all
    for one, other in itertools.combinations([*signs, ""], 2):
        assert not np.array_equal(drawn.get(one, lacking), drawn.get(other, lacking)), (one, other)


def test_a_raster_is_the_same_each_time():
    asked = sample(Task.DETECTION)
    picture = png_bytes(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    assert overlay_png(asked, picture_png=picture) == overlay_png(asked, picture_png=picture)
