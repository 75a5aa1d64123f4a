"""Three archives of patients: a scan and a file for each structure, in NRRD; some lack one."""

import gzip

import numpy as np

from tests.raw_trees import RawCase, organs, scan

DATASET = "PDDCA"
STRUCTURES = {
    "BrainStem": 1,
    "Chiasm": 2,
    "Mandible": 3,
    "OpticNerve_L": 4,
    "OpticNerve_R": 5,
    "Parotid_L": 6,
    "Parotid_R": 7,
    "Submandibular_L": 8,
    "Submandibular_R": 9,
}
PATIENTS = {
    "PDDCA-1.4.1_part1.zip": ("0522c0001", ()),
    "PDDCA-1.4.1_part2.zip": ("0522c0329", ("Mandible",)),
    "PDDCA-1.4.1_part3.zip": ("0522c0788", ("Submandibular_R", "Chiasm")),
}
DIRECTIONS = np.diag([1.1, 1.3, 2.5])
"""In LPS, as NRRD states it."""


def nrrd(array):
    vectors = " ".join("(" + ",".join(map(str, row)) + ")" for row in DIRECTIONS.tolist())
    header = (
        "NRRD0004\n"
        f"type: {'short' if array.dtype == np.int16 else 'unsigned char'}\n"
        "dimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, array.shape))}\nspace directions: {vectors}\n"
        "kinds: domain domain domain\nendian: little\nencoding: gzip\nspace origin: (-20,-30,5)\n\n"
    )
    return header.encode() + gzip.compress(array.tobytes(order="F"), 1, mtime=0)


def members():
    made = {}
    for seed, (archive, (patient, lacking)) in enumerate(PATIENTS.items()):
        labels = organs(tuple(STRUCTURES.values()), seed)
        made[archive] = {f"{patient}/img.nrrd": nrrd(scan(seed))}
        for name, label in STRUCTURES.items():
            if name not in lacking:
                mask = nrrd((labels == label).astype(np.uint8))
                made[archive][f"{patient}/structures/{name}.nrrd"] = mask
    return made


def read(folder):
    import SimpleITK

    for path in sorted(folder.glob("*.zip/*/img.nrrd")):
        image = SimpleITK.ReadImage(str(path))
        labels = np.zeros(image.GetSize(), int)
        for name, label in STRUCTURES.items():
            if (file := path.parent / "structures" / f"{name}.nrrd").exists():
                mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file))).T
                labels[mask > 0] = label
        spacing_mm, origin_mm = np.array(image.GetSpacing()), np.array(image.GetOrigin())
        affine = np.diag([*(spacing_mm * [-1, -1, 1]), 1.0])
        affine[:3, 3] = origin_mm * [-1, -1, 1]
        yield RawCase(
            case_id=path.parent.name,
            subject_id=path.parent.name,
            affine=affine,
            labels=labels,
            images={"image": SimpleITK.GetArrayFromImage(image).T},
        )
