import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medvision.catalog.anatomy import Window
from medvision.errors import UsageError
from medvision.frames import SliceGeometry, resized_point_px
from medvision.pictures.grey_levels import percentile_stretched
from medvision.pictures.render import (
    AS_STORED,
    MAX_SIDE_PX,
    PictureTooLargeError,
    PixelGrid,
    PngError,
    RenderedImage,
    SlicePictures,
    on_grid,
    pixel_sha256,
    png_bytes,
    rendered,
    renderer_version,
    shown_geometry,
    windowed,
)
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from tests.builders import shape_hw


def test_window_is_width_and_level():
    window = Window(width_hu=400, level_hu=40)
    shown = windowed(np.array([[-1000, -160, 40, 240, 3000]], dtype=np.int16), window)
    assert shown.tolist() == [[0, 0, 128, 255, 255]]


def test_ct_is_windowed_by_the_structures_group():
    slice_hu = np.linspace(-1500, 1500, 64 * 64).reshape(64, 64)
    lung, liver, unknown = (
        rendered(slice_hu, modality="CT", label=label) for label in ("left lung", "liver", "")
    )
    assert (lung[0, 0], liver[0, 0]) == (0, 0)
    at_minus_600 = np.unravel_index(np.abs(slice_hu + 600).argmin(), slice_hu.shape)
    assert lung[at_minus_600] == pytest.approx(127.5, abs=1)
    assert liver[at_minus_600] == 0
    assert np.array_equal(unknown, percentile_stretched(slice_hu))


def test_other_modalities_are_stretched_by_percentile():
    values = np.arange(10000, dtype=np.float64).reshape(100, 100)
    values[0, 0] = 1e9
    shown = rendered(values, modality="MRI", label="liver")
    low, high = np.percentile(values, (0.5, 99.5))
    expected = np.rint(255 * (np.clip(values, low, high) - low) / (high - low))
    assert np.array_equal(shown, expected)


def test_small_bright_structure_on_an_empty_slice_is_seen():
    values = np.zeros((100, 100))
    values[50, 50] = 3
    assert percentile_stretched(values)[50, 50] == 255


def test_png_keeps_the_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (31, 47), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)


def test_digest_tells_pixels_and_shape_apart():
    picture = np.zeros((4, 6), np.uint8)
    other = picture.copy()
    other[0, 0] = 1
    digests = {pixel_sha256(p) for p in (picture, other, picture.reshape(6, 4))}
    assert len(digests) == 3
    assert pixel_sha256(picture[:, ::-1]) == pixel_sha256(picture)


def test_structure_is_bright_where_its_box_says(study_tables):
    config = TaskConfig(task=Task.DETECTION, labels=("liver tumor",))
    suite = Suite(name="t", configs=(config,), cap_per_config=None)
    found = select_samples(suite, table_folders([study_tables]), split="all", limit=30)
    pictures = SlicePictures()
    assert found.samples
    for sample in found.samples:
        picture = pictures.picture(sample).astype(float)
        assert picture.shape == shape_hw(sample)
        x0, y0, x1, y1 = (int(edge) for edge in sample.box_px)
        inside = picture[y0:y1, x0:x1].mean()
        ring = np.pad(picture, 3, mode="edge")[y0 : y1 + 6, x0 : x1 + 6].mean()
        assert inside > ring


SIDES = st.integers(1, 300)
SPACINGS_MM = st.floats(0.1, 8.0)
GRIDS = st.one_of(
    st.just(PixelGrid(square=True)),
    st.builds(PixelGrid, shape_hw=st.tuples(st.integers(1, 900), st.integers(1, 900))),
)


@given(SIDES, SIDES, SPACINGS_MM, SPACINGS_MM, GRIDS)
def test_size_times_spacing_is_preserved_on_every_grid(height, width, spacing_y, spacing_x, grid):
    stored = SliceGeometry(
        height_px=height, width_px=width, spacing_y_mm=spacing_y, spacing_x_mm=spacing_x
    )
    shown = shown_geometry(stored, grid)
    assert shown.height_px * shown.spacing_y_mm == pytest.approx(height * spacing_y)
    assert shown.width_px * shown.spacing_x_mm == pytest.approx(width * spacing_x)
    if grid.shape_hw:
        assert (shown.height_px, shown.width_px) == grid.shape_hw
    else:
        # each side is whole pixels of the finer spacing, off by half a pixel at most
        side_mm = min(spacing_y, spacing_x)
        assert abs(shown.height_px * side_mm - height * spacing_y) <= side_mm / 2 * (1 + 1e-9)
        assert abs(shown.width_px * side_mm - width * spacing_x) <= side_mm / 2 * (1 + 1e-9)


def test_a_grid_as_stored_changes_nothing():
    stored = SliceGeometry(height_px=7, width_px=9, spacing_y_mm=0.1, spacing_x_mm=0.7)
    assert shown_geometry(stored, AS_STORED) == stored
    pixels = np.arange(63, dtype=np.uint8).reshape(7, 9)
    image = RenderedImage(pixels=pixels, spacing_y_mm=0.1, spacing_x_mm=0.7)
    assert np.array_equal(on_grid(image, AS_STORED).pixels, pixels)


