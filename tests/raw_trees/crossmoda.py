"""crossmoda_training.zip: labelled source images, and target images without labels."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "CrossMoDA"


def members():
    files = {}
    for n in (1, 2, 105):
        at = f"source_training/crossmoda_{n}"
        files[f"{at}_ceT1.nii.gz"] = nifti(scan(n), FLIPPED)
        files[f"{at}_Label.nii.gz"] = nifti(organs((1, 2), n), FLIPPED)
    files["target_training/crossmoda_106_hrT2.nii.gz"] = nifti(scan(7), FLIPPED)
    return {"crossmoda_training.zip": files}


def read(folder):
    for path in sorted(folder.glob("crossmoda_training.zip/source_training/*_Label.nii.gz")):
        labels, affine = loaded(path)
        case_id = path.name.removesuffix("_Label.nii.gz")
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            affine=affine,
            labels=labels,
            images={"image": loaded(path.with_name(f"{case_id}_ceT1.nii.gz"))[0]},
        )
