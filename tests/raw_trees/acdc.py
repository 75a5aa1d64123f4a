"""ACDC.zip: patients of both halves, ED and ES beside a 4D file; sforms are unit."""

import numpy as np

from tests.raw_trees import RawCase, nifti, organs, scan

DATASET = "ACDC"
QFORM = np.diag([-1.5, -1.25, 8.0, 1.0])
CASES = {
    "training/patient001": ("01", "12"),
    "training/patient002": ("01",),
    "testing/patient101": ("01", "14"),
}


def members():
    files = {"ACDC/database/training/patient001/Info.cfg": b"ED: 1\nES: 12\n"}
    for seed, (place, frames) in enumerate(CASES.items()):
        at = f"ACDC/database/{place}/{place.rpartition('/')[2]}"
        movie = np.stack([scan(seed)] * 3, axis=3)
        files[f"{at}_4d.nii.gz"] = nifti(movie, QFORM)
        for frame in frames:
            header = {"sform": np.eye(4), "codes": (1, 2)}
            files[f"{at}_frame{frame}.nii.gz"] = nifti(scan(seed + int(frame)), QFORM, **header)
            labels = organs((1, 2, 3), seed + int(frame))
            files[f"{at}_frame{frame}_gt.nii.gz"] = nifti(labels, QFORM, **header)
    return {"ACDC.zip": files}


def read(folder):
    import nibabel as nib

    for path in sorted(folder.glob("ACDC.zip/ACDC/database/*/*/*_frame*_gt.nii.gz")):
        mask = nib.load(path)
        assert np.allclose(np.abs(mask.get_sform()[:3, :3]), np.eye(3))
        image = nib.load(path.with_name(path.name.replace("_gt", "")))
        yield RawCase(
            case_id=path.name.removesuffix("_gt.nii.gz"),
            subject_id=path.parent.name,
            affine=mask.get_qform(),
            labels=np.asarray(mask.dataobj),
            images={"image": np.asarray(image.dataobj)},
        )
