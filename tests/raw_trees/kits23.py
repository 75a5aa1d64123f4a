"""dataset/ as the owner's program fills it: folders of cases, and single readings not used."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "KiTS23"
BY_HAND = "archives"


def members():
    files = {"kits23.json": b"[]"}
    for n in (0, 1, 588):
        at, labels = f"case_{n:05d}", organs((1, 2, 3), n)
        files[f"{at}/imaging.nii.gz"] = nifti(scan(n), TURNED)
        files[f"{at}/segmentation.nii.gz"] = nifti(labels, TURNED)
        one = nifti((labels == 1).astype("u1"), TURNED)
        files[f"{at}/instances/kidney_instance-1_annotation-1.nii.gz"] = one
    return {"dataset": files}


def read(folder):
    for path in sorted(folder.glob("dataset/*/segmentation.nii.gz")):
        labels, affine = loaded(path)
        yield RawCase(
            case_id=path.parent.name,
            subject_id=path.parent.name,
            affine=affine,
            labels=labels,
            images={"image": loaded(path.with_name("imaging.nii.gz"))[0]},
            targets=(2,),
        )
