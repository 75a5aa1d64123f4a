"""Readers of archives: each lists its members to a target, then writes those that it takes.

What a file is, its first bytes say: hosts rename archives, and send pages where a login is missing.
"""

import io
import posixpath
import shutil
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from medvision.extras import require
from medvision.fetch.errors import DamagedArchiveError, FetchError
from medvision.fetch.unpack_target import CHUNK_BYTES, Member, Sink, Target, safe_path

EXTRA = "fetch"


class Volumes(io.RawIOBase):
    """Files that were cut out of one, read as that one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._streams = [path.open("rb") for path in paths]
        sizes = [path.stat().st_size for path in paths]
        self._starts = [sum(sizes[:rank]) for rank in range(len(sizes) + 1)]
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Offset in the whole."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset in the whole."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read on, at most to the end of the file that holds the offset."""
        for stream, start, end in zip(self._streams, self._starts, self._starts[1:], strict=False):
            if start <= self._at < end:
                stream.seek(self._at - start)
                data = stream.read(min(len(buffer), end - self._at))
                buffer[: len(data)] = data
                self._at += len(data)
                return len(data)
        return 0

    def close(self) -> None:
        """Close all files."""
        for stream in self._streams:
            stream.close()
        super().close()


@contextmanager
def opened(volumes: Sequence[Path]) -> Iterator[BinaryIO]:
    """An archive's bytes, of one file or of several in their order."""
    if len(volumes) == 1:
        with volumes[0].open("rb") as stream:
            yield stream
    else:
        with io.BufferedReader(Volumes(volumes), CHUNK_BYTES) as joined:
            yield joined


def _copy(source: IO[bytes], target: Target, path: str) -> None:
    with target.sink(path) as sink:
        shutil.copyfileobj(source, cast("Any", sink), CHUNK_BYTES)


def unpack_zip(volumes: Sequence[Path], target: Target) -> None:
    """Unpack a ZIP archive."""
    with opened(volumes) as stream, zipfile.ZipFile(stream) as bundle:
        infos = bundle.infolist()
        placed = target.place_all(
            Member(name=info.filename, size_bytes=info.file_size, kind=_zip_kind(info))
            for info in infos
        )
        for info in infos:
            if path := placed.get(info.filename):
                with bundle.open(info) as source:
                    _copy(source, target, path)


def _zip_kind(info: zipfile.ZipInfo) -> Any:
    mode = info.external_attr >> 16
    if info.is_dir():
        return "folder"
    # 0 where the archive was made on a system without modes.
    if stat.S_IFMT(mode) in (0, stat.S_IFREG):
        return "file"
    return "link" if stat.S_ISLNK(mode) else "special"


def unpack_tar(volumes: Sequence[Path], target: Target) -> None:
    """Unpack a TAR archive, plain or compressed, in one pass.

    A link to a file of the same archive becomes a copy of that file; any other is refused.
    """
    links: dict[str, str] = {}
    # A stream ("r|") never goes back: reading the list first would decompress it all twice.
    with (
        opened(volumes) as stream,
        _decompressed(stream, volumes[0].name) as plain,
        tarfile.open(fileobj=plain, mode="r|", bufsize=CHUNK_BYTES) as bundle,
    ):
        for info in bundle:
            if info.issym():
                links[info.name] = posixpath.join(posixpath.dirname(info.name), info.linkname)
            elif info.islnk():
                links[info.name] = info.linkname
            else:
                kind: Any = "file" if info.isreg() else "folder" if info.isdir() else "special"
                path = target.place(Member(name=info.name, size_bytes=info.size, kind=kind))
                if path and (source := bundle.extractfile(info)):
                    _copy(source, target, path)
    for name, linked in links.items():
        known = target.files.get(safe_path(posixpath.normpath(linked)))
        size_bytes, kind = (known.size_bytes, "file") if known else (0, "link")
        path = target.place(Member(name=name, size_bytes=size_bytes, kind=kind))
        if path:
            with (target.folder / safe_path(posixpath.normpath(linked))).open("rb") as source:
                _copy(source, target, path)


