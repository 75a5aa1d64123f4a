"""Files over HTTP: on from where an earlier run stopped, tried again where it helps, checked."""

import hashlib
import importlib
import json
import logging
import random
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medvision.catalog.source import Download
from medvision.fetch.errors import (
    ChecksumError,
    FetchError,
    disk_full,
    is_disk_full,
    refuse_without_space,
)
from medvision.storage import sync
from medvision.waits import HTTP_LIBRARIES, retry_after_s

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
CONNECT_S, SILENCE_S = 20.0, 60.0
RETRIED = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT_S = 600.0
NOT_THERE = (404, 410)
CHANGED = "the host's file is not the one that an earlier part came from"


class NotThereError(FetchError):
    """A host has no such file."""

    reason = "not_there"


class Interrupted(Exception):  # noqa: N818 - no error: another file has failed, or the user stops
    """This download stops because the whole fetch does; what has come is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all downloads of one fetch share.

    Attributes:
        client: HTTP client.
        on_bytes: Told how many bytes have come since the last time.
        on_found: Told how many lay there from before, and less than 0 where they are of no use.
        on_size: Told a file's name and its size, as soon as its host says it.
        stop: Set where all downloads are to end.
        attempts: How often in a row a file may fail without a byte in between.
        pause: Waits for so many seconds, or until `stop` is set.
    """

    client: Any
    on_bytes: Callable[[int], None] = lambda _n: None
    on_found: Callable[[int], None] = lambda _n: None
    on_size: Callable[[str, int], None] = lambda _name, _n: None
    stop: threading.Event = field(default_factory=threading.Event)
    attempts: int = 6
    backoff_s: float = 1.0

    def pause(self, seconds: float) -> None:
        """Wait, unless all is to end."""
        self.stop.wait(seconds)


def http_client() -> Any:
    """A client that follows redirects and gives up on a host that stays silent."""
    for name in HTTP_LIBRARIES:
        with suppress(ImportError):
            library: Any = importlib.import_module(name)
            timeout = library.Timeout(SILENCE_S, connect=CONNECT_S)
            return library.Client(follow_redirects=True, timeout=timeout)
    msg = f"expected one of the libraries {', '.join(HTTP_LIBRARIES)}; install medvision again"
    raise FetchError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One file on a host.

    Attributes:
        urls: Addresses, tried in order until one has the file.
        headers: Sent to the host, never logged.
    """

    download: Download
    urls: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class _TryAgain(Exception):  # noqa: N818 - a signal between the functions of this module
    why: str
    after_s: float | None = None


def download(remote: Remote, path: Path, session: Session) -> Path:
    """Download a file, on from what an earlier run has left beside `path`.

    Args:
        remote: The file.
        path: Where it goes once it is whole; until then its name ends in `.part`.
        session: What all downloads share.

    Returns:
        `path`. Its digest is not checked.

    Raises:
        NotThereError: No address has it.
        FetchError: A host refuses, or fails again and again.
        ChecksumError: The host's file is of another size.
        DiskFullError: There is no space left.
        Interrupted: The whole fetch stops.
    """
    if path.exists():
        session.on_found(path.stat().st_size)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(path)
    session.on_found(part.size)
    for rank, url in enumerate(remote.urls, start=1):
        try:
            _download_from(url, remote, part, session)
        except NotThereError:
            if rank == len(remote.urls):
                raise
            continue
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(path.parent, f"downloading {remote.download.name}") from error
            raise
        break
    part.finish(path)
    return path


class _Part:
    """What has come of a file, with what tells whether the host still has the same one."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str:
        """ETag or date of the host's file; "" where it gave none."""
        with suppress(OSError, ValueError):
            return str(json.loads(self._note.read_text("utf-8"))["validator"])
        return ""

    def note(self, validator: str) -> None:
        self._note.write_text(json.dumps({"validator": validator}), "utf-8")

    def restart(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, path: Path) -> None:
        self.path.touch()
        sync(self.path)
        self.path.replace(path)
        self._note.unlink(missing_ok=True)


def _download_from(url: str, remote: Remote, part: _Part, session: Session) -> None:
    failures, name = 0, remote.download.name
    while True:
        before = part.size
        try:
            _request(url, remote, part, session)
        except _TryAgain as again:
            failures = failures + 1 if part.size <= before else 1
            if failures >= session.attempts:
                msg = (
                    f"{name}: failed {failures} times in a row ({again.why}); {part.size:,} bytes "
                    "have come and are kept: run it again to go on"
                )
                raise FetchError(msg) from again
            wait_s = again.after_s
            if wait_s is None:  # spread, so that many clients do not come back at once
                spread = random.uniform(0.5, 1)  # noqa: S311 - no secret
                wait_s = session.backoff_s * 2 ** (failures - 1) * spread
            logger.info("%s: %s; again in %.1f s", name, again.why, wait_s)
            session.pause(min(wait_s, LONGEST_WAIT_S))
            _stop_if_asked(session)
        else:
            return


