"""train.7z: CT and MRI sessions; the mask is among derivatives. Sessions are ses-02 or ses-0002."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "ISLES24"
CASES = {"sub-stroke0001": "ses-02", "sub-stroke0002": "ses-02", "sub-stroke0100": "ses-0002"}


def members():
    files = {}
    for seed, (subject, session) in enumerate(CASES.items()):
        case = f"{subject}_{session}"
        raw, derived = f"train/rawdata/{subject}", f"train/derivatives/{subject}"
        files[f"{raw}/ses-01/{subject}_ses-01_ncct.nii.gz"] = nifti(scan(60), FLIPPED)
        for n, name in enumerate(("dwi", "adc")):
            image = nifti(scan(seed + n), FLIPPED)
            files[f"{raw}/{session}/dwi/{case}_{name}.nii.gz"] = image
        mask = nifti(organs((1,), seed), FLIPPED)
        files[f"{derived}/{session}/{case}_lesion-msk.nii.gz"] = mask
    return {"train.7z": files}


def read(folder):
    at = folder / "train.7z" / "train"
    for path in sorted(at.glob("derivatives/*/*/*_lesion-msk.nii.gz")):
        case_id = path.name.removesuffix("_lesion-msk.nii.gz")
        subject, session = case_id.split("_")
        labels, affine = loaded(path)
        images = at / "rawdata" / subject / session / "dwi"
        yield RawCase(
            case_id=case_id,
            subject_id=subject,
            affine=affine,
            labels=labels,
            images={n: loaded(images / f"{case_id}_{n.lower()}.nii.gz")[0] for n in ("ADC", "DWI")},
        )
