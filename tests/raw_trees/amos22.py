"""amos22.zip: CT and MRI in the same folders, told by number; a test folder without labels."""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "AMOS22"
CASES = {"Tr": (1, 506, 507), "Va": (13, 600)}


def members():
    files = {"__MACOSX/amos22/imagesTr/._amos_0001.nii.gz": b"\0\5\x16\7"}
    for part, numbers in CASES.items():
        for n in numbers:
            files[f"amos22/images{part}/amos_{n:04d}.nii.gz"] = nifti(scan(n), FLIPPED)
            labels = organs((1, 6, 8, 15), n)
            files[f"amos22/labels{part}/amos_{n:04d}.nii.gz"] = nifti(labels, FLIPPED)
    files["amos22/imagesTs/amos_0003.nii.gz"] = nifti(scan(3), FLIPPED)
    files["amos22/dataset.json"] = b"{}"
    return {"amos22.zip": files}


def read(folder):
    for path in sorted((folder / "amos22.zip" / "amos22").glob("labels*/*.nii.gz")):
        labels, affine = loaded(path)
        image = path.parent.with_name(path.parent.name.replace("labels", "images")) / path.name
        case_id = path.name.removesuffix(".nii.gz")
        yield RawCase(
            case_id=case_id,
            subject_id=case_id,
            cohort="CT" if int(case_id[-4:]) < 507 else "MRI",
            affine=affine,
            labels=labels,
            images={"image": loaded(image)[0]},
        )
