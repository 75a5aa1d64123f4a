"""Miniature folders in the layouts of real tools, each with a truth that is known beforehand.

Every function fills a folder and returns nothing; what the folder holds is stated in the tests.
"""

import csv
import json
import shutil

import nibabel as nib
import numpy as np
from PIL import Image

from tests.volumes import test_dicom_seg as dicom_files
from tests.volumes import test_rtstruct as contours
from tests.volumes import test_slicer_seg as slicer_files

SPACING = (0.8, 1.1, 2.5)
FLIPPED = np.diag([-SPACING[0], SPACING[1], SPACING[2], 1.0])
"""Stored from right to left, as scanners do."""

SHAPE = (18, 15, 9)


def volume(seed=0, low=-900):
    return np.random.default_rng(seed).integers(low, 900, SHAPE).astype(np.int16)


def labels(*boxes):
    """A label map of boxes 1, 2, …, each ((i0, i1), (j0, j1), (k0, k1))."""
    array = np.zeros(SHAPE, np.uint8)
    for value, sides in enumerate(boxes, start=1):
        array[tuple(slice(*side) for side in sides)] = value
    return array


ORGAN = ((2, 14), (3, 13), (1, 7))
TUMOR = ((5, 9), (6, 10), (3, 6))
LABELS = labels(ORGAN, TUMOR)


def save(path, array, affine=FLIPPED):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def picture(path, pixels=None, size=(30, 47)):
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    Image.fromarray(pixels).save(path)


def drawn(*boxes, value=255, size=(30, 47)):
    """A picture mask with boxes (x0, y0, x1, y1)."""
    mask = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = value
    return mask


def nnunet_v2(folder):
    names = {"channel_names": {"0": "T1", "1": "FLAIR"}, "numTraining": 3, "file_ending": ".nii.gz"}
    content = names | {"labels": {"background": 0, "whole tumor": [1, 2], "core": 2, "ignore": 3}}
    write(folder / "dataset.json", content | {"regions_class_order": [1, 2]})
    for n, case in enumerate(("brain_001", "brain_002", "brain_003")):
        for channel in (0, 1):
            image = volume(10 * n + channel, low=0)
            save(folder / "imagesTr" / f"{case}_{channel:04d}.nii.gz", image)
        save(folder / "labelsTr" / f"{case}.nii.gz", LABELS)
    save(folder / "imagesTs" / "brain_009_0000.nii.gz", volume(9))


def nnunet_v1(folder):
    content = {
        "name": "Liver",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver", "2": "cancer"},
        "numTraining": 2,
        "training": [
            {"image": f"./imagesTr/liver_{n}.nii.gz", "label": f"./labelsTr/liver_{n}.nii.gz"}
            for n in (0, 1)
        ],
        "test": ["./imagesTs/liver_2.nii.gz"],
    }
    write(folder / "dataset.json", content)
    for n in (0, 1):
        save(folder / "imagesTr" / f"liver_{n}_0000.nii.gz", volume(n))
        save(folder / "labelsTr" / f"liver_{n}.nii.gz", LABELS)
    save(folder / "imagesTr" / "liver_7_0000.nii.gz", volume(7))
    save(folder / "imagesTs" / "liver_2_0000.nii.gz", volume(2))
    (folder / "imagesTr" / "._liver_0_0000.nii.gz").write_bytes(b"left by a system")


def nnunet_paths(folder):
    """Version 2 with a path for every file."""
    entries = {
        f"c{n}": {"images": [f"scans/{n}/ct.nii.gz"], "label": f"truth/{n}.nii.gz"} for n in (1, 2)
    }
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1, "cancer": 2}}
    write(folder / "dataset.json", content | {"dataset": entries, "file_ending": ".nii.gz"})
    for n in (1, 2):
        save(folder / "scans" / str(n) / "ct.nii.gz", volume(n))
        save(folder / "truth" / f"{n}.nii.gz", LABELS)


