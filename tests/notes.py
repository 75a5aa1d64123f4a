"""Notes of what a program gave: text files, one row a line, and their digests."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LEFT_OUT = ("sha256", "image_sha256")
"""Digests of image files: the zlib at hand packs the phantoms."""


@dataclass(kw_only=True)
class Notes:
    """Notes as they are made.

    Attributes:
        folder: Gets a folder for each group and a file for each of its parts.
        columns: Those to look at, by sort of table; what is not there is looked at whole.
        digests: Group to part to digest.
    """

    folder: Path
    columns: dict[str, list[str]] = field(default_factory=dict)
    digests: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, group, part, rows):
        """Note rows in their order."""
        text = "".join(json.dumps(plain(row), ensure_ascii=False) + "\n" for row in rows)
        path = self.path(group, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.digests.setdefault(group, {})[part] = digest

    def path(self, group, part):
        """The file of a part."""
        return self.folder / group / f"{part}.txt"

    def add_columns(self, group, sort, table):
        """Note each column of a table as a part of its own."""
        for name in self.names(sort, table.column_names):
            self.add(group, name, ({name: value} for value in table[name].to_pylist()))

    def names(self, sort, present):
        """Columns to look at of those present."""
        wanted = self.columns.setdefault(sort, [name for name in present if name not in LEFT_OUT])
        return [name for name in wanted if name in present]


def plain(value):
    """A value as JSON: numbers with nine digits, so that no machine's last digit matters."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(f"{value:.9g}") if abs(value) > 1e-9 else 0.0
    if isinstance(value, Mapping):
        return {
            name: below_root(one) if name.endswith("uri") else plain(one)
            for name, one in value.items()
            if name not in LEFT_OUT
        }
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def below_root(uri):
    """The part of a path that is the same under every data root."""
    return uri and uri.rpartition("/raw/")[2]
