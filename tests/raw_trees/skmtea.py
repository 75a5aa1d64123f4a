"""SKM-TEA-nii.zip as a person makes it: two echoes and the segmentation, in three folders."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "SKM-TEA"
BY_HAND = "archives"


def members():
    files = {}
    for n in (1, 5, 248):
        for seed, folder in enumerate(("img_nii_E1", "img_nii_E2"), start=n):
            files[f"SKM-TEA-nii/{folder}/MTR_{n:03d}.nii.gz"] = nifti(scan(seed), TURNED)
        files[f"SKM-TEA-nii/seg-nii/MTR_{n:03d}.nii.gz"] = nifti(organs((1, 2, 3), n), TURNED)
    return {"SKM-TEA-nii.zip": files}


def read(folder):
    at = folder / "SKM-TEA-nii.zip" / "SKM-TEA-nii"
    for path in sorted((at / "seg-nii").iterdir()):
        labels, affine = loaded(path)
        case_id = path.name.removesuffix(".nii.gz")
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            affine=affine,
            labels=labels,
            images={e: loaded(at / f"img_nii_{e}" / path.name)[0] for e in ("E1", "E2")},
        )
