"""Result files of the original benchmark: which there are, and what each of their entries states.

Three layouts, told apart by their content, whatever the files are called:

- values by group (`summary_values_*_Task*.json` of T/L and detection): an object of groups
  `region @ modality (plane)`, each with lists `targets`, `responses` and, mostly, `doc_metas`;
- values by measurement (the same of A/D): a list of `label`, `targets`, `responses`, `doc_meta`;
- logs (JSON lines): `doc`, `target`, and `resps` (whole replies) or `filtered_resps`.

Lists of numbers are text there. They are read as such: nothing is evaluated.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medvision.declarations import DeclarationError, parsed_json, read_json
from medvision.errors import ItemError, UsageError

PARSED_FOLDER = re.compile(r"parsed|llm-parsed_.*")
"""Folders below a model's own that hold its files once more, read."""

_NUMBERS = re.compile(r"\s*[\[(]?([^\[\]()]*)[\])]?\s*")
_GROUP = re.compile(r"(?P<region>.+?) @ (?P<modality>.+?) \((?P<plane>\w+)\)")
_PLANES = {"a": "axial", "c": "coronal", "s": "sagittal"}


class ResultEntryError(ItemError):
    """One entry of a result file cannot be used."""

    reason = "result_entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One entry of a result file.

    Attributes:
        where: File and entry, for messages.
        truth: Numbers of the target, in their order.
        reply: The whole reply, or what its authors took from it.
        is_whole: Whether `reply` is the whole.
        region: Of its group, "" without.
        modality: Of its group, "" without.
        plane: Of its group, "" without.
        measurement: dataset_kind_key of an angle or distance, "" without.
        facts: What is said of the sample: `doc_meta` or `doc`.
    """

    where: str
    truth: tuple[float, ...]
    reply: str
    is_whole: bool
    region: str = ""
    modality: str = ""
    plane: str = ""
    measurement: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def result_files(paths: Sequence[Path]) -> list[Path]:
    """The files of results among and below paths, each content once.

    In a folder logs come before the values taken from them, and a log before its read copy.

    Raises:
        UsageError: A path that is not there, or a folder without results.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        logs = {one.name: one for one in sorted(path.rglob("*.jsonl"), key=_depth_last)}
        values = path.rglob("summary_values_*_Task*.json")
        values = (one for one in values if "per_boxImgRatio" not in one.name)  # the same by size
        files = sorted(logs.values()) or sorted(values)
        if not files:
            msg = (
                f"{path}: expected result files (summary_values_*_Task*.json, or logs *.jsonl), "
                f"found {'none below it' if path.is_dir() else 'nothing there'}"
            )
            raise UsageError(msg)
        found += files
    return list(dict.fromkeys(found))


def _depth_last(path: Path) -> tuple[int, Path]:
    """Order in which the file nearest to the root comes last and replaces its copies."""
    return -len(path.parts), path


def model_of(path: Path) -> str:
    """The model's name: of the folder that holds its files.

    Example:
        >>> model_of(Path("Results/MedVision-TL/Lingshu-32B/parsed/summary_values_TL_Task.json"))
        'Lingshu-32B'
    """
    folder = path.resolve().parent
    while PARSED_FOLDER.fullmatch(folder.name):
        folder = folder.parent
    return folder.name


def stated_results(path: Path) -> Iterator[Stated | ResultEntryError]:
    """What the entries of one file state; an error for each that cannot be used.

    Raises:
        DeclarationError: Not JSON, or not lines of it.
        UsageError: JSON of none of the layouts.
    """
    if path.suffix == ".jsonl":
        yield from _of_log(path)
        return
    content = read_json(path)
    if isinstance(content, list):
        yield from _of_measurements(path, content)
    elif isinstance(content, dict) and all(isinstance(one, dict) for one in content.values()):
        yield from _of_groups(path, content)
    else:
        msg = f"{path}: expected groups of targets and responses, or a list of measurements"
        raise UsageError(msg)


