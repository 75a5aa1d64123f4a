"""Perceived size against published numbers, fixed points, and the real image processors."""

import dataclasses
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks import bench_perceived
from benchmarks.hf_processors import (
    PEERS,
    asked_hw,
    canvas_marks,
    edge_accuracy_px,
    log_uniform_sizes,
    perceived_by_rule,
    probe_picture,
    seen_extent,
)
from medvision.errors import ItemError, UsageError
from medvision.frames import relative_from_point_px
from medvision.pictures.perceived import (
    FAMILIES,
    AspectRatioError,
    EmptyPictureError,
    Limits,
    LimitsError,
    PerceivedSize,
    PictureFormatError,
    Preparation,
    UnknownFamilyError,
    box_on_sent_from_slice,
    box_on_slice_from_sent,
    perceived_size,
    picture_to_send,
    point_on_sent_from_slice,
    point_on_slice_from_sent,
    stated_frame,
)

LIMITS = {
    "claude": {"long_edge_px": 1568, "max_tokens": 1600},
    "openai_patch": {"long_edge_px": 2048, "patch_budget": 1536},
}
PADS = {Preparation.RESIZE_THEN_PAD, Preparation.PAD_THEN_RESIZE}
PADDING = [name for name, family in FAMILIES.items() if family.preparation in PADS]
MOST_ASPECT = {"phi4_multimodal": 40}
SENT_ON_A_GRID = ["claude", "openai_patch", "openai_tile", "gemini", "kimi", "hulu_med"]

sides = st.integers(16, 4000)
sizes = st.tuples(sides, sides).filter(lambda hw: max(hw) <= 20 * min(hw))


def perceive(family, height_px, width_px):
    return perceived_size(family, height_px, width_px, LIMITS.get(family))


@pytest.mark.parametrize(
    ("family", "size_hw", "canvas_hw", "content_hw", "origin_yx"),
    [
        ("qwen2_5_vl", (160, 384), (168, 392), (168, 392), (0, 0)),
        ("qwen2_5_vl", (512, 512), (504, 504), (504, 504), (0, 0)),
        ("qwen2_5_vl", (16, 16), (56, 56), (56, 56), (0, 0)),
        ("qwen3_vl", (512, 512), (512, 512), (512, 512), (0, 0)),
        ("qwen3_vl", (100, 100), (256, 256), (256, 256), (0, 0)),
        ("gemma3", (160, 384), (896, 896), (896, 896), (0, 0)),
        ("gemma4", (512, 512), (768, 768), (768, 768), (0, 0)),
        ("internvl3", (1935, 2400), (1344, 1792), (1344, 1792), (0, 0)),
        ("internvl3", (768, 768), (896, 896), (896, 896), (0, 0)),
        ("llava_onevision", (160, 384), (384, 384), (160, 384), (112, 0)),
        ("mllama", (160, 384), (560, 560), (233, 560), (0, 0)),
        ("mllama", (100, 570), (560, 1120), (100, 570), (0, 0)),
        ("clip336_pad", (160, 384), (336, 336), (140, 336), (98, 0)),
        ("stretch448", (160, 384), (448, 448), (448, 448), (0, 0)),
        ("glm4v", (978, 522), (980, 532), (980, 532), (0, 0)),
        ("claude", (512, 500), (504, 476), (504, 476), (0, 0)),
        ("claude", (392, 3136), (196, 1568), (196, 1568), (0, 0)),
        ("openai_patch", (160, 384), (160, 384), (160, 384), (0, 0)),
        ("openai_patch", (2000, 2000), (1248, 1248), (1248, 1248), (0, 0)),
        ("openai_tile", (8192, 4096), (1536, 768), (1536, 768), (0, 0)),
        ("openai_tile", (300, 200), (300, 200), (300, 200), (0, 0)),
        ("gemini", (3072, 16), (3072, 16), (3072, 16), (0, 0)),
        ("gemini", (6144, 1000), (3072, 500), (3072, 500), (0, 0)),
        ("llava_next", (160, 384), (336, 672), (280, 672), (28, 0)),
        ("granite_vision", (160, 384), (384, 768), (320, 768), (32, 0)),
        ("deepseek_vl2", (160, 384), (384, 384), (160, 384), (112, 0)),
        ("deepseek_vl2", (300, 501), (384, 768), (384, 641), (0, 64)),
        ("llama4", (160, 384), (336, 672), (160, 384), (0, 0)),
        ("phi4_multimodal", (300, 500), (448, 896), (448, 746), (0, 0)),
        ("idefics3", (300, 500), (1092, 1456), (1092, 1456), (0, 0)),
        ("pixtral", (300, 500), (304, 512), (304, 512), (0, 0)),
        ("pixtral", (300, 2048), (160, 1024), (160, 1024), (0, 0)),
        ("kimi", (300, 500), (280, 476), (280, 476), (0, 0)),
        ("kimi", (20, 9000), (28, 7168), (28, 7168), (0, 0)),
        ("ovis2_5", (512, 500), (512, 512), (512, 512), (0, 0)),
        ("ovis2_5", (20, 600), (96, 2464), (96, 2464), (0, 0)),
        ("minicpm_v", (1000, 700), (1120, 784), (1120, 784), (0, 0)),
        ("minicpm_v", (300, 300), (448, 448), (448, 448), (0, 0)),
        ("lfm2_vl", (300, 500), (288, 512), (288, 512), (0, 0)),
        ("lfm2_vl", (1000, 700), (1536, 1024), (1536, 1024), (0, 0)),
        ("molmo2", (300, 500), (378, 644), (378, 644), (0, 0)),
        ("molmo2", (112, 100), (378, 378), (378, 378), (0, 0)),
        ("cohere2_vision", (1000, 700), (1024, 1024), (1024, 1024), (0, 0)),
        ("as_sent", (123, 45), (123, 45), (123, 45), (0, 0)),
        ("448x320", (123, 45), (448, 320), (448, 320), (0, 0)),
    ],
)
def test_published_sizes(family, size_hw, canvas_hw, content_hw, origin_yx):
    perceived = perceive(family, *size_hw)

    assert perceived.canvas_hw == canvas_hw
    assert perceived.content_hw == content_hw
    assert perceived.content_origin_yx == origin_yx


