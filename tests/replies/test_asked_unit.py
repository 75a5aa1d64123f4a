"""A number of another kind than was asked for is never the answer: degrees, mm, mm²."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.errors import UsageError
from medvision.pictures.perceived import perceived_size
from medvision.pictures.view import PictureFamily
from medvision.prompts import ANSWER_FORMATS
from medvision.protocols import Reading
from medvision.replies import AnswerStatus, Style, read_answer, read_recovered
from medvision.replies.stated import are_stated
from medvision.scoring.score_run import ReplyReader, read_replies
from medvision.tasks import TASKS, Task
from tests.replies.test_meaning import DEGREES, FEW, FORMS, MM, VALUES

SEEN = perceived_size("as_sent", 100, 100)
AREAS = (
    "square mm",
    "Sq. cm",
    "квадратных мм",
    "제곱 밀리미터",
    "वर्ग मिमी",
    "mm au carré",
    "мм в квадрате",
    "mm al cuadrado",
    "mm im Quadrat",
    "mm cubed",
    "mm cúbicos",
    "mm²",
    "mm2",
    "mm^2",
    "cm²",
    "sq mm",
    "square millimeters",
    "平方毫米",
    "кв. мм",
    "㎟",
    "m²",
)
OTHER_KIND = {
    "mm": [*DEGREES, *AREAS],
    "deg": [*MM, *AREAS],
    "mm2": [*MM, *DEGREES],
}
TASK_OF_UNIT = {"mm": Task.ANGLE_DISTANCE, "deg": Task.ANGLE_DISTANCE, "mm2": Task.AREA}
FACTORS = {"mm": MM, "deg": DEGREES}


def all_readings(task, text, unit, style=Style.DIRECT):
    """What each way to read a reply makes of it."""
    reader = ReplyReader(style=style, family=PictureFamily(name="as_sent"))
    return [
        read_answer(task, text, style, unit=unit),
        read_recovered(task, text, unit=unit),
        ANSWER_FORMATS[task].read(text, style, None, unit),
        *reader.readings(task, text, SEEN, unit=unit),
    ]


@given(data=st.data())
@FEW
def test_a_number_in_a_unit_of_another_kind_is_unread(data):
    unit = data.draw(st.sampled_from([*OTHER_KIND]))
    stated, form = data.draw(st.sampled_from(OTHER_KIND[unit])), data.draw(st.sampled_from(FORMS))
    text = form.format(value=data.draw(VALUES), unit=stated)
    tags = data.draw(st.booleans())
    style, text = (Style.COT, f"<answer>{text}</answer>") if tags else (Style.DIRECT, text)
    for answer in all_readings(TASK_OF_UNIT[unit], text, unit, style):
        assert answer.status is not AnswerStatus.OK, (unit, text)


@given(data=st.data())
@FEW
def test_a_number_in_a_unit_of_the_kind_is_that_value_or_unread(data):
    unit = data.draw(st.sampled_from([*FACTORS]))
    stated, factor = data.draw(st.sampled_from([*FACTORS[unit].items()]))
    value = data.draw(VALUES)
    text = data.draw(st.sampled_from(FORMS)).format(value=value, unit=stated)
    for answer in all_readings(Task.ANGLE_DISTANCE, text, unit):
        if answer.status is AnswerStatus.OK:
            assert answer.values == pytest.approx((float(value) * factor,), rel=1e-9), text
    # To know what was asked for takes no answer away.
    assert read_answer("ad", text, unit=unit) == read_answer("ad", text)


@pytest.mark.parametrize("unit", ["mm", "deg"])
@pytest.mark.parametrize(
    "text", ["45.2", "[45.2]", "The value is 45.2.", '{"value": 45.2}', "It is about 45.2"]
)
def test_a_bare_number_is_in_the_unit_asked_for(text, unit):
    assert read_answer("ad", text, unit=unit).values == (45.2,)


NAMED = {
    "deg": (
        *("The angle is {}", "angle: {}", '{{"angle": {}}}', "<angle>{}</angle>", "Winkel: {}"),
        *("L'angle est {}", "El ángulo es {}", "O ângulo é {}", "L'angolo è {}", "Угол: {}"),
        *("角度为{}", "角度は{}", "각도는 {}", "الزاوية هي {}", "कोण है {}", "| angle | {} |"),
        *("Angle:\n{}", "{} is the angle", "{} (angle)", "| Angle |\n|---|\n| {} |"),
    ),
    "mm": (
        *("The distance is {}", "distance: {}", '{{"distance": {}}}', "<length>{}</length>"),
        *("Abstand: {}", "La distance est {}", "La distancia es {}", "A distância é {}"),
        *(
            "La distanza è {}",
            "Расстояние: {}",
            "距离为{}",
            "距離は{}",
            "거리는 {}",
            "المسافة هي {}",
        ),
        *("दूरी है {}", "| distance | {} |", "Distance\n\n{}", "{} (distance)"),
    ),
}


@pytest.mark.parametrize("called", NAMED)
def test_a_bare_number_called_the_other_quantity_is_unread(called):
    other = {"deg": "mm", "mm": "deg"}[called]
    for form in NAMED[called]:
        text = form.format("45.2")
        assert read_answer("ad", text, unit=called).values == (45.2,), text
        for answer in all_readings(Task.ANGLE_DISTANCE, text, other):
            assert answer.status is not AnswerStatus.OK, text


def test_a_unit_of_another_kind_apart_from_the_number_leaves_it_unread():
    for text in (
        "45.2\nmm",
        "45.2, mm",
        "unit: mm\n45.2",
        "Values are in mm.\n45.2",
        "value_mm: 45.2",
    ):
        for answer in all_readings(Task.ANGLE_DISTANCE, text, "deg"):
            assert answer.status is not AnswerStatus.OK, text
        assert read_answer("ad", text, unit="mm").values == (45.2,), text


def test_a_unit_that_the_task_is_not_asked_in_is_told():
    with pytest.raises(
        UsageError, match=r"ad: expected a unit out of mm, deg, or none, found 'cm'"
    ):
        read_answer("ad", "45", unit="cm")
    with pytest.raises(UsageError, match="tl: expected a unit out of mm, or none"):
        read_recovered("tl", "45, 2", unit="deg")
    for task, record in TASKS.items():
        for unit in record.units:
            read_answer(task, "1", unit=unit)


def test_stored_replies_are_read_for_the_quantity_of_their_sample():
    samples = pa.table({
        "sample_id": ["a", "b"], "task": ["ad", "ad"], "unit": ["deg", "mm"],
        "height_px": [100, 100], "width_px": [90, 90],
        "spacing_y_mm": [1.0, 1.0], "spacing_x_mm": [1.0, 1.0],
    })  # fmt: skip
    reader = ReplyReader(style=Style.DIRECT, family=PictureFamily(name="as_sent"))
    texts = ["12.5 mm", "12.5°", "1.25 cm", "12.5"]
    replies = [(one, n, "ok", text) for one in "ab" for n, text in enumerate(texts)]
    rows = read_replies(replies, samples, reader).to_pylist()
    assert [row["values"] for row in rows] == [[], [12.5], [], [12.5], [12.5], [], [12.5], [12.5]]
    assert [row["recovered_values"] for row in rows] == [row["values"] for row in rows]


def test_the_first_block_is_read_for_its_numbers_only():
    """As the original does: scores beside its own take no account of units."""
    reader = ReplyReader(
        style=Style.COT, family=PictureFamily(name="as_sent"), reading=Reading.FIRST_BLOCK
    )
    strict, _ = reader.readings(Task.ANGLE_DISTANCE, "<answer>25 mm</answer>", SEEN, unit="deg")
    assert strict.values == (25.0,)


@pytest.mark.parametrize(
    ("values", "text", "unit", "stands"),
    [
        ((45.0,), "perhaps 45° or so", "deg", True),
        ((45.0,), "perhaps 45° or so", "mm", False),
        ((45.0,), "perhaps 45 mm or 50", "deg", False),
        ((45.0,), "perhaps 45 cm or 50", "mm", False),
        ((450.0,), "perhaps 45 cm or 50", "mm", True),
        ((45.0,), "perhaps 45, as 90 mm were too far", "deg", True),
        ((45.0,), "perhaps 45 mm²", "mm", False),
    ],
)
def test_what_a_judge_copies_is_of_the_kind_asked_for(values, text, unit, stands):
    assert are_stated(Task.ANGLE_DISTANCE, values, text, unit) is stands
