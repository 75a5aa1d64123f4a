"""TopCoW2024_Data_Release.zip: CT and MR in one folder; other labels, and images without any."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "TopCoW24"
ROOT = "TopCoW2024_Data_Release"


def members():
    files = {}
    for kind in ("ct", "mr"):
        for n in (1, 2, 90, 131):
            at = f"topcow_{kind}_{n:03d}"
            files[f"{ROOT}/imagesTr/{at}_0000.nii.gz"] = nifti(scan(n), TURNED)
            if n == 131:  # not released with labels
                continue
            files[f"{ROOT}/cow_seg_labelsTr/{at}.nii.gz"] = nifti(organs((1, 4, 15), n), TURNED)
            files[f"{ROOT}/roi_loc_labelsTr/{at}.txt"] = b"Size (in voxels): 80 64 40\n"
            files[f"{ROOT}/antpos_edges_labelsTr/{at}.json"] = b"{}"
    return {f"{ROOT}.zip": files}


def read(folder):
    at = folder / f"{ROOT}.zip" / ROOT
    for path in sorted((at / "cow_seg_labelsTr").iterdir()):
        labels, affine = loaded(path)
        case_id = path.name.removesuffix(".nii.gz")
        _, kind, number = case_id.split("_")
        yield RawCase(
            case_id=case_id,
            subject_id=number,
            cohort=kind.upper(),
            affine=affine,
            labels=labels,
            images={"image": loaded(at / "imagesTr" / f"{case_id}_0000.nii.gz")[0]},
        )
