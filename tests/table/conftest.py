"""Small volumes on disk, made by nibabel alone."""

import nibabel as nib
import numpy as np
import pytest


def write_nifti(path, array, spacing=(1.0, 2.0, 3.0), affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*spacing, 1.0]) if affine is None else affine
    nib.save(nib.Nifti1Image(array, affine), path)


def phantom():
    """A (20, 30, 12) image and label map: a box 1 and an ellipsoid 2."""
    i, j, k = np.indices((20, 30, 12))
    labels = np.zeros(i.shape, np.uint8)
    labels[2:8, 3:15, 2:9] = 1
    labels[((i - 14) / 5) ** 2 + ((j - 21) / 7) ** 2 + ((k - 5) / 4) ** 2 <= 1] = 2
    rng = np.random.default_rng(0)
    image = (labels * 100 + rng.normal(0, 5, labels.shape)).astype(np.int16)
    return image, labels


@pytest.fixture
def study(tmp_path):
    """Three good cases; returns the folder with images/, masks/, labels.json."""
    image, labels = phantom()
    for case in ("a", "b", "c"):
        write_nifti(tmp_path / "images" / f"{case}.nii.gz", image)
        write_nifti(tmp_path / "masks" / f"{case}.nii.gz", labels)
    (tmp_path / "labels.json").write_text('{"1": "liver", "2": "liver tumor"}')
    return tmp_path