def test_every_family_has_a_published_size_and_plain_integers():
    for family in FAMILIES:
        perceived = perceive(family, np.int32(160), np.int64(384))
        numbers = (*perceived.canvas_hw, *perceived.content_hw, *perceived.content_origin_yx)
        assert all(type(number) is int for number in numbers), family


def test_pixel_size_comes_from_the_content_not_from_the_padded_canvas():
    perceived = perceived_size("llava_onevision", 160, 384)

    stated = stated_frame(perceived, 160, 384, 2.0, 0.5)

    assert (stated.height_px, stated.width_px) == (384, 384)
    assert (stated.pixel_y_mm, stated.pixel_x_mm) == (2.0, 0.5)


def test_non_square_stretch_scales_the_axes_differently():
    stated = stated_frame(perceived_size("gemma3", 448, 1792), 448, 1792, 1.0, 1.0)

    assert (stated.pixel_y_mm, stated.pixel_x_mm) == (0.5, 2.0)


@given(size_hw=sizes)
def test_square_padding_states_one_exact_scale_for_both_axes(size_hw):
    stated = stated_frame(perceived_size("clip336_pad", *size_hw), *size_hw, 0.7, 1.3)

    assert stated.pixel_y_mm == pytest.approx(0.7 * max(size_hw) / 336, rel=1e-12)
    assert stated.pixel_x_mm == pytest.approx(1.3 * max(size_hw) / 336, rel=1e-12)


def test_limits_come_as_dataclass_or_mapping_and_replace_published_ones():
    by_dataclass = perceived_size("qwen2_5_vl", 512, 512, Limits(max_pixels=28 * 28 * 64))
    by_mapping = perceived_size("qwen2_5_vl", 512, 512, {"max_pixels": 28 * 28 * 64})

    assert by_dataclass == by_mapping == PerceivedSize((224, 224), (224, 224), (0, 0))


@pytest.mark.parametrize("family", ["claude", "openai_patch"])
def test_api_family_without_its_caps_is_an_error_that_says_so(family):
    with pytest.raises(LimitsError, match=r"caps that differ per model.*long_edge_px.*profile"):
        perceived_size(family, 512, 512)


