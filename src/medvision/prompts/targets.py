"""What a model is trained to reply: the bare answer, or steps that compute it.

The steps follow the order that the prompt asks for; see `medvision.prompts.steps` for how they are
written. The answer at their end differs from the table's truth by what the rounding of the
coordinates makes, and by no more.
"""

import numpy as np

from medvision.pictures.perceived import box_on_sent_from_slice
from medvision.pictures.view import SliceView
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.prompts.questions import WORDINGS
from medvision.prompts.steps import Asked
from medvision.protocols import MEDVISION, PromptFacts
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import TASKS


def target_text(
    sample: Sample, style: Style, view: SliceView, facts: PromptFacts = MEDVISION.prompt
) -> str:
    """The reply to train on, which reads back as a valid answer.

    Args:
        sample: What is asked.
        style: Direct: the answer alone. Chain of thought: the steps, then the answer in tags.
        view: What the model sees of the sample's slice and is told of it.
        facts: Of the prompt: whether it asks for the numbers of each step in tags.

    Returns:
        Text in the frame of the picture sent: boxes and points include its padding.

    Raises:
        UnwritableAnswerError: The truth is no valid answer (a box without area).
        UnwritableTargetError: A line of an angle vanishes at four decimals.
    """
    answer = ANSWER_FORMATS[sample.task]
    if style is Style.COT:
        steps = WORDINGS[sample.task].written(Asked(sample=sample, view=view))
        lines = steps.tagged_lines() if facts.tagged_steps else steps.lines
        return "\n".join([*lines, answer.write([float(v) for v in steps.values], style)])
    if TASKS[sample.task].is_box:
        boxes = np.reshape(sample.truth, (-1, len(answer.names)))
        return answer.write(box_on_sent_from_slice(boxes, view.perceived).ravel().tolist())
    return answer.write(sample.truth)
