"""train.zip: image/ and label/ with numbers for names; from the copy, asked for by its role."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "KiPA22"
ROLE = "copy"


def members():
    files = {}
    for n in (0, 7, 70):
        files[f"train/image/{n}.nii.gz"] = nifti(scan(n), FLIPPED)
        files[f"train/label/{n}.nii.gz"] = nifti(organs((1, 2, 3, 4), n), FLIPPED)
    return {"train.zip": files}


def read(folder):
    for path in sorted((folder / "train.zip" / "train" / "label").iterdir()):
        labels, affine = loaded(path)
        case_id = path.name.removesuffix(".nii.gz")
        image, _ = loaded(path.parent.with_name("image") / path.name)
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            affine=affine,
            labels=labels,
            images={"image": image},
            targets=(4,),
        )
