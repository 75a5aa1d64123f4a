import io

import numpy as np
import pytest
from PIL import Image

from medvision.catalog.anatomy import Window
from medvision.prompts.grey_levels import percentile_stretched
from medvision.prompts.render import (
    SlicePictures,
    pixel_sha256,
    png_bytes,
    rendered,
    windowed,
)
from medvision.samples import Task
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig


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


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_constant_slices_are_not_stretched(dtype):
    assert not percentile_stretched(np.full((20, 30), 7, dtype=dtype)).any()


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
        assert picture.shape == (sample.height_px, sample.width_px)
        x0, y0, x1, y1 = (int(edge) for edge in sample.box_px)
        inside = picture[y0:y1, x0:x1].mean()
        ring = np.pad(picture, 3, mode="edge")[y0 : y1 + 6, x0 : x1 + 6].mean()
        assert inside > ring
