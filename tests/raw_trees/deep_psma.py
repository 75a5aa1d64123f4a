"""Archives of twenty patients each: a PSMA and an FDG study side by side, each with its mask."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "DEEP-PSMA"
PATIENTS = {f"{n:04d}-{n + 19:04d}.zip": f"train_{n:04d}" for n in (1, 21, 41, 61, 81)}


def members():
    made = {}
    for seed, (archive, patient) in enumerate(PATIENTS.items()):
        made[archive] = {f"{patient}/PSMA/._PET.nii.gz": b"junk"}
        for rank, tracer in enumerate(("PSMA", "FDG")):
            pet = scan(seed + 9 * rank).astype(np.float32) / 40
            at = f"{patient}/{tracer}"
            made[archive] |= {
                f"{at}/PET.nii.gz": nifti(pet, FLIPPED),
                f"{at}/CT.nii.gz": nifti(scan(seed, (40, 40, 20)), FLIPPED),  # a grid of its own
                f"{at}/TTB.nii.gz": nifti(organs((1,), seed + 9 * rank), FLIPPED),
                f"{at}/threshold.json": b'{"suv_threshold": 3.0}',
            }
    return made


def read(folder):
    for path in sorted(folder.glob("*.zip/*/*/TTB.nii.gz")):
        labels, affine = loaded(path)
        yield RawCase(
            case_id=path.parent.parent.name,
            subject_id=path.parent.parent.name,
            cohort=path.parent.name,
            affine=affine,
            labels=labels,
            images={"PET": loaded(path.with_name("PET.nii.gz"))[0]},
            targets=(1,),
        )
