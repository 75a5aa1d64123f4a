"""Models that need no model: floors and ceilings to measure real ones against.

Each writes its answer as text in the form the question asks for, so that it goes through the
same store, reading and scoring as a model's. The answer itself is part of the request's key: a
baseline looks at the sample, not at the prompt. Randomness comes from the sample's id, so it
depends neither on order nor on what else is asked.

- `baseline/random-box`: two uniform corners, sorted. Detection.
- `baseline/center`: the middle box of half the width and half the height. Detection.
- `baseline/train-mean`, `train-median`, `train-best`: one answer for all training samples alike:
  the mean or median of their truths, or what the headline metric likes best; see `TrainConstant`.
- `baseline/constant:V`: every value V. T/L, A/D, area.
- `baseline/oracle`: the truth.
- `baseline/noisy-oracle:S`: the truth with noise; see `NoisyOracle`.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from medvision.best_constant import best_constant
from medvision.errors import UsageError
from medvision.models.base import ALL_TASKS, Json, Question, Reply, ResponseStatus
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.samples import Sample
from medvision.tasks import TASKS, MetricKind, Task

Values = tuple[float, ...]

DETECTION_ONLY = frozenset({Task.DETECTION})
LISTS = frozenset({Task.INSTANCES})
"""No one answer fits lists of different lengths."""

LEAST_SIDE_FRAC = 1e-4
"""Boxes are written with four decimals: a thinner one would be read as none."""

LARGEST_VALUE: dict[str, float] = {MetricKind.ANGLE: 90.0, MetricKind.VERTEX_ANGLE: 180.0}
"""Of metric kinds that have a largest value, in degrees."""


class Baseline(ABC):
    """A baseline: numbers for a sample, written as a reply."""

    model_id: str
    revision: str = ""
    tasks: frozenset[Task] = ALL_TASKS
    batch_size: int = 1000
    window_size: int = 1000

    @property
    def settings(self) -> Json:
        """None: the answer itself is in the key."""
        return {}

    def key_inputs(self, question: Question) -> Json:
        """The answer, which is all that may change."""
        return {"answer": self.answer_text(question)}

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """One well-formed reply each."""
        return [
            Reply(
                status=ResponseStatus.OK,
                text=self.answer_text(question),
                finish_reason="stop",
                attempts=1,
            )
            for question in questions
        ]

    def answer_text(self, question: Question) -> str:
        """The answer in the form that the question's style asks for."""
        values = self.values(question.sample, question.repeat)
        return ANSWER_FORMATS[question.sample.task].write(values, question.style)

    @abstractmethod
    def values(self, sample: Sample, repeat: int) -> Values:
        """Numbers to state, in the order and units of the sample's truth."""


class RandomBox(Baseline):
    """Two corners, uniform over the picture, sorted."""

    model_id = "baseline/random-box"
    tasks = DETECTION_ONLY

    def values(self, sample: Sample, repeat: int) -> Values:
        """Relative box; corners too close to be two at four decimals are drawn again."""
        rng = _sample_rng("random-box", sample, repeat)
        while True:
            (x0, x1), (y0, y1) = np.sort(rng.uniform(size=(2, 2)), axis=1).tolist()
            if min(x1 - x0, y1 - y0) > 2 * LEAST_SIDE_FRAC:
                return x0, y0, x1, y1


class CenterBox(Baseline):
    """The box in the middle with half the picture's width and height."""

    model_id = "baseline/center"
    tasks = DETECTION_ONLY

    def values(self, sample: Sample, repeat: int) -> Values:  # noqa: ARG002
        """Always the same relative box."""
        return 0.25, 0.25, 0.75, 0.75


class Constant(Baseline):
    """The same number for every value."""

    tasks = ALL_TASKS - DETECTION_ONLY - LISTS

    def __init__(self, value: float) -> None:
        if not (math.isfinite(value) and value >= 0):
            msg = f"baseline/constant: expected a finite number of at least 0, found {value}"
            raise UsageError(msg)
        self.model_id = f"baseline/constant:{value:g}"
        self._value = value

    def values(self, sample: Sample, repeat: int) -> Values:  # noqa: ARG002
        """As many as the truth has."""
        return (self._value,) * len(sample.truth)


