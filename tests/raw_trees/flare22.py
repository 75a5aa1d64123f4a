"""Two zip files of a shared drive folder, without folders of their own."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "FLARE22"
CASES = ("FLARE22_Tr_0001", "FLARE22_Tr_0002", "FLARE22_Tr_0050")
FOLDER = "FLARE22_LabeledCase50"


def members():
    images, labels = {}, {}
    for seed, case in enumerate(CASES):
        images[f"{case}_0000.nii.gz"] = nifti(scan(seed), TURNED)
        labels[f"{case}.nii.gz"] = nifti(organs((1, 5, 13), seed), TURNED)
    return {f"{FOLDER}/images.zip": images, f"{FOLDER}/labels.zip": labels}


def read(folder):
    for case in CASES:
        labels, affine = loaded(folder / FOLDER / "labels.zip" / f"{case}.nii.gz")
        image, _ = loaded(folder / FOLDER / "images.zip" / f"{case}_0000.nii.gz")
        yield RawCase(
            case_id=case, subject_id=case, affine=affine, labels=labels, images={"image": image}
        )