@contextmanager
def _decompressed(stream: BinaryIO, name: str) -> Iterator[IO[bytes]]:
    """The TAR archive inside a compressed one; a plain one as it is."""
    magic = stream.read(6)
    stream.seek(0)
    if magic.startswith(GZIP):
        from isal import igzip

        with igzip.open(stream, "rb") as plain:  # type: ignore[no-untyped-call]
            yield plain
    elif magic.startswith(ZSTD):
        # Python 3.14 has the library of the extra.
        module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        with require(module, EXTRA, item=name).open(stream, "rb") as plain:
            yield plain
    elif magic.startswith(BZIP2):
        import bz2

        with bz2.open(stream, "rb") as plain:
            yield plain
    elif magic.startswith(XZ):
        import lzma

        with lzma.open(stream, "rb") as plain:
            yield plain
    else:
        yield stream


class _SevenZipSink:
    """What py7zr writes a file into: it asks for more than a stream of bytes needs."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._size = 0

    def write(self, data: bytes | bytearray) -> int:
        self._size += len(data)
        return self._sink.write(data)

    def read(self, _size: int | None = None) -> bytes:
        return b""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return self._size

    def close(self) -> None:
        self._sink.finish()


@dataclass(frozen=True, slots=True)
class _SevenZipSinks:
    """Opens what py7zr writes a file into, by the file's name."""

    target: Target
    placed: dict[str, str]

    def create(self, filename: str) -> _SevenZipSink:
        return _SevenZipSink(self.target.sink(self.placed[filename]))


def unpack_7z(volumes: Sequence[Path], target: Target) -> None:
    """Unpack a 7z archive."""
    py7zr = require("py7zr", EXTRA, item=volumes[0].name)
    with opened(volumes) as stream, py7zr.SevenZipFile(stream, "r") as bundle:
        infos = bundle.list()
        placed = target.place_all(
            Member(
                name=info.filename,
                size_bytes=info.uncompressed,
                kind="folder"
                if info.is_directory
                else "link"
                if info.is_symlink
                else "file"
                if info.is_file
                else "special",
            )
            for info in infos
        )
        bundle.extract(targets=list(placed), factory=_SevenZipSinks(target, placed))
        for info in infos:
            path = placed.get(info.filename)
            if path and path not in target.files and not info.uncompressed:
                target.sink(path).finish()  # py7zr asks for no stream for an empty file


RAR_TOOLS = ("unrar", "unar", "7z", "7zz", "bsdtar")


def unpack_rar(volumes: Sequence[Path], target: Target) -> None:
    """Unpack a RAR archive; compressed ones need one of the programs that can read them."""
    rarfile = require("rarfile", EXTRA, item=volumes[0].name)
    try:
        with rarfile.RarFile(volumes[0]) as bundle:  # further volumes lie beside the first
            infos = bundle.infolist()
            placed = target.place_all(
                Member(
                    name=info.filename,
                    size_bytes=info.file_size,
                    kind="folder" if info.is_dir() else "link" if info.is_symlink() else "file",
                )
                for info in infos
            )
            for info in infos:
                if path := placed.get(info.filename):
                    with bundle.open(info) as source:
                        _copy(source, target, path)
    except rarfile.RarCannotExec as error:
        msg = (
            f"{volumes[0].name}: this RAR archive needs one of the programs "
            f"{', '.join(RAR_TOOLS)}, and none is installed"
        )
        raise FetchError(msg) from error


GZIP, ZSTD, BZIP2, XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"

UNPACKERS: dict[bytes, Callable[[Sequence[Path], Target], None]] = {
    b"PK\x03\x04": unpack_zip,
    b"PK\x05\x06": unpack_zip,  # one without members
    b"7z\xbc\xaf\x27\x1c": unpack_7z,
    b"Rar!\x1a\x07": unpack_rar,
    GZIP: unpack_tar,
    ZSTD: unpack_tar,
    BZIP2: unpack_tar,
    XZ: unpack_tar,
}
"""How archives are unpacked, by their first bytes."""

TAR_MAGIC_AT = 257


def unpacker_of(path: Path) -> Callable[[Sequence[Path], Target], None]:
    """How a file is unpacked.

    Raises:
        DamagedArchiveError: It is no archive; the message says what it looks like.
    """
    with path.open("rb") as stream:
        head = stream.read(512)
    for magic, unpacker in UNPACKERS.items():
        if head.startswith(magic):
            return unpacker
    if head[TAR_MAGIC_AT:].startswith(b"ustar") or path.suffix == ".tar":
        return unpack_tar
    is_page = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    found = (
        "a web page: the host may want a login" if is_page else f"a file that starts {head[:8]!r}"
    )
    msg = f"{path.name}: expected a zip, tar, 7z or rar archive, found {found}"
    raise DamagedArchiveError(msg)
