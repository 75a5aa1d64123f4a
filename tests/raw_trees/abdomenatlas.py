"""Folders of cases on Hugging Face: masks of real numbers whose headers are not their image's."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "AbdomenAtlas1.0Mini"


def members():
    files = {}
    for n in (1, 2, 11):
        case = f"BDMAP_{n:08d}"
        labels = organs((1, 5, 9), n)
        files[f"{case}/ct.nii.gz"] = nifti(scan(n), FLIPPED)
        wrong = np.diag([1.0, 1.0, 1.0, 1.0])
        files[f"{case}/combined_labels.nii.gz"] = nifti(labels.astype(np.float64), wrong)
        files[f"{case}/segmentations/aorta.nii.gz"] = nifti((labels == 1).astype(np.uint8), wrong)
    return {"": files}


def read(folder):
    for path in sorted(folder.glob("*/ct.nii.gz")):
        image, affine = loaded(path)
        labels, _ = loaded(path.with_name("combined_labels.nii.gz"))
        case_id = path.parent.name
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            affine=affine,
            labels=labels.astype(int),
            images={"image": image},
        )
