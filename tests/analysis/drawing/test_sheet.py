"""Which samples a sheet shows, and how masks and names are drawn."""

import io
import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from medvision.analysis import png_bytes
from medvision.analysis.drawing.chart_parts import text_width
from medvision.analysis.drawing.labels import named_places
from medvision.analysis.drawing.outline import outline_px
from medvision.analysis.drawing.shapes import CANVAS_SIDE, canvas_of
from medvision.analysis.drawing.sheet import (
    CAPTION_SIZE,
    SheetCell,
    sheet_png,
    sheet_samples,
    sheet_svg,
)
from medvision.tasks import Task
from tests.builders import sample

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def samples():
    """Three structures on three planes, four of each; one is there once only."""
    often = [
        sample(number=number, plane=plane, label_id=label_id, label=name, name=name)
        for label_id, name in enumerate("abc", start=1)
        for plane in ("axial", "coronal", "sagittal")
        for number in range(4)
    ]
    return [*often, sample(Task.AREA, number=99, name="d")]


def test_structures_and_planes_take_turns(samples):
    picked = sheet_samples(samples, 10)
    assert len(picked) == 10
    assert {one.name for one in picked[:4]} == {"a", "b", "c", "d"}
    for name in ("a", "b", "c"):
        planes = [one.plane for one in picked if one.name == name]
        assert len(set(planes)) == len(planes) == 3


def test_picks_do_not_depend_on_the_order_of_the_table(samples):
    assert sheet_samples(samples[::-1], 7) == sheet_samples(samples, 7)


def test_a_sheet_larger_than_the_table_shows_it_once(samples):
    picked = sheet_samples(samples, 500)
    assert sorted(s.sample_id for s in picked) == sorted(s.sample_id for s in samples)


@pytest.mark.parametrize("count", [1, 5])
def test_sheet_has_a_cell_and_a_caption_for_each(samples, count):
    grey = png_bytes(np.full((20, 20), 128, np.uint8))
    cells = [SheetCell(sample=s, picture_png=grey) for s in sheet_samples(samples, count)]
    root = ET.fromstring(sheet_svg(cells))
    assert len(root.findall(f"{SVG}svg")) == count
    captions = [text.text for text in root.findall(f"{SVG}text")]
    assert captions[0] == f"{cells[0].sample.task}: {cells[0].sample.name}"
    assert len(captions) == 2 * count
    sheet = np.asarray(Image.open(io.BytesIO(sheet_png(cells))))
    near_grey = (np.abs(sheet.astype(int) - 128) < 3).all(axis=-1)
    assert near_grey.sum() > 0.2 * count * 480**2


def test_an_answer_is_drawn_on_its_cell_alone(samples):
    grey = png_bytes(np.full((20, 20), 128, np.uint8))
    answered, plain = (
        SheetCell(sample=one, picture_png=grey, answer=answer)
        for one, answer in zip(samples, ((0.1, 0.1, 0.9, 0.9), ()), strict=False)
    )
    drawings = ET.fromstring(sheet_svg([answered, plain])).findall(f"{SVG}svg")
    words = [[text.text for text in drawing.iter(f"{SVG}text")] for drawing in drawings]
    assert ["answer" in texts for texts in words] == [True, False]
    assert sheet_png([answered]) != sheet_png([plain])


def filled(stretches, shape):
    """The mask within a border: even-odd filling along rows by its upright stretches."""
    crossings = np.zeros((shape[0], shape[1] + 1), int)
    for x0, y0, x1, y1 in stretches:
        if x0 == x1:
            crossings[y0:y1, x0] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_outline_encloses_exactly_the_mask(mask):
    stretches = outline_px(mask)
    assert np.array_equal(filled(stretches, mask.shape), mask)
    turned = outline_px(mask.T)[:, [1, 0, 3, 2]]
    assert {tuple(s) for s in turned.tolist()} == {tuple(s) for s in stretches.tolist()}
    # as long as the border is: one for each side of a pixel that faces out
    padded = np.pad(mask, 1).astype(int)
    length = sum(int(np.abs(np.diff(padded, axis=axis)).sum()) for axis in (0, 1))
    steps = np.abs(stretches[:, 2:] - stretches[:, :2]).sum() if len(stretches) else 0
    assert steps == length


def test_outline_of_one_pixel():
    expected = [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1]]
    assert outline_px(np.ones((1, 1), bool)).tolist() == expected


def test_names_near_each_other_are_moved_apart():
    canvas = canvas_of(sample().geometry)
    places = [((100.0 + 3 * n, 200.0 + 2 * n), f"landmark {n}") for n in range(4)]
    texts = named_places(canvas, places)
    heights = sorted(text.y for text in texts if text.anchor == "start")
    assert [text.text for text in texts] == [name for _, name in places]
    assert all(above <= below - 12 for above, below in itertools.pairwise(heights))


def test_name_at_the_edge_stays_on_the_canvas():
    canvas = canvas_of(sample().geometry)
    (text,) = named_places(canvas, [((canvas.width - 1, canvas.height), "a long landmark name")])
    assert text.anchor == "end"
    assert text.x <= canvas.width
    assert text.y <= canvas.height


def test_a_long_caption_ends_where_its_cell_does(samples):
    long = replace(samples[0], name="part of the " * 40, case_id="c" * 300)
    grey = png_bytes(np.full((20, 20), 128, np.uint8))
    root = ET.fromstring(sheet_svg([SheetCell(sample=long, picture_png=grey)] * 2))

    captions = root.findall(f"{SVG}text")
    assert all(text.text.endswith("…") for text in captions)
    assert all(text_width(text.text, CAPTION_SIZE) <= CANVAS_SIDE for text in captions)
    assert len({text.text for text in captions}) == 2