@pytest.mark.parametrize(
    "grid", [PixelGrid(square=True), PixelGrid(shape_hw=(333, 421)), PixelGrid(shape_hw=(60, 50))]
)
def test_two_dots_keep_their_distance_in_mm(grid):
    """Dots are found where points are mapped to, and their distance in mm is the true one."""
    height, width, spacing_y, spacing_x = 120, 200, 2.4, 0.8
    dots_xy = np.array([[40.0, 30.0], [160.0, 90.0]])
    y, x = np.mgrid[:height, :width]
    blobs = [np.exp(-(((x - cx) / 5) ** 2 + ((y - cy) / 5) ** 2)) for cx, cy in dots_xy]
    pixels = np.rint(255 * np.maximum(*blobs)).astype(np.uint8)
    image = RenderedImage(pixels=pixels, spacing_y_mm=spacing_y, spacing_x_mm=spacing_x)
    shown = on_grid(image, grid)
    mapped = resized_point_px(dots_xy, from_hw=pixels.shape, to_hw=shown.pixels.shape)
    found = []
    for place in mapped:
        cols, rows = (np.arange(side, dtype=float) for side in shown.pixels.shape[::-1])
        near = (np.abs(cols - place[0]) < shown.pixels.shape[1] / 6)[None, :] & (
            np.abs(rows - place[1]) < shown.pixels.shape[0] / 6
        )[:, None]
        weights = shown.pixels * near.astype(float)
        total = weights.sum()
        found.append([(weights.sum(0) @ cols) / total, (weights.sum(1) @ rows) / total])
    assert np.array(found) == pytest.approx(mapped, abs=0.15)
    step_mm = np.diff(found, axis=0)[0] * [shown.spacing_x_mm, shown.spacing_y_mm]
    pixel_mm = max(shown.spacing_y_mm, shown.spacing_x_mm)
    assert np.hypot(*step_mm) == pytest.approx(np.hypot(120 * 0.8, 60 * 2.4), abs=0.3 * pixel_mm)


def test_square_pixels_are_as_fine_as_the_finer_side():
    stored = SliceGeometry(height_px=40, width_px=512, spacing_y_mm=5, spacing_x_mm=1)
    shown = shown_geometry(stored, PixelGrid(square=True))
    assert dataclasses.astuple(shown) == (200, 512, 1.0, 1.0)


def test_impossible_grids_are_refused():
    with pytest.raises(UsageError, match="leave one out"):
        PixelGrid(square=True, shape_hw=(3, 3))
    with pytest.raises(UsageError, match=f"sides of 1 to {MAX_SIDE_PX}"):
        PixelGrid(shape_hw=(0, 3))
    slender = SliceGeometry(height_px=4000, width_px=10, spacing_y_mm=1, spacing_x_mm=1e-3)
    with pytest.raises(PictureTooLargeError, match="show it as stored"):
        shown_geometry(slender, PixelGrid(square=True))


def test_resized_pixels_are_the_same_on_every_machine():
    y, x = np.mgrid[:64, :48]
    pixels = ((y * 37 + x * 101 + (y * x) % 97) % 256).astype(np.uint8)
    image = RenderedImage(pixels=pixels, spacing_y_mm=3.0, spacing_x_mm=1.0)
    square = on_grid(image, PixelGrid(square=True)).pixels
    small = on_grid(image, PixelGrid(shape_hw=(31, 29))).pixels
    assert (
        pixel_sha256(square) == "bc648e568f9f0ab7b3af6055c0d8cbc2a2dae7bfcfc457ec0d7123446cfcfa2f"
    )
    assert pixel_sha256(small) == "c2219f15d632fe006799017205abf03e163df05d625ba4a14c10b808067029ed"


def test_colour_png_keeps_its_channels():
    picture = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)


@pytest.mark.parametrize("picture", [np.zeros((3, 3)), np.zeros((0, 3), np.uint8)])
def test_png_of_anything_else_is_an_error(picture):
    with pytest.raises(PngError, match="expected 8-bit grey or RGB"):
        png_bytes(picture)


def test_renderer_version_tells_a_pet_scale(study_tables, tmp_path):
    config = TaskConfig(task=Task.DETECTION)
    suite = Suite(name="t", configs=(config,), cap_per_config=None)
    found = select_samples(suite, table_folders([study_tables]), split="all", limit=1)
    ct = found.samples[0]
    pet = dataclasses.replace(ct, modality="PET", image_uri=str(tmp_path / "p.nii"))
    sidecar = tmp_path / "p.json"
    plain = renderer_version(ct.modality, ct.image_uri)
    versions = [renderer_version(pet.modality, pet.image_uri)]
    for text in (json.dumps({"Units": "SUV"}), "{"):
        sidecar.write_text(text)
        versions.append(renderer_version(pet.modality, pet.image_uri))
    without, scaled, damaged = versions
    assert plain == without
    assert len({plain, scaled, damaged}) == 3


def test_a_small_slice_is_enlarged_to_a_long_side_and_a_large_one_stays():
    stored = SliceGeometry(height_px=40, width_px=20, spacing_y_mm=1.0, spacing_x_mm=2.0)
    assert shown_geometry(stored, PixelGrid(long_side_px=100)) == SliceGeometry(
        height_px=100, width_px=50, spacing_y_mm=0.4, spacing_x_mm=0.8
    )
    assert shown_geometry(stored, PixelGrid(long_side_px=30)) == stored
