"""Suites: files that name which questions make up a benchmark."""

from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Le

from medvision.declarations import AtLeastOne, Count, Short, decoded, parsed_toml, read_toml
from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.names import Name
from medvision.protocols import Filters, Instances
from medvision.tasks import MetricKind, Task

MIN_PX = 10
"""Components of at least so many pixels are counted, unless a suite says otherwise."""


class Listed(StrEnum):
    """What the number beside a config in the original task list really counts."""

    TEST = "test"
    """The test samples: the number is exact."""
    TRAIN = "train"
    """The training samples of the same config."""
    COPY = "copy"
    """The samples of another task (its task 01)."""
    PREDECESSOR = "predecessor"
    """The measurements of an earlier release, which had fewer."""
    UNKNOWN = "unknown"
    """No released version has so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """One line of a suite: a task on one dataset.

    Attributes:
        dataset: Name of the dataset, or "" for the tables at hand.
        task_id: A task of the dataset's declaration: only its cohort, image and labels; "" for all.
        planes: Only these planes; empty for all.
        labels: Only these label names; empty for all.
        metric_kind: Only distances or only angles (`ad`); "" for both.
        vertex_angles: Ask for the angle at a shared landmark, [0, 180] degrees, where there is
            one, instead of acute angles between lines; distances are left out.
        min_px: Components of at least so many pixels are counted (`count`).
        instances: Which boxes `detection` asks for: "one", of structures in one piece; "all", every
            box of structures in several pieces, as a list; "" as the protocol says.
        published_test_count: Test samples of dataset version 1.0.0, which the published scores
            are from; None where nothing was published. Ours differ where `docs/catalogue.md` says.
        listed_count: The number in the original task list, where it is another one.
        listed_is: What that number counts.
    """

    task: Task
    dataset: Name = ""
    task_id: str = ""
    planes: tuple[Plane, ...] = ()
    labels: tuple[Name, ...] = ()
    metric_kind: Literal["", MetricKind.DISTANCE, MetricKind.ANGLE] = ""
    vertex_angles: bool = False
    min_px: Annotated[AtLeastOne, Le(2**31 - 1)] = MIN_PX  # a count of the tables, int32
    instances: Literal["", Instances.ONE, Instances.ALL] = ""
    published_test_count: Count | None = None
    listed_count: Count | None = None
    listed_is: Listed = Listed.TEST

    def __post_init__(self) -> None:
        """Refuse what the task has no use for: it would change nothing."""
        is_measured = self.task is Task.ANGLE_DISTANCE
        used = {
            "labels": not self.labels or not is_measured,
            "metric_kind": not self.metric_kind or is_measured,
            "vertex_angles": not self.vertex_angles or is_measured,
            "min_px": self.min_px == MIN_PX or self.task is Task.COUNT,
        }
        if unused := [key for key, is_used in used.items() if not is_used]:
            msg = f"{', '.join(unused)}: of no effect on the task {str(self.task)!r}; leave out"
            raise UsageError(msg)
        if self.instances and self.task is not Task.DETECTION:
            msg = f"instances is an option of the task detection, found {self.task}; leave it out"
            raise UsageError(msg)

    def under(self, filters: Filters) -> "TaskConfig":
        """The line as asked under a protocol: detection of all instances is a task of its own."""
        instances = self.instances or filters.instances
        if self.task is not Task.DETECTION or instances == Instances.ONE:
            return self
        return replace(self, task=Task.INSTANCES, instances="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of task configs.

    Attributes:
        about: What the suite is, in a sentence.
        cap_per_config: At most so many samples of each config, drawn by seed; None for all.
    """

    name: str
    configs: tuple[Short[TaskConfig], ...]
    about: str = ""
    cap_per_config: AtLeastOne | None = 1000
    seed: int = 1024


def _suite_folder() -> Any:
    return resources.files("medvision.samples") / "suites"


def suite_names() -> list[str]:
    """Names of the built-in suites.

    Example:
        >>> [name for name in suite_names() if name.startswith("ad")]
        ['ad', 'ad-vertex']
    """
    entries = (entry.name for entry in _suite_folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """A built-in suite by name, or the suite of a TOML file.

    Raises:
        UsageError: Neither; the message lists the built-in ones. Or unknown keys.
    """
    if name in suite_names():
        entry = _suite_folder() / f"{name}.toml"
        return parse_suite(entry.read_text(encoding="utf-8"), name)
    if name.endswith(".toml") and Path(name).is_file():
        return decoded(Suite, read_toml(Path(name)), name)
    msg = f"no suite {name!r}; expected a .toml file or one of {', '.join(suite_names())}"
    raise UsageError(msg)


def parse_suite(text: str, where: str) -> Suite:
    """A suite from the text of its TOML file.

    Raises:
        DeclarationError: Not TOML, unknown keys, tasks or planes.
    """
    return decoded(Suite, parsed_toml(text, where), where)
