"""The strict reader against a table of ugly replies, and properties over any text."""

import json
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medvision.pictures.perceived import perceived_size
from medvision.pictures.view import PictureFamily
from medvision.replies import Answer, AnswerStatus, Style, read_answer
from medvision.replies.reading import ORDINARY, analyse_values, read_values
from medvision.scoring.score_run import ReplyReader
from medvision.tasks import Task

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "replies.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]

PIECES = (
    *("1", "0", "31.2", "18.0", "0.1", "0.25", "512", "1000", ".5", "1e3", "1e400", "nan", "-inf"),
    *("-", "–", "−", "±", "~", "/", "x", "×", ":", "=", "+", ",", ", ", ";", ".", "'", "^", "**"),
    *(" ", "\n", "\t", "\u202f", "\u200b", "(", ")", "[", "]", "{", "}", '"', "|", "$", "\\", "°"),
    *(" mm", "cm", " cm²", "px", "%", " inch", " rad", " (cm)", "unit: cm", " in px", "\\text{mm}"),
    *("x0=", "y0: ", "x1", "y1", "left: ", "w", "major ", "minor", "T1", "L4-L5", "mm2", "1. "),
    *("<think>", "</think>", "<answer>", "</answer>", "< /ANSWER >", "[THINK]", "◁/think▷", "<b>"),
    *("I'm sorry", "无法", " or ", " to ", "between ", "\\boxed{", "Answer: ", "３", "½", "²", "①"),
)
ANY_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
TASKS, STYLES = st.sampled_from(list(Task)), st.sampled_from(list(Style))
FRAMES = st.none() | st.tuples(st.integers(1, 4096), st.integers(1, 4096))
ARITY = {"detection": 4, "tl": 2, "ad": 1, "area": 1, "count": 1, "instances": 4}


def read_row(reply):
    """The answer that is scored: of a reply that was cut, as `score_run` reads it."""
    if not reply.get("cut"):
        frame_hw = tuple(reply["frame_hw"]) if "frame_hw" in reply else None
        unit = reply.get("unit", "")
        return read_answer(
            reply["task"], reply["text"], reply["style"], frame_hw=frame_hw, unit=unit
        )
    reader = ReplyReader(style=Style(reply["style"]), family=PictureFamily(name="as_sent"))
    seen = perceived_size("qwen2_5_vl", 560, 560)
    strict, _ = reader.readings(Task(reply["task"]), reply["text"], seen, is_cut=True)
    # What is not read of a cut reply is scored as truncated, whatever it says.
    return strict if strict.status is AnswerStatus.OK else Answer(AnswerStatus.TRUNCATED)


@pytest.mark.parametrize("reply", REPLIES, ids=[f"{r['task']}-{r['note']}" for r in REPLIES])
def test_reply_reads_as_the_table_says(reply):
    answer = read_row(reply)
    if reply["status"] == "unread":  # any status will do
        assert answer.status is not AnswerStatus.OK
        return
    assert (answer.status.value, answer.values) == (
        reply["status"],
        pytest.approx(tuple(reply["values"]), rel=1e-5),
    )


def test_table_covers_every_status_task_style_and_kind():
    assert {reply["status"] for reply in REPLIES} == {*AnswerStatus, "unread"}
    assert {reply["task"] for reply in REPLIES} == {task.value for task in Task}
    assert {reply["style"] for reply in REPLIES} == {style.value for style in Style}
    kinds = Counter(reply.get("kind") for reply in REPLIES)
    for kind in ("units", "layouts", "not the answer", "languages", "cut", "quantity", "axes"):
        assert kinds[kind] >= 40
    # A reader that refuses everything is wrong too.
    assert all(reply["status"] == "ok" for reply in REPLIES if reply.get("kind") == "ordinary")
    assert kinds["ordinary"] >= 60


@given(task=TASKS, text=ANY_TEXT, style=STYLES, frame_hw=FRAMES)
@settings(max_examples=1500)
@example(task=Task.AREA, text="9" * 5000, style=Style.DIRECT, frame_hw=None)
@example(task=Task.AREA, text="1e" + "9" * 5000, style=Style.DIRECT, frame_hw=None)
@example(task=Task.AREA, text="&#" + "9" * 5000 + ";", style=Style.DIRECT, frame_hw=None)
@example(task=Task.AREA, text="\ud800 1", style=Style.DIRECT, frame_hw=None)
def test_any_text_reads_to_a_closed_status_and_values_in_range(task, text, style, frame_hw):
    answer = read_answer(task, text, style, frame_hw=frame_hw)
    assert isinstance(answer.status, AnswerStatus)
    if answer.status is not AnswerStatus.OK:
        assert answer.values == ()
        return
    assert len(answer.values) == ARITY[task]
    assert all(math.isfinite(v) and v >= 0 and math.copysign(1, v) > 0 for v in answer.values)
    if task is Task.DETECTION:
        x0, y0, x1, y1 = answer.values
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "1",
            "1 ",
            "1,",
            "1.",
            "-",
            "_",
            "a_",
            "a-1",
            "1x",
            "e",
            "^",
            "\\a",
            "{",
            "_{a",
            "*",
        ),
        *("<", "<a", "< answer", "<answer>", "<think>", "</think>", "[THINK]", "\n", "\n1. ", " "),
        *("\u0301", "²", "不", "&#1;", "in ", "in cm ", "major ", "x0 ", "ich kann ", "1'", "nan"),
    ],
)
def test_endless_repetition_ends(piece):
    text = (piece * 60_000)[:60_000]
    for task in (Task.DETECTION, Task.TUMOR_LESION):
        for style in Style:
            assert read_answer(task, f"1 {text}", style).status is not AnswerStatus.OK


