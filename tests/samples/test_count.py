"""The count task against SciPy on the same masks: permuted, flipped and oblique ones too."""

from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from medvision.frames import SLICE_AXIS, VOLUME_PLANES
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from tests.samples.lesions import build_tables

SHAPE = (40, 36, 20)
TURN = np.deg2rad(8)
AFFINES = {
    "straight": np.diag([0.7, 1.3, 2.5, 1.0]),
    "flipped": np.array([[-0.7, 0, 0, 5], [0, 1.3, 0, 0], [0, 0, -2.5, 9], [0, 0, 0, 1.0]]),
    "permuted": np.array([[0, 0, 0.9, 0], [1.1, 0, 0, 0], [0, -2.0, 0, 3], [0, 0, 0, 1.0]]),
    "oblique": np.array(
        [
            [0.7 * np.cos(TURN), -1.3 * np.sin(TURN), 0, 0],
            [0.7 * np.sin(TURN), 1.3 * np.cos(TURN), 0, 0],
            [0, 0, 2.5, 0],
            [0, 0, 0, 1.0],
        ]
    ),
}


def scattered(seed):
    """Lesions of many sizes (label 2) in an organ (label 1), some touching only at corners."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:36, 4:32, 3:17] = 1
    for _ in range(25):
        start = [int(rng.integers(4, high)) for high in (30, 27, 14)]
        size = rng.integers(1, 6, 3)
        labels[tuple(slice(s, s + int(n)) for s, n in zip(start, size, strict=True))] = 2
    return labels


@pytest.fixture(scope="module")
def lesions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesions")
    volumes = {
        name: (scattered(seed), affine) for seed, (name, affine) in enumerate(AFFINES.items())
    }
    build_tables(folder, volumes, {"1": "liver", "2": "liver tumor"}, 2)
    return folder


def counted(folder, **settings):
    suite = Suite(name="t", configs=(TaskConfig(task=Task.COUNT, **settings),), cap_per_config=None)
    return select_samples(suite, table_folders([folder / "tables"]), split="all")


def counted_by_scipy(folder, min_px):
    """(case, plane, slice) to the number of 4-connected regions of at least `min_px`."""
    found = {}
    for name in AFFINES:
        canonical = nib.as_closest_canonical(nib.load(folder / "masks" / f"{name}.nii.gz"))
        is_lesion = np.asarray(canonical.dataobj) == 2
        for plane in VOLUME_PLANES:
            for index, slice_ in enumerate(np.moveaxis(is_lesion, SLICE_AXIS[plane], 0)):
                numbered, _ = ndimage.label(slice_)
                sizes = np.bincount(numbered.ravel())[1:]
                if n := int((sizes >= min_px).sum()):
                    found[name, str(plane), index] = n
    return found


@pytest.mark.parametrize("min_px", [1, 10, 25])
def test_counts_are_scipys_on_every_plane_of_every_affine(lesions, min_px):
    selection = counted(lesions, min_px=min_px)
    expected = counted_by_scipy(lesions, min_px)
    found = {(s.case_id, s.plane, s.slice_index): s.truth[0] for s in selection.samples}
    assert found == expected
    assert len(found) == len(selection.samples) > 50
    assert {s.min_px for s in selection.samples} == {min_px}
    assert max(found.values()) >= 4 if min_px == 1 else max(found.values()) >= 2


def test_only_target_labels_are_counted_and_too_small_ones_are_told(lesions):
    selection = counted(lesions)
    assert {s.label for s in selection.samples} == {"liver tumor"}
    assert {s.min_px for s in selection.samples} == {10}
    n_labels = sum(Counter(counted_by_scipy(lesions, 1).keys()).values())
    n_too_small = n_labels - len(selection.samples)
    assert selection.dropped == {"count: components_below_10_px": n_too_small}


def test_the_box_is_around_all_regions(lesions):
    sample = next(s for s in counted(lesions, min_px=1).samples if s.truth[0] >= 3)
    canonical = nib.as_closest_canonical(nib.load(lesions / "masks" / f"{sample.case_id}.nii.gz"))
    axis = {str(plane): SLICE_AXIS[plane] for plane in VOLUME_PLANES}[sample.plane]
    slice_ = np.moveaxis(np.asarray(canonical.dataobj) == 2, axis, 0)[sample.slice_index]
    shown = slice_.T[::-1, ::-1]  # y down, x to the patient's left
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert sample.box_px == expected
