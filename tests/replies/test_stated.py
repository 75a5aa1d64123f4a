"""Whether a judge's numbers stand in the reply that it was shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.replies.stated import are_stated
from medvision.tasks import Task


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((31.2, 18.0), "31.2 mm, perhaps 18.0 mm"),
        ((18.0, 31.2), "somewhere around 31.2 by 18"),
        ((31.2, 18.0), "3.12 to 1.8 cm"),
        ((31.2, 18.0), "between 31,2 and 18,0 mm"),
        ((1234.5, 18.0), "1,234.5 and 18 on slice 3"),
        ((30.48, 17.78), '1.2" or 0.7"'),
        ((25.0, 25.0), "25 here, 25.0 there"),
        ((31.2, 18.0), "<major_cm>3.12</major_cm> … <minor_cm>1.8</minor_cm>"),
        ((31.2, 18.0), "٣١٫٢ مم أو ١٨ مم"),
    ],
)
def test_numbers_of_the_reply_are_found_in_any_unit_and_script(values, text):
    assert are_stated(Task.TUMOR_LESION, values, text)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((25.0, 20.0), "31.2 mm, perhaps 18.0 mm"),
        ((25.0, 20.0), "I see nothing."),
        ((25.0, 20.0), ""),
        ((25.0, 20.0), "<think>25 and 20</think> I do not know."),
        ((25.0, 25.0), "it is 25 mm"),
        ((31.2, 18.0), "31.2 mm only"),
        ((312.0, 18.0), "31.2 mm and 18 mm"),
        ((31.3, 18.0), "31.2 mm and 18 mm"),
    ],
)
def test_numbers_that_the_reply_lacks_are_made_up(values, text):
    assert not are_stated(Task.TUMOR_LESION, values, text)


@given(text=st.text(max_size=200))
def test_one_answer_to_everything_is_caught(text):
    """The judge that says 25.0, 20.0 whatever it is shown, unless both stand there."""
    if are_stated(Task.TUMOR_LESION, (25.0, 20.0), text):
        assert sum(sign.isdigit() for sign in text) >= 2


@pytest.mark.parametrize("piece", ["1", "1 ", "1,", "1 cm ", "cm ", "1e9", "25 ", "<a>", "°"])
def test_endless_text_ends(piece):
    assert not are_stated(Task.TUMOR_LESION, (25.01, 20.02), (piece * 300_000)[:300_000])
