"""The original benchmark's reading of a reply, for scores that stand beside its own.

It takes the last numbers of the first answer block, whatever else is there: names, units, fractions
and a second answer are passed over. Never the default; see `medvision.replies.reading` for ours.
"""

import math
import re

import numpy as np

from medvision.replies.reading import Answer, AnswerStatus, Style
from medvision.tasks import TASKS, Task

_BLOCK = re.compile("<answer>(.*?)</answer>", re.DOTALL)

# A sign, digits (a comma before each further three groups them), decimals after a digit, an
# exponent. So ".5" gives 5, "12-15" gives 12 and −15, and "10,250" gives 10250.
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def read_first_block(task: Task, text: str, style: Style) -> Answer:
    """The last numbers, as many as asked for, of a reply's first answer block.

    Of a list of boxes, all numbers. Box corners are put in order. Nothing is checked: lengths may
    be negative, boxes outside the picture.

    Args:
        task: What was asked.
        text: The model's reply.
        style: With tags asked for, a reply without a block is not read; else all of it is.

    Example:
        >>> reply = "<answer>about 3 cm: 31.2 x 18 mm</answer> or <answer>30, 17</answer>"
        >>> read_first_block(Task.TUMOR_LESION, reply, Style.COT).values
        (31.2, 18.0)
        >>> read_first_block(Task.DETECTION, "(0.9, 0.2), (0.1, 0.8)", Style.DIRECT).values
        (0.1, 0.2, 0.9, 0.8)
    """
    block = _BLOCK.search(text)
    if block is None and style is Style.COT:
        return Answer(AnswerStatus.NO_NUMBER if text.strip() else AnswerStatus.EMPTY)
    stated = _NUMBER.findall(block[1] if block else text)
    record = TASKS[task]
    n_values = len(stated) if record.is_list else record.n_values
    if len(stated) < record.n_values or not record.has_length(n_values):
        return Answer(AnswerStatus.WRONG_COUNT if stated else AnswerStatus.NO_NUMBER)
    values = tuple(float(number.replace(",", "")) for number in stated[-n_values:])
    if not all(map(math.isfinite, values)):
        return Answer(AnswerStatus.OUT_OF_RANGE)
    if record.is_whole and not all(value >= 0 and value.is_integer() for value in values):
        return Answer(AnswerStatus.OUT_OF_RANGE)
    if record.is_box:
        boxes = np.reshape(values, (-1, 2, 2))
        values = tuple(np.sort(boxes, axis=1).ravel().tolist())
    return Answer(AnswerStatus.OK, values)
