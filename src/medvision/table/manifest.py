"""Manifests: written last, they say that a stage is complete and what it was made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from medvision.storage import write_text
from medvision.table.own_files import Keys, read_record

MANIFEST = "manifest.json"
TABLE_KEYS: Keys = {
    "name": str,
    "description": str,
    "root": (str, type(None)),
    "key": str,
    "options": dict,
    "counts": dict,
    "problems": list,
}
"""What manifests of tables have, of this and earlier versions."""

VERSIONED_PACKAGES = ("medvision", "numpy", "numba", "opencv-python-headless", "nibabel", "pyarrow")


def jsonable(content: Any) -> Any:
    """A JSON value of dataclasses, mappings, sequences, paths and plain values.

    Example:
        >>> jsonable({1: (PurePath("a/b"), None)})
        {'1': ['a/b', None]}
    """
    if is_dataclass(content) and not isinstance(content, type):
        return {entry.name: jsonable(getattr(content, entry.name)) for entry in fields(content)}
    if isinstance(content, Mapping):
        return {str(key): jsonable(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [jsonable(value) for value in content]
    return str(content) if isinstance(content, PurePath) else content


def content_key(content: Any) -> str:
    """Hex SHA-256 of anything `jsonable`, in canonical form.

    Example:
        >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
        True
    """
    text = json.dumps(jsonable(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def utc_now() -> str:
    """The time as manifests state it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    return {name: version(name) for name in VERSIONED_PACKAGES}


def read_manifest(folder: Path, keys: Keys, again: str) -> dict[str, Any] | None:
    """A stage folder's manifest, or None when the stage is not complete.

    Args:
        folder: The stage's folder.
        keys: What the stage's manifests have.
        again: What makes it again, as the end of a message.

    Raises:
        DamagedFileError: The file does not hold what a stage wrote.
    """
    path = folder / MANIFEST
    return read_record(path, {"stage": str} | dict(keys), again) if path.exists() else None


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write a stage folder's manifest atomically. Call it last."""
    write_text(folder / MANIFEST, json.dumps(jsonable(content), indent=1) + "\n")