def bids(folder):
    write(folder / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.8.0"})
    pipeline = folder / "derivatives" / "manual"
    write(pipeline / "dataset_description.json", {"Name": "y", "DatasetType": "derivative"})
    write(pipeline / "desc-manual_dseg.tsv", "index\tname\n1\twhite matter\n2\tlesion\n")
    people = "participant_id\tage\tsex\nsub-01\t41\tF\nsub-02\t67\tM\n"
    write(folder / "participants.tsv", people)
    for n, (subject, session) in enumerate((("01", "1"), ("01", "2"), ("02", "1"))):
        place = f"sub-{subject}/ses-{session}/anat"
        name = f"sub-{subject}_ses-{session}"
        save(folder / place / f"{name}_T1w.nii.gz", volume(n, low=0))
        write(folder / place / f"{name}_T1w.json", {"EchoTime": 0.003})
        save(pipeline / place / f"{name}_space-orig_desc-manual_dseg.nii.gz", LABELS)
    save(folder / "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz", volume(9, low=0))


def totalsegmentator_training(folder):
    rows = [["image_id", "age", "gender", "institute", "split"]]
    for n, (subject, split) in enumerate(
        (("s0000", "train"), ("s0001", "test"), ("s0002", "val"), ("s0003", "train"))
    ):
        save(folder / subject / "ct.nii.gz", volume(n))
        for name, value in (("liver", 1), ("kidney_left", 2), ("vertebrae_L1", 0), ("spleen", 0)):
            mask = (value == LABELS).astype(np.uint8) if value else np.zeros(SHAPE, np.uint8)
            save(folder / subject / "segmentations" / f"{name}.nii.gz", mask)
        rows.append([subject, str(50 + n), "f", "A", split])
    with (folder / "meta.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)


def totalsegmentator_output(folder):
    for n, case in enumerate(("p1", "p2")):
        save(folder / "scans" / f"{case}.nii.gz", volume(n))
        for name, value in (("liver", 1), ("kidney_left", 2), ("spleen", 0)):
            mask = (value == LABELS).astype(np.uint8) if value else np.zeros(SHAPE, np.uint8)
            save(folder / "out" / case / f"{name}.nii.gz", mask)
        write(folder / "out" / case / "statistics.json", {"liver": {"volume": 1.0}})


def slicer(folder):
    """Two scenes; the second one's segmentation is cut and numbered the other way round."""
    affine = slicer_files.LPS_TO_RAS @ slicer_files.affine_lps(np.eye(3))
    noise = np.random.default_rng(4).integers(-900, 900, slicer_files.SHAPE).astype(np.int16)
    block, offset = slicer_files.LABELS[slicer_files.BLOCK], slicer_files.OFFSET
    swapped = np.array([0, 2, 1], np.uint8)[block]
    for case, array, first, second, at in (
        ("p1", slicer_files.LABELS, "liver", "tumor", (0, 0, 0)),
        ("p2", swapped, "tumor", "liver", offset),
    ):
        save(folder / case / "CT.nii.gz", noise, affine)
        listed = [
            {"Name": name, "LabelValue": value, "Layer": 0}
            for value, name in ((1, first), (2, second))
        ]
        slicer_files.segmentation(
            folder / case / "Segmentation.seg.nrrd", [array], listed, offset=at
        )
        write(folder / case / "Scene.mrml", "<MRML></MRML>")


def tcia(folder, kind="SEG"):
    """Collection / patient / study / series, as the archive's downloader names them."""
    for n, patient in enumerate(("X-001", "X-002")):
        study = folder / "Collection" / patient / "01-01-2000-NA-CT ABDOMEN-30178"
        datasets, _ = dicom_files.write_series(study / "3.000000-Body-03192")
        for dataset in datasets:
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
                setattr(dataset, name, f"{getattr(dataset, name)}.{n + 1}")
            dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{n + 1}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.PatientID, dataset.StudyDate = patient, "20000101"
        shutil.rmtree(study / "3.000000-Body-03192")
        (study / "3.000000-Body-03192").mkdir()
        for number, dataset in enumerate(datasets):
            path = study / "3.000000-Body-03192" / f"1-{number + 1}.dcm"
            dataset.save_as(path, enforce_file_format=True)
        found = dicom_files.masks()
        target = study / "300.000000-Segmentation-71532" / "1-1.dcm"
        dicom_files.write_segmentation(target, datasets, list(found.values()), labels=list(found))
    write(folder / "Collection" / "LICENSE", "CC BY 3.0")


def tcia_contours(folder):
    """The same tree with a structure set of a plan, whose names differ from patient to patient."""
    import pydicom

    tcia(folder)
    for patient, names in (("X-001", ("Liver", "GTV")), ("X-002", ("liver", "GTV"))):
        [study] = (folder / "Collection" / patient).iterdir()
        shutil.rmtree(study / "300.000000-Segmentation-71532")
        image = pydicom.dcmread(study / "3.000000-Body-03192" / "1-1.dcm")
        corners = np.array([[2.2, 2.2], [10.7, 2.2], [10.7, 12.6], [2.2, 12.6]])
        drawn_on = [np.c_[corners, np.full(4, float(k))] for k in range(2, 6)]
        small = [np.c_[corners / 2 + 3, np.full(4, float(k))] for k in (3, 4)]
        before = contours.ORIGIN_LPS, contours.SPACING
        contours.ORIGIN_LPS = dicom_files.ORIGIN_LPS
        contours.SPACING = np.array(dicom_files.SPACING)
        path = study / "1.000000-RTSTRUCT-11111" / "1-1.dcm"
        path.parent.mkdir()
        regions = [(names[0], drawn_on), (names[1], small)]
        contours.structure_set(path, regions, frame=image.FrameOfReferenceUID)
        contours.ORIGIN_LPS, contours.SPACING = before
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.StudyDate, dataset.SeriesNumber = patient, "20000101", 1
        series, of_study, frame = (pydicom.Dataset() for _ in range(3))
        series.SeriesInstanceUID = image.SeriesInstanceUID
        of_study.RTReferencedSeriesSequence = [series]
        frame.FrameOfReferenceUID = image.FrameOfReferenceUID
        frame.RTReferencedStudySequence = [of_study]
        dataset.ReferencedFrameOfReferenceSequence = [frame]
        dataset.save_as(path, enforce_file_format=True)


def busi(folder):
    """Breast ultrasound: masks beside pictures, a second mask for a second lesion."""
    for kind, n in (("benign", 1), ("benign", 2), ("malignant", 1)):
        name = f"{kind} ({n})"
        picture(folder / kind / f"{name}.png")
        picture(folder / kind / f"{name}_mask.png", drawn((5, 4, 20, 16)))
    picture(folder / "benign" / "benign (2)_mask_1.png", drawn((30, 20, 44, 29)))
    picture(folder / "malignant" / "malignant (2).png")


def case_folders(folder):
    """Brain tumours: a folder for each case, channels and mask in it."""
    for n, case in enumerate(("BraTS-GLI-00000-000", "BraTS-GLI-00001-000")):
        for channel in ("t1c", "t2w"):
            save(folder / case / f"{case}-{channel}.nii.gz", volume(n, low=0))
        save(folder / case / f"{case}-seg.nii.gz", LABELS)


def flat(folder):
    for n, case in enumerate(("a", "b", "c_0001")):
        save(folder / "images" / f"{case}.nii.gz", volume(n))
        if case != "b":
            save(folder / "masks" / f"{case}.nii.gz", LABELS)
    save(folder / "masks" / "b_seg.nii.gz", LABELS)
    save(folder / "images" / "lonely.nii.gz", volume(5))
    write(folder / "README.md", "scans and masks")


def split_folders(folder):
    for part, case in (("train", "a"), ("train", "b"), ("test", "c")):
        picture(folder / part / "images" / f"{case}.png")
        picture(folder / part / "masks" / f"{case}.png", drawn((5, 4, 20, 16), value=1))


def coco(folder):
    for part, names in (("train", ("a.jpg", "b.jpg")), ("test", ("c.jpg",))):
        for name in names:
            picture(folder / part / name)
        boxes = [[5, 4, 15, 12], [30, 20, 14, 9]]
        content = {
            "images": [
                {"id": n, "file_name": name, "width": 47, "height": 30}
                for n, name in enumerate(names, start=1)
            ],
            "categories": [{"id": 1, "name": "nodule", "supercategory": "lesion"}],
            "annotations": [
                {"id": 10 * n + k, "image_id": n, "category_id": 1, "bbox": box, "iscrowd": 0}
                for n in range(1, len(names) + 1)
                for k, box in enumerate(boxes)
            ],
        }
        write(folder / "annotations" / f"instances_{part}.json", content)


def yolo(folder):
    write(
        folder / "data.yaml",
        "path: ../x\ntrain: images/train\nval: images/val\n\nnames:\n  0: nodule\n  1: mass\n",
    )
    for part, case in (("train", "a"), ("train", "b"), ("val", "c")):
        picture(folder / "images" / part / f"{case}.jpg")
        lines = []
        for number, (x0, y0, x1, y1) in ((0, (5, 4, 20, 16)), (1, (30, 20, 44, 29))):
            centre = f"{(x0 + x1) / 2 / 47:.6f} {(y0 + y1) / 2 / 30:.6f}"
            lines.append(f"{number} {centre} {(x1 - x0) / 47:.6f} {(y1 - y0) / 30:.6f}")
        write(folder / "labels" / part / f"{case}.txt", "\n".join(lines))


def labelme(folder):
    for case in ("a", "b"):
        picture(folder / f"{case}.png")
        shapes = [
            {"label": label, "shape_type": "point", "points": [xy], "group_id": None, "flags": {}}
            for label, xy in (("ear", [10.5, 5.5]), ("nose", [34.5, 15.5]))
        ]
        shapes.append({"label": "head", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]})
        content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"{case}.png"}
        content |= {"imageData": None, "imageHeight": 30, "imageWidth": 47}
        write(folder / f"{case}.json", content)
