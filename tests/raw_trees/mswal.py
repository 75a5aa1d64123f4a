"""Loose files of a repository, as nnU-Net has them; a class is missing in one of the scans."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "MSWAL"
CASES = {"MSWAL_0001": (1, 2, 3, 4, 5, 6, 7), "MSWAL_0510": (3, 5, 7), "MSWAL_0512": (2, 4, 6)}


def members():
    files = {"README.md": b"#"}
    for seed, (case, labels) in enumerate(CASES.items()):
        files[f"imagesTr/{case}_0000.nii.gz"] = nifti(scan(seed), TURNED)
        files[f"labelsTr/{case}.nii.gz"] = nifti(organs(labels, seed), TURNED)
    return {"": files}


def read(folder):
    for path in sorted(folder.glob("labelsTr/*.nii.gz")):
        labels, affine = loaded(path)
        case = path.name.removesuffix(".nii.gz")
        yield RawCase(
            case_id=case,
            subject_id=case,
            affine=affine,
            labels=labels,
            images={"image": loaded(folder / "imagesTr" / f"{case}_0000.nii.gz")[0]},
            targets=tuple(range(1, 8)),
        )
