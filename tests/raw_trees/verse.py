"""Six archives, two releases in three parts: scans in rawdata, masks and centroids beside."""

import json

from tests.raw_trees import FLIPPED, TURNED, RawCase, loaded, nifti, organs, scan

DATASET = "VerSe"
SCANS = {
    "verse19training": {"sub-verse004": ("", (18, 19, 20)), "sub-verse010": ("", (1, 7, 8))},
    "verse19validation": {"sub-verse013": ("", (23, 24, 25))},
    "verse19test": {"sub-verse050": ("", (19, 20, 28))},
    "verse20training": {"sub-verse502": ("_dir-iso", (15, 16))},
    "verse20validation": {"sub-verse004": ("", (18, 19))},  # of both releases
    "verse20test": {"sub-verse813": ("_dir-ax", (5, 6))},
}


def members():
    made = {}
    for seed, (part, scans) in enumerate(SCANS.items()):
        files = made[f"dataset-{part}.zip"] = {f"dataset-{part}/._rawdata": b"junk"}
        for subject, (orientation, labels) in scans.items():
            affine = TURNED if seed % 2 else FLIPPED
            stem, top = f"{subject}{orientation}", f"dataset-{part}"
            files[f"{top}/rawdata/{subject}/{stem}_ct.nii.gz"] = nifti(scan(seed), affine)
            below = f"{top}/derivatives/{subject}/{stem}_seg"
            files[f"{below}-vert_msk.nii.gz"] = nifti(organs(labels, seed), affine)
            centroids = [{"direction": ["P", "I", "R"]}, {"label": labels[0], "X": 1.0}]
            files[f"{below}-subreg_ctd.json"] = json.dumps(centroids).encode()
            files[f"{below}-vert_snp.png"] = b"\x89PNG"
    return made


def read(folder):
    for path in sorted(folder.glob("*.zip/*/derivatives/*/*_seg-vert_msk.nii.gz")):
        labels, affine = loaded(path)
        top, subject = path.parents[2], path.parent.name
        stem = path.name.removesuffix("_seg-vert_msk.nii.gz")
        yield RawCase(
            case_id=f"{top.name.removeprefix('dataset-')}_{stem}",
            subject_id=subject,
            affine=affine,
            labels=labels,
            images={"image": loaded(top / "rawdata" / subject / f"{stem}_ct.nii.gz")[0]},
        )
