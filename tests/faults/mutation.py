"""A file's content changed at random: by bytes, by words of a text, by parts of JSON or of a PNG.

All draws come from one `random.Random`: of a number, so that a find can be made again, or of
hypothesis, which makes it small.
"""

import gzip
import json
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

ODD_INTEGERS = (0, 1, -1, 2, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1,
                2**31, 2**32 - 1, 2**63 - 1)  # fmt: skip
ODD_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-38, 1e38, 1e308, float("inf"), float("-inf"), float("nan"))
ODD_WORDS = ("", "0", "-1", "1e400", "nan", "inf", "-inf", "99999999999999999999", "1.5", "1e-320",
             "true", "null", "none", "/etc/passwd", "../../x", "a/b", ".", "-", "\x00", "\x1b[2J",
             "ÿ", "\u202e", "a" * 5000, "1 2 3", "(0,0,0)", "[]", "{}", '"', "'", ",", ";", "\t",
             "\n", "%d", "{case}", "*", "List", "LOCAL", "/dev/zero", "٣", "1_0",
             "0x10", "9" * 5000, "a" * 140_000)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", "\ud800", "a/b", "../x", -1, 0, 1, 2**31, 10**30, 1e308, 1.5,
    float("nan"), float("inf"), [], {}, [[]], [None], {"": 0}, [1, 2, 3, 4],
)  # fmt: skip

HEADER_BYTES = 400
"""Half of all changes fall here: most formats begin with what decides how the rest is read."""

Rng = random.Random


def mutated(name: str, content: bytes, rng: Rng) -> bytes:
    """A changed content of a file of that name.

    Args:
        name: Its suffix decides which changes are tried beside those of bytes.
        content: As the file holds it.
        rng: Of all draws.
    """
    form = next((change for end, change in FORMS.items() if name.lower().endswith(end)), by_bytes)
    change = form if rng.random() < 0.7 else by_bytes
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        content = change(content, rng)
    return content


def by_bytes(content: bytes, rng: Rng) -> bytes:
    """Bytes replaced, taken out, put in, repeated or cut off."""
    changed = bytearray(content)
    at = rng.randrange(max(1, min(len(changed), HEADER_BYTES)))
    if rng.random() < 0.5:
        at = rng.randrange(max(1, len(changed)))
    some = rng.choice((1, 1, 2, 4, 8, 30, 300))
    piece = bytes(changed[at : at + some])
    how = rng.randrange(8)
    if how == 0:
        changed[at : at + 1] = bytes([(changed[at] if changed else 0) ^ (1 << rng.randrange(8))])
    elif how == 1:
        order, size = rng.choice("<>"), rng.choice("bhiq")
        mask = (1 << 8 * struct.calcsize(size)) - 1
        number = rng.choice(ODD_INTEGERS) & mask
        packed = struct.pack(f"{order}{size.upper()}", number)
        changed[at : at + len(packed)] = packed
    elif how == 2:
        packed = struct.pack(rng.choice(("<d", ">d")), rng.choice(ODD_FLOATS))
        if rng.random() < 0.5:
            number = max(-3e38, min(3e38, rng.choice(ODD_FLOATS[:6])))
            packed = struct.pack(rng.choice(("<f", ">f")), number)
        changed[at : at + len(packed)] = packed
    elif how == 3:
        del changed[at : at + some]
    elif how == 4:
        changed[at:at] = piece * rng.choice((1, 2, 50))
    elif how == 5:
        changed[at:at] = rng.randbytes(some)
    elif how == 6:
        changed[at : at + some] = rng.randbytes(some)
    else:
        del changed[at:]
    return bytes(changed)


def by_words(content: bytes, rng: Rng) -> bytes:
    """A number or a word replaced, or a line taken out, repeated or moved."""
    text = content.decode("utf-8", "surrogateescape")
    if rng.random() < 0.7:
        words = list(re.finditer(r"[^\s,;:=(){}\[\]\"']+", text)) or [re.match("", text)]
        word = rng.choice(words)
        return _bytes(text[: word.start()] + rng.choice(ODD_WORDS) + text[word.end() :])
    lines = text.splitlines(keepends=True) or [""]
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(3)
    line = lines.pop(at) if how < 2 else lines[at]
    if how:
        lines.insert(to, line)
    return _bytes("".join(lines))


def by_header_words(content: bytes, rng: Rng) -> bytes:
    """The same of the text that stands before an empty line or before the data."""
    ends = [at for mark in (b"\n\n", b"LOCAL\n") if (at := content.find(mark)) >= 0]
    end = min(ends, default=min(len(content), 2 * HEADER_BYTES)) + 1
    return by_words(content[:end], rng) + content[end:]


