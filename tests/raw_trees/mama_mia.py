"""The copy of two archives: images and masks of the same names."""

import numpy as np

from tests.raw_trees import ANISOTROPIC, RawCase, loaded, nifti, organs, scan

DATASET = "MAMA-MIA"
ROLE = "copy"
CASES = {
    "data-part001.zip": ("DUKE_001", "ISPY1_1001"),
    "data-part002.zip": ("ISPY2_100899", "NACT_01"),
}


def members():
    made = {}
    for archive, cases in CASES.items():
        made[archive] = {}
        for seed, case in enumerate(cases):
            labels = organs((1,), seed + len(case), dtype=np.uint16)
            made[archive][f"Images/{case}.nii.gz"] = nifti(scan(seed), ANISOTROPIC)
            made[archive][f"Masks/{case}.nii.gz"] = nifti(labels, ANISOTROPIC)
    return made


def read(folder):
    for path in sorted(folder.glob("*.zip/Masks/*.nii.gz")):
        labels, affine = loaded(path)
        case = path.name.removesuffix(".nii.gz")
        yield RawCase(
            case_id=case,
            subject_id=case,
            affine=affine,
            labels=labels,
            images={"image": loaded(path.parent.parent / "Images" / path.name)[0]},
            targets=(1,),
        )
