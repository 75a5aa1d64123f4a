"""Zip files of a repository, training and test; their names are not listed anywhere."""

from tests.raw_trees import TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "OAIZIB-CM"
PARTS = {"Tr": ("oaizib_001", "oaizib_002"), "Ts": ("oaizib_405",)}


def members():
    archives = {}
    for part, cases in PARTS.items():
        for seed, case in enumerate(cases, start=len(archives)):
            image = {f"images{part}/{case}_0000.nii.gz": nifti(scan(seed), TURNED)}
            label = {f"labels{part}/{case}.nii.gz": nifti(organs((1, 2, 3, 4, 5), seed), TURNED)}
            archives.setdefault(f"images{part}.zip", {}).update(image)
            archives.setdefault(f"labels{part}.zip", {}).update(label)
    return archives


def read(folder):
    for part, cases in PARTS.items():
        for case in cases:
            at = folder / f"labels{part}.zip" / f"labels{part}" / f"{case}.nii.gz"
            labels, affine = loaded(at)
            at = folder / f"images{part}.zip" / f"images{part}" / f"{case}_0000.nii.gz"
            yield RawCase(
                case_id=case,
                subject_id=case,
                affine=affine,
                labels=labels,
                images={"image": loaded(at)[0]},
            )
