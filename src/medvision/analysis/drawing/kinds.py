"""How each task's truth and answers are drawn: the only place where a drawing asks for the task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from medvision.analysis.drawing.answer import (
    stated_axes,
    stated_box,
    stated_boxes,
    stated_line,
    stated_number,
)
from medvision.analysis.drawing.shapes import Canvas, Role, Shape, canvas_of
from medvision.analysis.drawing.truth import axis_shapes, captioned_box, landmark_shapes
from medvision.samples import Sample
from medvision.tasks import Task

TruthShapes = Callable[[Canvas, Sample], list[Shape]]
AnswerShapes = Callable[[Canvas, Sample, Sequence[float], Role], list[Shape]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """How samples of one task are drawn, above the outline of the structure they ask for.

    Attributes:
        truth: Shapes of the truth; [] where a sample has no place.
        answer: Shapes of values as read, in the order and frame of `Sample.truth`; the role is
            `ANSWER`, or `RECOVERED` for the lenient reading that is not scored.
    """

    truth: TruthShapes
    answer: AnswerShapes


def true_box(canvas: Canvas, sample: Sample, *, caption: str) -> list[Shape]:
    """The box of the structure, where there is one."""
    if len(sample.box_px) != 4:
        return []
    return captioned_box(canvas, sample.box_px, role=Role.TRUTH, caption=caption)


def nothing(canvas: Canvas, sample: Sample, values: Sequence[float], role: Role) -> list[Shape]:  # noqa: ARG001
    """No shape: the answer is a number without a place."""
    return []


DRAWN: dict[Task, Drawn] = {
    Task.DETECTION: Drawn(truth=partial(true_box, caption="truth"), answer=stated_box),
    Task.TUMOR_LESION: Drawn(
        truth=lambda canvas, sample: axis_shapes(canvas, sample.points, sample.truth),
        answer=stated_axes,
    ),
    Task.ANGLE_DISTANCE: Drawn(
        truth=lambda canvas, sample: landmark_shapes(canvas, sample.points),
        answer=stated_line,
    ),
    Task.AREA: Drawn(truth=partial(true_box, caption="extent of the structure"), answer=nothing),
    Task.COUNT: Drawn(
        truth=partial(true_box, caption="extent of all regions"), answer=stated_number
    ),
    Task.INSTANCES: Drawn(
        truth=lambda canvas, sample: stated_boxes(canvas, sample, sample.truth, Role.TRUTH),
        answer=stated_boxes,
    ),
}
"""One entry for each task."""


def truth_shapes(sample: Sample) -> list[Shape]:
    """The truth of a sample: its box, its ellipse with both axes, or its landmarks and lines."""
    return DRAWN[sample.task].truth(canvas_of(sample.geometry), sample)


def answer_shapes(sample: Sample, values: Sequence[float], *, role: Role) -> list[Shape]:
    """The answer to a sample.

    Args:
        sample: The question.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        role: `ANSWER`, or `RECOVERED` for the lenient reading that is not scored.
    """
    if not values:
        return []
    return DRAWN[sample.task].answer(canvas_of(sample.geometry), sample, values, role)
