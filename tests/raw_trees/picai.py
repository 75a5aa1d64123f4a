"""Five archives of MetaImage scans, and masks of a repository: ISUP grades, empty ones, none."""

import numpy as np
import SimpleITK

from tests.raw_trees import RawCase, loaded, nifti, organs, scan
from tests.raw_trees.toothfairy2 import ORIGIN_MM, metaimage

DATASET = "PI-CAI"
SCANS = {
    0: {"10131_1000132": (2, 5), "10131_1000133": (3,)},  # one patient twice
    1: {"10200_1000204": ()},  # without a lesion
    2: {"10300_1000305": (4,)},
    3: {"10400_1000406": None},  # without a mask of an expert
    4: {"10500_1000507": (2, 3, 4)},
}
SPACING_MM = (0.9, 1.1, 3.0)
AT = "picai_labels-3e5673a7968cf047d535fe8fa5404c259298cec8/csPCa_lesion_delineations/human_expert"


def members():
    masks, made = {f"{AT}/resampled/README.md": b"#"}, {}
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    affine[:3, 3] = -ORIGIN_MM[0], -ORIGIN_MM[1], ORIGIN_MM[2]
    for fold, scans in SCANS.items():
        files = made[f"picai_public_images_fold{fold}.zip"] = {}
        for name, grades in scans.items():
            patient = name.partition("_")[0]
            for sequence in ("t2w", "adc", "hbv"):
                files[f"{patient}/{name}_{sequence}.mha"] = metaimage(
                    scan(len(files) + fold), SPACING_MM
                )
            if grades is not None:
                mask = nifti(organs(grades, fold), affine)
                masks[f"{AT}/resampled/{name}.nii.gz"] = mask
                masks[f"{AT}/original/{name}.nii.gz"] = mask
    return {**made, "picai_labels.zip": masks}


def read(folder):
    for path in sorted(folder.glob("picai_labels.zip/*/*/human_expert/resampled/*.nii.gz")):
        grades, affine = loaded(path)
        name = path.name.removesuffix(".nii.gz")
        (scan_path,) = folder.glob(f"picai_public_images_fold*.zip/*/{name}_t2w.mha")
        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(scan_path))).T
        yield RawCase(
            case_id=name,
            subject_id=name.partition("_")[0],
            affine=affine,
            labels=(grades > 0).astype(int),
            images={"T2w": image},
            targets=(1,) if grades.any() else (),
        )