@pytest.mark.parametrize(
    ("family", "limits", "message"),
    [
        ("claude", {"long_edge_px": 1568}, "missing max_tokens"),
        ("gemma3", {"max_pixels": 100}, "takes the limits: none; found max_pixels"),
        ("qwen3_vl", {"max_pixel": 100}, "takes the limits: min_pixels, max_pixels; found"),
        ("qwen3_vl", {"max_pixels": 0}, "whole number from 1, found 0"),
        ("qwen3_vl", {"max_pixels": 1e6}, "whole number from 1, found 1000000.0"),
        ("qwen3_vl", {"max_pixels": 100}, "min_pixels must not exceed max_pixels"),
        ("448x448", {"max_pixels": 100}, "takes the limits: none"),
    ],
)
def test_wrong_limits_are_named(family, limits, message):
    with pytest.raises(LimitsError, match=message):
        perceived_size(family, 512, 512, limits)


@pytest.mark.parametrize("name", ["", "qwen", "Gemma3", "448x", "448X448", "0x448", "448x448x3"])
def test_unknown_family_lists_the_known_and_says_how_to_declare_one(name):
    with pytest.raises(UnknownFamilyError, match=r"gemma4.*--family HxW") as caught:
        perceived_size(name, 512, 512)

    assert isinstance(caught.value, UsageError)
    assert all(family in str(caught.value) for family in FAMILIES)


@pytest.mark.parametrize("family", [*FAMILIES, "448x448"])
@pytest.mark.parametrize("size_hw", [(0, 512), (512, 0), (-1, 5)])
def test_picture_without_pixels_is_an_item_error(family, size_hw):
    with pytest.raises(EmptyPictureError, match="at least one pixel") as caught:
        perceive(family, *size_hw)

    assert isinstance(caught.value, ItemError)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "glm4v"])
def test_aspect_ratio_over_200_is_an_item_error_where_the_model_rejects_it(family):
    assert perceived_size(family, 20, 4000).canvas_hw[0] >= 28
    with pytest.raises(AspectRatioError, match=r"up to 200, found 20[01]"):
        perceived_size(family, 20, 4020)


@pytest.mark.parametrize("family", [*FAMILIES, "448x320"])
@given(height_px=st.integers(1, 5000), width_px=st.integers(1, 5000))
def test_content_lies_within_the_canvas(family, height_px, width_px):
    assume(max(height_px, width_px) <= MOST_ASPECT.get(family, 200) * min(height_px, width_px))
    perceived = perceive(family, height_px, width_px)
    x0, y0, x1, y1 = perceived.content_box_px

    for side, content, origin in zip(
        perceived.canvas_hw, perceived.content_hw, perceived.content_origin_yx, strict=True
    ):
        assert content >= 1
        assert origin >= 0
        assert origin + content <= side
    assert 0 <= x0 < x1 <= perceived.canvas_hw[1] + 1e-9
    assert 0 <= y0 < y1 <= perceived.canvas_hw[0] + 1e-9


@pytest.mark.parametrize("family", [*SENT_ON_A_GRID, *PADDING])
@given(height_px=st.integers(1, 5000), width_px=st.integers(1, 5000))
def test_canvas_is_a_fixed_point_of_the_family(family, height_px, width_px):
    assume(max(height_px, width_px) <= MOST_ASPECT.get(family, 200) * min(height_px, width_px))
    canvas_hw = perceive(family, height_px, width_px).canvas_hw

    again = perceive(family, *canvas_hw)

    assert (again.canvas_hw, again.content_hw) == (canvas_hw, canvas_hw)


@given(
    size_hw=sizes,
    long_edge_px=st.integers(200, 3000),
    max_tokens=st.integers(50, 5000),
)
def test_claude_picture_is_neither_shrunk_nor_padded_by_the_server(
    size_hw, long_edge_px, max_tokens
):
    limits = Limits(long_edge_px=long_edge_px, max_tokens=max_tokens)
    height, width = perceived_size("claude", *size_hw, limits).canvas_hw

    assert height % 28 == width % 28 == 0
    assert max(height, width) <= max(long_edge_px, 28)
    assert height * width <= max_tokens * 750
    shrink = min(1, long_edge_px / max(size_hw), math.sqrt(max_tokens * 750 / math.prod(size_hw)))
    for side, sent in zip(size_hw, (height, width), strict=True):
        assert side * shrink - 28 < sent <= max(28, side * shrink + 1e-6)


