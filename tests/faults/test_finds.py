"""What fuzzing found once: files that ended in a traceback or took all memory, told ever since."""

import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.fuzz import limit_memory, seeds_of, tried
from tests.faults.targets import TARGETS


@dataclass(frozen=True, slots=True)
class Find:
    """How a seed of a target is changed, and what comes of it today.

    Attributes:
        what: In words.
        target: Name of the target.
        seed: Its number.
        change: From content to content, of the seed's first file.
    """

    what: str
    target: str
    seed: int
    change: Callable[[bytes], bytes]
    outcome: str = "refused"


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content):
        assert old in content
        return content.replace(old, new)

    return change


def put_at(place: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + new + content[place + len(new) :]


def of_tag(tag: bytes, vr: bytes, length: int) -> Callable[[bytes], bytes]:
    """A DICOM element that says it is so long."""

    def change(content):
        place = content.index(tag + vr) + 8
        return content[:place] + length.to_bytes(4, "little") + content[place + 4 :]

    return change


def of_frames(content):
    place = content.index(b"\x28\x00\x08\x00IS")
    n = int.from_bytes(content[place + 6 : place + 8], "little")
    return content[: place + 6] + b"\x0a\x002147483648" + content[place + 8 + n :]


def renamed(content):
    """The first member's name, and the header's sum, changed."""
    header = bytearray(content[:512])
    header[0:1] = b"\xff"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + content[512:]


ROIS = b"\x06\x30\x20\x00"  # StructureSetROISequence
BIG = (1 << 32) - 4096
DIGITS = b"9" * 5000  # more than Python turns into a number

FINDS = [
    Find("a chunk of 4 GB", "PNG", 0, put_at(33, b"\xff\xff\xf0\x00")),
    Find("a chunk of 4 GB", "picture as label map", 0, put_at(33, b"\xff\xff\xf0\x00")),
    Find("a chunk of 4 GB", "colour mask", 0, put_at(33, b"\xff\xff\xf0\x00")),
    Find("an element of 4 GB", "RTSTRUCT", 0, of_tag(ROIS, b"SQ", BIG)),
    Find("two thousand million frames", "DICOM segmentation", 0, of_frames),
    Find("a line that is not UTF-8", "result files", 1, replaced(b"case_0", b"case_\xf1")),
    Find("a slice index of 40 digits", "result files", 1, replaced(
        b'"slice_idx": ', b'"slice_idx": ' + b"9" * 40)),
    Find("a slice of 10**30 pixels", "result files", 1, replaced(b"[400,", b"[1e30,")),
    Find("a table's name that is not UTF-8", "stores of replies", 0, replaced(
        b"CREATE TABLE responses", b"CREATE TABLE r\xa5sponses")),
    Find("a cell of 140,000 characters", "subjects.csv", 0, replaced(b"s1", b"s" * 140_000)),
    Find("a label id of 5,000 digits", "labels", 0, replaced(b'"2"', b'"%s"' % DIGITS)),
    Find("a class of 5,000 digits", "YOLO names", 0, replaced(b" 1:", b" %s:" % DIGITS), "read"),
    Find("a rank of 5,000 digits", "Slicer segmentation", 0, replaced(
        b"Segment1_", b"Segment%s_" % DIGITS)),
    Find("a channel of 5,000 digits", "nnU-Net dataset.json", 0, replaced(
        b'"0":', b'"%s":' % DIGITS)),
    Find("a folder's name of 5,000 letters", "declarations", 0, replaced(
        b'root = "files"', b'root = "' + b"a" * 5000 + b'"')),
    Find("a gzip stream that looks too far back", "tar", 1, put_at(40, b"\xa7" * 30)),
    Find("a name that is not UTF-8", "tar", 0, renamed),
]  # fmt: skip


def outcomes_of(finds: list[int]) -> list[str]:
    """What comes of finds now, in a process whose memory is limited."""
    with tempfile.TemporaryDirectory() as folder:
        changed = []
        for number in finds:
            find = FINDS[number]
            seed = seeds_of(TARGETS[find.target])[find.seed]
            tried(TARGETS[find.target], seed, Path(folder))  # imports
            first = min(seed)
            changed.append((TARGETS[find.target], seed | {first: find.change(seed[first])}))
        limit_memory()
        return [tried(target, files, Path(folder)) for target, files in changed]


@pytest.fixture(scope="module")
def outcomes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(outcomes_of, (list(range(len(FINDS))),))


@pytest.mark.parametrize("number", range(len(FINDS)), ids=[f.what for f in FINDS])
def test_what_was_found_once_is_told(number, outcomes):
    assert outcomes[number] == FINDS[number].outcome
