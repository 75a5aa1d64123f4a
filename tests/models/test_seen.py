"""What a loaded processor really makes of pictures, compared with what prompts would state."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from benchmarks.hf_processors import PEERS, log_uniform_sizes
from medvision.errors import UsageError
from medvision.frames import SliceGeometry
from medvision.models.base import ALL_TASKS, ErrorKind, error_reply
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.in_process.seen import (
    SeenOtherwiseError,
    SeenPicture,
    check_pictures,
    measured,
    probe_picture,
    seen_picture,
    views_in,
)
from medvision.models.run_folder import store_path
from medvision.pictures.view import PictureFamily
from medvision.samples import sample_table
from tests import builders


@dataclass
class Chat:
    """A conversation form around an image processor alone."""

    image_processor: Any

    @property
    def processor(self):
        return self

    def prompt(self, text):
        return text

    def tokens(self, _prompts, pictures):
        return self.image_processor(images=pictures, return_tensors="np")


def chat(name, **settings):
    pytest.importorskip("transformers", reason="the real image processors are not installed")
    peer = PEERS[name]
    processor = peer.build()
    for key, value in settings.items():
        setattr(processor, key, value)
    return Chat(processor)


def views(family, sizes):
    return [
        family.view(
            SliceGeometry(height_px=hw[0], width_px=hw[1], spacing_y_mm=1.0, spacing_x_mm=1.0)
        )
        for hw in sizes
    ]


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if not peer.needs_torch])
def test_every_rule_agrees_with_its_processor_on_the_picture_sent(name):
    family = PictureFamily(name=PEERS[name].family, limits=PEERS[name].limits)
    sizes = [(160, 384), *log_uniform_sizes(6, seed=f"seen {name}", max_px=900)]

    asked = views(family, sizes)
    n_pictures = len({view.sent_hw for view in asked})
    assert check_pictures(chat(name), asked, family, "hf/x") == n_pictures


def test_another_canvas_is_an_error_that_shows_both_and_what_to_declare():
    gemma, sizes = PictureFamily(name="gemma3"), [(160, 384), (512, 512), (896, 896)]

    with pytest.raises(SeenOtherwiseError) as caught:
        check_pictures(chat("qwen2_5_vl"), views(gemma, sizes), gemma, "hf/x")

    said = str(caught.value)
    assert "family 'gemma3' says that the model sees 896×896 px of a picture of 160×384 px" in said
    assert "its processor makes 168×392 px (2 of 3 sizes of picture differ)" in said
    assert "--family qwen2_5_vl" in said


def test_a_fixed_size_is_named_as_such():
    qwen, sizes = PictureFamily(name="qwen3_vl"), [(160, 384), (512, 512)]

    with pytest.raises(SeenOtherwiseError, match=r"makes 448×448 px .* --family 448x448"):
        check_pictures(chat("stretch448"), views(qwen, sizes), qwen, "hf/x")


def test_other_limits_than_the_processors_are_told():
    family = PictureFamily(name="qwen2_5_vl", limits={"max_pixels": 28 * 28 * 64})

    with pytest.raises(SeenOtherwiseError, match=r"sees 224×224 px .* makes 504×504 px"):
        check_pictures(chat("qwen2_5_vl"), views(family, [(512, 512)]), family, "hf/x")


def test_a_crop_of_the_right_size_is_told():
    whole = PictureFamily(name="336x336")

    with pytest.raises(SeenOtherwiseError, match="336×336 px from 29 to 71 % of its width and 0"):
        check_pictures(chat("clip336_pad", do_pad=False), views(whole, [(160, 384)]), whole, "hf/x")


def test_padding_that_gives_the_right_canvas_is_told():
    whole = PictureFamily(name="336x336")

    with pytest.raises(SeenOtherwiseError, match="makes 336×336 px, padded"):
        check_pictures(chat("clip336_pad"), views(whole, [(160, 384)]), whole, "hf/x")


def test_a_picture_that_the_processor_refuses_is_told():
    refused = seen_picture(chat("qwen2_5_vl"), 10, 3000)

    assert refused.startswith("an error of it: absolute aspect ratio must be smaller than 200")


def test_an_output_of_unknown_form_is_not_compared():
    class Odd:
        def __call__(self, **_):
            return {"pixel_values": np.zeros((1, 7))}

    family = PictureFamily(name="gemma3")
    assert check_pictures(Chat(Odd()), views(family, [(160, 384)]), family, "hf/x") == 0
    assert views_in({}, Odd()) == []


def tiles(canvas, tile_px, step_px):
    """(3, tile, tile) pieces of (H, W, 3) at every step."""
    height, width, _ = canvas.shape
    return [
        canvas[y : y + tile_px, x : x + tile_px].transpose(2, 0, 1) / 255
        for y in range(0, height - tile_px + 1, step_px)
        for x in range(0, width - tile_px + 1, step_px)
    ]


@pytest.mark.parametrize("shuffled", [False, True])
def test_tiles_are_placed_by_what_they_show_and_overviews_left_out(shuffled):
    canvas = np.asarray(probe_picture(896, 1344))
    overview = np.asarray(probe_picture(896, 1344).resize((448, 448))).transpose(2, 0, 1) / 255
    pieces = [overview, *tiles(canvas, 448, 448), np.zeros((3, 448, 448))]

    seen = measured(pieces[::-1] if shuffled else pieces, 896, 1344)

    assert (seen.canvas_hw, seen.is_exact, seen.is_whole) == ((896, 1344), True, True)


def test_a_canvas_of_overlapping_tiles_is_measured():
    canvas = np.asarray(probe_picture(644, 1176))

    seen = measured(tiles(canvas, 378, 266), 644, 1176)

    assert not seen.is_exact
    assert seen.agrees_with((644, 1176))
    assert not seen.agrees_with((644, 1162))
    assert str(seen).startswith("about 64")


def test_nothing_but_filling_shows_nothing():
    assert measured([np.zeros((3, 8, 8))], 100, 100) is None
    assert seen_picture(Chat(None), 5, 100) is None


class Watching:
    """A local model that notes what it is to check and refuses it."""

    model_id, revision, settings, batch_size, window_size = "hf/w", "", {}, 4, 4
    tasks = ALL_TASKS

    def __init__(self):
        self.checked = []

    def key_inputs(self, _question):
        return {}

    def check_pictures(self, views, family):
        self.checked = [view.sent_hw for view in views]
        msg = f"{family.name} is not how it sees"
        raise UsageError(msg)

    def replies(self, questions):
        return [error_reply(ErrorKind.IMAGE) for _ in questions]


def request(task, family):
    wide = SliceGeometry(height_px=32, width_px=64, spacing_y_mm=1.0, spacing_x_mm=1.0)
    samples = [
        builders.sample(task, number=number, geometry=geometry)
        for number, geometry in enumerate([builders.SQUARE, wide, wide])
    ]
    return EvalRequest(
        samples=sample_table(samples), model=Watching(), family=PictureFamily(name=family)
    )


@pytest.mark.parametrize(("task", "family"), [("detection", "gemma3"), ("tl", "as_sent")])
def test_each_size_of_a_run_is_checked_before_anything_is_asked(task, family, tmp_path):
    asked = request(task, family)

    with pytest.raises(UsageError, match="is not how it sees"):
        evaluate(asked, tmp_path / "run")

    assert sorted(asked.model.checked) == [(32, 64), (64, 64)]
    assert not store_path(tmp_path / "run").exists()


def test_boxes_may_be_asked_of_a_model_without_a_declared_family(tmp_path):
    asked = request("detection", "as_sent")

    evaluate(asked, tmp_path / "run")

    assert not asked.model.checked


def test_a_crop_is_told_in_words():
    cropped = SeenPicture(canvas_hw=(9, 9), is_exact=True, box_frac=(0.25, 0.0, 0.75, 1.0))

    assert str(cropped) == "9×9 px from 25 to 75 % of its width and 0 to 100 % of its height"