@given(size_hw=sizes, patch_budget=st.sampled_from([1536, 2500]))
def test_openai_patch_picture_stays_within_budget_and_grid(size_hw, patch_budget):
    limits = Limits(long_edge_px=2048, patch_budget=patch_budget)
    height, width = perceived_size("openai_patch", *size_hw, limits).canvas_hw

    assert height % 32 == width % 32 == 0
    assert max(height, width) <= 2048
    assert (height // 32) * (width // 32) <= patch_budget


def test_box_in_a_padded_picture_maps_to_the_slice():
    perceived = perceived_size("llava_onevision", 160, 384)
    whole_slice_on_sent = [0, 112 / 384, 1, 272 / 384]

    assert box_on_slice_from_sent(whole_slice_on_sent, perceived) == pytest.approx([0, 0, 1, 1])
    assert box_on_sent_from_slice([0, 0, 1, 1], perceived) == pytest.approx(whole_slice_on_sent)


def test_bottom_padding_moves_the_lower_left_origin():
    perceived = perceived_size("mllama", 280, 560)

    assert point_on_sent_from_slice([0.25, 0.0], perceived) == pytest.approx([0.25, 0.5])
    assert point_on_slice_from_sent([0.25, 0.5], perceived) == pytest.approx([0.25, 0.0])


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(PADDING)))
def test_boxes_survive_where_nothing_is_padded(family):
    box = [[0.1, 0.2, 0.3, 0.45], [0, 0, 1, 1]]

    assert box_on_slice_from_sent(box, perceive(family, 160, 384)) == pytest.approx(np.array(box))


@pytest.mark.parametrize("family", PADDING)
@given(size_hw=sizes, box=st.tuples(*[st.floats(0, 1)] * 4))
def test_box_mapping_round_trips(family, size_hw, box):
    perceived = perceived_size(family, *size_hw)

    there = box_on_sent_from_slice(box, perceived)

    assert box_on_slice_from_sent(there, perceived) == pytest.approx(box, abs=1e-12)


@pytest.mark.parametrize("family", [*SENT_ON_A_GRID, *PADDING])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_prepared_picture_has_the_size_of_the_canvas(family, channels):
    slice_pixels = np.full((61, 1100, *channels), 200, dtype=np.uint8)

    sent = picture_to_send(slice_pixels, family, LIMITS.get(family))

    assert sent.pixels.dtype == np.uint8
    assert sent.pixels.shape[:2] == sent.perceived.canvas_hw
    assert sent.perceived == perceive(family, 61, 1100)
    assert sent.content_box_px == sent.perceived.content_box_px


@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma4", "internvl3", "as_sent", "448x320"])
def test_other_families_get_the_slice_as_is(family):
    slice_pixels = np.arange(60, dtype=np.uint8).reshape(6, 10)

    sent = picture_to_send(slice_pixels, family)

    assert sent.pixels is slice_pixels
    assert sent.content_box_px == (0, 0, 10, 6)


def test_padding_has_the_family_colour():
    white = np.full((160, 384), 255, dtype=np.uint8)

    black_padded = picture_to_send(white, "llava_onevision").pixels
    mean_padded = picture_to_send(white, "clip336_pad").pixels

    assert np.array_equal(np.unique(black_padded[:112]), [0])
    assert np.array_equal(np.unique(black_padded[112:272]), [255])
    assert mean_padded[0, 0].tolist() == [122, 116, 104]
    assert mean_padded[168, 168].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_only_grey_or_rgb_of_8_bits_is_sent(pixels):
    with pytest.raises(PictureFormatError, match=r"uint8 of shape \(H, W\) or \(H, W, 3\)"):
        picture_to_send(pixels, "as_sent")


