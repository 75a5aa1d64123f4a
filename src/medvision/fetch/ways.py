"""Which of a dataset's sources are used: those of its owner, or those of a copy."""

from collections.abc import Sequence
from dataclasses import dataclass

from medvision.catalog.dataset import Dataset
from medvision.catalog.source import ROLES, Download, Role, Source
from medvision.errors import UsageError
from medvision.fetch.unpack import joined_volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """All sources of one role: together they hold what is asked for."""

    role: Role
    sources: tuple[Source, ...]

    @property
    def by_program(self) -> bool:
        """Whether `fetch` can take it, if with a token."""
        return all(source.by_program for source in self.sources)

    @property
    def on_request(self) -> bool:
        """Whether it is taken only where a user asks for it."""
        return any(source.on_request for source in self.sources)

    @property
    def open(self) -> bool:
        """Whether it takes no account."""
        return all(source.access == "open" for source in self.sources)


def ways_of(dataset: Dataset) -> list[Way]:
    """The ways to a dataset's files: the owner's own first."""
    by_role = {role: tuple(s for s in dataset.sources if s.role == role) for role in ROLES}
    return [Way(role=role, sources=sources) for role, sources in by_role.items() if sources]


def chosen_way(dataset: Dataset, role: Role | None = None) -> Way:
    """The way that `fetch` takes.

    Without a role: the first that takes neither account nor hands, then the first that takes no
    hands, then the first; none that is taken on request only.

    Raises:
        UsageError: No source at all, or none of that role.
    """
    ways = ways_of(dataset)
    if role is not None:
        ways = [way for way in ways if way.role == role]
    if not ways:
        known = ", ".join(way.role for way in ways_of(dataset)) or "none"
        msg = f"{dataset.name}: no source of the role {role or 'original'!r}; known: {known}"
        raise UsageError(msg)
    automatic = [way for way in ways if way.by_program and (role or not way.on_request)]
    return next((way for way in automatic if way.open), next(iter(automatic or ways)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One archive of a source, in one file or in parts."""

    name: str
    source: Source
    parts: tuple[Download, ...]

    @property
    def declared(self) -> Download:
        """What the catalogue says of it: of parts, the first one says it for all."""
        return self.parts[0]

    @property
    def size_bytes(self) -> int | None:
        """To download; None where it is not known of every part."""
        sizes = [part.size_bytes for part in self.parts]
        return None if None in sizes else sum(filter(None, sizes))


def wanted_of(sources: Sequence[Source]) -> list[Wanted]:
    """The archives of sources, in declared order: later ones may replace files of earlier ones."""
    wanted = []
    for source in sources:
        by_name = {one.name: one for one in source.downloads}
        for name, parts in joined_volumes(list(by_name)).items():
            declared = tuple(by_name[part] for part in parts)
            wanted.append(Wanted(name=name, source=source, parts=declared))
    return wanted
