"""Packed streams, against Python's own modules."""

import bz2
import gzip
import os
import zlib

import numpy as np
import pytest

from medvision.volumes.errors import CorruptFileError, OutOfMemoryError, TruncatedFileError
from medvision.volumes.gzip_stream import first_bytes, packed_bytes, voxel_bytes


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("size", [1, 1000, 1 << 18, (1 << 20) + 1, 5_000_000])
def test_unpacked_bytes_equal_those_packed(tmp_path, level, size):
    content = (os.urandom(size // 3 + 1) + bytes(size))[:size]
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content, level))
    assert voxel_bytes(path, start=0, count=size).tobytes() == content
    assert first_bytes(path, 544) == content[:544]


def test_a_start_and_count_cut_the_middle_out(tmp_path):
    content = np.random.default_rng(0).bytes(3_000_000)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content, 1))
    found = voxel_bytes(path, start=1_500_001, count=1_000_000)
    assert found.tobytes() == content[1_500_001:2_500_001]


def test_highly_packed_zeros_come_out_whole(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(40_000_000), 9))
    assert not voxel_bytes(path, start=0, count=40_000_000).any()


@pytest.mark.parametrize("trailing", [b"\0" * 512, b"garbage", b"\x1f", b"\x1f\x8bbroken member"])
def test_bytes_after_the_stream_are_ignored(tmp_path, trailing):
    content = os.urandom(100_000)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content) + trailing)
    assert voxel_bytes(path, start=0, count=len(content)).tobytes() == content


def test_members_are_joined(tmp_path):
    parts = [os.urandom(n) for n in (1, 400_000, 17)]
    path = tmp_path / "a.gz"
    path.write_bytes(b"".join(gzip.compress(part) for part in parts))
    assert voxel_bytes(path, start=0, count=400_018).tobytes() == b"".join(parts)


@pytest.mark.parametrize("n_lost", [1, 4, 8, 9, 1000])
def test_a_cut_stream_is_an_error_even_where_all_bytes_came_out(tmp_path, n_lost):
    content = os.urandom(100_000)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content)[:-n_lost])
    with pytest.raises(TruncatedFileError, match=r"a\.gz.*ends too early"):
        voxel_bytes(path, start=0, count=len(content))


def test_fewer_bytes_than_announced_are_an_error(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(os.urandom(1000)))
    with pytest.raises(TruncatedFileError, match="expected 1001 bytes"):
        voxel_bytes(path, start=0, count=1001)


def test_the_unpacked_array_can_be_written(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(10)))
    assert voxel_bytes(path, start=0, count=10).flags.writeable


PACKS = {"raw": bytes, "gzip": gzip.compress, "zlib": zlib.compress, "bzip2": bz2.compress}


def packing(kind):
    return {"raw": "raw", "bzip2": "bzip2"}.get(kind, "deflate")


@pytest.mark.parametrize("kind", PACKS)
@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
def test_a_stream_inside_a_file_is_unpacked_in_part(tmp_path, kind, size):
    content = (os.urandom(size // 3 + 1) + bytes(size))[:size]
    path = tmp_path / "a"
    path.write_bytes(b"header" + PACKS[kind](content))
    found = packed_bytes(
        path, packing(kind), packed_from=6, start=size // 2, count=size - size // 2
    )
    assert found.tobytes() == content[size // 2 :]


@pytest.mark.parametrize("kind", PACKS)
def test_bytes_that_were_not_announced_are_an_error(tmp_path, kind):
    (tmp_path / "a").write_bytes(PACKS[kind](bytes(100)))
    with pytest.raises(CorruptFileError, match="expected 98 bytes from the header, found 2 more"):
        packed_bytes(tmp_path / "a", packing(kind), count=98)
    with pytest.raises(TruncatedFileError, match="expected 101 bytes"):
        packed_bytes(tmp_path / "a", packing(kind), count=101)


def test_the_last_bytes_of_a_file_are_counted_from_its_end(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    assert packed_bytes(tmp_path / "a", "raw", packed_from=-1, count=4).tobytes() == b"6789"
    with pytest.raises(TruncatedFileError, match="expected 11 bytes"):
        packed_bytes(tmp_path / "a", "raw", packed_from=-1, count=11)


@pytest.mark.parametrize("kind", ["gzip", "zlib", "bzip2"])
@pytest.mark.parametrize("place", [0, 1, 40, -5, -1])
def test_damage_anywhere_is_an_error(tmp_path, kind, place):
    content = bytearray(PACKS[kind](os.urandom(1000)))
    content[place] ^= 255
    (tmp_path / "a").write_bytes(content)
    with pytest.raises((CorruptFileError, TruncatedFileError)):
        packed_bytes(tmp_path / "a", packing(kind), count=1000)


@pytest.mark.parametrize("kind", ["gzip", "zlib", "bzip2"])
def test_an_empty_stream_ends_too_early(tmp_path, kind):
    (tmp_path / "a").write_bytes(PACKS[kind](os.urandom(1000))[:12])
    with pytest.raises(TruncatedFileError, match=r"too early|expected 1000"):
        packed_bytes(tmp_path / "a", packing(kind), count=1000)


def test_more_than_the_memory_of_this_machine_is_refused_before_it_is_taken(tmp_path, monkeypatch):
    """A file of a few megabytes may unpack to more than there is."""
    monkeypatch.setattr(os, "sysconf", lambda name: 1 if name == "SC_PHYS_PAGES" else 4096)
    (tmp_path / "a").write_bytes(gzip.compress(bytes(5000)))
    assert voxel_bytes(tmp_path / "a", start=0, count=4096).size == 4096
    with pytest.raises(OutOfMemoryError, match="5000 bytes of voxels are more than"):
        voxel_bytes(tmp_path / "a", start=0, count=5000)
