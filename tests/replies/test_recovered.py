"""The lenient reading: where it looks, and that it never changes what the strict one reads."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.errors import UsageError
from medvision.replies import Answer, AnswerStatus, read_answer
from medvision.replies.recovered import read_recovered
from medvision.tasks import Task

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "replies.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
RECOVERED = [reply for reply in REPLIES if "recovered" in reply]


@pytest.mark.parametrize("reply", RECOVERED, ids=[reply["note"] for reply in RECOVERED])
def test_reply_recovers_as_the_table_says(reply):
    answer = read_recovered(reply["task"], reply["text"])
    expected = reply["recovered"]
    assert answer == Answer(AnswerStatus(expected["status"]), tuple(expected["values"]))


@pytest.mark.parametrize(
    "reply", [reply for reply in REPLIES if reply["status"] == "ok"], ids=lambda r: r["note"]
)
def test_reply_read_strictly_recovers_to_the_same(reply):
    frame_hw = tuple(reply["frame_hw"]) if "frame_hw" in reply else None
    task, text, unit = reply["task"], reply["text"], reply.get("unit", "")
    strict = read_answer(task, text, reply["style"], frame_hw=frame_hw, unit=unit)
    assert read_recovered(task, text, frame_hw, unit) == strict


@pytest.mark.parametrize(
    "text",
    [
        "I see 2 lines, 3 points. \\boxed{45.2}",
        "I see 2 lines, 3 points. \\boxed{45.2^{\\circ}}",
        "I see 2 lines, 3 points. \\boxed{45.2",
        "I see 2 lines. **Answer:** 45.2 degrees",
        "I see 2 lines.\n\n## Final Answer\nThe answer is 45.2.",
        "I see 2 lines.\n\n### Final Answer\n\n45.2°",
        "Veo 2 líneas. Respuesta: 45.2 grados",
        "Ich sehe 2 Linien. Das Ergebnis ist 45.2 Grad",
        "I see 2 lines. <answer>45.2</answer>",
        "I see 2 lines. <answer>45.2",
        "I see 2 lines.\nMeasured 3 times.\nIt is 45.2°.",
        "2 lines. Answer: 40.\nAnswer: 45.2",
        "共2条线。答案是45.2度。",
    ],
)
def test_answer_stated_elsewhere_is_found(text):
    assert read_recovered("ad", text).values == (45.2,)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "empty"),
        ("I'm sorry, I cannot measure it.", "refused"),
        ("<think>Answer: 45.2", "truncated"),
        ("<think>Answer: 45.2</think>", "empty"),
        ("Answer: 40-50", "wrong_count"),
        ("The first is 40, the last 50.", "wrong_count"),
        ("1 or 2.\n<answer>-45.2</answer>", "out_of_range"),
    ],
)
def test_no_answer_is_made_up(text, status):
    assert read_recovered("ad", text) == Answer(AnswerStatus(status))


def test_thinking_is_not_searched():
    assert read_recovered("ad", "<think>\\boxed{40}</think> 2 lines, 3 points").values == ()


def test_unknown_task_lists_the_known():
    with pytest.raises(UsageError, match="detection, tl, ad, area, count, instances, found 'size'"):
        read_recovered("size", "1")


@given(
    task=st.sampled_from(list(Task)),
    text=st.text() | st.lists(st.sampled_from(
        ["1", "0.5, ", "Answer: ", "\\boxed{", "}", "<answer>", "</answer>", "\n", ". ", "<think>"]
    )).map("".join),
)  # fmt: skip
@settings(max_examples=500)
def test_any_text_recovers_to_a_closed_status(task, text):
    answer = read_recovered(task, text)
    assert isinstance(answer.status, AnswerStatus)
    assert bool(answer.values) == (answer.status is AnswerStatus.OK)
    assert all(math.isfinite(value) and value >= 0 for value in answer.values)


@given(before=st.text(), inside=st.sampled_from(["31.2, 18.0", "3.1 x 1.8 cm", "31.2"]))
def test_complete_answer_in_tags_is_what_recovers(before, inside):
    text = f"{before}<answer>{inside}</answer>"
    strict = read_answer("tl", text, "cot")
    if strict.status is AnswerStatus.OK:
        assert read_recovered("tl", text) == strict
