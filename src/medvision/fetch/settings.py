"""How a fetch goes about it: what the user has, accepts and wants to keep."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medvision.catalog.source import Role
from medvision.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """How files are obtained.

    Attributes:
        given: Folder that has the archives, or what was unpacked from them; nothing is downloaded.
        mirror: Address below which a copy has the same file names; no host is asked.
        role: Whose files; None for those that are easiest to get.
        accept_licence: The user accepts licence and terms.
        unverified: Files whose digest differs are taken; the manifest says so.
        keep_archives: Archives stay after they are unpacked.
        jobs: Files that are downloaded at once.
        on_progress: Told (bytes that have come, bytes in all, words) now and then.
    """

    given: Path | None = None
    mirror: str = ""
    role: Role | None = None
    accept_licence: bool = False
    unverified: bool = False
    keep_archives: bool = False
    jobs: int = 4
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _words: None

    def __post_init__(self) -> None:
        """Refuse two places at once, and a mirror that is no address."""
        if self.given and self.mirror:
            msg = "--from and --mirror: expected one of them"
            raise UsageError(msg)
        if self.mirror and not self.mirror.startswith(("http://", "https://")):
            msg = f"--mirror {self.mirror}: expected an address, http://… or https://…"
            raise UsageError(msg)
