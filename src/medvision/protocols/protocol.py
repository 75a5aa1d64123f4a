"""A protocol as a record, read from TOML; those of the package lie beside this module."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from medvision.declarations import AtLeastOne, Count, decoded, parsed_toml, read_toml
from medvision.errors import UsageError
from medvision.frames import View
from medvision.tasks import TASKS, Task


class Reading(StrEnum):
    """How a reply is read for the score."""

    STRICT = "strict"
    """Exactly the asked values, or a status that says why not: `medvision.replies.reading`."""
    FIRST_BLOCK = "first_block"
    """The last numbers of the first answer block, whatever they are called:
    `medvision.replies.first_block`."""


class Weighting(StrEnum):
    """How groups count in an average over groups; see `medvision.scoring.group_averages`."""

    SAMPLE_WEIGHTED = "sample_weighted"
    GROUP_MEAN = "group_mean"


class Suspect(StrEnum):
    """What becomes of questions in mm about images whose spacing is a known placeholder."""

    LEFT_OUT = "left_out"
    KEPT = "kept"


class SeveralPieces(StrEnum):
    """What becomes of structures in several pieces, of which one box or ellipse is no answer."""

    COUNTED = "counted"
    """Left out, and counted."""
    LISTED = "listed"
    """Left out, counted, and listed beside the samples."""


class Instances(StrEnum):
    """Which boxes detection asks for."""

    ONE = "one"
    """That of a structure in one piece."""
    ALL = "all"
    """Every box of a structure in several pieces: `Task.INSTANCES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """Which facts a prompt states, beside the kind of image and the structure's name.

    Attributes:
        style: How answers are asked for where neither the user nor the model's profile says;
            "" leaves it to them.
        plane: Whether the plane of the slice is named.
        sizes_of: Tasks whose prompts state image size and pixel size.
        pixel_size: Whether these state the pixel size; without it the image size alone.
        tagged_steps: Whether a chain of thought puts the numbers of each step in tags of its own:
            `medvision.replies.steps`.
    """

    style: Literal["", "direct", "cot"] = ""
    plane: bool = True
    sizes_of: tuple[Task, ...] = tuple(task for task in Task if not TASKS[task].is_box)
    pixel_size: bool = True
    tagged_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows of tables are asked about, beside what the tasks themselves want.

    Attributes:
        min_box_side_px: Detection asks for boxes with both sides at least this long.
        tl_floor_mm: T/L asks for major axes at least this long,
        tl_floor_px: and at least so many of the slice's coarser pixel spacing.
        suspect_spacing: What becomes of images whose spacing is a known placeholder.
        several_pieces: What becomes of structures in several pieces on a slice, in detection of one
            box and in T/L.
        instances: Which boxes detection asks for where a suite does not say.
    """

    min_box_side_px: Count = 10
    tl_floor_mm: float = 2.0
    tl_floor_px: float = 2.0
    suspect_spacing: Suspect = Suspect.LEFT_OUT
    several_pieces: SeveralPieces = SeveralPieces.COUNTED
    instances: Instances = Instances.ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """How averages over groups are made.

    Attributes:
        weighting: Of the average that stands first.
        min_samples: Samples that a group needs.
        miscellaneous_in: Tasks whose miscellaneous structures take part, as one region.
    """

    weighting: Weighting = Weighting.GROUP_MEAN
    min_samples: AtLeastOne = 50
    miscellaneous_in: tuple[Task, ...] = ()


PIXEL_SIZE_WITHHELD = ", pixel size withheld"
"""What the name of a protocol ends with whose prompts leave the pixel size out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What is shown, said, read, left out and averaged. The defaults are this project's.

    Attributes:
        name: As reports call it; says what differs where parts were set alone.
        version: Another one gives other numbers.
        about: What it is, in a sentence.
        view: Which way up slices are shown.
        reading: How replies are read for the score.
        prompt: Facts that prompts state.
        filters: Which rows are asked about.
        averages: How averages over groups are made.
    """

    name: str
    version: str
    about: str = ""
    view: View = View.RADIOLOGICAL
    reading: Reading = Reading.STRICT
    prompt: PromptFacts = PromptFacts()
    filters: Filters = Filters()
    averages: Averages = Averages()

    def with_parts(self, *, view: View | None = None, reading: Reading | None = None) -> "Protocol":
        """The same protocol with parts set alone; its name says which.

        Example:
            >>> load_protocol("medvision").with_parts(view=View.ORIGINAL).name
            'medvision, view original'
            >>> load_protocol("paper").with_parts(view=View.ORIGINAL).name
            'paper'
        """
        changed = self
        if view and view is not self.view:
            changed = replace(changed, view=view, name=f"{changed.name}, view {view}")
        if reading and reading is not self.reading:
            changed = replace(changed, reading=reading, name=f"{changed.name}, reading {reading}")
        return changed

    def with_part_of(
        self, other: "Protocol", part: Literal["prompt", "filters", "averages"]
    ) -> "Protocol":
        """The same protocol with one part of another; its name says which, where it differs.

        Example:
            >>> paper = load_protocol("paper")
            >>> load_protocol("medvision").with_part_of(paper, "averages").name
            'medvision, averages of paper'
        """
        theirs = getattr(other, part)
        if theirs == getattr(self, part):
            return self
        return replace(self, **{part: theirs}, name=f"{self.name}, {part} of {other.name}")

    def without_pixel_size(self) -> "Protocol":
        """The same protocol with prompts that do not state the pixel size; its name says so."""
        prompt = replace(self.prompt, pixel_size=False)
        return replace(self, prompt=prompt, name=f"{self.name}{PIXEL_SIZE_WITHHELD}")


def protocol_names() -> list[str]:
    """Names of the package's protocols.

    Example:
        >>> protocol_names()
        ['medvision', 'paper']
    """
    entries = (entry.name for entry in resources.files("medvision.protocols").iterdir())
    return sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml"))


@cache
def load_protocol(name: str) -> Protocol:
    """A protocol of the package by name, or that of a TOML file.

    Raises:
        UsageError: Neither; the message lists those of the package. Or a file that is none.

    Example:
        >>> load_protocol("paper").averages.weighting
        <Weighting.SAMPLE_WEIGHTED: 'sample_weighted'>
    """
    if name in protocol_names():
        entry = resources.files("medvision.protocols") / f"{name}.toml"
        return decoded(Protocol, parsed_toml(entry.read_text(encoding="utf-8"), name), name)
    if name.endswith(".toml") and Path(name).is_file():
        return decoded(Protocol, read_toml(Path(name)), name)
    msg = f"no protocol {name!r}; expected a .toml file or one of {', '.join(protocol_names())}"
    raise UsageError(msg)


MEDVISION = Protocol(
    name="medvision",
    version="1",
    about="This project's own: slices as a radiologist sees them, replies read strictly.",
)
"""The project's own protocol, as `medvision.toml` writes it out."""


def protocol_from(manifest: Mapping[str, Any]) -> Protocol:
    """The protocol of a run's manifest; runs that say nothing are older, and of `MEDVISION`."""
    found = manifest.get("protocol")
    return decoded(Protocol, found, "manifest.json: protocol") if found else MEDVISION
