"""Folders of four challenges, four sequences a visit; fixed cases of MET in archives of their own.

Of GLI, MEN-RT and PED the archives have no known names: a person unpacks them side by side.
"""

from tests.raw_trees import FLIPPED, RawCase, loaded, nifti, organs, scan

DATASET = "BraTS24"
BY_HAND = "folders"
SEQUENCES = ("t1c", "t1n", "t2f", "t2w")
MET = "MICCAI-BraTS2024-MET-Challenge-Training"
TARGETS = {"GLI": (1, 2, 3, 4), "MEN-RT": (1,), "MET": (1, 2, 3), "PED": (1, 2, 3, 4)}
VISITS = {
    "training_data1_v2": ("BraTS-GLI-00005-100", "BraTS-GLI-00005-101"),
    "training_data_additional": ("BraTS-GLI-02073-101",),
    "BraTS-PEDs2024_Training": ("BraTS-PED-00001-000", "BraTS-PED-00255-000"),
}
MET_2 = f"{MET}Data_2"


def visit(at, case, seed, values, sequences=SEQUENCES, dash="-", mask="seg"):
    files = {
        f"{at}{case}/{case}{dash}{name}.nii.gz": nifti(scan(seed + n), FLIPPED)
        for n, name in enumerate(sequences)
    }
    files[f"{at}{case}/{case}{dash}{mask}.nii.gz"] = nifti(organs(values, seed), FLIPPED)
    return files


def members():
    files = {}
    for place, cases in VISITS.items():
        for seed, case in enumerate(cases, start=len(place)):
            files |= visit(f"{place}/", case, seed, TARGETS[case.split("-")[1]])
    for n in (1, 2):
        case = f"BraTS-MEN-RT-000{n}-1"
        files |= visit("BraTS-MEN-RT-Train-v2/", case, n, (1,), ("t1c",), "_", "gtv")
    hidden = "BraTS-PEDs2024_Training/BraTS-PED-00001-000/._BraTS-PED-00001-000-t1c.nii.gz"
    files |= {hidden: b"\0\5\x16\7", "__MACOSX/BraTS-PEDs2024_Training/._x": b"\0"}
    # The case of the second download takes the place of the first one's.
    files |= visit("", "BraTS-PED-00255-000", 77, TARGETS["PED"])
    second = {}
    for seed, n in enumerate(("00232-000", "00500-000", "00700-000"), start=40):
        second |= visit("", f"BraTS-MET-{n}", seed, TARGETS["MET"])
    fixed = visit(f"{MET_2}-fixed-cases/", "BraTS-MET-00500-000", 90, TARGETS["MET"])
    return {
        "": files,
        f"{MET}Data_1.zip": visit(f"{MET}_1/", "BraTS-MET-00001-000", 8, TARGETS["MET"]),
        f"{MET_2}.zip": second,
        f"{MET_2}-fixed-cases.zip": fixed,
        "BraTS-MET-00232-000.rar": visit("", "BraTS-MET-00232-000", 5, TARGETS["MET"]),
    }


def places(folder):
    """Case id to its folder: what replaces others comes last."""
    found = {}
    unpacked = [folder / place for place in (*VISITS, "BraTS-MEN-RT-Train-v2")]
    unpacked += [folder / f"{MET}Data_1.zip" / f"{MET}_1", folder / f"{MET_2}.zip"]
    unpacked += [folder / f"{MET_2}-fixed-cases.zip" / f"{MET_2}-fixed-cases"]
    for place in unpacked:
        found |= {path.name: path for path in sorted(place.iterdir()) if path.is_dir()}
    found["BraTS-PED-00255-000"] = folder / "BraTS-PED-00255-000"
    del found["BraTS-MET-00232-000"]
    return found


def read(folder):
    for case_id, place in places(folder).items():
        cohort = "MEN-RT" if "MEN-RT" in case_id else case_id.split("-")[1]
        dash, mask = ("_", "gtv") if cohort == "MEN-RT" else ("-", "seg")
        labels, affine = loaded(place / f"{case_id}{dash}{mask}.nii.gz")
        names = ("t1c",) if cohort == "MEN-RT" else SEQUENCES
        yield RawCase(
            case_id=case_id,
            subject_id=case_id.rpartition("-")[0],
            cohort=cohort,
            affine=affine,
            labels=labels,
            images={n: loaded(place / f"{case_id}{dash}{n}.nii.gz")[0] for n in names},
            targets=TARGETS[cohort],
        )
