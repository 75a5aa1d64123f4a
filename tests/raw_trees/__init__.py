"""Miniatures of public datasets as their owners pack them, and what is in them by a plain reading.

One module a dataset, named after it, with two functions: `members()` makes the files of its
archives, `read(folder)` reads them back, one case after the other, with nibabel and NumPy alone and
by the names that the owner gave them. Nothing here imports medvision: tables are compared with it.
"""

import gzip
from dataclasses import dataclass, field

import cv2
import nibabel as nib
import numpy as np
from scipy import ndimage

SHAPE = (24, 20, 16)
ANISOTROPIC = np.diag([0.8, 1.1, 2.5, 1.0])
FLIPPED = np.array([[-0.9, 0, 0, 30], [0, -0.7, 0, 20], [0, 0, 3.0, -5], [0, 0, 0, 1.0]])
"""Stored left, posterior, superior (LPS), as most scanners write."""
TURNED = np.array([[0, 0, 1.5, -3], [-0.9, 0, 0, 40], [0, -2.0, 0, 10], [0, 0, 0, 1.0]])
"""Axes permuted and two of them flipped."""
VOLUME_PLANES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True, kw_only=True)
class RawCase:
    """Attributes:
    labels: Label map of the whole case as stored; None of a case without masks.
    affine: (4, 4), stored voxel to RAS+ mm.
    images: Image id to its voxels, as stored.
    targets: Label ids that get ellipses.
    measured: Measurement key to (value in mm or degrees, plane, slice index), and perhaps the ends
        of its line, (x, y) on the slice each.
    spacing_mm: Of a picture (x, y); else the affine says it.
    """

    case_id: str
    subject_id: str
    cohort: str = ""
    affine: np.ndarray | None = None
    labels: np.ndarray | None = None
    images: dict = field(default_factory=dict)
    targets: tuple = ()
    planes: tuple = VOLUME_PLANES
    measured: dict = field(default_factory=dict)
    spacing_mm: tuple = ()


def nifti(array, affine, *, codes=(1, 1), sform=None):
    """Bytes of a .nii.gz.

    codes: Of qform and sform. sform: Another than the affine, for headers that contradict.
    """
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, code=codes[0])
    image.set_sform(affine if sform is None else sform, code=codes[1])
    # Headers are checked nowhere: what owners wrote is written.
    return gzip.compress(image.to_bytes(), 1, mtime=0)


def scan(seed, shape=SHAPE, dtype=np.int16):
    """Voxels of an image: noise on a ramp, so that no two slices are alike."""
    rng = np.random.default_rng(seed)
    ramp = np.arange(np.prod(shape)).reshape(shape) % 400
    return (ramp + rng.integers(0, 50, shape)).astype(dtype)


def organs(labels, seed=0, shape=SHAPE, dtype=np.uint8):
    """A label map: an ellipsoid for each label, some of them in two parts, later ones on top."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)
    made = np.zeros(shape, dtype)
    room = np.array(shape)
    for label in labels:
        for _ in range(1 + label % 2):
            radii = np.maximum(2.2, rng.uniform(0.12, 0.24, 3) * room)
            centre = rng.uniform(radii, room - 1 - radii)
            offsets = (grid - centre[:, None, None, None]) / radii[:, None, None, None]
            made[(offsets**2).sum(0) <= 1] = label
    return made


def loaded(path):
    """Voxels, and the affine that nibabel believes."""
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def canonical(labels, affine):
    """Label map with its axes along right, anterior, superior, and their spacing in mm."""
    turned = nib.as_closest_canonical(nib.Nifti1Image(labels.astype(np.int32), affine))
    return np.asarray(turned.dataobj), np.linalg.norm(turned.affine[:3, :3], axis=0)


def slices(array, spacing_mm, plane):
    """(slice index, pixels [y, x] as a radiologist sees them, spacing y, spacing x)."""
    si, sj, sk = spacing_mm
    if plane == "axial":
        for k in range(array.shape[2]):
            yield k, array[::-1, ::-1, k].T, sj, si
    elif plane == "coronal":
        for j in range(array.shape[1]):
            yield j, array[::-1, j, ::-1].T, sk, si
    else:
        for i in range(array.shape[0]):
            yield i, array[i, ::-1, ::-1].T, sk, sj


def regions(case):
    """(plane, slice, label) to its components, sorted: (x0, y0, x1, y1, pixels, area in mm²)."""
    found = {}
    if case.labels is None:
        return found
    array, spacing_mm = canonical(case.labels, case.affine)
    for plane in case.planes:
        for index, pixels, y_mm, x_mm in slices(array, spacing_mm, plane):
            for label in np.unique(pixels[pixels > 0]).tolist():
                parts, _ = ndimage.label(pixels == label)
                boxes = ndimage.find_objects(parts)
                counts = np.bincount(parts.ravel())[1:]
                found[plane, index, label] = sorted(
                    (xs.start, ys.start, xs.stop, ys.stop, int(count), count * y_mm * x_mm)
                    for (ys, xs), count in zip(boxes, counts, strict=True)
                )
    return found


def axes_mm(case):
    """(plane, slice, label) to (major, minor) of target labels that are one part, of some width."""
    found = {}
    if case.labels is None or not case.targets:
        return found
    array, spacing_mm = canonical(case.labels, case.affine)
    for plane in case.planes:
        for index, pixels, y_mm, x_mm in slices(array, spacing_mm, plane):
            for label in case.targets:
                inside = (pixels == label).astype(np.uint8)
                if ndimage.label(inside)[1] != 1:
                    continue
                contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                ys, xs = np.nonzero(inside)
                if min(np.ptp(ys), np.ptp(xs)) < 4 or len(contours[0]) < 8:
                    continue
                scaled = (contours[0] * np.array([x_mm, y_mm])).astype(np.float32)
                _, lengths_mm, _ = cv2.fitEllipse(scaled)
                found[plane, index, label] = (max(lengths_mm), min(lengths_mm))
    return found


def canonical_values(values, affine):
    """An image with its axes along right, anterior, superior, and their spacing in mm."""
    turned = nib.as_closest_canonical(nib.Nifti1Image(values.astype(np.float64), affine))
    spacing_mm = np.linalg.norm(turned.affine[:3, :3], axis=0)
    return np.asarray(turned.dataobj), spacing_mm
