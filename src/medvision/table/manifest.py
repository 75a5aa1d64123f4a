"""Manifests: written last, they say that a stage is complete and what it was made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from medvision.declarations import read_json
from medvision.storage import write_text

MANIFEST = "manifest.json"
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


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    return {name: version(name) for name in VERSIONED_PACKAGES}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """A stage folder's manifest, or None when the stage is not complete.

    Raises:
        DeclarationError: The file is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    content: dict[str, Any] = read_json(path)
    return content


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write a stage folder's manifest atomically. Call it last."""
    write_text(folder / MANIFEST, json.dumps(jsonable(content), indent=1) + "\n")
