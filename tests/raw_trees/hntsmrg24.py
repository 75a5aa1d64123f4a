"""HNTSMRG24_train.zip: two time points of a patient; registered files that are not used."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "HNTSMRG24"


def members():
    files = {}
    for patient in (1, 2, 10):
        for seed, time in enumerate(("preRT", "midRT"), start=patient):
            at = f"HNTSMRG24_train/{patient}/{time}/{patient}"
            files[f"{at}_{time}_T2.nii.gz"] = nifti(scan(seed), FLIPPED)
            files[f"{at}_{time}_mask.nii.gz"] = nifti(organs((1, 2), seed), FLIPPED)
        files[f"{at}_preRT_T2_registered.nii.gz"] = nifti(scan(50), FLIPPED)
        files[f"{at}_preRT_mask_registered.nii.gz"] = nifti(organs((1, 2), 50), FLIPPED)
    return {"HNTSMRG24_train.zip": files}


def read(folder):
    for time in ("midRT", "preRT"):
        at = folder / "HNTSMRG24_train.zip" / "HNTSMRG24_train"
        for path in sorted(at.glob(f"*/{time}/*_{time}_mask.nii.gz")):
            labels, affine = loaded(path)
            yield RawCase(
                case_id=path.name.removesuffix("_mask.nii.gz"),
                subject_id=path.parent.parent.name,
                cohort=time,
                affine=affine,
                labels=labels,
                images={"image": loaded(path.with_name(path.name.replace("mask", "T2")))[0]},
                targets=(1, 2),
            )
