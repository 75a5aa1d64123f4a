"""Archives brought into a raw folder: obtained side by side, checked and unpacked one by one."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread

from medvision.errors import ItemError
from medvision.fetch.download import (
    Digests,
    Interrupted,
    Session,
    digests_of,
    http_client,
    mismatch,
)
from medvision.fetch.errors import ChecksumError, MissingFilesError
from medvision.fetch.given import adopt, fits, given_files, given_unpacked, lacking, place
from medvision.fetch.hosts import OBTAIN, Obtained, from_mirror
from medvision.fetch.records import Checked, FileFacts, Record, placing, write_record
from medvision.fetch.settings import FetchSettings
from medvision.fetch.space import downloads_of
from medvision.fetch.unpack import joined_volumes, unpack
from medvision.fetch.unpack_target import Limits
from medvision.fetch.ways import Wanted

logger = logging.getLogger(__name__)

LET_GO_S = 1.0
"""So long a download may take to notice that all are to end."""

SLACK = 1.05
"""A declared unpacked size may be exceeded by so much: hosts round."""


@dataclass(slots=True)
class Fetching:
    """One run over the archives of a dataset that are missing.

    Attributes:
        name: Of the dataset.
        folder: Its raw folder.
        failures: Of single archives; the others are fetched all the same.
    """

    name: str
    folder: Path
    settings: FetchSettings
    failures: list[ItemError] = field(default_factory=list)

    def run(self, missing: list[Wanted]) -> None:
        """Obtain all archives, several at once, and unpack each as soon as it is its turn.

        Raises:
            FetchError: Some could not be had; the others are in place.
        """
        progress = _Progress(self.settings.on_progress, missing)
        slots = BoundedSemaphore(max(1, self.settings.jobs))
        with http_client() as client:
            session = Session(
                client=client,
                on_bytes=progress.came,
                on_found=progress.found,
                on_size=progress.size_is,
            )
            threads, coming = [], []
            try:
                for one in missing:
                    future: Future[list[Obtained]] = Future()
                    # No pool: the interpreter waits for a pool's threads as it ends, and one may
                    # hang on a host that has gone silent.
                    arguments = (future, slots, one, session)
                    threads.append(Thread(target=self._obtain_into, args=arguments, daemon=True))
                    coming.append((one, future))
                    threads[-1].start()
                for one, future in coming:
                    self._take(one, future)
            finally:
                # On an interrupt the downloads must end too; what has come of them is kept.
                session.stop.set()
                for thread in threads:
                    thread.join(timeout=LET_GO_S)
        if self.failures:
            first = self.failures[0]
            raise type(first)("\n".join(str(failure) for failure in self.failures)) from first

    def _obtain_into(
        self,
        future: "Future[list[Obtained]]",
        slots: BoundedSemaphore,
        wanted: Wanted,
        session: Session,
    ) -> None:
        with slots:
            try:
                if session.stop.is_set():
                    raise Interrupted
                future.set_result(self._obtain(wanted, session))
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)

    def _obtain(self, wanted: Wanted, session: Session) -> list[Obtained]:
        if given := self.settings.given:
            return [
                Obtained(wanted=replace(part, name=name), path=path, given=True)
                for part in wanted.parts
                for name, path in given_files(part, given).items()
            ]
        mirror = self.settings.mirror
        obtain = from_mirror(mirror, self.name) if mirror else OBTAIN[wanted.source.kind]
        folder = downloads_of(wanted.source, self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [
            got for part in wanted.parts for got in obtain(wanted.source, part, folder, session)
        ]

    def _take(self, wanted: Wanted, future: "Future[list[Obtained]]") -> None:
        try:
            obtained = future.result()
            with placing(self.folder):
                record = self._placed(wanted, obtained) if obtained else self._adopted(wanted)
                write_record(self.folder, record)
        except ItemError as error:
            self.failures.append(error)
        except Interrupted:
            pass
        else:
            for one in obtained:
                if not one.given and not self.settings.keep_archives:
                    one.path.unlink(missing_ok=True)

    def _adopted(self, wanted: Wanted) -> Record:
        """Files that were unpacked by hand.

        Raises:
            MissingFilesError: There are none of this archive.
        """
        given = self.settings.given
        files = given_unpacked(wanted.declared, given) if given else None
        if not files:
            like = ", ".join(wanted.declared.holds)
            msg = f"{wanted.name}: not found in {given}" + (
                f", nor files like {like}" if like else ""
            )
            raise MissingFilesError(msg)
        placed = adopt(files, self.folder / wanted.declared.into)
        return Record(
            name=wanted.name,
            source=wanted.source.name,
            checked="unpacked by hand",
            given=True,
            files={_below(wanted.declared.into, name): facts for name, facts in placed.items()},
        )

    def _placed(self, wanted: Wanted, obtained: list[Obtained]) -> Record:
        """Check what has come, unpack it or put it in its place."""
        come = {one.wanted.name for one in obtained}
        absent = [part.name for part in wanted.parts if part.name not in come]
        if self.settings.given and absent and len(wanted.parts) > 1:
            msg = f"{wanted.name}: part {absent[0]} not found in {self.settings.given}"
            raise MissingFilesError(msg)
        digests = {}
        checked: set[Checked] = set()
        for one in obtained:
            digests[one.wanted.name] = digests_of(one.path)
            checked.add(self._checked(one, digests[one.wanted.name]))
        files: dict[str, FileFacts] = {}
        by_name = {one.wanted.name: one for one in obtained}
        for names in joined_volumes(list(by_name)).values():
            files |= self._unpacked(wanted, [by_name[name] for name in names], digests)
        worst: tuple[Checked, ...] = ("differs", "nothing", "size", "md5", "sha256")
        return Record(
            name=wanted.name,
            source=wanted.source.name,
            # Of a pattern's files each has its own below.
            sha256=" ".join(one.sha256 for one in digests.values())
            if len(digests) == len(wanted.parts)
            else "",
            checked=next(one for one in worst if one in checked),
            given=any(one.given for one in obtained),
            files=files,
        )

    def _checked(self, one: Obtained, found: Digests) -> Checked:
        """How far a file was checked.

        Raises:
            ChecksumError: It is not the pinned one. A file of ours is removed: the next run must
                not take it for what an earlier one has finished.
        """
        if wrong := mismatch(one.wanted, one.path, found):
            if self.settings.unverified:
                logger.warning("%s; taken all the same, as asked for", wrong)
                return "differs"
            if not one.given:
                one.path.unlink(missing_ok=True)
            msg = (
                f"{wrong}: bytes were damaged on the way, or it is another version; "
                f"{'get it' if one.given else 'run it'} again, or take it with --unverified"
            )
            raise ChecksumError(msg)
        if one.wanted.sha256:
            return "sha256"
        if one.wanted.md5:
            return "md5"
        return "size" if one.wanted.size_bytes is not None else "nothing"

    def _unpacked(
        self, wanted: Wanted, volumes: list[Obtained], digests: dict[str, Digests]
    ) -> dict[str, FileFacts]:
        """Put one archive's files in place.

        Raises:
            MissingFilesError: It lacks what the catalogue says it holds.
        """
        declared, first = wanted.declared, volumes[0]
        target = self.folder / declared.into
        if not declared.unpack:
            name = first.wanted.name
            size_bytes = first.path.stat().st_size
            if first.given or self.settings.keep_archives:
                place(first.path, target / name)
            else:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                first.path.replace(target / name)
            facts = FileFacts(size_bytes=size_bytes, sha256=digests[name].sha256)
            return {_below(declared.into, name): facts}
        logger.info("%s: unpacking %s", self.name, wanted.name)
        most = declared.unpacked_bytes
        limits = Limits(bytes_in_all=int(most * SLACK) if most else None)
        files = unpack([one.path for one in volumes], target, limits)
        for path in [path for path in files if any(fits(p, path) for p in declared.inner)]:
            inner = unpack([target / path], (target / path).parent)
            (target / path).unlink()
            del files[path]
            files |= {_below(str(Path(path).parent), name): one for name, one in inner.items()}
        if absent := lacking(declared, files):
            # Else the next build would take them for files that were placed by hand.
            for path in files:
                (target / path).unlink()
            tops = sorted({path.partition("/")[0] for path in files})
            msg = (
                f"{wanted.name}: expected files like {', '.join(absent)} in it, found "
                f"{len(files)} files in {', '.join(tops[:5])}"
            )
            raise MissingFilesError(msg)
        return {_below(declared.into, path): facts for path, facts in files.items()}


def _below(into: str, name: str) -> str:
    return name if into in ("", ".") else f"{into}/{name}"


class _Progress:
    """Bytes of all downloads together, with the rate and how long the rest may take."""

    def __init__(self, tell: Callable[[int, int, str], None], missing: list[Wanted]) -> None:
        self._tell, self._lock = tell, Lock()
        self._done, self._came, self._started_s = 0, 0, time.monotonic()
        self._sizes = {part.name: part.size_bytes for one in missing for part in one.parts}

    def size_is(self, name: str, n_bytes: int) -> None:
        """Note a size that nobody had declared."""
        with self._lock:
            self._sizes[name] = n_bytes

    def found(self, n_bytes: int) -> None:
        """Count bytes of an earlier fetch: they are there, and say nothing of the rate."""
        with self._lock:
            self._done += n_bytes

    def came(self, n_bytes: int) -> None:
        """Count bytes that have come."""
        with self._lock:
            self._done += n_bytes
            self._came += n_bytes
            rate = self._came / max(time.monotonic() - self._started_s, 1e-3)
            words = f"{rate / 1e6:.1f} MB/s"
            total = sum(filter(None, self._sizes.values()))
            if None in self._sizes.values():
                words += ", sizes of some files not known"
            elif total > self._done and rate > 0:
                words += f", about {(total - self._done) / rate / 60:.0f} min left"
            self._tell(self._done, max(total, self._done), words)