def _of_groups(path: Path, content: dict[str, Any]) -> Iterator[Stated | ResultEntryError]:
    for name, group in content.items():
        lists = [group.get(key) for key in ("targets", "responses")]
        metas = group.get("doc_metas")
        if lists == [None, None]:  # summary_metrics_*: what its authors made of the answers
            held = ", ".join(group) or "none"
            msg = (
                f"{path}: {name}: expected targets and responses, found {held}; "
                "metrics alone cannot be scored: name the summary_values_* file beside this one"
            )
            raise UsageError(msg)
        if not all(isinstance(one, list) for one in lists) or len(lists[0]) != len(lists[1]):
            msg = f"{path}: {name}: expected lists targets and responses of one length"
            raise UsageError(msg)
        if metas is not None and len(metas) != len(lists[0]):
            msg = f"{path}: {name}: expected {len(lists[0])} doc_metas, found {len(metas)}"
            raise UsageError(msg)
        found = _GROUP.fullmatch(name)
        plane = found["plane"].lower() if found else ""
        for at, (target, response) in enumerate(zip(*lists, strict=True)):
            yield _entry(
                f"{path}: {name} [{at}]",
                target,
                response,
                facts=(metas[at] if metas else None) or {},
                region=found["region"] if found else name,
                modality=found["modality"] if found else "",
                plane=_PLANES.get(plane, plane),
            )


def _of_measurements(path: Path, content: list[Any]) -> Iterator[Stated | ResultEntryError]:
    for at, row in enumerate(content):
        if not isinstance(row, dict) or not {"label", "targets", "responses"} <= set(row):
            msg = f"{path}: [{at}]: expected label, targets and responses"
            raise UsageError(msg)
        where = f"{path}: [{at}] {row['label']}"
        facts, label = row.get("doc_meta") or {}, str(row["label"])
        yield _entry(where, row["targets"], row["responses"], facts=facts, measurement=label)


def _of_log(path: Path) -> Iterator[Stated | ResultEntryError]:
    with path.open("rb") as lines:
        for at, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}: line {at}"
            try:
                row = parsed_json(line.decode("utf-8"), where)
            except UnicodeDecodeError as error:
                msg = f"{where}: expected JSON in UTF-8, found: {error}"
                raise DeclarationError(msg) from error
            replies = row.get("resps", row.get("filtered_resps")) if isinstance(row, dict) else None
            if replies is None or "target" not in row:
                msg = f"{where}: expected target, and resps or filtered_resps"
                raise UsageError(msg)
            facts, is_whole = row.get("doc") or {}, "resps" in row
            yield _entry(where, row["target"], replies, facts=facts, is_whole=is_whole)


def _entry(
    where: str,
    target: Any,
    response: Any,
    *,
    facts: Any,
    is_whole: bool = False,
    **known: str,
) -> Stated | ResultEntryError:
    while isinstance(response, list) and response:  # of several replies, the first
        response = response[0]
    reply = "" if response is None or response == [] else response
    if not isinstance(reply, str) or not isinstance(facts, dict):
        shown = json.dumps(response if isinstance(facts, dict) else facts, default=str)[:60]
        return ResultEntryError(f"{where}: expected a reply as text and facts by name: {shown}")
    try:
        truth = numbers_of(target)
    except ResultEntryError as error:
        return ResultEntryError(f"{where}: target: {error}")
    return Stated(where=where, truth=truth, reply=reply, is_whole=is_whole, facts=facts, **known)


def numbers_of(value: Any) -> tuple[float, ...]:
    """The numbers of a list, a number, or the text of either.

    Raises:
        ResultEntryError: Anything else, or a number that is not finite.

    Example:
        >>> numbers_of("[16.5, 13.34]"), numbers_of("27.5"), numbers_of([0.1, 0.2])
        ((16.5, 13.34), (27.5,), (0.1, 0.2))
    """
    parts = value if isinstance(value, list) else [value]
    if isinstance(value, str):
        found = _NUMBERS.fullmatch(value)
        parts = found[1].split(",") if found else [value]
    try:
        numbers = tuple(float(part) for part in parts if not isinstance(part, bool))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != len(parts) or not all(map(math.isfinite, numbers)):
        msg = f"expected numbers, found {str(value)[:60]!r}"
        raise ResultEntryError(msg)
    return numbers
