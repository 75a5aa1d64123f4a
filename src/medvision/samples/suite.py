"""Suites: files that name which questions make up a benchmark."""

import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.samples.sample import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """One line of a suite: a task on one dataset.

    Attributes:
        dataset: Name of the dataset, or "" for the tables at hand.
        planes: Only these planes; empty for all.
        labels: Only these label names; empty for all.
        vertex_angles: Ask for the angle at a shared landmark, [0, 180] degrees, where there is
            one, instead of acute angles between lines; distances are left out.
    """

    task: Task
    dataset: str = ""
    planes: tuple[Plane, ...] = ()
    labels: tuple[str, ...] = ()
    vertex_angles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of task configs.

    Attributes:
        cap_per_config: At most so many samples of each config, drawn by seed; None for all.
    """

    name: str
    configs: tuple[TaskConfig, ...]
    cap_per_config: int | None = 1000
    seed: int = 1024


def _suite_folder() -> Any:
    return resources.files("medvision.samples") / "suites"


def suite_names() -> list[str]:
    """Names of the built-in suites."""
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
        return parse_suite(Path(name).read_text(encoding="utf-8"), name)
    msg = f"no suite {name!r}; expected a .toml file or one of {', '.join(suite_names())}"
    raise UsageError(msg)


def parse_suite(text: str, where: str) -> Suite:
    """A suite from the text of its TOML file.

    Raises:
        UsageError: Unknown keys, tasks or planes.
    """
    values = tomllib.loads(text)
    _reject_unknown(values, Suite, where)
    values["configs"] = tuple(_config(entry, where) for entry in values["configs"])
    return Suite(**values)


def _config(values: dict[str, Any], where: str) -> TaskConfig:
    _reject_unknown(values, TaskConfig, where)
    try:
        return TaskConfig(
            task=Task(values["task"]),
            dataset=values.get("dataset", ""),
            planes=tuple(Plane(plane) for plane in values.get("planes", ())),
            labels=tuple(values.get("labels", ())),
            vertex_angles=values.get("vertex_angles", False),
        )
    except ValueError as error:
        msg = f"{where}: {error}; tasks: {', '.join(Task)}; planes: {', '.join(Plane)}"
        raise UsageError(msg) from error


def _reject_unknown(values: dict[str, Any], cls: type, where: str) -> None:
    known = {entry.name for entry in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        msg = f"{where}: unknown key {unknown}; known: {sorted(known)}"
        raise UsageError(msg)
