"""Process scores of perfect replies, and of replies with one slip."""

import re

import numpy as np
import pytest

from medvision.frames import SliceGeometry
from medvision.pictures.view import PictureFamily
from medvision.prompts.targets import target_text
from medvision.protocols import load_protocol
from medvision.replies import Style, read_answer
from medvision.samples import Point
from medvision.scoring.process import process_of, process_scores
from tests.builders import sample

PAPER = load_protocol("paper").prompt
GEOMETRY = SliceGeometry(height_px=100, width_px=160, spacing_y_mm=0.7, spacing_x_mm=1.3)
ENDS = ((20.0, 30.0), (90.0, 60.0), (60.0, 25.0), (50.0, 70.0))


def points(keys):
    return tuple(
        Point(key=key, name=f"point {key}", x_px=x, y_px=y)
        for key, (x, y) in zip(keys, ENDS, strict=False)
    )


def length(first, second):
    return float(
        np.hypot(1.3 * (ENDS[first][0] - ENDS[second][0]), 0.7 * (ENDS[first][1] - ENDS[second][1]))
    )


AT_VERTEX = (
    *points("AB"),
    Point(key="B", name="point B", x_px=90.0, y_px=60.0),
    *points("ABCD")[3:],
)
SAMPLES = {
    "tl": sample(
        "tl", points=points("abcd"), truth=(length(0, 1), length(2, 3)), geometry=GEOMETRY
    ),
    "distance": sample("ad", points=points("ab"), truth=(length(0, 1),), geometry=GEOMETRY),
    "angle": sample(
        "ad", points=points("abcd"), metric_kind="angle", unit="deg", geometry=GEOMETRY
    ),
    "vertex": sample(
        "ad", points=AT_VERTEX, metric_kind="vertex_angle", unit="deg", geometry=GEOMETRY
    ),
}
FAMILY = PictureFamily(name="as_sent")


def perfect(asked, family=FAMILY):
    return target_text(asked, Style.COT, family.view(asked.geometry), PAPER)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("family", ["as_sent", "gemma3", "qwen2_5_vl"])
def test_what_a_model_is_trained_to_write_has_no_error(kind, family):
    asked, family = SAMPLES[kind], PictureFamily(name=family)
    text = perfect(asked, family)
    assert [text.count(f"<step-{n}-answer>") for n in (1, 2, 3)] == [1, 1, 1]
    found = process_of(asked, text, family.view(asked.geometry))
    assert found.n_steps == 3
    assert max(found.distances_mm) < 0.02
    assert found.conversion_error < 1e-3
    assert found.result_error < 1e-3
    assert found.implied == pytest.approx(read_answer(asked.task, text, "cot").values, rel=2e-3)


def test_tags_add_lines_and_change_no_answer():
    for asked in SAMPLES.values():
        view = FAMILY.view(asked.geometry)
        plain = target_text(asked, Style.COT, view).splitlines()
        tagged = perfect(asked).splitlines()
        assert sorted(line for line in tagged if "step-" not in line) == sorted(plain)


def scaled(text, step, factor):
    """The reply with the numbers of one step multiplied."""

    def again(match):
        numbers = (float(number) * factor for number in match[2].split(","))
        return match[1] + ", ".join(f"{number:.6f}" for number in numbers) + match[3]

    return re.sub(rf"(<step-{step}-answer>)(.*)(</step-{step}-answer>)", again, text)


@pytest.mark.parametrize("kind", ["tl", "distance"])
def test_a_slip_is_counted_where_it_was_made_and_nowhere_else(kind):
    asked = SAMPLES[kind]
    names = ("points", "conversion", "result", "answer")
    expected = {
        1: (0.2, 1 - 1 / 1.2, 0, 0),
        2: (0, 0.2, 1 - 1 / 1.2, 0),
        3: (0, 0, 0.2, 1 - 1 / 1.2),
    }
    for step, errors in expected.items():
        text = scaled(perfect(asked), step, 1.2)
        answer = {(asked.sample_id, 0): read_answer(asked.task, text, "cot").values}
        (row,) = process_scores([asked], [(asked.sample_id, 0, text)], answer, FAMILY).to_pylist()
        found = [row[f"{name}_relative_error"] for name in names]
        assert found == pytest.approx(errors, abs=2e-3)


def test_the_ends_of_an_axis_have_no_order_and_steps_that_lack_have_no_score():
    asked = SAMPLES["tl"]
    numbers = re.search("<step-1-answer>(.*)</step-1", perfect(asked))[1].split(", ")
    turned = ", ".join(numbers[2:4] + numbers[:2] + numbers[4:])
    view = FAMILY.view(asked.geometry)
    found = process_of(asked, f"<step-1-answer>{turned}</step-1-answer>", view)
    assert max(found.distances_mm) < 0.02
    assert (found.conversion_error, found.result_error) == (None, None)
    short = process_of(asked, "<step-1-answer>0.1, 0.2</step-1-answer>", view)
    assert (short.n_steps, short.implied, short.distances_mm) == (1, None, ())