class Oracle(Baseline):
    """The truth, as exact as the answer's decimals."""

    model_id = "baseline/oracle"

    def values(self, sample: Sample, repeat: int) -> Values:  # noqa: ARG002
        """The truth."""
        return sample.truth


class NoisyOracle(Baseline):
    """The truth with Gaussian noise of relative size sigma, always a readable answer.

    A length, angle or area is multiplied by 1 + sigma·n; each box edge is moved by sigma·n of
    the box's side. The normal numbers n are the same for every sigma, so a larger sigma is the
    same error made larger. Lengths and areas stay ≥ 0, angles within their
    range, boxes within
    the picture and at least as thick as four decimals show.
    """

    def __init__(self, sigma: float) -> None:
        if not (math.isfinite(sigma) and sigma >= 0):
            msg = f"baseline/noisy-oracle: expected a finite sigma of at least 0, found {sigma}"
            raise UsageError(msg)
        self.model_id = f"baseline/noisy-oracle:{sigma:g}"
        self._sigma = sigma

    def values(self, sample: Sample, repeat: int) -> Values:
        """Truth with this sample's noise."""
        noise = _sample_rng("noisy-oracle", sample, repeat).standard_normal(len(sample.truth))
        truth = np.asarray(sample.truth)
        if TASKS[sample.task].is_box:
            boxes, moves = truth.reshape(-1, 4), noise.reshape(-1, 4)
            sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
            moved = boxes + self._sigma * moves * sides
            return tuple(edge for box in moved for edge in _box_within_picture(box))
        largest = LARGEST_VALUE.get(sample.metric_kind, np.inf)
        return tuple(np.clip(truth * (1 + self._sigma * noise), 0.0, largest).tolist())


Group = tuple[str | None, ...]


class TrainConstant(Baseline):
    """One answer for all samples alike, worked out from the truths of the training split.

    Alike are samples of the same task and unit and, in this order of preference, the same
    (dataset, label, metric, plane), (dataset, label, metric), (label, metric, plane),
    (label, metric), (dataset), and at last all of that task and unit.
    """

    tasks = ALL_TASKS - LISTS

    def __init__(self, train_samples: Iterable[Sample]) -> None:
        """Gather the truths.

        Raises:
            UsageError: A sample is not of the training split.
        """
        self._truths: defaultdict[tuple[int, Group], list[Values]] = defaultdict(list)
        self._constants: dict[tuple[int, Group], Values] = {}
        for sample in train_samples:
            if sample.split != "train":
                msg = (
                    f"{self.model_id}: expected samples of split train, found "
                    f"{sample.split} ({sample.sample_id})"
                )
                raise UsageError(msg)
            for group in _groups(sample):
                self._truths[group].append(sample.truth)

    @abstractmethod
    def constant(self, task: Task, truths: np.ndarray) -> Values:
        """The answer for samples alike, from their (n, values) truths."""

    def values(self, sample: Sample, repeat: int) -> Values:  # noqa: ARG002
        """The constant of the first group that has training samples.

        Raises:
            UsageError: No training sample has this task and unit.
        """
        for group in _groups(sample):
            if group not in self._truths:
                continue
            if group not in self._constants:
                truths = np.asarray(self._truths[group])
                self._constants[group] = self.constant(sample.task, truths)
            return self._constants[group]
        msg = (
            f"{self.model_id}: expected training samples of task {sample.task} in "
            f"{sample.unit}, found none; build tables that hold the train split"
        )
        raise UsageError(msg)


class TrainMean(TrainConstant):
    """The mean, value by value."""

    model_id = "baseline/train-mean"

    def constant(self, task: Task, truths: np.ndarray) -> Values:  # noqa: ARG002
        """Of a box, the box of the mean edges."""
        return tuple(truths.mean(axis=0).tolist())


