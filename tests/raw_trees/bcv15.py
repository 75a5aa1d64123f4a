"""RawData.zip (abdomen) and CervixRawData.zip of Synapse; only Training has labels."""

from tests.raw_trees import FLIPPED, TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "BCV15"
ARCHIVES = {
    "abdomen": ("RawData.zip", "img{}.nii.gz", "label{}.nii.gz", ("0001", "0040"), (1, 10, 13)),
    "cervix": (
        "CervixRawData.zip",
        "{}-Image.nii.gz",
        "{}-Mask.nii.gz",
        ("0507-4330", "1204-2200"),
        (1, 2, 3, 4),
    ),
}


def members():
    made = {}
    for archive, image, label, cases, values in ARCHIVES.values():
        files = {"__MACOSX/RawData/._Training": b"\0\5\x16\7"}
        for seed, case in enumerate(cases):
            affine = TURNED if seed else FLIPPED
            at = "RawData/Training"
            files[f"{at}/img/{image.format(case)}"] = nifti(scan(seed), affine)
            files[f"{at}/label/{label.format(case)}"] = nifti(organs(values, seed), affine)
        files[f"RawData/Testing/img/{image.format('0061')}"] = nifti(scan(9), FLIPPED)
        made[archive] = files
    return made


def read(folder):
    for cohort, (archive, image, label, cases, _) in ARCHIVES.items():
        at = folder / archive / "RawData" / "Training"
        for case in cases:
            labels, affine = loaded(at / "label" / label.format(case))
            yield RawCase(
                case_id=case,
                subject_id=case,
                cohort=cohort,
                affine=affine,
                labels=labels,
                images={"image": loaded(at / "img" / image.format(case))[0]},
            )
