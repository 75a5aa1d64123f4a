import base64
import io

import numpy as np
import pytest
from PIL import Image

from medvision.analysis.pictures import embedded_pictures, png_bytes
from medvision.errors import ItemError


def noise(seed, shape=(300, 500)):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def opened(url):
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3)])
def test_png_keeps_every_pixel(shape):
    picture = noise(0, shape)

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)


def test_samples_of_one_picture_share_it():
    samples = {"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 1}}

    found = embedded_pictures(samples, lambda row: noise(row["n"]), budget_bytes=10**7)

    assert len(found.urls) == 2
    assert found.place_of["a"] == found.place_of["c"] != found.place_of["b"]
    assert found.n_shrunk == 0


def test_pictures_are_shrunk_until_they_fit():
    samples = {str(n): {"n": n} for n in range(4)}

    found = embedded_pictures(samples, lambda row: noise(row["n"]), budget_bytes=400_000)

    assert len(found.urls) == 4
    assert sum(map(len, found.urls)) <= 400_000
    assert max(opened(found.urls[0]).size) == found.side_px < 500
    assert found.n_shrunk == 4


def test_what_never_fits_is_left_out_with_its_reason():
    samples = {str(n): {"n": n} for n in range(4)}

    found = embedded_pictures(samples, lambda row: noise(row["n"]), budget_bytes=100_000)

    assert sum(map(len, found.urls)) <= 100_000
    assert set(found.place_of) | set(found.missing) == set(samples)
    assert "0" in found.place_of
    assert "budget" in found.missing["3"]


def test_one_bad_picture_does_not_stop_the_others(caplog):
    class LostImageError(ItemError):
        reason = "image_lost"

    def picture(row):
        if row["n"] == 1:
            msg = "no such file"
            raise LostImageError(msg)
        return noise(row["n"])

    found = embedded_pictures({"a": {"n": 1}, "b": {"n": 2}}, picture, budget_bytes=10**7)

    assert found.missing == {"a": "image_lost: no such file"}
    assert set(found.place_of) == {"b"}
    assert "no such file" in caplog.text


def test_others_take_what_is_left_of_the_budget_at_the_same_size():
    first, others = {"a": {"n": 0}}, {f"b{n}": {"n": n} for n in range(1, 30)}
    alone = embedded_pictures(first, lambda row: noise(row["n"]), budget_bytes=10**7)
    budget = 6 * len(alone.urls[0])
    found = embedded_pictures(first, lambda row: noise(row["n"]), budget_bytes=budget, then=others)
    assert found.side_px == alone.side_px
    assert 4 <= len(found.urls) <= 6
    assert sum(map(len, found.urls)) <= budget
    assert set(found.place_of) == {"a", *list(others)[: len(found.urls) - 1]}
