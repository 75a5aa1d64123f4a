"""Numbers of steps: tagged, prose, and what is neither."""

import pytest

from medvision.replies.steps import read_steps, stated_points


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<step-1-answer>0.1, 0.2</step-1-answer>", {1: (0.1, 0.2)}),
        ("<step-1-answer>(0.1, 0.2), (0.3, 0.4)</step-1-answer>", {1: (0.1, 0.2, 0.3, 0.4)}),
        ("<STEP 1 ANSWER>1</STEP 1 ANSWER>", {1: (1,)}),
        ("<step_2_answer>-2.5e1</step_2_answer>", {2: (-25,)}),
        ("<step-2-answer>12.5 mm × 3 mm</step-2-answer>", {2: (12.5, 3)}),
        ("<step-1-answer>x0 = 0.1, y0=.2</step-1-answer>", {1: (0.1, 0.2)}),
        ("<step-1-answer>1</step-1-answer> no: <step-1-answer>2</step-1-answer>", {1: (2,)}),
        ("<step-1-answer>1 <step-1-answer>2</step-1-answer></step-1-answer>", {1: (2,)}),
        ("<step-1-answer><b>1</b>, <point>2</point></step-1-answer>", {1: (1, 2)}),
        ("<step-1-answer>1 <step-2-answer>2</step-2-answer>", {2: (2,)}),
        ("<step-1-answer>1 <step-2-answer>2</step-1-answer> 3</step-2-answer>", {}),
        ("<step-1-answer>1", {}),
        ("1</step-1-answer>", {}),
        ("<step-1-answer>none</step-1-answer>", {1: ()}),
        ("<think><step-1-answer>1</step-1-answer></think><answer>2</answer>", {}),
        ("<step-1-answer>" + "1, " * 3000 + "</step-1-answer>", {}),
        ("<answer>1, 2</answer>", {}),
        ("", {}),
    ],
)
def test_steps_read_as_written(text, expected):
    assert dict(read_steps(text)) == expected


def test_points_are_the_first_steps_else_those_in_brackets():
    prose = "From (0.1, 0.2) to (0.3, 0.4). "
    tagged = "<step-1-answer>0.5, 0.6, 0.7, 0.8</step-1-answer>"
    assert stated_points(prose, 2) == (0.1, 0.2, 0.3, 0.4)
    assert stated_points(prose + tagged, 2) == (0.5, 0.6, 0.7, 0.8)
    assert stated_points(prose + "<step-1-answer>0.5</step-1-answer>", 2) is None
    assert stated_points(prose, 3) is None
    assert stated_points("<answer>(0.1, 0.2) (0.3, 0.4)</answer>", 2) is None


def test_hostile_texts_end_soon():
    for piece in ("<step-1-answer>", "< " * 5, "(0.1, ", "</step-1-answer>", "1."):
        read_steps(piece * 20_000)
        stated_points(piece * 20_000, 4)