def by_parts(content: bytes, rng: Rng) -> bytes:
    """A part of JSON replaced, taken out, repeated, or put in place of another."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return by_words(content, rng)
    places = list(_places(value))
    place = rng.choice(places)
    if not place:
        return _bytes(json.dumps(rng.choice(ODD_VALUES)))
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    last, how = place[-1], rng.randrange(5)
    if how == 0:
        del inner[last]
    elif how == 1:
        inner[last] = _at(value, rng.choice(places))
    elif how == 2 and isinstance(inner, list):
        inner.insert(rng.randrange(len(inner) + 1), inner[last])
    elif how == 2:
        inner[rng.choice(ODD_WORDS)] = inner.pop(last)
    else:
        inner[last] = rng.choice(ODD_VALUES)
    try:
        return _bytes(json.dumps(value))
    except (ValueError, RecursionError):  # put into itself
        return content


def by_json_lines(content: bytes, rng: Rng) -> bytes:
    """A part of one line of JSON."""
    lines = content.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    lines[at] = by_parts(lines[at], rng) + b"\n"
    return b"".join(lines)


def inside_gzip(change: Callable[[bytes, Rng], bytes]) -> Callable[[bytes, Rng], bytes]:
    """A change of what is packed."""

    def changed(content: bytes, rng: Rng) -> bytes:
        try:
            plain = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return by_bytes(content, rng)
        return gzip.compress(change(plain, rng), 1, mtime=0)

    return changed


def by_chunks(content: bytes, rng: Rng) -> bytes:
    """The body of a chunk of a PNG, its sum made to fit."""
    at, chunks = 8, []
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return by_bytes(content, rng)
    at = rng.randrange(len(chunks))
    chunks[at] = (chunks[at][0], by_bytes(chunks[at][1], rng))
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return content[:8] + b"".join(parts)


def by_tar_headers(content: bytes, rng: Rng) -> bytes:
    """A field of a header block, its sum made to fit."""
    blocks = [
        at for at in range(0, len(content) - 511, 512) if content[at + 257 : at + 262] == b"ustar"
    ]
    if not blocks:
        return by_bytes(content, rng)
    at = rng.choice(blocks)
    header = bytearray(by_bytes(content[at : at + 512], rng)[:512].ljust(512, b"\0"))
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return content[:at] + bytes(header) + content[at + 512 :]


def by_dicom_elements(content: bytes, rng: Rng) -> bytes:
    """A value of a DICOM file, at any depth."""
    import io

    import pydicom

    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        elements = list(dataset.iterall())
        element = rng.choice(elements)
        if element.VR == "SQ":
            element.value = list(element.value) * rng.choice((0, 2))
        elif isinstance(element.value, bytes):
            element.value = by_bytes(element.value, rng)
        elif isinstance(element.value, int):
            element.value = rng.choice(ODD_INTEGERS)
        elif rng.random() < 0.3:
            dataset.pop(element.tag, None)
        else:
            n_values = len(element.value) if element.VM > 1 else 1
            values = [rng.choice(ODD_WORDS[:16]) for _ in range(rng.choice((n_values, 1, 0)))]
            element.value = values if n_values > 1 else "".join(values)
        stream = io.BytesIO()
        dataset.save_as(stream)
    except Exception:  # noqa: BLE001 - whatever pydicom cannot write, bytes can
        return by_bytes(content, rng)
    return stream.getvalue()


FORMS: dict[str, Callable[[bytes, Rng], bytes]] = {
    ".json.gz": inside_gzip(by_parts),
    ".nii.gz": inside_gzip(by_bytes),
    ".tar.gz": inside_gzip(by_tar_headers),
    ".json": by_parts,
    ".jsonl": by_json_lines,
    ".csv": by_words,
    ".tsv": by_words,
    ".fcsv": by_words,
    ".txt": by_words,
    ".toml": by_words,
    ".yaml": by_words,
    ".nrrd": by_header_words,
    ".nhdr": by_header_words,
    ".mha": by_header_words,
    ".mhd": by_words,
    ".png": by_chunks,
    ".tar": by_tar_headers,
    ".dcm": by_dicom_elements,
}
"""End of a name to what else may happen to such a file."""


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, from the top down."""
    yield at
    entries = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value) if isinstance(value, list) else entries
    for key, inner in entries:
        yield from _places(inner, (*at, key))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return json.loads(json.dumps(value))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if "\ud800" not in text else "surrogatepass")