def _stop_if_asked(session: Session) -> None:
    if session.stop.is_set():
        raise Interrupted


def _request(url: str, remote: Remote, part: _Part, session: Session) -> None:
    """Ask for what has not come yet, and append it.

    Raises:
        _TryAgain: It ended early, or the host says to come back.
    """
    _stop_if_asked(session)
    # A digest proves in the end that old and new bytes are of one file; without one, the host must.
    pinned = bool(remote.download.sha256 or remote.download.md5)
    if part.size and not part.validator and not pinned:
        session.on_found(-part.size)
        part.restart()
    headers = {"Accept-Encoding": "identity", **remote.headers}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.validator:
            headers["If-Range"] = part.validator
    library = importlib.import_module(type(session.client).__module__.split(".")[0])
    try:
        with session.client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:  # all of it has come, or more than there is
                end = response.headers.get("Content-Range", "").rpartition("/")[2]
                if end == str(part.size):
                    return
                session.on_found(-part.size)
                part.restart()
                raise _TryAgain(CHANGED, after_s=0.0)
            _refuse_status(response, remote.download.name)
            _append(response, remote.download, part, session)
    except library.TransportError as error:
        raise _TryAgain(type(error).__name__) from error
    except library.RequestError as error:  # such as too many redirects
        msg = f"{remote.download.name}: {type(error).__name__}: {error}"
        raise FetchError(msg) from error


def _refuse_status(response: Any, name: str) -> None:
    status = response.status_code
    if status in RETRIED:
        after_s = retry_after_s(response.headers.get("Retry-After"))
        why = f"HTTP {status}"
        raise _TryAgain(why, after_s)
    if status in NOT_THERE:
        msg = f"{name}: HTTP {status} from {_host(response)}: no such file there"
        raise NotThereError(msg)
    if status in (401, 403):
        msg = (
            f"{name}: HTTP {status} from {_host(response)}: it wants an account, accepted terms or "
            "a token; `medvision fetch --plan NAME` says which"
        )
        raise FetchError(msg)
    if status not in (200, 206):
        msg = f"{name}: HTTP {status} from {_host(response)}"
        raise FetchError(msg)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        msg = f"{name}: {_host(response)} sent a web page in its place; it may want a login"
        raise FetchError(msg)


def _host(response: Any) -> str:
    # Nothing after the host: addresses that a host redirects to are signed.
    return str(response.url.host)


def _append(response: Any, wanted: Download, part: _Part, session: Session) -> None:
    start = 0
    if response.status_code == 206:
        found = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
        start = int(found[1]) if found else -1
        if start != part.size:
            session.on_found(-part.size)
            part.restart()
            raise _TryAgain(CHANGED, after_s=0.0)
    elif part.size:
        session.on_found(-part.size)
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if re.fullmatch(r"\d{1,18}", length) else None
    if total is not None and wanted.size_bytes not in (None, total):
        msg = (
            f"{wanted.name}: expected {wanted.size_bytes:,} bytes, {_host(response)} has "
            f"{total:,}: another version of the file"
        )
        raise ChecksumError(msg)
    if total is not None:
        session.on_size(wanted.name, total)
        refuse_without_space(part.path.parent, total - start, f"downloading {wanted.name}")
    etag = response.headers.get("ETag", "")
    # Only a strong tag says that the bytes are the same.
    is_strong = etag and not etag.startswith("W/")
    part.note(etag if is_strong else response.headers.get("Last-Modified", ""))
    with part.path.open("ab" if start else "wb") as stream:
        for chunk in response.iter_raw():  # of no fixed size: what waits for more is lost
            stream.write(chunk)
            session.on_bytes(len(chunk))
            _stop_if_asked(session)
    if total is not None and part.size < total:
        msg = f"it ended after {part.size:,} of {total:,} bytes"
        raise _TryAgain(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Digests of a file."""

    sha256: str
    md5: str


def digests_of(path: Path) -> Digests:
    """Both digests of a file, in one reading."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return Digests(sha256=sha256.hexdigest(), md5=md5.hexdigest())


def mismatch(wanted: Download, path: Path, found: Digests) -> str:
    """How a file differs from the pinned one; "" where it is that one, or nothing pins it."""
    size = path.stat().st_size
    if wanted.size_bytes not in (None, size):
        return f"{wanted.name}: expected {wanted.size_bytes:,} bytes, found {size:,}"
    for kind in ("sha256", "md5"):
        expected, one = getattr(wanted, kind), getattr(found, kind)
        if expected and expected != one:
            return f"{wanted.name}: expected {kind} {expected}, found {one}"
    return ""
