"""Ten tar files; brain and prostate hold a channel for each sequence, all hold `._*` files."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "MSD"
TASKS = {
    "Task01_BrainTumour": (("BRATS_001", "BRATS_002"), (1, 2, 3), (1, 2, 3)),
    "Task02_Heart": (("la_003",), (1,), ()),
    "Task03_Liver": (("liver_1",), (1, 2), (2,)),
    "Task04_Hippocampus": (("hippocampus_001",), (1, 2), ()),
    "Task05_Prostate": (("prostate_00", "prostate_01"), (1, 2), ()),
    "Task06_Lung": (("lung_001",), (1,), (1,)),
    "Task07_Pancreas": (("pancreas_001",), (1, 2), (2,)),
    "Task08_HepaticVessel": (("hepaticvessel_001",), (1, 2), (2,)),
    "Task09_Spleen": (("spleen_2",), (1,), ()),
    "Task10_Colon": (("colon_001",), (1,), (1,)),
}
CHANNELS = {
    "Task01_BrainTumour": ("FLAIR", "T1w", "T1gd", "T2w"),
    "Task05_Prostate": ("T2w", "ADC"),
}


def members():
    archives = {}
    for task, (cases, values, _) in TASKS.items():
        files = {f"{task}/dataset.json": b"{}", f"{task}/._dataset.json": b"\0\5\x16\7"}
        for seed, case in enumerate((*cases, f"{cases[0]}_test")):
            n_channels = len(CHANNELS.get(task, ()))
            voxels = scan(seed)
            if n_channels:
                voxels = np.stack([scan(seed + 10 * n) for n in range(n_channels)], axis=3)
            folder = "imagesTr" if case in cases else "imagesTs"
            files[f"{task}/{folder}/{case}.nii.gz"] = nifti(voxels, FLIPPED)
            files[f"{task}/{folder}/._{case}.nii.gz"] = b"\0\5\x16\7"
            if case in cases:
                files[f"{task}/labelsTr/{case}.nii.gz"] = nifti(organs(values, seed), FLIPPED)
                files[f"{task}/labelsTr/._{case}.nii.gz"] = b"\0\5\x16\7"
        archives[f"{task}.tar"] = files
    return archives


def read(folder):
    for task, (cases, _, targets) in TASKS.items():
        at = folder / f"{task}.tar" / task
        for case in cases:
            labels, affine = loaded(at / "labelsTr" / f"{case}.nii.gz")
            voxels, _ = loaded(at / "imagesTr" / f"{case}.nii.gz")
            channels = CHANNELS.get(task)
            images = {"image": voxels}
            if channels:
                images = {name: voxels[..., n] for n, name in enumerate(channels)}
            yield RawCase(
                case_id=case,
                subject_id=case,
                cohort=task.partition("_")[2],
                affine=affine,
                labels=labels,
                images=images,
                targets=targets,
            )
