import pytest

from medvision.replies import Style, read_answer
from medvision.replies.first_block import read_first_block
from medvision.tasks import Task

BOX, LENGTHS, ONE, COUNT = Task.DETECTION, Task.TUMOR_LESION, Task.ANGLE_DISTANCE, Task.COUNT


def tagged(text):
    return f"I think <answer>{text}</answer>"


@pytest.mark.parametrize(
    ("task", "text", "values"),
    [
        (LENGTHS, tagged("31.2, 18"), (31.2, 18)),
        (LENGTHS, tagged("3: 31.2, 18"), (31.2, 18)),
        (LENGTHS, tagged("12-15"), (12, -15)),
        (LENGTHS, tagged("major 3.1 cm, minor 1.8 cm"), (3.1, 1.8)),
        (LENGTHS, tagged(".5, .25"), (5, 25)),
        (LENGTHS, tagged("1e-1 x 2E1"), (0.1, 20)),
        (LENGTHS, tagged("10,250.5 and 1,000"), (10250.5, 1000)),
        (LENGTHS, tagged("30, 20") + tagged("31, 21"), (30, 20)),
        (LENGTHS, f"<think>{tagged('1, 2')}</think>{tagged('3, 4')}", (1, 2)),
        (LENGTHS, "<answer>\n31,\n18\n</answer>", (31, 18)),
        (BOX, tagged("0.9, 0.8, 0.1, 0.2"), (0.1, 0.2, 0.9, 0.8)),
        (BOX, tagged("120, 40, 30, 200"), (30, 40, 120, 200)),
        (BOX, tagged("0.5, 0.5, 0.5, 0.5"), (0.5, 0.5, 0.5, 0.5)),
        (ONE, tagged("about 40 to 50 degrees"), (50,)),
        (COUNT, tagged("3 of 4"), (4,)),
    ],
)
def test_last_numbers_of_the_first_block(task, text, values):
    answer = read_first_block(task, text, Style.COT)
    assert (answer.status, answer.values) == ("ok", values)


@pytest.mark.parametrize(
    ("task", "text", "status"),
    [
        (LENGTHS, "31.2, 18", "no_number"),
        (LENGTHS, "", "empty"),
        (LENGTHS, "<answer>31.2, 18", "no_number"),
        (LENGTHS, tagged("unclear"), "no_number"),
        (LENGTHS, tagged("31.2"), "wrong_count"),
        (LENGTHS, tagged("104,125"), "wrong_count"),
        (LENGTHS, tagged("") + tagged("31, 18"), "no_number"),
        (LENGTHS, tagged("1e999, 2"), "out_of_range"),
        (COUNT, tagged("2.5"), "out_of_range"),
        (COUNT, tagged("-1"), "out_of_range"),
    ],
)
def test_what_is_not_read(task, text, status):
    answer = read_first_block(task, text, Style.COT)
    assert (answer.status, answer.values) == (status, ())


def test_without_tags_asked_for_the_whole_reply_is_read():
    assert read_first_block(LENGTHS, "11.8,9.7", Style.DIRECT).values == (11.8, 9.7)
    assert read_first_block(LENGTHS, tagged("3, 2") + " or 9, 9", Style.DIRECT).values == (3, 2)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (LENGTHS, tagged("30, 20") + tagged("31, 21")),
        (LENGTHS, tagged("slice 3: 31.2, 18")),
        (BOX, tagged("0.9, 0.8, 0.1, 0.2")),
    ],
)
def test_the_strict_reading_differs(task, text):
    assert read_answer(task, text, Style.COT) != read_first_block(task, text, Style.COT)
