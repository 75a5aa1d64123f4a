"""The strict reading of a reply: exactly the asked values, or a status that says why not.

The rules are written out in `read_values` (what a stretch of text states) and `read_reply` (which
stretch of a reply is read). Nothing is guessed, evaluated or taken from the end of a list; values
are put in the order asked for only where each has a name.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from medvision.errors import UsageError
from medvision.replies.axes import axes_order
from medvision.replies.box_lists import listed_boxes
from medvision.replies.boxes import (
    ASKED,
    box_of_roles,
    box_roles,
    with_ranges_listed,
    without_groups,
)
from medvision.replies.doubts import says_otherwise
from medvision.replies.plain_text import plain_text
from medvision.replies.quantities import Quantity, find_quantities
from medvision.replies.refusals import refuses
from medvision.replies.segments import tagged_answer, visible
from medvision.replies.stated_units import units_in_force
from medvision.replies.units import Dimension, Unit
from medvision.tasks import TASKS, Task, TaskRecord, known_task

Values = tuple[float, ...]
FrameHw = tuple[int, int]


class AnswerStatus(StrEnum):
    """What a reply turned out to be."""

    OK = "ok"
    """The asked values, finite and in range."""
    NO_NUMBER = "no_number"
    """No number where the answer was asked for."""
    WRONG_COUNT = "wrong_count"
    """Not one plain number for each asked value, in the order asked for: too many or too few,
    a range, fraction, bound or tolerance, words that make it something else, units, names or a
    layout that leave a value open."""
    OUT_OF_RANGE = "out_of_range"
    """Negative, not finite, a relative coordinate above 1, or in a unit of another kind."""
    PIXEL_COORDINATES = "pixel_coordinates"
    """Box or lengths in pixels."""
    PER_MILLE_COORDINATES = "per_mille_coordinates"
    """Box on a 0 to 1000 scale."""
    INVERTED_BOX = "inverted_box"
    """Relative box with x1 ≤ x0 or y1 ≤ y0."""
    REFUSED = "refused"
    """Declined, and no complete valid answer given."""
    TRUNCATED = "truncated"
    """Thinking or answer tag opened and never closed, no complete answer."""
    EMPTY = "empty"
    """Nothing to read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read from one reply.

    Attributes:
        status: What the reply is.
        values: The asked values, in mm, degrees, mm² or relative coordinates (lower-left origin);
            () unless the status is ok.
    """

    status: AnswerStatus
    values: Values = ()


class Style(StrEnum):
    """How the answer is asked for."""

    DIRECT = "direct"
    """The bare values: the whole reply is read."""
    COT = "cot"
    """Reasoning, then the values inside answer tags: only the tags are read."""


_WITHOUT_VALUES: dict[AnswerStatus, Answer] = {
    status: Answer(status) for status in AnswerStatus if status != AnswerStatus.OK
}

_DIMENSION_OF_UNIT = {
    "mm": Dimension.LENGTH,
    "deg": Dimension.ANGLE,
    "mm2": Dimension.AREA,
}
_ASKED: dict[tuple[Task, str], tuple[str, ...]] = {
    (task, unit): (unit,) if unit else record.units
    for task, record in TASKS.items()
    for unit in ("", *record.units)
}
"""Units that a question of a task may ask in: the one that is known, or all."""

DIMENSIONS: dict[tuple[Task, str], frozenset[Dimension]] = {
    asked: frozenset(_DIMENSION_OF_UNIT[unit] for unit in units if unit in _DIMENSION_OF_UNIT)
    for asked, units in _ASKED.items()
}
"""Kinds of unit that a value may be stated in; none for coordinates and counts."""

_STRANGE: dict[tuple[Task, str], frozenset[Dimension]] = {
    (task, unit): frozenset({Dimension.LENGTH, Dimension.ANGLE, Dimension.AREA}) - stated
    if unit and len(TASKS[task].units) > 1
    else frozenset()
    for (task, unit), stated in DIMENSIONS.items()
}
"""Kinds of unit that, named anywhere, leave a bare value open, where a task is asked in several."""

_UNIT_FORMS = {"mm": " ?mm", "deg": " ?°| degrees", "mm2": r" ?mm²| ?mm\^?2"}


_LONGEST = 50_000
"""No answer takes so many characters; what runs on to its limit is not read number by number."""
_DIGIT = re.compile(r"\d")
_LOOKED_AT = 5_000
"""Characters before the first number and after the last in which words are looked for."""


def _ordinary_form(record: TaskRecord, asked_units: tuple[str, ...]) -> re.Pattern[str]:
    """As many numbers as the task asks for, each with its unit or bare, perhaps in brackets."""
    number = "([0-9]{1,9})" if record.is_whole else r"([0-9]{1,9}(?:\.[0-9]{1,12})?)"
    units = "|".join(_UNIT_FORMS[unit] for unit in asked_units if unit in _UNIT_FORMS)
    value = f"{number}(?:{units})?" if units else number
    between = "(?:, {1,2}| [x×] )" if record.n_values == 2 else ", {1,2}"
    values = between.join([value] * record.n_values)
    return re.compile(rf"[ \t\r\n]*[\[(]?{values}[\])]?\.?[ \t\r\n]*")


ORDINARY = {
    (task, unit): _ordinary_form(TASKS[task], units) for (task, unit), units in _ASKED.items()
}
"""The forms nearly all replies take, read without the full analysis and to the same values."""


def read_answer(
    task: Task | str,
    text: str,
    style: Style | str = Style.DIRECT,
    *,
    frame_hw: FrameHw | None = None,
    unit: str = "",
) -> Answer:
    """The strict reading of a reply: what is scored.

    Args:
        task: What was asked.
        text: The model's reply.
        style: How the answer was asked for.
        frame_hw: (height, width) in px of the picture the model saw; tells pixel coordinates
            from per mille.
        unit: What the value was asked in, one of the task's units, as a sample has it: an angle is
            then no answer to a question about a distance. "" takes any unit of the task.

    Raises:
        UsageError: No such task or style, or the task is not answered in that unit.

    Example:
        >>> read_answer("tl", "3.12 cm x 18 mm").values
        (31.2, 18.0)
        >>> str(read_answer("tl", "28 to 30 mm").status)
        'wrong_count'
        >>> read_answer("ad", "1.5 cm", unit="mm").values
        (15.0,)
        >>> str(read_answer("ad", "1.5 cm", unit="deg").status)
        'out_of_range'
    """
    task = known_task(task)
    return read_reply(task, text, known_style(style), frame_hw, known_unit(task, unit))


def known_unit(task: Task, name: str) -> str:
    """A unit that a task may be asked in, or "" for any.

    Raises:
        UsageError: The task is not answered in it.
    """
    if (task, name) not in _ASKED:
        units = ", ".join(TASKS[task].units)
        msg = f"{task}: expected a unit out of {units}, or none, found {name!r}"
        raise UsageError(msg)
    return name


def known_style(name: Style | str) -> Style:
    """The style of a name.

    Raises:
        UsageError: There is none.
    """
    try:
        return Style(name)
    except ValueError as unknown:
        msg = f"expected a style out of {', '.join(Style)}, found {name!r}"
        raise UsageError(msg) from unknown


def read_reply(
    task: Task, text: str, style: Style, frame_hw: FrameHw | None = None, unit: str = ""
) -> Answer:
    """Reads a reply by the strict rules.

    Direct style: the whole reply after closed leading thinking; leading thinking that never
    closes is truncated. With tags asked for: the content of the last complete pair; without one,
    an unclosed thinking or answer tag is truncated, else there is no number. A complete answer
    counts even where the thinking before it never closed. A refusal phrase matters only where no
    valid answer is complete.

    Args:
        task: What was asked.
        text: The model's reply.
        style: How the answer was asked for.
        frame_hw: Height and width in px of the picture the model saw, to tell pixel coordinates
            from per mille; without it, coordinates up to 1000 count as per mille.
        unit: What the value was asked in; "" takes any unit of the task.
    """
    if style is Style.COT:
        answer = _read_last_tags(task, text, frame_hw, unit)
        return answer if answer is not None else _read_tagged(task, text, frame_hw, unit)
    ordinary = ORDINARY[task, unit].fullmatch(text)
    if ordinary:
        return _judged(task, tuple(map(float, ordinary.groups())), frame_hw)
    shown = visible(text)
    if not shown.thinking_closed:
        return _WITHOUT_VALUES[AnswerStatus.TRUNCATED]
    rest = text[shown.start :]
    return _or_refused(read_values(task, rest, frame_hw, unit), rest)


def _read_last_tags(task: Task, text: str, frame_hw: FrameHw | None, unit: str) -> Answer | None:
    """The plain case of tags at the very end, holding an ordinary form; else None."""
    end = text.rfind("</answer>")
    if end < 0 or text[end + 9 :].strip():
        return None
    start = text.rfind("<answer>", 0, end)
    if start < 0:
        return None
    ordinary = ORDINARY[task, unit].fullmatch(text, start + 8, end)
    if ordinary is None:
        return None
    answer = _judged(task, tuple(map(float, ordinary.groups())), frame_hw)
    return answer if answer.status is AnswerStatus.OK else None


def _read_tagged(task: Task, text: str, frame_hw: FrameHw | None, unit: str) -> Answer:
    shown = visible(text)
    tagged = tagged_answer(text, shown.start)
    if tagged.content is not None:
        answer = read_values(task, tagged.content, frame_hw, unit)
        stated = answer.status not in (AnswerStatus.NO_NUMBER, AnswerStatus.EMPTY)
        return _or_refused(answer, tagged.content if stated else text[shown.start :])
    if tagged.open_end is not None or not shown.thinking_closed:
        return _WITHOUT_VALUES[AnswerStatus.TRUNCATED]
    rest = text[shown.start :]
    status = AnswerStatus.NO_NUMBER if rest.strip() else AnswerStatus.EMPTY
    return _or_refused(_WITHOUT_VALUES[status], rest)


def _or_refused(answer: Answer, text: str) -> Answer:
    if answer.status is not AnswerStatus.OK and refuses(text):
        return _WITHOUT_VALUES[AnswerStatus.REFUSED]
    return answer


def read_values(task: Task, text: str, frame_hw: FrameHw | None = None, unit: str = "") -> Answer:
    """The values one stretch of text states, all of its numbers taken into account."""
    ordinary = ORDINARY[task, unit].fullmatch(text)
    if ordinary:
        return _judged(task, tuple(map(float, ordinary.groups())), frame_hw)
    if TASKS[task].is_list:
        return _read_boxes(text, frame_hw)
    return analyse_values(task, text, frame_hw, unit)


def _read_boxes(text: str, frame_hw: FrameHw | None) -> Answer:
    """A list of boxes, each read like the only one; the first that is none decides."""
    boxes = listed_boxes(text) if len(text) <= _LONGEST else None
    if boxes is None:
        return analyse_values(Task.DETECTION, text, frame_hw)
    values: list[float] = []
    for box in boxes:
        answer = read_values(Task.DETECTION, box, frame_hw)
        if answer.status is not AnswerStatus.OK:
            return answer
        values += answer.values
    return Answer(AnswerStatus.OK, tuple(values))


def analyse_values(
    task: Task, text: str, frame_hw: FrameHw | None = None, unit: str = ""
) -> Answer:
    """`read_values` by the full analysis, whatever form the text has."""
    if len(text) > _LONGEST:
        text = text.strip()
    if len(text) > _LONGEST:
        is_counted = _DIGIT.search(text) is not None
        return _WITHOUT_VALUES[AnswerStatus.WRONG_COUNT if is_counted else AnswerStatus.NO_NUMBER]
    plain, found = _numbers(task, text)
    if not found and found is not None:
        status = AnswerStatus.NO_NUMBER if text.strip() else AnswerStatus.EMPTY
        return _WITHOUT_VALUES[status]
    if (
        found is None
        or len(found) != TASKS[task].n_values
        or says_otherwise(task, plain, found, unit)
    ):
        return _WITHOUT_VALUES[AnswerStatus.WRONG_COUNT]
    # Prose may speak of pixels beside relative coordinates, so only larger ones heed a label.
    relative = task is Task.DETECTION and not any(_value(one, None) > 1 for one in found)
    units = units_in_force("" if relative else plain, found, _STRANGE[task, unit])
    if units is None:
        return _WITHOUT_VALUES[AnswerStatus.WRONG_COUNT]
    dimensions = {stated.dimension for stated in units if stated}
    if Dimension.PIXEL in dimensions:
        return _WITHOUT_VALUES[AnswerStatus.PIXEL_COORDINATES]
    if dimensions - DIMENSIONS[task, unit]:
        return _WITHOUT_VALUES[AnswerStatus.OUT_OF_RANGE]
    values = tuple(_value(one, own) for one, own in zip(found, units, strict=True))
    ordered = _in_asked_order(task, plain, found, values)
    if ordered is None:
        return _WITHOUT_VALUES[AnswerStatus.WRONG_COUNT]
    return _judged(task, ordered, frame_hw)


def _numbers(task: Task, text: str) -> tuple[str, list[Quantity] | None]:
    """The plain text and its numbers; None for these where they are too many or no plain values."""
    n_values = TASKS[task].n_values
    plain = plain_text(without_groups(text) if task is Task.DETECTION else text)
    found = find_quantities(plain, n_values)
    if found is None and task is Task.DETECTION:
        plain = with_ranges_listed(plain)
        found = find_quantities(plain, n_values)
    if found and len(found) == n_values and len(plain) > 2 * _LOOKED_AT:
        # Words far from the numbers say nothing of them, and hostile ones cost time.
        start = max(0, found[0].start - _LOOKED_AT)
        plain = plain[start : found[-1].end + _LOOKED_AT][: 4 * _LOOKED_AT]
        found = find_quantities(plain, n_values)
    return plain, found


def _in_asked_order(task: Task, plain: str, found: list[Quantity], values: Values) -> Values | None:
    """The values as they were asked for; None where their names leave that open."""
    spans = [(one.start, one.end) for one in found]
    if task is Task.DETECTION:
        roles = box_roles(plain, spans)
        if roles is None or roles == ASKED:
            return values if roles else None
        return box_of_roles(roles, values) if max(values) <= 1 else values
    if task is not Task.TUMOR_LESION:
        return values
    order = axes_order(plain, spans)
    if order is None:
        return None
    major, minor = values[order[0]], values[order[1]]
    # Names that turn the values around must not make the longer axis the minor one.
    return (major, minor) if order == (0, 1) or major >= minor else None


def _value(quantity: Quantity, unit: Unit | None) -> float:
    if quantity.digits == "nan":
        return math.nan
    if unit is None:
        return float(f"{quantity.digits}e{quantity.exponent}")
    return unit.value(quantity.digits, quantity.exponent)


def _judged(task: Task, values: Values, frame_hw: FrameHw | None) -> Answer:
    """The answer of as many finite or endless numbers as the task asks for, in its units."""
    if not all(math.isfinite(value) and value >= 0 for value in values):
        return _WITHOUT_VALUES[AnswerStatus.OUT_OF_RANGE]
    values = tuple(value + 0.0 for value in values)  # -0.0 becomes 0.0
    if TASKS[task].is_whole and not all(value.is_integer() for value in values):
        return _WITHOUT_VALUES[AnswerStatus.OUT_OF_RANGE]
    if not TASKS[task].is_box:
        return Answer(AnswerStatus.OK, values)
    status = _box_status(values, frame_hw)
    return Answer(status, values) if status is AnswerStatus.OK else _WITHOUT_VALUES[status]


def _box_status(box: Values, frame_hw: FrameHw | None) -> AnswerStatus:
    x0, y0, x1, y1 = box
    largest = max(box)
    if largest <= 1:
        inverted = x1 <= x0 or y1 <= y0
        return AnswerStatus.INVERTED_BOX if inverted else AnswerStatus.OK
    if largest < 2 or any(0 < value < 1 for value in box):
        return AnswerStatus.OUT_OF_RANGE
    if frame_hw is None:
        return (
            AnswerStatus.PER_MILLE_COORDINATES
            if largest <= 1000
            else AnswerStatus.PIXEL_COORDINATES
        )
    height_px, width_px = frame_hw
    if max(x0, x1) <= width_px and max(y0, y1) <= height_px:
        return AnswerStatus.PIXEL_COORDINATES
    return AnswerStatus.PER_MILLE_COORDINATES if largest <= 1000 else AnswerStatus.OUT_OF_RANGE
