"""ToothFairy2_Dataset.zip: MetaImage files, cases of two kinds of name."""

import numpy as np
import SimpleITK

from tests.raw_trees import RawCase, organs, scan

DATASET = "ToothFairy2"
BY_HAND = "archives"
CASES = ("ToothFairy2F_001", "ToothFairy2F_010", "ToothFairy2P_077")
SPACING_MM, ORIGIN_MM = (0.3, 0.4, 0.5), (-3.0, 2.0, 7.0)


def metaimage(array, spacing_mm=SPACING_MM):
    """Bytes of a .mha: header and voxels in one file, x fastest."""
    kind = {"int16": "MET_SHORT", "uint8": "MET_UCHAR"}[array.dtype.name]
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = False\nTransformMatrix = 1 0 0 0 1 0 0 0 1\n"
        f"Offset = {' '.join(map(str, ORIGIN_MM))}\nCenterOfRotation = 0 0 0\n"
        "AnatomicalOrientation = RAI\n"
        f"ElementSpacing = {' '.join(map(str, spacing_mm))}\n"
        f"DimSize = {' '.join(map(str, array.shape))}\n"
        f"ElementType = {kind}\nElementDataFile = LOCAL\n"
    )
    return header.encode() + array.tobytes(order="F")


def members():
    files = {"Dataset112_ToothFairy2/dataset.json": b"{}"}
    for seed, case in enumerate(CASES):
        values = (2, 3, 11, 48) if case == "ToothFairy2P_077" else (1, 2, 11, 48)
        at = "Dataset112_ToothFairy2"
        files[f"{at}/imagesTr/{case}_0000.mha"] = metaimage(scan(seed))
        files[f"{at}/labelsTr/{case}.mha"] = metaimage(organs(values, seed))
    return {"ToothFairy2_Dataset.zip": files}


def read(folder):
    at = folder / "ToothFairy2_Dataset.zip" / "Dataset112_ToothFairy2"
    for path in sorted((at / "labelsTr").iterdir()):
        mask = SimpleITK.ReadImage(str(path))
        image = SimpleITK.ReadImage(str(at / "imagesTr" / f"{path.stem}_0000.mha"))
        spacing_mm, origin_mm = mask.GetSpacing(), mask.GetOrigin()
        affine = np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0])
        affine[:3, 3] = -origin_mm[0], -origin_mm[1], origin_mm[2]
        yield RawCase(
            case_id=path.stem,
            subject_id=path.stem,
            affine=affine,
            labels=SimpleITK.GetArrayFromImage(mask).T,
            images={"image": SimpleITK.GetArrayFromImage(image).T},
        )