def two_dots(height_px, width_px, perceived):
    """Marks (H, W) with two dots, each some canvas pixels wide, and their centres x, y."""
    half_hw = [
        max(2, math.ceil(2 * side / content))
        for side, content in zip((height_px, width_px), perceived.content_hw, strict=True)
    ]
    marks = np.zeros((height_px, width_px), dtype=np.uint8)
    dots_xy = [(width_px // 4, height_px // 4), (3 * width_px // 4, 3 * height_px // 4)]
    for x, y in dots_xy:
        rows = slice(y - half_hw[0], y + half_hw[0] + 1)
        marks[rows, x - half_hw[1] : x + half_hw[1] + 1] = 255
    return marks, np.array(dots_xy, dtype=float)


def found_dots(marks, perceived):
    """Centres x, y of the two bright dots of the slice on a canvas, from top to bottom."""
    x0, y0, x1, y1 = (round(edge) for edge in perceived.content_box_px)
    weight = np.zeros_like(marks)
    weight[y0:y1, x0:x1] = np.clip(marks[y0:y1, x0:x1] - 0.5, 0, None)
    count, labels = cv2.connectedComponents((weight > 0).astype(np.uint8))
    centres = []
    for label in range(1, count):
        y, x = np.nonzero(labels == label)
        centres.append(np.average([x, y], axis=1, weights=weight[y, x]))
    return np.array(sorted(centres, key=lambda xy: xy[1]))


def assert_dots_agree_with_the_prompt(found_xy, dots_xy, size_hw, perceived):
    """Distances in mm within one pixel; places within half a pixel of the stated frame's."""
    spacing_y_mm, spacing_x_mm = 0.7, 1.3
    stated = stated_frame(perceived, *size_hw, spacing_y_mm, spacing_x_mm)
    pixel_mm = np.array([stated.pixel_x_mm, stated.pixel_y_mm])
    assert found_xy.shape == (2, 2)
    read_mm = (found_xy[1] - found_xy[0]) * pixel_mm
    true_mm = (dots_xy[1] - dots_xy[0]) * [spacing_x_mm, spacing_y_mm]
    assert np.all(np.abs(read_mm - true_mm) < pixel_mm)
    read = relative_from_point_px(found_xy, stated.height_px, stated.width_px)
    true = point_on_sent_from_slice(relative_from_point_px(dots_xy, *size_hw), perceived)
    assert np.all(np.abs(read - true) * [stated.width_px, stated.height_px] < 0.5)


DOT_SIZES = [(160, 384), (384, 160), (512, 512), (978, 522), (61, 1100), (1500, 90), (1935, 2400)]


@pytest.mark.parametrize("family", SENT_ON_A_GRID)
@pytest.mark.parametrize("size_hw", DOT_SIZES)
def test_two_dots_on_the_picture_sent_to_an_api(family, size_hw):
    marks, dots_xy = two_dots(*size_hw, perceive(family, *size_hw))

    sent = picture_to_send(marks, family, LIMITS.get(family))

    found_xy = found_dots(sent.pixels / 255, sent.perceived)
    assert_dots_agree_with_the_prompt(found_xy, dots_xy, size_hw, sent.perceived)


@pytest.fixture(scope="module")
def processor_of():
    """Makes the real processor of a peer, once; skips where it needs what is not installed."""
    pytest.importorskip("transformers", reason="the real image processors are not installed")
    made = {}

    def make(name):
        if name not in made:
            try:
                made[name] = PEERS[name].build()
            except ImportError:
                pytest.skip("this real image processor needs torch and torchvision")
        return made[name]

    return make


@pytest.mark.parametrize("name", PEERS)
def test_canvas_and_content_are_those_of_the_real_processor(processor_of, name):
    peer, processor = PEERS[name], processor_of(name)
    for size_hw in log_uniform_sizes(20, seed=name):
        perceived = perceived_by_rule(peer, *size_hw)
        seen = seen_extent(peer, processor, *asked_hw(peer, *size_hw))

        assert seen.canvas_hw == perceived.canvas_hw, size_hw
        accuracy_px = edge_accuracy_px(peer, *size_hw)
        assert seen.box_px == pytest.approx(perceived.content_box_px, abs=accuracy_px)


SLENDER_OR_TINY = [(10, 3000), (3000, 10), (20, 3980), (2, 1500), (1, 700), (3, 5), (28, 27)]


@pytest.mark.parametrize("name", sorted(set(PEERS) - {"clip336_pad", "llava_next"}))
@pytest.mark.parametrize("size_hw", SLENDER_OR_TINY)
def test_slender_and_tiny_pictures_fare_as_in_the_real_processor(processor_of, name, size_hw):
    peer, processor = PEERS[name], processor_of(name)
    try:
        perceived = perceived_by_rule(peer, *size_hw)
    except AspectRatioError:
        with pytest.raises(ValueError, match=r"aspect ratio must be smaller than 200|very extreme"):
            seen_extent(peer, processor, *size_hw)
        return
    seen = seen_extent(peer, processor, *asked_hw(peer, *size_hw))

    assert seen.canvas_hw == perceived.canvas_hw
    assert seen.box_px == pytest.approx(perceived.content_box_px, abs=0.001)


@pytest.mark.parametrize("name", PEERS)
def test_two_dots_in_the_real_processors_output(processor_of, name):
    peer, processor = PEERS[name], processor_of(name)
    for size_hw in DOT_SIZES:
        perceived = perceived_by_rule(peer, *size_hw)
        marks, dots_xy = two_dots(*size_hw, perceived)

        sent = picture_to_send(marks, peer.family, peer.limits).pixels
        shown = marks if asked_hw(peer, *size_hw) == size_hw else sent
        canvas = canvas_marks(peer, processor, probe_picture(shown))

        assert_dots_agree_with_the_prompt(
            found_dots(canvas, perceived), dots_xy, size_hw, perceived
        )


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.family in PADDING])
def test_picture_sent_passes_the_real_processor_unchanged(processor_of, name):
    peer, processor = PEERS[name], processor_of(name)
    for size_hw in log_uniform_sizes(10, seed=f"sent {name}", max_px=2000) + DOT_SIZES:
        marks, dots_xy = two_dots(*size_hw, perceived_by_rule(peer, *size_hw))
        picture = probe_picture(marks)

        sent = picture_to_send(picture, peer.family)
        canvas = canvas_marks(peer, processor, sent.pixels)

        assert canvas.shape == sent.pixels.shape[:2]
        assert np.abs(canvas - sent.pixels[:, :, 2] / 255).max() < 1e-5
        assert np.abs(canvas - canvas_marks(peer, processor, picture)).max() < peer.accuracy
        assert_dots_agree_with_the_prompt(
            found_dots(canvas, sent.perceived), dots_xy, size_hw, sent.perceived
        )


RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "torch_processors.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.needs_torch])
def test_rules_are_those_of_processors_that_need_torchvision(name):
    """Recorded by `benchmarks.bench_perceived --record`, for where there is no torchvision."""
    for size, (canvas_hw, box_px) in RECORDED["seen"][name].items():
        perceived = perceived_by_rule(PEERS[name], *map(int, size.split("x")))

        assert list(perceived.canvas_hw) == canvas_hw, size
        assert perceived.content_box_px == pytest.approx(box_px, abs=0.01), size


def test_every_verified_family_has_a_peer_and_no_other():
    of_peers = {peer.family for peer in PEERS.values()}

    assert {name for name, family in FAMILIES.items() if family.verified} == of_peers - {"224x224"}


def test_a_padded_square_passes_a_processor_that_would_crop_unchanged():
    """LLaVA 1.5's published settings cut a square from the middle of what is no square."""
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessorPil()
    processor.size, processor.crop_size = {"shortest_edge": 336}, {"height": 336, "width": 336}
    sent = picture_to_send(np.full((160, 384, 3), 200, np.uint8), "clip336_pad")

    seen = processor(sent.pixels, input_data_format="channels_last", return_tensors="np")

    pixels = seen["pixel_values"][0].transpose(1, 2, 0) * processor.image_std + processor.image_mean
    assert np.abs(pixels * 255 - sent.pixels).max() < 1e-3


def test_kept_comparisons_count_for_the_same_sizes_and_code_only(tmp_path):
    results = tmp_path / "results.jsonl"
    one = bench_perceived.Compared(
        processor="gemma3",
        family="gemma3",
        sizes=300,
        differing=0,
        worst_px=0.0,
        seconds=1.5,
        code="a",
    )
    line = json.dumps(dataclasses.asdict(one))
    cut_off = f'{{"processor": "gem{line}'
    results.write_text(f"{line}\n{cut_off}\n", encoding="utf-8")

    assert bench_perceived.kept_results(results, 300, "a") == {"gemma3": one}
    assert bench_perceived.kept_results(results, 25, "a") == {}
    assert bench_perceived.kept_results(results, 300, "b") == {}
    assert bench_perceived.kept_results(tmp_path / "none", 300, "a") == {}
