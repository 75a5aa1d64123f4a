"""What the values of a mask are called, as users declare it."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from medvision.catalog.check import name_mistakes
from medvision.catalog.cohort import Label
from medvision.declarations import Count, NonEmpty, decoded, read_json
from medvision.errors import UsageError
from medvision.names import composed
from medvision.table.cases import Structure

MAX_LABEL = 2**31 - 1

NNUNET_IGNORE = "ignore"
"""nnU-Net's word for voxels that are left out of training: it names no structure."""


def structures_from_labels(labels: Mapping[str, Any], where: str) -> tuple[Structure, ...]:
    """Structures from a label declaration.

    Args:
        labels: Either id to name (`{"1": "liver"}`) or, as nnU-Net writes it, name to id or to a
            list of ids (`{"background": 0, "whole tumor": [1, 2]}`). With any list, structures may
            overlap and get label ids 1, 2, … in declared order. There `ignore` is a reserved
            word: voxels that nobody has looked at, so nothing is asked of them.
        where: File named in errors.

    Raises:
        DeclarationError: Ids that are no whole numbers from 0, names that are no text.
        UsageError: Repeated names or ids.

    Example:
        >>> [liver] = structures_from_labels({"background": 0, "liver": 1}, "dataset.json")
        >>> liver.name, liver.label_id
        ('liver', 1)
    """
    by_id = all(re.fullmatch(r"-?\d+", key) for key in labels)
    if by_id:
        if endless := [key for key in labels if len(key) > len(str(MAX_LABEL)) + 1]:
            msg = f"{where}: expected label ids from 0 to {MAX_LABEL}, found {endless[0][:20]}…"
            raise UsageError(msg)
        names = decoded(dict[str, str], labels, where)
        entries: list[tuple[str, tuple[int, ...]]]
        entries = [(name, (int(label_id),)) for label_id, name in names.items()]
    else:
        lists = {name: ids if isinstance(ids, list) else [ids] for name, ids in labels.items()}
        entries = list(decoded(dict[str, NonEmpty[Count]], lists, where).items())
    beyond = [value for _, values in entries for value in values if not 0 <= value <= MAX_LABEL]
    if beyond:
        msg = f"{where}: expected label ids from 0 to {MAX_LABEL}, found {beyond[0]}"
        raise UsageError(msg)
    unnamed = [values for name, values in entries if not name.strip()]
    if unnamed:
        msg = f"{where}: expected a name for value {unnamed[0][0]}, found an empty one"
        raise UsageError(msg)
    entries = [(name, values) for name, values in entries if values != (0,)]
    overlapping = any(len(values) > 1 for _, values in entries)
    structures = tuple(
        Structure(
            label_id=rank if overlapping else values[0],
            name=composed(name.strip()),
            values=values,
            asked=by_id or name.strip() != NNUNET_IGNORE,
        )
        for rank, (name, values) in enumerate(entries, start=1)
    )
    seen_by: dict[str, list[Any]] = {"label_id": [structure.label_id for structure in structures]}
    seen_by["name"] = [name.strip() for name, _ in entries]
    for what, seen in seen_by.items():
        if len(set(seen)) != len(seen):
            msg = f"{where}: expected each {what} once, found {sorted(seen)}"
            raise UsageError(msg)
    if mistakes := name_mistakes(name for name, _ in entries):
        raise UsageError("\n".join(f"{where}: {mistake}" for mistake in mistakes))
    return structures


def declared_labels(
    structures: Iterable[Structure], target_labels: Collection[int] = ()
) -> dict[str, Label]:
    """Structures as a declaration's labels.

    Example:
        >>> tumor = Structure(label_id=2, name="liver tumor", values=(2,))
        >>> declared_labels([tumor], target_labels=[2])["2"].target
        True
    """
    return {
        str(one.label_id): Label(
            name=one.name,
            values=() if one.values == (one.label_id,) else one.values,
            asked=one.asked,
            target=one.label_id in target_labels,
            found_as=one.found_as,
        )
        for one in structures
    }


def read_labels(path: Path) -> tuple[Structure, ...]:
    """Structures of a `--labels` file.

    Raises:
        DeclarationError: Missing file, no JSON object, a key given twice.
    """
    return structures_from_labels(decoded(dict[str, Any], read_json(path), str(path)), str(path))


def target_ids(words: str, structures: tuple[Structure, ...]) -> tuple[int, ...]:
    """Label ids of `--target-labels`, given as ids or names separated by commas.

    Raises:
        UsageError: A word that is neither.

    Example:
        >>> structures = structures_from_labels({"1": "liver", "6": "liver tumor"}, "labels.json")
        >>> target_ids("liver tumor, 1", structures)
        (6, 1)
    """
    by_word = {str(s.label_id): s.label_id for s in structures}
    by_word |= {s.name: s.label_id for s in structures}
    ids = []
    for word in filter(None, (part.strip() for part in composed(words).split(","))):
        if word not in by_word:
            msg = f"--target-labels: no label {word!r}; known: {', '.join(by_word)}"
            raise UsageError(msg)
        ids.append(by_word[word])
    return tuple(ids)
