"""Label maps of any number type."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medvision.volumes import read_label_map
from medvision.volumes.errors import LabelValuesError, UnsupportedPixelsError
from medvision.volumes.labels import integer_labels

VALUES = [[[0, 1], [2, 100]]]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *[(name, name) for name in ("uint8", "int8", "uint16", "int16", "int32")],
        *[(name, "int32") for name in ("uint32", "int64", "uint64")],
        *[(name, "int32") for name in ("float16", "float32", "float64")],
    ],
)
def test_output_type_follows_the_input_type(dtype, expected):
    labels = integer_labels(np.array(VALUES, dtype=dtype), item="case")
    assert labels.dtype == np.dtype(expected)
    np.testing.assert_array_equal(labels, VALUES)


def test_booleans_become_zero_and_one():
    labels = integer_labels(np.array([[True, False]]), item="case")
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[1, 0]]


@pytest.mark.parametrize("bad", [0.5, 1e-6, np.nan, np.inf, -np.inf])
def test_values_that_are_no_integers_are_an_error(bad):
    with pytest.raises(LabelValuesError, match=r"case 7.*expected whole numbers"):
        integer_labels(np.array([[0.0, bad, 1.0]]), item="case 7")


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32"])
def test_negative_labels_are_an_error(dtype):
    with pytest.raises(LabelValuesError, match="from -1"):
        integer_labels(np.array([[0, -1]], dtype=dtype), item="case")


@pytest.mark.parametrize("dtype", ["uint32", "int64", "uint64", "float64"])
def test_labels_beyond_32_bits_are_an_error(dtype):
    with pytest.raises(LabelValuesError, match="2147483647"):
        integer_labels(np.array([[0, 2**31]], dtype=dtype), item="case")


def test_complex_labels_are_an_error():
    with pytest.raises(UnsupportedPixelsError, match="complex64"):
        integer_labels(np.ones((2, 2), np.complex64), item="case")


def test_rounding_is_forgiven_only_after_scaling():
    nearly = np.array([[0.0, 2.99999]])
    assert integer_labels(nearly, item="case", scaled=True).tolist() == [[0, 3]]
    with pytest.raises(LabelValuesError, match=r"2\.99999"):
        integer_labels(nearly, item="case")


@given(
    labels=hnp.arrays(np.int32, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, 1000)),
    dtype=st.sampled_from(["uint16", "int16", "int32", "int64", "uint64", "float32", "float64"]),
    order=st.permutations([0, 1, 2]),
)
def test_type_and_memory_order_leave_labels_alone(labels, dtype, order):
    stored = labels.astype(dtype).transpose(order)
    np.testing.assert_array_equal(integer_labels(stored, item="case"), labels.transpose(order))


def test_blocks_of_a_large_float_map_are_all_read():
    array = np.zeros((64, 1024, 300), np.float32)
    array[0, 0, ::7] = np.arange(len(range(0, 300, 7)))
    labels = integer_labels(array, item="case")
    np.testing.assert_array_equal(labels[0, 0], array[0, 0])
    assert int(labels.sum()) == int(array.sum())


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_label_file_of_any_type_reads_as_one_label_map(tmp_path, dtype):
    affine = np.diag([-0.5, -0.75, 2.0, 1.0])
    image = nib.Nifti1Image(np.array(VALUES, dtype=dtype), affine, dtype=dtype)
    nib.save(image, tmp_path / "m.nii.gz")
    volume = read_label_map(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(volume.array, np.array(VALUES)[::-1, ::-1])
    assert volume.orientation_as_stored == "LPS"


def test_probability_map_given_as_labels_names_the_file(tmp_path):
    image = nib.Nifti1Image(np.full((2, 2, 2), 0.25, np.float32), np.eye(4))
    nib.save(image, tmp_path / "prob.nii.gz")
    with pytest.raises(LabelValuesError, match=r"prob\.nii\.gz.*probability map"):
        read_label_map(tmp_path / "prob.nii.gz")
