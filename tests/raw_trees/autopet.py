"""Autopet_v1.1.tgz: CT and PET as channels of a study; some studies hold no lesion."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "autoPET-III"
ROOT = "2024-05-10_Autopet_v1.1"
STUDIES = {
    "fdg_0af7ffe12a_08-12-2005-NA-PET-CT": True,
    "fdg_0af7ffe12a_09-12-2006-NA-PET-CT": True,
    "fdg_122c584dab_02-02-2003-NA-PET-CT": False,
    "psma_95b833d65be26d28_2018-04-16": True,
}


def members():
    files = {f"{ROOT}/dataset.json": b"{}"}
    for seed, (study, has_lesion) in enumerate(STUDIES.items()):
        labels = organs((1,) if has_lesion else (), seed)
        files[f"{ROOT}/imagesTr/{study}_0000.nii.gz"] = nifti(scan(seed), FLIPPED)
        pet = nifti(scan(seed + 40, dtype=np.float32), FLIPPED)
        files[f"{ROOT}/imagesTr/{study}_0001.nii.gz"] = pet
        files[f"{ROOT}/labelsTr/{study}.nii.gz"] = nifti(labels, FLIPPED)
    return {"Autopet_v1.1.tgz": files}


def read(folder):
    at = folder / "Autopet_v1.1.tgz" / ROOT
    for path in sorted((at / "labelsTr").iterdir()):
        labels, affine = loaded(path)
        if not labels.any():
            continue
        study = path.name.removesuffix(".nii.gz")
        yield RawCase(
            case_id=study,
            subject_id="_".join(study.split("_")[:2]),
            affine=affine,
            labels=labels,
            images={
                name: loaded(at / "imagesTr" / f"{study}_000{n}.nii.gz")[0]
                for n, name in enumerate(("CT", "PET"))
            },
            targets=(1,),
        )