@pytest.mark.parametrize(("task", "unit"), list(ORDINARY))
@given(data=st.data())
@settings(max_examples=200)
def test_short_way_reads_what_the_full_analysis_reads(task, unit, data):
    text = data.draw(st.from_regex(ORDINARY[task, unit], fullmatch=True))
    assert read_values(task, text, None, unit) == analyse_values(task, text, None, unit)


@given(
    before=st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    inside=st.from_regex(ORDINARY[Task.TUMOR_LESION, ""], fullmatch=True),
)
@settings(max_examples=500)
def test_tags_at_the_very_end_read_as_tags_before_more_words(before, inside):
    text = f"{before}<answer>{inside}</answer>"
    assert read_answer("tl", text, "cot") == read_answer("tl", f"{text} ok", "cot")


FIGURES = st.decimals(min_value=0, max_value=99999, places=3, allow_nan=False).map(abs)


@given(major=FIGURES, minor=FIGURES, separator=st.sampled_from([", ", " x ", "\n", "; ", " × "]))
def test_cm_is_ten_mm_to_the_last_decimal(major, minor, separator):
    answer = read_answer("tl", f"{major} cm{separator}{minor} cm")
    assert answer == Answer(AnswerStatus.OK, (float(major * 10), float(minor * 10)))


@given(value=st.integers(1000, 10**12))
def test_grouped_thousands_read_as_the_number(value):
    assert read_answer("area", f"{value:,}").values == (float(value),)


@given(value=FIGURES)
def test_decimal_comma_before_a_unit_reads_as_a_point(value):
    rounded = value.quantize(Decimal("0.01"))
    text = f"{rounded} mm".replace(".", ",")
    assert read_answer("ad", text).values == (float(rounded),)


@given(low=FIGURES, high=FIGURES, joint=st.sampled_from(["-", " – ", " to ", "/", " ± ", "~"]))
def test_joined_numbers_are_never_values(low, high, joint):
    for task in ("tl", "ad", "area"):
        assert read_answer(task, f"{low}{joint}{high}").status is AnswerStatus.WRONG_COUNT


BOX_NAMES = ("x0", "y0", "x1", "y1")
BOX = dict(zip(BOX_NAMES, (0.1, 0.2, 0.5, 0.6), strict=True))


@given(order=st.permutations(BOX_NAMES), form=st.sampled_from(["{}={}", '"{}": {}', "{} {}"]))
def test_named_coordinates_read_in_any_order(order, form):
    text = ", ".join(form.format(name, BOX[name]) for name in order)
    assert read_answer("detection", text).values == tuple(BOX.values())


@given(order=st.permutations(BOX_NAMES))
def test_names_in_a_header_read_in_any_order(order):
    values = ", ".join(str(BOX[name]) for name in order)
    for text in (f"[{', '.join(order)}] = [{values}]", f"({values}) as ({', '.join(order)})"):
        assert read_answer("detection", text).values == tuple(BOX.values())


@given(
    box=st.tuples(*[st.integers(0, 3000)] * 4),
    frame_hw=st.tuples(st.integers(64, 2048), st.integers(64, 2048)),
)
def test_whole_number_boxes_are_told_apart_by_the_frame(box, frame_hw):
    answer = read_answer("detection", "{}, {}, {}, {}".format(*box), frame_hw=frame_hw)
    if max(box) <= 1:
        expected = {"ok", "inverted_box"}
    elif max(box[::2]) <= frame_hw[1] and max(box[1::2]) <= frame_hw[0]:
        expected = {"pixel_coordinates"}
    else:
        expected = {"per_mille_coordinates" if max(box) <= 1000 else "out_of_range"}
    assert answer.status.value in expected


def test_direct_reply_of_tags_only_in_thinking_is_still_whole():
    text = "<think><answer>40</answer></think>45.2"
    assert read_answer("ad", text) == Answer(AnswerStatus.OK, (45.2,))


def test_nothing_in_a_reply_runs(tmp_path):
    marker = tmp_path / "ran"
    text = f"__import__('pathlib').Path({str(marker)!r}).touch() or 45.2"
    read_answer("ad", text)
    assert not marker.exists()


def test_table_texts_are_unique_in_task_and_style():
    keys = [
        (
            r["task"],
            r["style"],
            r["text"].rstrip(),
            r.get("frame_hw") is None,
            r.get("unit"),
            r.get("cut", False),
        )
        for r in REPLIES
        if r["text"].strip()
    ]
    assert len(keys) == len(set(keys))
