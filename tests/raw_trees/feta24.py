"""feta_2.4.zip: T2w and tissues; of some cases a label map of marked voxels, and a transform.

Biometry is read on the T2w as the case's transform turns it, on its own grid.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tests.raw_trees import RawCase, loaded, nifti, organs, scan

DATASET = "FeTA24"
AFFINE = np.array([[0.8, 0, 0, -9], [0, 0.8, 0, -8], [0, 0, 0.8, -6], [0, 0, 0, 1.0]])
CASES = {
    "sub-001_rec-mial": True,
    "sub-005_rec-mial": True,  # left out of biometry
    "sub-041_rec-irtk": True,
    "sub-070_rec-irtk": False,  # nothing marked
}
LEFT_OUT = ("sub-005_rec-mial",)
AXES = {1: 1, 2: 2, 3: 0, 4: 0, 5: 0}
"""Value to the stored axis along which its first landmark lies further."""
NORMALS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1}
"""Value to the stored axis across the slice that is measured on."""
PLANES = {0: "sagittal", 1: "coronal", 2: "axial"}
SHAPE = (24, 20, 16)


def pose(seed):
    """Rotation and shift in LPS mm, as ITK has them."""
    turn = Rotation.from_euler("xyz", (4 + seed, -6, 9), degrees=True)
    return turn, np.array([0.7, -0.4, 0.3 * seed])


def transform_text(seed):
    turn, shift_mm = pose(seed)
    angles = turn.as_matrix().ravel()
    return (
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: AffineTransform_double_3_3\n"
        f"Parameters: {' '.join(f'{v:.12g}' for v in (*angles, *shift_mm))}\n"
        "FixedParameters: 0 0 0\n"
    ).encode()


def marked(seed):
    rng = np.random.default_rng(seed)
    made = np.zeros(SHAPE, np.uint8)
    for value, axis in AXES.items():
        first = np.array([rng.integers(2, size - 2) for size in SHAPE])
        second = np.array([rng.integers(2, size - 2) for size in SHAPE])
        normal = NORMALS[value]
        first[normal] = second[normal] = 3 + value + seed
        first[axis], second[axis] = 3, SHAPE[axis] - 4 - value
        made[tuple(first)] = made[tuple(second)] = value
    return made


def members():
    files = {"feta_2.4/participants.tsv": b"participant_id\n"}
    for seed, (case, has_marks) in enumerate(CASES.items()):
        subject = case.split("_")[0]
        at = f"feta_2.4/{subject}/anat/{case}"
        files[f"{at}_T2w.nii.gz"] = nifti(scan(seed, dtype=np.float32), AFFINE)
        files[f"{at}_dseg.nii.gz"] = nifti(organs((1, 2, 7), seed), AFFINE)
        if has_marks:
            beside = f"feta_2.4/derivatives/biometry/{subject}/anat/{case}"
            files[f"{beside}_meas.nii.gz"] = nifti(marked(seed), AFFINE)
            files[f"{beside}_transform.txt"] = transform_text(seed)
    return {"feta_2.4.zip": files}


def turned(image, seed):
    """The image where the transform takes each voxel's centre, by SciPy."""
    turn, shift_mm = pose(seed)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE
    centres_mm = np.indices(SHAPE).reshape(3, -1).T @ lps[:3, :3].T + lps[:3, 3]
    moved_mm = turn.apply(centres_mm) + shift_mm
    at = np.linalg.solve(lps[:3, :3], (moved_mm - lps[:3, 3]).T)
    values = ndimage.map_coordinates(image.astype(float), at, order=1, cval=np.nan)
    return values.reshape(SHAPE)


def on_slice(voxel, normal):
    """x, y of a voxel on a slice as a radiologist sees it; axes run right, anterior, superior."""
    i, j, k = (size - 1 - int(at) for size, at in zip(SHAPE, voxel, strict=True))
    return {0: (j, k), 1: (i, k), 2: (i, j)}[normal]


def read(folder):
    at = folder / "feta_2.4.zip" / "feta_2.4"
    for seed, case in enumerate(CASES):
        subject = case.split("_")[0]
        image, _ = loaded(at / subject / "anat" / f"{case}_T2w.nii.gz")
        labels, affine = loaded(at / subject / "anat" / f"{case}_dseg.nii.gz")
        named = {"case_id": case, "subject_id": subject, "affine": affine}
        yield RawCase(**named, cohort="tissue", labels=labels, images={"image": image})
        marks = at / "derivatives" / "biometry" / subject / "anat" / f"{case}_meas.nii.gz"
        if case in LEFT_OUT or not marks.exists():
            continue
        values, _ = loaded(marks)
        measured = {}
        for value, normal in NORMALS.items():
            first, second = np.argwhere(values == value)
            key = f"L-{2 * value - 1}-{2 * value}"
            length_mm = np.linalg.norm((first - second) * 0.8)
            # Of the two, the first is the one of larger index along its axis.
            ends = sorted((first, second), key=lambda voxel, axis=AXES[value]: -voxel[axis])
            shown = [on_slice(voxel, normal) for voxel in ends]
            measured[key] = (length_mm, PLANES[normal], int(first[normal]), shown)
        resampled = turned(image, seed)
        yield RawCase(**named, cohort="biometry", images={"image": resampled}, measured=measured)
