"""Counts and 3D boxes of labels, against SciPy and against symmetry."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from medvision.annotate.extents import label_extents


def naive(label_map):
    """Label to count and box: SciPy's boxes, NumPy's counts."""
    found = {}
    for label, place in enumerate(ndimage.find_objects(label_map.astype(np.int64)), start=1):
        if place is not None:
            box = (*(axis.start for axis in place), *(axis.stop for axis in place))
            found[label] = (int((label_map == label).sum()), box)
    return found


def measured(label_map):
    extents = label_extents(label_map)
    boxes = [tuple(box) for box in extents.box_vox.tolist()]
    assert extents.label_id.tolist() == sorted(extents.label_id.tolist())
    rows = zip(extents.label_id.tolist(), extents.voxel_count.tolist(), boxes, strict=True)
    return {label: (count, box) for label, count, box in rows}


SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=20)
LABEL_MAPS = hnp.arrays(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32]),
    SHAPES,
    elements=st.integers(0, 6),
    fill=st.just(0),
)


@given(LABEL_MAPS, st.permutations(range(3)), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_counts_and_boxes_are_scipys_in_any_memory_order(label_map, order, steps):
    stored = np.ascontiguousarray(label_map.transpose(order)).transpose(np.argsort(order))
    view = stored[tuple(slice(None, None, step) for step in steps)]
    assert measured(view) == naive(np.ascontiguousarray(view))


def test_a_thousand_labels_in_falling_order_are_all_found():
    label_map = np.arange(1000, 0, -1, dtype=np.int32).reshape(10, 10, 10) * 2_000_003
    extents = label_extents(label_map)
    assert extents.label_id.tolist() == sorted(label_map.ravel().tolist())
    first = extents.box_vox[-1]  # the largest label lies in the first voxel
    assert first.tolist() == [0, 0, 0, 1, 1, 1]
    assert extents.voxel_count.tolist() == [1] * 1000


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 0, 5), (3, 4, 0), (3, 4, 5)])
def test_masks_without_labels_have_no_rows(shape):
    assert measured(np.zeros(shape, np.uint8)) == {}


@pytest.mark.parametrize("shape", list(itertools.product((1, 9), repeat=3)))
def test_singleton_axes_are_in_place(shape):
    label_map = np.zeros(shape, np.int16)
    label_map[-1, -1, -1] = 3
    corner = tuple(side - 1 for side in shape)
    assert measured(np.asfortranarray(label_map)) == {3: (1, (*corner, *shape))}
