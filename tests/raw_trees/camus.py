"""CAMUS.zip: two views of the heart, ED and ES frames beside half sequences; third axis is time."""

import numpy as np

from tests.raw_trees import RawCase, loaded, nifti, organs, scan

DATASET = "CAMUS"
AFFINE = np.diag([-0.3, -0.15, 1.0, 1.0])


def members():
    files = {}
    for n in (1, 2, 450):
        for seed, view in enumerate(("2CH", "4CH"), start=n):
            at = f"CAMUS_public/database_nifti/patient{n:04d}/patient{n:04d}_{view}"
            for name in ("half_sequence", "ED", "ES"):
                shape = (24, 20, 10) if name == "half_sequence" else (24, 20, 1)
                files[f"{at}_{name}.nii.gz"] = nifti(scan(seed, shape, np.uint8), AFFINE)
                labels = organs((1, 2, 3), seed, (24, 20, 10))[:, :, : shape[2]]
                files[f"{at}_{name}_gt.nii.gz"] = nifti(labels, AFFINE)
            files[f"{at.rpartition('/')[0]}/Info_{view}.cfg"] = b"ED: 1\n"
    return {"CAMUS.zip": files}


def read(folder):
    for path in sorted(folder.glob("CAMUS.zip/*/database_nifti/*/*_half_sequence_gt.nii.gz")):
        labels, affine = loaded(path)
        yield RawCase(
            case_id=path.name.removesuffix("_gt.nii.gz"),
            subject_id=path.parent.name,
            affine=affine,
            labels=labels,
            images={"image": loaded(path.with_name(path.name.replace("_gt", "")))[0]},
            planes=("axial",),
        )
