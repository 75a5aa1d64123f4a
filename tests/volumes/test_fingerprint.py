"""Fingerprints depend on values and shape, on nothing else."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medvision.volumes import volume_fingerprint
from medvision.volumes.errors import UnsupportedPixelsError


@given(
    array=hnp.arrays(np.int16, st.tuples(*[st.integers(1, 5)] * 3)),
    dtype=st.sampled_from(["int16", "int32", "int64", "float32", "float64", ">i2", ">f8"]),
    order=st.sampled_from("CF"),
)
def test_type_and_memory_order_leave_the_fingerprint_alone(array, dtype, order):
    other = np.asarray(array.astype(dtype), order=order)
    assert volume_fingerprint(other) == volume_fingerprint(array)
    flipped_view = array[::-1].copy()[::-1]
    assert volume_fingerprint(flipped_view) == volume_fingerprint(array)


@given(
    array=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3)), index=st.integers(0, 10_000)
)
def test_one_changed_voxel_changes_the_fingerprint(array, index):
    other = array.copy()
    other.flat[index % array.size] ^= 1
    assert volume_fingerprint(other) != volume_fingerprint(array)


def test_shape_counts():
    values = np.arange(12, dtype=np.int16)
    shapes = [(3, 4, 1), (4, 3, 1), (1, 3, 4), (3, 4), (12, 1, 1)]
    assert len({volume_fingerprint(values.reshape(shape)) for shape in shapes}) == len(shapes)


def test_flips_and_transposes_are_other_volumes():
    array = np.arange(27, dtype=np.int16).reshape(3, 3, 3)
    variants = [array, array[::-1], array[:, ::-1], array.transpose(1, 0, 2)]
    assert len({volume_fingerprint(a) for a in variants}) == len(variants)


def test_float_copies_that_hold_the_same_values_agree():
    array = np.array([[0.5, -0.0, np.nan], [1e3, 0.0, 2.0]], dtype=np.float32)
    other = array.astype(np.float64)
    other[0, 1] = 0.0
    assert volume_fingerprint(array) == volume_fingerprint(other)


def test_values_beyond_float32_are_told_apart():
    array = np.array([[0.1, 0.5]])
    assert volume_fingerprint(array) != volume_fingerprint(array.astype(np.float32))


def test_the_hash_is_sha256_of_shape_type_and_values_with_i_fastest():
    array = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    expected = hashlib.sha256(b"(2, 3, 4) |u1")
    expected.update(array.astype(np.uint8).tobytes(order="F"))
    assert volume_fingerprint(array) == expected.hexdigest()


def test_large_volumes_are_hashed_whole():
    array = np.zeros((256, 256, 130), np.int16)
    first = volume_fingerprint(array)
    array[255, 255, 129] = 1
    assert volume_fingerprint(array) != first


def test_complex_voxels_have_no_fingerprint():
    with pytest.raises(UnsupportedPixelsError, match="complex64"):
        volume_fingerprint(np.ones((2, 2), np.complex64))
