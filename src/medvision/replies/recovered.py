r"""The lenient reading: what a reply states somewhere, not only where it was asked for.

Reported beside the strict reading, never mixed into it: the difference separates models that
cannot measure from models that did not follow the form. The numbers themselves are read by the
same rules; only the places where an answer is looked for are more.
"""

import re
from collections.abc import Callable

from medvision.replies.plain_text import plain_text
from medvision.replies.reading import (
    Answer,
    AnswerStatus,
    FrameHw,
    Style,
    known_unit,
    read_reply,
    read_values,
)
from medvision.replies.segments import tagged_answer, visible
from medvision.replies.words import WORDS, kinds_named
from medvision.tasks import TASKS, Task, known_task

_LONGEST_STATEMENT = 2000
"""Characters of one place that are looked at: a statement of an answer is short."""

_LOOKED_AT = 100_000
"""Characters at the end of a reply in which places are looked for."""

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARKER_WORDS = (
    *("answer", "result", "conclusion", "respuesta", "resultado", "réponse", "résultat"),
    *("antwort", "ergebnis", "答案", "结果", "結果", "结论"),
)
_MARKER = re.compile(
    rf"(?:{'|'.join(reversed(_MARKER_WORDS))})[*_ \t\"'`]{{0,6}}"
    r"(?:\bis\b|\bes\b|\best\b|\bist\b|是|为|:|：|=|\n)[*_\s\"'`]{0,6}",
    re.IGNORECASE,
)
_BLOCK_END = re.compile(r"\n\s*\n|</|```")
_SENTENCE_END = re.compile(r"(?<!\b[Ss]q)(?<!\bкв)[.!?]\s+|[\n。！？]")  # not in "sq. mm"
_DIGIT = re.compile(r"\d")


def read_recovered(
    task: Task | str, text: str, frame_hw: FrameHw | None = None, unit: str = ""
) -> Answer:
    r"""The answer a reply states anywhere, by the first place that holds a complete one.

    The places, in order: where either style asks for it (the last complete answer tags, then the
    whole reply); an answer tag that was never closed; the last `\boxed{…}`; after the last
    "Answer:", "Final answer is" or the like, its paragraph, then its line; the last sentence or
    line with a number. Closed thinking is not looked at, nor thinking cut off.

    Args:
        task: What was asked.
        text: The model's reply.
        frame_hw: As for the strict reading.
        unit: The same.

    Returns:
        The first complete answer; without one, the status of the strict reading of the tags if
        there are complete ones, else of the whole reply.

    Raises:
        UsageError: No such task, or it is not answered in that unit.

    Example:
        >>> read_recovered("ad", "The line has 2 ends. Final answer: 45°").values
        (45.0,)
    """
    task = known_task(task)
    unit = known_unit(task, unit)
    tagged = read_reply(task, text, Style.COT, frame_hw, unit) if "<" in text else None
    if tagged is not None and tagged.status is AnswerStatus.OK:
        return tagged
    whole = read_reply(task, text, Style.DIRECT, frame_hw, unit)
    if whole.status in (AnswerStatus.OK, AnswerStatus.EMPTY):
        return whole
    shown = visible(text)
    if not shown.thinking_closed:
        return whole
    rest = text[shown.start :][-_LOOKED_AT:]
    for place in PLACES:
        stated = place(rest)
        if stated is not None:
            stated = stated[:_LONGEST_STATEMENT]
            answer = read_values(task, stated, frame_hw, unit)
            if answer.status is AnswerStatus.OK and not _is_of_other_kind(task, stated, rest, unit):
                return answer
    complete = tagged is not None and tagged_answer(rest, 0).content is not None
    return tagged if tagged is not None and complete else whole


def _is_of_other_kind(task: Task, stated: str, text: str, unit: str) -> bool:
    """Whether a bare number was taken out of a text that speaks of another quantity only."""
    units = TASKS[task].units
    if not unit or len(units) == 1:
        return False
    kinds = kinds_named(WORDS.findall(plain_text(text[-_LONGEST_STATEMENT:]).lower()))
    if not kinds or unit in kinds:
        return False
    return all(read_values(task, stated, None, one).status is AnswerStatus.OK for one in units)


def _unclosed_tag(text: str) -> str | None:
    open_end = tagged_answer(text, 0).open_end
    return None if open_end is None else text[open_end:]


def _boxed(text: str) -> str | None:
    """Inside the last box; its closing brace may be missing."""
    boxes = list(_BOXED.finditer(text))
    if not boxes:
        return None
    start, depth = boxes[-1].end(), 1
    for brace in re.finditer("[{}]", text[start : start + _LONGEST_STATEMENT]):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[start : start + brace.start()]
    return text[start:]


def _after_marker(text: str) -> str | None:
    """The paragraph after the last "Answer:" or the like."""
    lowered = text.lower()
    if not any(word in lowered for word in _MARKER_WORDS):
        return None
    markers = list(_MARKER.finditer(text))
    if not markers:
        return None
    start = markers[-1].end()
    end = _BLOCK_END.search(text, start)
    return text[start : end.start() if end else len(text)]


def _line_after_marker(text: str) -> str | None:
    paragraph = _after_marker(text)
    return paragraph and paragraph.split("\n", 1)[0]


def _last_sentence(text: str) -> str | None:
    tail = text[-_LONGEST_STATEMENT:]
    sentences = [part for part in _SENTENCE_END.split(tail) if _DIGIT.search(part)]
    if not sentences or (len(sentences) == 1 and len(tail) < len(text)):
        return None
    return sentences[-1]


PLACES: tuple[Callable[[str], str | None], ...] = (
    _unclosed_tag,
    _boxed,
    _after_marker,
    _line_after_marker,
    _last_sentence,
)
"""Where an answer is looked for beyond the places that the prompt names."""
