"""Three zip files of images and a 7z file of masks; not all images have a mask."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "AbdomenCT-1K"
PARTS = {1: ("Case_00001", "Case_00002"), 2: ("Case_00400",), 3: ("Case_00900", "Case_01000")}
UNLABELLED = ("Case_00002", "Case_01000")


def members():
    archives, masks = {}, {}
    for part, cases in PARTS.items():
        folder = f"AbdomenCT-1K-ImagePart{part}"
        archives[f"{folder}.zip"] = {}
        for seed, case in enumerate(cases, start=10 * part):
            archives[f"{folder}.zip"][f"{folder}/{case}_0000.nii.gz"] = nifti(scan(seed), FLIPPED)
            if case not in UNLABELLED:
                masks[f"{case}.nii.gz"] = nifti(organs((1, 2, 3, 4), seed), FLIPPED)
    return archives | {"Mask.7z": masks}


def read(folder):
    for path in sorted((folder / "Mask.7z").glob("*.nii.gz")):
        labels, affine = loaded(path)
        case_id = path.name.removesuffix(".nii.gz")
        (image,) = folder.glob(f"*.zip/*/{case_id}_0000.nii.gz")
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            affine=affine,
            labels=labels,
            images={"image": loaded(image)[0]},
        )
