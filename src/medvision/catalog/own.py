"""Declarations that a user keeps outside the package, beside those of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from medvision.catalog.dataset import Dataset, dataset_names, load_dataset, read_dataset
from medvision.declarations import meant
from medvision.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCatalog:
    """The built-in declarations and those of a folder of TOML files.

    Attributes:
        paths: Name to file, of the user's own.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path | None) -> Self:
        """The catalogue with the files of a folder; None for the built-in one alone.

        Raises:
            UsageError: No such folder, nothing in it, or a name that the package has.
        """
        if folder is None:
            return cls()
        paths = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if not paths:
            msg = f"--catalog {folder}: expected a folder with declarations, NAME.toml"
            raise UsageError(msg)
        if taken := sorted(set(paths) & set(dataset_names())):
            msg = (
                f"--catalog {folder}: {taken[0]}.toml: a built-in dataset has this name; rename it"
            )
            raise UsageError(msg)
        return cls(paths=paths)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted without regard to case."""
        return tuple(sorted((*self.paths, *dataset_names()), key=str.casefold))

    def load(self, name: str) -> Dataset:
        """The declared dataset of that name.

        Raises:
            UsageError: No such dataset, a file that cannot be read, or one that declares another.
        """
        if (path := self.paths.get(name)) is not None:
            dataset = read_dataset(path)
            if dataset.name != name:
                msg = f"{path}: declares the name {dataset.name!r}; expected that of the file"
                raise UsageError(msg)
            return dataset
        if name not in dataset_names() and self.paths:
            guess = meant(name, self.names) or ";"
            msg = f"no dataset {name!r} in the catalogue{guess} known: {', '.join(self.names)}"
            raise UsageError(msg)
        return load_dataset(name)
