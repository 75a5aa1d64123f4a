"""Replies that their server cut: what provably ended before the cut, and what may go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.replies import read_answer
from medvision.replies.cut import ended_before_cut


@pytest.mark.parametrize(
    "text",
    [
        *(
            "23.1",
            "23.",
            "23.1 ",
            "23.1.",
            "31.2, ",
            "31.20, 18.00",
            "1e",
            "1.2e-",
            "10^",
            "31.2 –",
        ),
        *("23.1 m", "23.1 c", "23.1 mil", "23.14 in", "45.2\\", "45.2 \\text{m", "23.1 (m"),
        *('{"value": 2.81, "', '{"value": 2.81, "unit": "c', '{"value": 2.81, "unit": "m'),
        *("４５．２", "٤٥", "**45.2", "**45.2**", "[0.1, 0.2, 0.5, 0.6", "1,", "1'"),
        *("31.2 mm x", "31.2 mm, 18.0"),
    ],
)
def test_number_or_unit_at_the_cut_may_go_on(text):
    assert not ended_before_cut(text) or read_answer("tl", text).values == ()


@pytest.mark.parametrize(
    "text",
    [
        *("[0.1, 0.2, 0.5, 0.6]", "31.2 mm, 18.0 mm", "245.3 mm2", "245.3 mm²", "45.2°", "2.3 cm"),
        *("The angle is 23.14 degrees because", "31.20, 18.00 which are", "\\boxed{45.2}"),
        *('{"major": 31.2, "minor": 18.0}', "0.1, 0.2, 0.5, 0.6</answer>", "no number at all", ""),
        *('{"value": 2.81, "unit": "cm"}', "31.2 mm (major), 18.0 mm (min", "45.2 mm.", "45 度"),
    ],
)
def test_text_after_the_last_number_proves_its_end(text):
    assert ended_before_cut(text)


@given(
    value=st.decimals(min_value=0, max_value=9999, places=3, allow_nan=False).map(abs),
    unit=st.sampled_from(["", " mm", " cm", " millimeters", " m", "°", " degrees", " rad", " in"]),
    after=st.sampled_from(["", ".", ", as seen", " here.", ")", "\n\nThat is all.", " x"]),
    data=st.data(),
)
def test_what_is_read_of_a_cut_reply_is_what_the_whole_says(value, unit, after, data):
    """The property behind the rule: no cut makes another number of an answer."""
    whole = f"The value is {value}{unit}{after}"
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    if ended_before_cut(cut):
        read = read_answer("ad", cut).values
        assert read in {(), read_answer("ad", whole).values}
