"""One object per task asks, writes and reads: what is written reads back."""

import dataclasses
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medvision.errors import UsageError
from medvision.prompts.answers import ANSWER_FORMATS, UnwritableAnswerError
from medvision.replies import Answer, AnswerStatus, Style, read_answer
from medvision.tasks import TASKS, Task

STYLES = st.sampled_from(list(Style))
SIZES = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
SIZE_TASKS = st.sampled_from([Task.TUMOR_LESION, Task.ANGLE_DISTANCE, Task.AREA])


@given(task=SIZE_TASKS, sizes=st.tuples(SIZES, SIZES), style=STYLES)
@example(task=Task.TUMOR_LESION, sizes=(1.7976931348623157e308, 5e-324), style=Style.COT)
@example(task=Task.AREA, sizes=(999999999.999, 0.0), style=Style.DIRECT)
def test_sizes_read_back_to_two_decimals(task, sizes, style):
    answer_format = ANSWER_FORMATS[task]
    values = sizes[: len(answer_format.names)]
    answer = answer_format.read(answer_format.write(values, style), style)
    assert answer == Answer(AnswerStatus.OK, tuple(round(value, 2) for value in values))


EDGES = st.floats(min_value=0, max_value=1)


@given(x=st.tuples(EDGES, EDGES), y=st.tuples(EDGES, EDGES), style=STYLES)
@example(x=(0.0, 1.0), y=(0.0, 1.0), style=Style.DIRECT)
@example(x=(0.0, 5e-324), y=(0.9999999999999999, 1.0), style=Style.COT)
@example(x=(0.12344, 0.12346), y=(0.5, 0.50004), style=Style.DIRECT)
def test_boxes_read_back_to_four_decimals_and_never_inverted(x, y, style):
    (x0, x1), (y0, y1) = sorted(x), sorted(y)
    detection = ANSWER_FORMATS[Task.DETECTION]
    if x0 == x1 or y0 == y1:
        with pytest.raises(UnwritableAnswerError, match="x0 < x1 and y0 < y1"):
            detection.write((x0, y0, x1, y1), style)
        return
    answer = detection.read(detection.write((x0, y0, x1, y1), style), style)
    assert answer.status is AnswerStatus.OK
    for low, high, read_low, read_high in zip(
        (x0, y0), (x1, y1), answer.values[:2], answer.values[2:], strict=True
    ):
        if round(low, 4) < round(high, 4):
            assert (read_low, read_high) == (round(low, 4), round(high, 4))
        else:  # one step long, around where the box was
            assert read_high - read_low == pytest.approx(1e-4)
            assert read_low - 1e-4 < low < high < read_high + 1e-4


@pytest.mark.parametrize(
    ("task", "values", "text"),
    [
        (Task.DETECTION, (0.1234, 0.2, 0.5678, 0.9), "0.1234, 0.2000, 0.5678, 0.9000"),
        (Task.DETECTION, (-0.0, 0, 1, 1), "0.0000, 0.0000, 1.0000, 1.0000"),
        (Task.DETECTION, (-1e-17, 0, 1 + 1e-12, 1), "0.0000, 0.0000, 1.0000, 1.0000"),
        (Task.DETECTION, (0.99999, 0, 1, 0.00001), "0.9999, 0.0000, 1.0000, 0.0001"),
        (Task.TUMOR_LESION, (31.2, 18), "31.20, 18.00"),
        (Task.ANGLE_DISTANCE, (45.123,), "45.12"),
        (Task.ANGLE_DISTANCE, (-0.0,), "0.00"),
        (Task.ANGLE_DISTANCE, (-0.001,), "0.00"),
        (Task.AREA, (1234.5,), "1234.50"),
    ],
)
def test_values_are_written_in_the_stated_form(task, values, text):
    assert ANSWER_FORMATS[task].write(values, Style.DIRECT) == text
    assert ANSWER_FORMATS[task].write(values, Style.COT) == f"<answer>{text}</answer>"


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        (Task.TUMOR_LESION, (31.2,), "tl: expected 2 values to write, found 1"),
        (Task.AREA, (math.nan,), "expected a finite size of at least 0 to write, found nan"),
        (Task.AREA, (math.inf,), "found inf"),
        (Task.ANGLE_DISTANCE, (-1.0,), "found -1.0"),
        (Task.DETECTION, (0.5, 0.2, 0.1, 0.6), "x0 < x1 and y0 < y1 to write, found 0.5 to 0.1"),
        (Task.DETECTION, (0.1, 0.2, 1.1, 0.6), "from 0 to 1 to write, found 0.1 to 1.1"),
        (Task.DETECTION, (-0.1, 0.2, 0.5, 0.6), "from 0 to 1 to write, found -0.1 to 0.5"),
        (Task.DETECTION, (math.nan, 0.2, 0.5, 0.6), "found nan to 0.5"),
    ],
)
def test_values_no_answer_states_are_not_written(task, values, message):
    with pytest.raises(UnwritableAnswerError, match=message):
        ANSWER_FORMATS[task].write(values, Style.DIRECT)


UNIT_WORDS = {
    Task.DETECTION: "relative",
    Task.AREA: "mm²",
    Task.COUNT: "whole number",
    Task.INSTANCES: "relative",
}


@pytest.mark.parametrize("task", list(Task))
def test_asking_names_the_form_the_unit_and_the_tags_only_for_reasoning(task):
    answer_format = ANSWER_FORMATS[task]
    direct, cot = (answer_format.ask(style) for style in Style)
    for text in (direct, cot):
        assert UNIT_WORDS.get(task, "mm") in text
    form = ", ".join(answer_format.names)
    listed = f"{form}; {form}; …" if TASKS[task].is_list else form
    assert f"<answer>{listed}</answer>" in cot
    assert "<answer>" not in direct
    if len(answer_format.names) > 1:
        assert form in direct


def test_asking_for_an_angle_speaks_of_degrees():
    assert "degrees" in ANSWER_FORMATS[Task.ANGLE_DISTANCE].ask(Style.DIRECT, "deg")
    assert "mm" in ANSWER_FORMATS[Task.ANGLE_DISTANCE].ask(Style.DIRECT, "mm")


def test_asking_in_a_unit_the_task_has_not_is_refused():
    with pytest.raises(UsageError, match="tl: expected a unit out of mm, found 'deg'"):
        ANSWER_FORMATS[Task.TUMOR_LESION].ask(Style.DIRECT, "deg")


def test_every_task_has_its_format():
    assert {task: one.task for task, one in ANSWER_FORMATS.items()} == {t: t for t in Task}


def test_read_answer_takes_arguments_by_position_and_by_name():
    expected = Answer(AnswerStatus.OK, (31.2, 18.0))
    assert read_answer("tl", "31.2, 18.0") == expected
    assert read_answer(Task.TUMOR_LESION, "<answer>31.2, 18.0</answer>", "cot") == expected
    assert read_answer("tl", "31.2, 18.0", Style.DIRECT, frame_hw=(64, 64)) == expected


def test_unknown_task_and_style_list_the_known():
    with pytest.raises(
        UsageError, match="detection, tl, ad, area, count, instances, found 'boxes'"
    ):
        read_answer("boxes", "1")
    with pytest.raises(UsageError, match="direct, cot, found 'steps'"):
        read_answer("ad", "1", "steps")


def test_answers_are_values():
    answer = Answer(AnswerStatus.NO_NUMBER)
    assert answer == Answer(AnswerStatus.NO_NUMBER, ())
    with pytest.raises(dataclasses.FrozenInstanceError, match="status"):
        answer.status = AnswerStatus.OK
