"""Answer forms: one object per task asks for the answer, writes it and reads it back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medvision.errors import ItemError, UsageError
from medvision.replies.box_lists import NO_BOXES
from medvision.replies.reading import Answer, FrameHw, Style, read_reply
from medvision.tasks import BOX_TASKS, TASKS, Task


class UnwritableAnswerError(ItemError):
    """Values that no valid answer states: reading them back would not give them."""

    reason = "unwritable_answer"


_DECIMALS_WORDS = {2: "two", 4: "four"}
_COUNT_WORDS = {2: "two", 4: "four"}
_UNIT_WORDS = {
    "relative": "in relative coordinates",
    "mm": "in mm, without the unit",
    "deg": "in degrees, without the unit",
    "mm2": "in mm², without the unit",
    "count": "",
}
_BOX_STEPS = 10_000
"""Answers state boxes in steps of 1/10000 of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """How one task's answer looks as text.

    Attributes:
        task: The task.
        names: What the values are called in the prompt, in order.
        decimals: With how many each value is written.
        units: Units the answer may be asked in, the first one by default.
    """

    task: Task
    names: tuple[str, ...]
    decimals: int
    units: tuple[str, ...]

    def ask(self, style: Style, unit: str = "") -> str:
        """The sentences of the prompt that describe the answer's form.

        Args:
            style: Bare values, or values in tags after the reasoning.
            unit: "mm" or "deg" for angle and distance; the other tasks have one unit.

        Raises:
            UsageError: The task is not answered in that unit.
        """
        unit = unit or self.units[0]
        if unit not in self.units:
            msg = f"{self.task}: expected a unit out of {', '.join(self.units)}, found {unit!r}"
            raise UsageError(msg)
        form = ", ".join(self.names)
        written = f"with {_DECIMALS_WORDS.get(self.decimals)} decimals, {_UNIT_WORDS[unit]}"
        if self.decimals == 0:
            what = "one whole number"
        elif len(self.names) == 1:
            what = f"one number, {written}"
        else:
            count = _COUNT_WORDS[len(self.names)]
            what = f"the {count} numbers {form}, separated by commas, {written}"
        if TASKS[self.task].is_list:
            form = f"{form}; {form}; …"
            what += ", for each box, and a semicolon between two boxes"
        if style is Style.COT:
            return (
                f"End your reply with <answer>{form}</answer>, with only {what} between the tags."
            )
        return f"Reply with only {what}."

    def write(self, values: Sequence[float], style: Style = Style.DIRECT) -> str:
        """The answer as text, as a perfect reply and as a training target.

        A box side that vanishes at four decimals is written one step (0.0001) long, on the side
        where the middle of the box lies, so that what is written is never an inverted box.

        Raises:
            UnwritableAnswerError: Not as many values as asked for, or a value that is not
                finite or, once rounded, negative; a box not in [0, 1] or inverted.

        Example:
            The T/L format writes (31.2, 18) as "31.20, 18.00".
        """
        if not TASKS[self.task].has_length(len(values)):
            msg = f"{self.task}: expected {len(self.names)} values to write, found {len(values)}"
            raise UnwritableAnswerError(msg)
        if self.task in BOX_TASKS:
            boxes = [_written_box(values[at : at + 4]) for at in range(0, len(values), 4)]
            text = "; ".join(boxes) or NO_BOXES
        else:
            texts = [f"{value:.{self.decimals}f}" for value in values]
            for value, text in zip(values, texts, strict=True):
                if not math.isfinite(value) or (text.startswith("-") and float(text) != 0):
                    msg = f"expected a finite size of at least 0 to write, found {value}"
                    raise UnwritableAnswerError(msg)
            text = ", ".join(text.removeprefix("-") for text in texts)
        return f"<answer>{text}</answer>" if style is Style.COT else text

    def read(
        self, text: str, style: Style, frame_hw: FrameHw | None = None, unit: str = ""
    ) -> Answer:
        """The strict reading of a reply; see `medvision.replies.reading.read_reply`."""
        return read_reply(self.task, text, style, frame_hw, unit)


def _written_box(box: Sequence[float]) -> str:
    x0, y0, x1, y1 = map(float, box)
    columns, rows = _written_interval(x0, x1), _written_interval(y0, y1)
    steps = (columns[0], rows[0], columns[1], rows[1])
    return ", ".join(f"{step // _BOX_STEPS}.{step % _BOX_STEPS:04d}" for step in steps)


def _written_interval(low: float, high: float) -> tuple[int, int]:
    """Both ends of a box along one axis in steps, at least one step apart."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        msg = f"expected a relative box with x0 < x1 and y0 < y1 to write, found {low} to {high}"
        raise UnwritableAnswerError(msg)
    first, last = (int(f"{value:.4f}".replace(".", "")) for value in (low, high))
    if not 0 <= first <= last <= _BOX_STEPS:
        msg = f"expected relative coordinates from 0 to 1 to write, found {low} to {high}"
        raise UnwritableAnswerError(msg)
    if first == last:
        below = first == _BOX_STEPS or (first > 0 and (low + high) / 2 < first / _BOX_STEPS)
        return (first - 1, last) if below else (first, last + 1)
    return first, last


ANSWER_FORMATS: dict[Task, AnswerFormat] = {
    task: AnswerFormat(task=task, names=record.names, decimals=record.decimals, units=record.units)
    for task, record in TASKS.items()
}
"""The answer form of every task."""
