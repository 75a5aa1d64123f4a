"""A file for each structure of a subject, in two zip files; where some overlap, the lower wins."""

import numpy as np

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "TotalSegmentator"
STRUCTURES = {
    "CT": {
        "spleen": 1,
        "kidney_right": 2,
        "adrenal_gland_left": 9,
        "lung_middle_lobe_right": 13,
        "vertebrae_T12": 32,
        "iliac_vena_left": 67,
        "clavicula_right": 74,
        "rib_left_1": 92,
        "costal_cartilages": 117,
    },
    "MR": {
        "spleen": 1,
        "lung_left": 10,
        "vertebrae": 19,
        "portal_vein_and_splenic_vein": 25,
        "brain": 50,
    },
}
"""File to label id, as the owner numbers its classes."""
ARCHIVES = {
    "CT": ("Totalsegmentator_dataset_v201.zip", "ct"),
    "MR": ("TotalsegmentatorMRI_dataset_v200.zip", "mri"),
}
SUBJECTS = ("s0011", "s0020", "s1406")


def members():
    made = {}
    for cohort, (archive, stem) in ARCHIVES.items():
        made[archive] = {"meta.csv": b"image_id;age\n"}
        for seed, subject in enumerate(SUBJECTS):
            made[archive][f"{subject}/{stem}.nii.gz"] = nifti(scan(seed), FLIPPED)
            for rank, name in enumerate(STRUCTURES[cohort]):
                # Drawn one by one, so that neighbours overlap; the last one is empty.
                shape = organs((2,), 20 * seed + rank) > 0
                if subject == SUBJECTS[-1] and rank == len(STRUCTURES[cohort]) - 1:
                    shape[:] = False
                mask = nifti(shape.astype(np.uint8), FLIPPED)
                made[archive][f"{subject}/segmentations/{name}.nii.gz"] = mask
    return made


def read(folder):
    for cohort, (archive, stem) in ARCHIVES.items():
        for subject in SUBJECTS:
            image, affine = loaded(folder / archive / subject / f"{stem}.nii.gz")
            labels = np.zeros(image.shape, int)
            for name, label in sorted(STRUCTURES[cohort].items(), key=lambda one: -one[1]):
                mask, _ = loaded(folder / archive / subject / "segmentations" / f"{name}.nii.gz")
                labels[mask > 0] = label
            yield RawCase(
                case_id=subject,
                subject_id=subject,
                cohort=cohort,
                affine=affine,
                labels=labels,
                images={"image": image},
            )
