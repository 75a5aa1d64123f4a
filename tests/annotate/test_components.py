"""Components against a naive loop: np.unique, scipy.ndimage.label and find_objects per slice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medvision.annotate.components import component_mask, label_components
from medvision.annotate.label_memory import dense_labels, slices_per_block
from medvision.annotate.regions import native_region_table, region_table

COUNTED = [
    "slice_index",
    "label_id",
    "component",
    "n_components",
    "label_pixel_count",
    "touches_border",
    "x0_px",
    "y0_px",
    "x1_px",
    "y1_px",
    "pixel_count",
]


def displayed(volume, plane):
    """The displayed slices by the formulas of the conventions, index by index: [slice, y, x]."""
    i_size, j_size, k_size = volume.shape
    i, j, k = (np.arange(size) for size in volume.shape)
    if plane == "axial":
        return volume[np.ix_(i_size - 1 - i, j_size - 1 - j, k)].transpose(2, 1, 0)
    if plane == "coronal":
        return volume[np.ix_(i_size - 1 - i, j, k_size - 1 - k)].transpose(1, 2, 0)
    return volume[np.ix_(i, j_size - 1 - j, k_size - 1 - k)].transpose(0, 2, 1)


def naive_slice(pixels):
    """Rows of one displayed slice, without its index."""
    rows = []
    for label in np.unique(pixels):
        if label == 0:
            continue
        numbered, n_components = ndimage.label(pixels == label)
        found = []
        for number, (ys, xs) in enumerate(ndimage.find_objects(numbered), start=1):
            at = np.flatnonzero(numbered == number)
            box = (xs.start, ys.start, xs.stop, ys.stop)
            found.append((-len(at), at[0], box))
        height, width = pixels.shape
        for component, (minus_count, _, box) in enumerate(sorted(found)):
            x0, y0, x1, y1 = box
            touches = x0 == 0 or y0 == 0 or x1 == width or y1 == height
            total = int(np.sum(pixels == label))
            rows.append(
                (int(label), component, n_components, total, touches, *box, -int(minus_count))
            )
    return rows


def naive_rows(volume):
    return {
        plane: [
            (index, *row)
            for index, pixels in enumerate(displayed(volume, plane))
            for row in naive_slice(pixels)
        ]
        for plane in ("axial", "coronal", "sagittal")
    }


def rows_by_plane(table):
    planes = table.column("plane").to_pylist()
    rows = list(zip(*(table.column(name).to_pylist() for name in COUNTED), strict=True))
    return {
        plane: [row for row, of_plane in zip(rows, planes, strict=True) if of_plane == plane]
        for plane in ("axial", "coronal", "sagittal")
    }


def blobs(seed, shape, n_labels, sigma=1.0):
    """Random label map: smoothed noise cut into bands, with background between."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    edges = np.quantile(noise, np.linspace(0.3, 1, n_labels + 1))[:-1]
    return np.digitize(noise, edges).astype(np.int32)


@pytest.mark.parametrize("shape", [(13, 21, 17), (8, 16, 24), (70, 5, 9), (5, 70, 3), (4, 6, 130)])
@pytest.mark.parametrize("sigma", [0.0, 0.6, 2.0])
def test_components_equal_the_naive_loop(shape, sigma):
    volume = blobs(sum(shape), shape, 4, sigma).astype(np.uint8)

    assert rows_by_plane(region_table(volume, (1, 1, 1))) == naive_rows(volume)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "dtype",
    ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">i4", ">f4"],
)
def test_any_integer_type_and_order_of_memory_gives_the_same_components(dtype, order):
    volume = blobs(3, (12, 19, 11), 1 if dtype == "bool" else 5)
    stored = np.array(volume, dtype=dtype, order=order)

    assert rows_by_plane(region_table(stored, (1, 1, 1))) == naive_rows(volume)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_permuted_and_flipped_memory_gives_the_same_components(axes, dtype):
    volume = blobs(5, (9, 20, 14), 6).astype(dtype)
    expected = naive_rows(volume)
    for signs in np.ndindex(2, 2, 2):
        flips = tuple(slice(None, None, 1 - 2 * sign) for sign in signs)
        stored = np.array(volume[flips].transpose(axes), order="C")
        view = stored.transpose(np.argsort(axes))[flips]

        assert rows_by_plane(region_table(view, (1, 1, 1))) == expected


