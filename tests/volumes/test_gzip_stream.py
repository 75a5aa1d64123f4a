"""Gzip streams, against Python's own gzip module."""

import gzip
import os

import numpy as np
import pytest

from medvision.volumes.errors import TruncatedFileError
from medvision.volumes.gzip_stream import first_bytes, voxel_bytes


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
