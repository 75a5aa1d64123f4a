"""Two BIDS datasets from a person's hands: T1w scans, and 32 fiducials of each in RAS mm."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, scan

DATASET = "AFIDs"
BY_HAND = "folders at hand"
SUBJECTS = {"ds004470": ("sub-103111", "sub-105923"), "ds004471": ("sub-C001",)}
SHAPE = (24, 20, 16)
LINES = {
    "L-1-2": (1, 2, "sagittal"),
    "L-19-20": (19, 20, "sagittal"),
    "L-15-16": (15, 16, "coronal"),
    "L-17-18": (17, 18, "coronal"),
    "L-6-7": (6, 7, "axial"),
    "L-8-9": (8, 9, "axial"),
    "L-31-32": (31, 32, "axial"),
    "L-2-4": (2, 4, "sagittal"),
    "L-4-10": (4, 10, "sagittal"),
}
ANGLES = {
    "A-1_2-19_20": ("L-1-2", "L-19-20"),
    "A-1_2-2_4": ("L-1-2", "L-2-4"),
    "A-2_4-4_10": ("L-2-4", "L-4-10"),
}
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


def placed(seed):
    """(32, 3) stored voxel coordinates: both ends of a line in one slice, and in one only."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(2, np.array(SHAPE) - 3, (32, 3))
    midline = [1, 2, 4, 10, 19, 20]
    points[np.array(midline) - 1, 0] = 11 + seed
    for first, second, plane in LINES.values():
        if plane != "sagittal":
            axis = AXES[plane]
            points[second - 1] = np.array(SHAPE) - 4 - points[first - 1] * 0.6
            points[second - 1, axis] = points[first - 1, axis] = round(points[first - 1, axis])
    return points


def fcsv(points):
    lines = [
        "# Markups fiducial file version = 4.10",
        "# CoordinateSystem = 0",
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID",
    ]
    for n, point in enumerate(points, start=1):
        xyz = ",".join(f"{value:.6f}" for value in FLIPPED[:3, :3] @ point + FLIPPED[:3, 3])
        lines.append(f"vtkMRMLMarkupsFiducialNode_{n},{xyz},0,0,0,1,1,1,0,{n},fiducial {n},")
    return ("\n".join(lines) + "\n").encode()


def members():
    made = {}
    for top, subjects in SUBJECTS.items():
        files = made[top] = {"dataset_description.json": b"{}"}
        for seed, subject in enumerate(subjects):
            files[f"{subject}/anat/{subject}_T1w.nii.gz"] = nifti(scan(seed), FLIPPED)
            name = f"anat/{subject}_space-T1w_desc-groundtruth_afids.fcsv"
            points = placed(seed)
            files[f"derivatives/afids_groundtruth/{subject}/{name}"] = fcsv(points)
            reader = name.replace("groundtruth", "rater01")
            files[f"derivatives/afids_rater/{subject}/{reader}"] = fcsv(points + 0.5)
    return made


def shown(voxel, axis):
    """(x, y) of a stored voxel on a slice across an axis, as a radiologist sees it."""
    i, j, k = voxel
    x, y, z = i, j, SHAPE[2] - 1 - k  # stored left, posterior, superior
    return {0: (y, z), 1: (x, z), 2: (x, y)}[axis]


def read(folder):
    for path in sorted(folder.glob("*/sub-*/anat/*_T1w.nii.gz")):
        subject = path.parents[1].name
        image, affine = loaded(path)
        top = path.parents[2] / "derivatives" / "afids_groundtruth" / subject / "anat"
        (marks,) = top.glob("*.fcsv")
        rows = [line.split(",") for line in marks.read_text("utf-8").splitlines() if line[0] != "#"]
        world = {int(row[11]): np.array([float(value) for value in row[1:4]]) for row in rows}
        # Both first axes are stored the other way round.
        stored = {n: np.linalg.inv(affine)[:3] @ [*point, 1] for n, point in world.items()}
        measured = {}
        for key, (first, second, plane) in LINES.items():
            axis = AXES[plane]
            index = round(stored[first][axis])
            index = SHAPE[axis] - 1 - index if axis < 2 else index
            length_mm = float(np.linalg.norm(world[first] - world[second]))
            ends = [shown(stored[n], axis) for n in (first, second)]
            measured[key] = (length_mm, plane, index, ends)
        for key, lines in ANGLES.items():
            one, other = (world[LINES[n][1]] - world[LINES[n][0]] for n in lines)
            cosine = abs(one @ other) / np.linalg.norm(one) / np.linalg.norm(other)
            degrees = float(np.degrees(np.arccos(cosine)))
            measured[key] = (degrees, "sagittal", measured["L-1-2"][2], None)
        yield RawCase(
            case_id=subject,
            subject_id=subject,
            affine=affine,
            images={"image": image},
            measured=measured,
        )