def test_strided_and_unaligned_and_read_only_views_are_read_as_they_are_indexed():
    volume = blobs(8, (10, 12, 14), 3).astype(np.uint8)
    expected = naive_rows(volume)
    spread = np.full((20, 24, 42), 7, dtype=np.uint8)
    spread[::2, ::2, ::3] = volume
    shifted = np.frombuffer(b"\7" + volume.tobytes(), dtype=np.uint8)[1:].reshape(volume.shape)
    broadcast = np.broadcast_to(volume[:1], volume.shape)

    assert rows_by_plane(region_table(spread[::2, ::2, ::3], (1, 1, 1))) == expected
    assert rows_by_plane(region_table(shifted, (1, 1, 1))) == expected
    assert rows_by_plane(region_table(broadcast, (1, 1, 1))) == naive_rows(broadcast.copy())


@pytest.mark.parametrize(
    "shape", [(1, 9, 8), (9, 1, 8), (9, 8, 1), (1, 1, 30), (1, 30, 1), (30, 1, 1), (1, 1, 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_singleton_axes(shape, order):
    rng = np.random.default_rng(0)
    volume = np.array(rng.integers(0, 3, shape), dtype=np.int16, order=order)
    volume.flat[0] = 1

    assert rows_by_plane(region_table(volume, (1, 1, 1))) == naive_rows(volume)
    assert rows_by_plane(region_table(volume[::-1, ::-1, ::-1], (1, 1, 1))) == naive_rows(
        volume[::-1, ::-1, ::-1].copy()
    )


def test_a_thousand_labels_and_wide_ids():
    rng = np.random.default_rng(1)
    ids = np.concatenate([[0], rng.choice(np.iinfo(np.int32).max, 999, replace=False)])
    volume = ids[rng.integers(0, 1000, (16, 15, 14))].astype(np.int32)

    assert rows_by_plane(region_table(volume, (1, 1, 1))) == naive_rows(volume)


def test_negative_ids_are_labels_and_stay_sorted():
    volume = (blobs(2, (8, 9, 10), 6) - 3).astype(np.int16)

    assert rows_by_plane(region_table(volume, (1, 1, 1))) == naive_rows(volume)


@pytest.mark.parametrize("shape", [(6, 7, 8), (0, 4, 4), (3, 0, 2), (3, 2, 0)])
def test_empty_map_gives_no_rows(shape):
    assert region_table(np.zeros(shape, dtype=np.uint8), (1, 1, 1)).num_rows == 0


def test_noise_on_threads_equals_the_naive_loop():
    volume = np.zeros((128, 96, 90), dtype=np.uint8)
    rng = np.random.default_rng(4)
    volume[40:60, 30:50, 5:15] = rng.integers(0, 3, (20, 20, 10))

    assert rows_by_plane(region_table(volume, (1, 1, 1))) == naive_rows(volume)


@settings(max_examples=60)
@given(data=st.data())
def test_small_maps_equal_the_naive_loop(data):
    shape = data.draw(st.tuples(*[st.integers(1, 11)] * 2))
    values = st.lists(st.integers(0, 2), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    pixels = np.array(data.draw(values), dtype=np.uint8).reshape(shape)
    table = native_region_table(pixels, (1, 1), "native")
    rows = list(zip(*(table.column(name).to_pylist() for name in COUNTED), strict=True))

    assert rows == [(0, *row) for row in naive_slice(pixels)]


def test_largest_component_is_first_and_ties_follow_the_first_pixel():
    pixels = np.array(
        [
            [0, 0, 0, 5, 0, 0],
            [5, 5, 0, 5, 0, 0],
            [0, 0, 0, 0, 0, 5],
            [0, 5, 5, 5, 0, 5],
        ],
        dtype=np.uint8,
    )
    table = native_region_table(pixels, (1, 1), "native")
    boxes = zip(*(table.column(name).to_pylist() for name in COUNTED[6:10]), strict=True)

    assert table.column("pixel_count").to_pylist() == [3, 2, 2, 2]
    assert list(boxes) == [(1, 3, 4, 4), (3, 0, 4, 2), (0, 1, 2, 2), (5, 2, 6, 4)]
    assert table.column("component").to_pylist() == [0, 1, 2, 3]
    assert table.column("n_components").to_pylist() == [4] * 4
    assert table.column("label_pixel_count").to_pylist() == [9] * 4
    assert table.column("touches_border").to_pylist() == [True] * 4


def test_diagonal_neighbours_are_two_components():
    table = native_region_table(np.eye(2, dtype=np.uint8), (1, 1), "native")

    assert table.column("n_components").to_pylist() == [2, 2]


def test_box_is_half_open():
    pixels = np.zeros((10, 12), dtype=np.uint8)
    pixels[3:7, 2:9] = 1
    (row,) = native_region_table(pixels, (1, 1), "native").to_pylist()

    assert [row[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px")] == [2, 3, 9, 7]
    assert not row["touches_border"]
    assert row["pixel_count"] == (row["x1_px"] - row["x0_px"]) * (row["y1_px"] - row["y0_px"])


@pytest.mark.parametrize(
    "at", [(slice(0, 2), 4), (slice(8, 10), 4), (4, slice(0, 2)), (4, slice(10, 12))]
)
def test_each_slice_edge_is_a_border(at):
    pixels = np.zeros((10, 12), dtype=np.uint8)
    pixels[at] = 1

    assert native_region_table(pixels, (1, 1), "native").column("touches_border").to_pylist() == [
        True
    ]


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4"])
def test_kept_runs_cover_exactly_the_pixels_of_target_components(axes, dtype):
    volume = blobs(11, (9, 18, 14), 5).astype(dtype)
    stored = np.array(volume.transpose(axes), order="C").transpose(np.argsort(axes))
    labels = dense_labels(stored[::-1])
    stack = labels.array.transpose(2, 1, 0)[:, ::-1]
    targets = np.array([-1, 2, 4, 2 + 256, 2**40], dtype=np.int64)
    n_slices = slices_per_block(stack)
    for first in range(0, len(stack), n_slices):
        found = label_components(labels, stack[first : first + n_slices], first, targets)
        painted = np.zeros(stack.shape, dtype=stack.dtype)
        for index, label in enumerate(found.label_id):
            pixels = painted[found.slice_index[index]]
            view = pixels.T if found.runs.along_y else pixels
            own = found.runs.runs[found.runs.begin[index] : found.runs.end[index]]
            assert np.all(np.diff(own[:, 0]) >= 0)
            for line, start, end in own:
                assert not view[line, start:end].any()
                view[line, start:end] = label
            assert np.sum(own[:, 2] - own[:, 1]) in (0, found.pixel_count[index])
        expected = np.where(np.isin(stack, [2, 4]), stack, 0)[first : first + n_slices]
        assert np.array_equal(painted[first : first + n_slices], expected)


def test_dense_block_is_not_copied_when_memory_is_dense():
    stored = np.zeros((8, 9, 10), dtype=np.uint8, order="F")
    for view in (stored, stored[::-1, :, ::-1], stored.transpose(1, 2, 0)):
        assert np.shares_memory(dense_labels(view).array, stored)


@pytest.mark.parametrize("order", ["C", "F"])
def test_masks_painted_from_runs_give_the_label_map_back(order):
    pixels = np.random.default_rng(2).integers(0, 4, (17, 29)).astype(np.uint8)
    labels = dense_labels(np.array(pixels, order=order))
    found = label_components(labels, labels.array[np.newaxis], 0, np.array([1, 2, 3]))
    assert found.runs.along_y == (order == "F")

    painted = np.zeros_like(pixels)
    for index, (x0, y0, x1, y1) in enumerate(found.box_xyxy_px):
        own = found.runs.runs[found.runs.begin[index] : found.runs.end[index]]
        mask = component_mask(own, found.box_xyxy_px[index], int(found.runs.along_y))
        assert mask.shape == (y1 - y0, x1 - x0)
        assert mask.sum() == found.pixel_count[index]
        painted[y0:y1, x0:x1] += mask * found.label_id[index].astype(np.uint8)
    np.testing.assert_array_equal(painted, pixels)