class TrainMedian(TrainConstant):
    """The median, value by value: the constant of least absolute error."""

    model_id = "baseline/train-median"

    def constant(self, task: Task, truths: np.ndarray) -> Values:  # noqa: ARG002
        """Of a box, the box of the median edges."""
        return best_constant("absolute_error", truths)


class TrainBest(TrainConstant):
    """The constant that is best by the task's headline metric; see `medvision.best_constant`.

    No answer that looks at nothing does better on the training split, so a model that does not
    beat it has not shown that it looks at the picture.
    """

    model_id = "baseline/train-best"

    def constant(self, task: Task, truths: np.ndarray) -> Values:
        """Least mean error, largest mean IoU, or the most frequent count."""
        return best_constant(TASKS[task].headline_column, truths)


def _groups(sample: Sample) -> list[tuple[int, Group]]:
    """Groups a sample belongs to, most alike first; the number tells the levels apart."""
    kind = (sample.task.value, sample.unit)
    what = (sample.label, sample.metric_kind, sample.metric_key)
    levels: list[Group] = [
        (*kind, sample.dataset, *what, sample.plane),
        (*kind, sample.dataset, *what),
        (*kind, *what, sample.plane),
        (*kind, *what),
        (*kind, sample.dataset),
        kind,
    ]
    return list(enumerate(levels))


def _sample_rng(name: str, sample: Sample, repeat: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{name}\0{sample.sample_id}\0{repeat}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _box_within_picture(box: np.ndarray) -> Values:
    """A relative box with edges sorted, inside [0, 1], and of a side that can be written."""
    edges: list[tuple[float, float]] = []
    for a, b in ((box[0], box[2]), (box[1], box[3])):
        low, high = np.clip(sorted((float(a), float(b))), 0.0, 1.0).tolist()
        if high - low < 2 * LEAST_SIDE_FRAC:
            middle = min(max((low + high) / 2, LEAST_SIDE_FRAC), 1 - LEAST_SIDE_FRAC)
            low, high = middle - LEAST_SIDE_FRAC, middle + LEAST_SIDE_FRAC
        edges.append((low, high))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1


PLAIN_BASELINES: dict[str, Callable[[], Baseline]] = {
    "random-box": RandomBox,
    "center": CenterBox,
    "oracle": Oracle,
}

NUMBERED_BASELINES: dict[str, Callable[[float], Baseline]] = {
    "constant": Constant,
    "noisy-oracle": NoisyOracle,
}

TRAINED_BASELINES: dict[str, Callable[[Iterable[Sample]], Baseline]] = {
    "train-mean": TrainMean,
    "train-median": TrainMedian,
    "train-best": TrainBest,
}

KNOWN_FORMS = (
    "random-box",
    "center",
    *TRAINED_BASELINES,
    "constant:25",
    "oracle",
    "noisy-oracle:0.1",
)


def make_baseline(name: str, train_samples: Iterable[Sample] = ()) -> Baseline:
    """The baseline of a name such as "baseline/constant:25"; "baseline/" may be left out.

    Args:
        name: As on the command line.
        train_samples: Samples of the training split, for those of `TRAINED_BASELINES`.

    Raises:
        UsageError: No baseline of that name, or a number missing, superfluous or unreadable.
    """
    kind, colon, number = name.removeprefix("baseline/").partition(":")
    if kind in NUMBERED_BASELINES:
        return NUMBERED_BASELINES[kind](_number(name, number))
    if colon and (kind in PLAIN_BASELINES or kind in TRAINED_BASELINES):
        msg = f"baseline/{kind}: expected no number after the name, found {number!r}"
        raise UsageError(msg)
    if kind in TRAINED_BASELINES:
        return TRAINED_BASELINES[kind](train_samples)
    if kind not in PLAIN_BASELINES:
        known = ", ".join(f"baseline/{form}" for form in KNOWN_FORMS)
        msg = f"expected one of {known}, found {name!r}"
        raise UsageError(msg)
    return PLAIN_BASELINES[kind]()


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f"{name}: expected a number after a colon, as in constant:25, found {text!r}"
        raise UsageError(msg) from None
