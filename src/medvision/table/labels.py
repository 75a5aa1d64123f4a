"""What the values of a mask are called, as users declare it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvision.errors import UsageError
from medvision.table.cases import Structure


def structures_from_labels(labels: Mapping[str, Any], where: str) -> tuple[Structure, ...]:
    """Structures from a label declaration.

    Args:
        labels: Either id to name (`{"1": "liver"}`) or, as nnU-Net writes it, name to id or to a
            list of ids (`{"background": 0, "whole tumor": [1, 2]}`). With any list, structures may
            overlap and get label ids 1, 2, … in declared order.
        where: File named in errors.

    Raises:
        UsageError: Ids that are not positive integers, repeated names or ids.
    """
    if all(re.fullmatch(r"\d+", key) for key in labels):
        entries = [(str(name), [int(key)]) for key, name in labels.items()]
    else:
        entries = [(name, ids if isinstance(ids, list) else [ids]) for name, ids in labels.items()]
    if any(not isinstance(value, int) for _, values in entries for value in values):
        msg = f'{where}: expected labels as {{"1": "liver"}} or {{"liver": 1}}, found {labels}'
        raise UsageError(msg)
    entries = [(name, values) for name, values in entries if values != [0]]
    overlapping = any(len(values) > 1 for _, values in entries)
    structures = tuple(
        Structure(
            label_id=rank if overlapping else values[0], name=name.strip(), values=tuple(values)
        )
        for rank, (name, values) in enumerate(entries, start=1)
    )
    for what in ("label_id", "name"):
        seen = [getattr(structure, what) for structure in structures]
        if len(set(seen)) != len(seen):
            msg = f"{where}: expected each {what} once, found {sorted(seen)}"
            raise UsageError(msg)
    return structures


def read_labels(path: Path) -> tuple[Structure, ...]:
    """Structures of a `--labels` file.

    Raises:
        UsageError: Missing file, no JSON object.
    """
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f'{path}: expected a JSON object such as {{"1": "liver"}}, found: {error}'
        raise UsageError(msg) from error
    if not isinstance(labels, dict):
        msg = f'{path}: expected a JSON object such as {{"1": "liver"}}, found {type(labels)}'
        raise UsageError(msg)
    return structures_from_labels(labels, str(path))


def target_ids(words: str, structures: tuple[Structure, ...]) -> tuple[int, ...]:
    """Label ids of `--target-labels`, given as ids or names separated by commas.

    Raises:
        UsageError: A word that is neither.
    """
    by_word = {str(s.label_id): s.label_id for s in structures}
    by_word |= {s.name: s.label_id for s in structures}
    ids = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word not in by_word:
            msg = f"--target-labels: no label {word!r}; known: {', '.join(by_word)}"
            raise UsageError(msg)
        ids.append(by_word[word])
    return tuple(ids)
