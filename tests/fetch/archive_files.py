"""Archives of every kind, from a table of member names and contents."""

import io
import re
import struct
import tarfile
import zipfile
import zlib


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return path


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return path


def write_tgz(path, members):
    return write_tar(path, members, "w:gz")


def write_tar_zst(path, members):
    import pytest

    zstd = pytest.importorskip("backports.zstd")
    plain = write_tar(path.with_suffix(".plain"), members)
    path.write_bytes(zstd.compress(plain.read_bytes()))
    plain.unlink()
    return path


def write_7z(path, members):
    """A 7z archive; py7zr writes no unsafe names, so these are put in afterwards."""
    import pytest

    py7zr = pytest.importorskip("py7zr")
    harmless = {name: re.sub(r"[./\\]", "_", name) for name in members}
    unsafe = [name for name in members if ".." in name or name[0] == "/" or ":" in name]
    with py7zr.SevenZipFile(path, "w") as bundle:
        bundle.set_encoded_header_mode(False)
        for name, content in members.items():
            bundle.writestr(content, harmless[name] if name in unsafe else name)
    data = bytearray(path.read_bytes())
    for name in unsafe:
        data = data.replace(harmless[name].encode("utf-16le"), name.encode("utf-16le"))
    offset, size = struct.unpack_from("<QQ", data, 12)
    struct.pack_into("<I", data, 28, zlib.crc32(data[32 + offset : 32 + offset + size]))
    struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))
    path.write_bytes(data)
    return path


def write_rar(path, members, method=0x30):
    """A RAR 2.9 archive whose members are stored: the form is public, its compression is not."""

    def block(kind, flags, body):
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in members.items():
        text, size = name.encode(), len(content)
        body = struct.pack("<IIBIIBBHI", size, size, 3, zlib.crc32(content), 0x5A21 << 16, 29,
                           method, len(text), 0o100644)  # fmt: skip
        parts += [block(0x74, 0x8000, body + text), content]
    path.write_bytes(b"".join([*parts, block(0x7B, 0x4000, b"")]))
    return path


WRITERS = {
    ".zip": write_zip,
    ".tar": write_tar,
    ".tar.gz": write_tgz,
    ".tgz": write_tgz,
    ".tar.zst": write_tar_zst,
    ".7z": write_7z,
    ".rar": write_rar,
}


def write_archive(path, members):
    """An archive of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = max((s for s in WRITERS if path.name.endswith(s)), key=len)
    return WRITERS[suffix](path, members)
