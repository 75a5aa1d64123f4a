"""What a stranger's file reaches: for each format, files that read cleanly and what reads them.

A target's seeds are files called `main`, `main.nii` and so on, and what lies beside them. They are
written by other libraries where those write such files.
"""

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import nrrd
import numpy as np
import pytest
from PIL import Image

from medvision.annotate.biometrics import biometric_rows
from medvision.annotate.boxes import pixel_box
from medvision.annotate.coco import read_coco
from medvision.annotate.landmark_frames import canonical_ijk
from medvision.annotate.landmarks import read_landmarks
from medvision.annotate.yolo import read_yolo_boxes, yolo_classes
from medvision.catalog.biometrics import read_biometrics_spec
from medvision.catalog.cohort import LandmarkTable, SpacingTable
from medvision.catalog.own import OwnCatalog
from medvision.describe.declaration import declaration
from medvision.describe.recognise import describe
from medvision.describe.report import description_lines
from medvision.describe.tree import read_tree
from medvision.exchange.import_results import import_results
from medvision.fetch.unpack import unpack
from medvision.fetch.unpack_target import Limits
from medvision.models import ErrorKind, Reply, RequestRow, ResponseStatus, ResponseStore
from medvision.models.base import error_reply
from medvision.models.profiles import read_profiles
from medvision.protocols import load_protocol
from medvision.samples.suite import load_suite
from medvision.table.cases import CaseSource, ImageSource
from medvision.table.declared import own_request
from medvision.table.inputs import input_digest
from medvision.table.labels import read_labels
from medvision.table.landmark_tables import table_points
from medvision.table.nnunet import nnunet_dataset
from medvision.table.plan_import import import_plan
from medvision.table.spacings import case_spacings
from medvision.table.subjects import read_subjects
from medvision.train.config import load_sft_config
from medvision.volumes import Volume, read_label_map, read_volume
from medvision.volumes.colour_mask import read_colour_mask
from medvision.volumes.dicom_seg import read_segments, segmentation_file
from medvision.volumes.guard import names_file
from medvision.volumes.read import companion_files, read_geometry
from medvision.volumes.rtstruct import read_rois, roi_names, structure_set_file
from medvision.volumes.slicer_seg import read_slicer_segments, slicer_segments
from medvision.volumes.stated_names import stated_names
from tests import dicom_files
from tests.describe import trees
from tests.fetch.archive_files import WRITERS
from tests.table.test_odd_plans import PLAN
from tests.train.test_config import WHOLE as SFT_CONFIG

SHAPE = (7, 6, 5)
AFFINE = np.diag([0.8, 1.5, 2.5, 1.0])
VOXELS = np.random.default_rng(0).integers(-900, 900, SHAPE).astype(np.int16)
LABELS = np.zeros(SHAPE, np.uint8)
LABELS[1:5, 1:4, 1:4] = 1
LABELS[3:6, 3:5, 2:4] = 2
PICTURE = np.arange(30 * 47, dtype=np.uint8).reshape(30, 47)
IMAGEJ_MM = {270: "ImageJ=1.53\nunit=mm\n", 282: 1.25, 283: 1.25, 296: 1}


@dataclass(frozen=True, slots=True)
class Target:
    """A format that is read.

    Attributes:
        seeds: Each writes files into an empty folder.
        read: Reads what lies in a folder, and may write to `out` in it.
    """

    seeds: tuple[Callable[[Path], object], ...]
    read: Callable[[Path], object]


def main_file(folder: Path) -> Path:
    return min(folder.glob("main*"))


def image(folder):
    path = main_file(folder)
    companion_files(path)
    with names_file(path):
        input_digest(path)
    spacing_mm = (0.5, 0.7) if path.suffix in (".png", ".jpg", ".bmp") else None
    read_geometry(path, spacing_mm=spacing_mm)
    return read_volume(path, spacing_mm=spacing_mm)


def label_map(folder):
    path = main_file(folder)
    with names_file(path):
        stated_names(path)
    return read_label_map(path, spacing_mm=(0.5, 0.7) if path.suffix == ".png" else None)


def colour_mask(folder):
    with names_file(main_file(folder)):
        return read_colour_mask(main_file(folder), {"#ffffff": 1}, spacing_mm=(1, 1))


def canvas(shape=SHAPE, affine=AFFINE) -> Volume:
    """An image that masks are drawn on."""
    with TemporaryDirectory() as folder:
        nib.save(nib.Nifti1Image(np.zeros(shape, np.int16), affine), Path(folder) / "canvas.nii")
        return read_volume(Path(folder) / "canvas.nii")


def nifti(name, voxels=VOXELS, kind=nib.Nifti1Image):
    def write(folder):
        nib.save(kind(voxels, AFFINE), folder / name)

    return write


def metaimage(name, *, packed, voxels=VOXELS):
    def write(folder):
        sitk = pytest.importorskip("SimpleITK")
        made = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
        made.SetSpacing((0.8, 1.5, 2.5))
        sitk.WriteImage(made, str(folder / name), packed)

    return write


def nrrd_file(name, encoding, voxels=VOXELS):
    def write(folder):
        header = {"space": "RAS", "space directions": AFFINE[:3, :3], "space origin": [0, 0, 0]}
        header |= {"encoding": encoding}
        nrrd.write(str(folder / name), voxels, header, detached_header=name.endswith(".nhdr"))

    return write


def picture(name, pixels=PICTURE, **options):
    def write(folder):
        Image.fromarray(pixels).save(folder / name, **options)

    return write


def dicom(folder):
    dicom_files.written(folder / "main.dcm")


def dicom_series(folder):
    (folder / "main").mkdir()
    for k in range(3):
        dicom_files.written(folder / "main" / f"{k}.dcm", ImagePositionPatient=[0, 0, 2.5 * k])


def dicom_segmentation(folder):
    series = folder / "series"
    slices, _ = trees.dicom_files.write_series(series)
    shutil.rmtree(series)
    found = trees.dicom_files.masks()
    trees.dicom_files.write_segmentation(folder / "seg.dcm", slices, list(found.values()))


def segmentation(folder):
    found = segmentation_file(folder / "seg.dcm")
    affine = np.diag([-1.0, -1, 1, 1]) @ trees.dicom_files.lps_affine(np.eye(3))
    on = canvas(trees.dicom_files.SHAPE, affine)
    with names_file(folder / "seg.dcm"):
        return [] if found is None else list(read_segments(found, on))


def structure_set(folder):
    drawn = [trees.contours.ellipse(k, n=12) for k in range(2, 6)]
    regions = [("Liver", drawn), ("GTV", [trees.contours.ellipse(3, 0.5, n=9)])]
    trees.contours.structure_set(folder / "main.dcm", regions)


def regions(folder):
    affine = trees.contours.LPS_TO_RAS @ trees.contours.lps_affine()
    path = main_file(folder)
    with names_file(path):
        if structure_set_file(path) is None:
            return None
        on = canvas(trees.contours.SHAPE, affine)
        return roi_names(path), list(read_rois(path, on, frame_uid=f"{trees.contours.UID}.4"))


def slicer_scene(folder):
    names = [
        {"Name": name, "LabelValue": n, "Layer": 0} for n, name in ((1, "liver"), (2, "tumor"))
    ]
    trees.slicer_files.segmentation(folder / "main.seg.nrrd", [trees.slicer_files.LABELS], names)


def segments(folder):
    path = main_file(folder)
    affine = trees.slicer_files.LPS_TO_RAS @ trees.slicer_files.affine_lps(np.eye(3))
    with names_file(path):
        on = canvas(trees.slicer_files.SHAPE, affine)
        return list(read_slicer_segments(path, on)) if slicer_segments(path) else label_map(folder)


def text(name, content):
    def write(folder):
        given = content if isinstance(content, str | bytes) else json.dumps(content)
        given = given.encode() if isinstance(given, str) else given
        (folder / name).write_bytes(
            gzip.compress(given, mtime=0) if name.endswith(".gz") else given
        )

    return write


POINTS = {"P1": [1, 2, 3], "P2": [4.5, 5, 1], "P3": [6, 0, 4]}
FCSV = (
    "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    "1,-1.5,2.25,3,0,0,0,1,1,1,0,P1,,\n2,1,2,3,0,0,0,1,1,1,0,P2,,\n"
)
MARKUPS = {
    "markups": [
        {
            "type": "Fiducial",
            "coordinateSystem": "LPS",
            "controlPoints": [
                {"label": key, "position": at, "positionStatus": "defined"}
                for key, at in POINTS.items()
            ],
        }
    ]
}
LABELME = {
    "version": "5.0",
    "shapes": [
        {"label": "wrist", "shape_type": "point", "points": [[10.5, 4.5]]},
        {"label": "tip", "shape_type": "point", "points": [[3, 8]]},
    ],
    "imagePath": "a.png",
    "imageWidth": 47,
    "imageHeight": 30,
}
COCO = {
    "images": [{"id": 3, "file_name": "a.png", "width": 47, "height": 30}],
    "categories": [{"id": 1, "name": "hand", "keypoints": ["wrist", "tip"]}],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 1, "bbox": [3, 4, 10, 8.5]},
        {"id": 2, "image_id": 3, "category_id": 1, "keypoints": [10, 4, 2, 3, 3, 1]},
    ],
}


def landmarks(folder):
    with names_file(main_file(folder)):
        found = read_landmarks(main_file(folder))
    if all(len(at) == 3 for at in found.points.values()):
        return canonical_ijk(found, SHAPE, orientation_as_stored="RAS", affine=AFFINE)
    return found


def coco(folder):
    path = main_file(folder)
    with names_file(path):
        found = read_coco(path)
        listed = found.image_of(folder / "a.png")
        boxes = [pixel_box(box, (30, 47), item="a") for box in found.boxes(listed, (30, 47))]
        return boxes, found.points(listed)


def yolo(folder):
    path = main_file(folder)
    with names_file(path):
        boxes = read_yolo_boxes(path, (30, 47))
        return [pixel_box(box, (30, 47), item="a") for box in boxes]


def yolo_names(folder):
    return yolo_classes(main_file(folder).read_text("utf-8", "replace"))


LANDMARKS_ON = {"P1": (1.0, 2.0, 3.0), "P2": (4.0, 5.0, 3.0), "P3": (6.0, 0.0, 3.0)}
BIOMETRICS = {
    "landmarks": {"P1": "left end", "P2": "right end", "P3": "tip"},
    "lines": {"L1": {"name": "span", "landmarks": ["P1", "P2"]},
              "L2": {"name": "rise", "landmarks": ["P1", "P3"]}},
    "angles": {"A1": {"name": "tilt", "lines": ["L1", "L2"]}},
    "measure": [{"kind": "distance", "key": "L1", "plane": "axial"},
                {"kind": "angle", "key": "A1", "plane": "axial"}],
}  # fmt: skip


def biometrics(folder):
    spec = read_biometrics_spec(main_file(folder))
    points = json.dumps({key: list(at) for key, at in LANDMARKS_ON.items()})
    (folder / "points.json").write_text(points, encoding="utf-8")
    found = read_landmarks(folder / "points.json")
    located = canonical_ijk(found, SHAPE, orientation_as_stored="RAS", affine=AFFINE)
    return biometric_rows(spec, located, shape=SHAPE, spacing_mm=(0.8, 1.5, 2.5))


def landmark_table(folder):
    path = main_file(folder)
    spec = LandmarkTable(file=path.name, form="wide", columns={"P1": ("a", "b"), "P2": ("c", "d")})
    return table_points(path, spec if "wide" in path.name else LandmarkTable(file=path.name))


def spacings(folder):
    path = main_file(folder)
    spec = SpacingTable(file=path.name, y_mm="size.y", x_mm="size.x")
    spec = spec if path.suffix == ".json" else SpacingTable(file=path.name, y_mm="y", x_mm="x")
    images = (ImageSource(image_id="image", path=folder / "a.png", modality="US"),)
    return case_spacings(
        spec, folder, [CaseSource(case_id="a", cohort="", subject_id="a", images=images)]
    )


DECLARATION = """
name = "main"
title = "Livers"
description = "CT of the abdomen"
licence = "CC BY 4.0"
root = "files"
biometrics_file = "main-biometrics.json"

[labels.1]
name = "liver"

[labels.2]
name = "liver tumor"
target = true

[[cohorts]]
name = ""
mask = "masks/{case}.nii.gz"
landmarks = "points/{case}.json"

[[cohorts.images]]
id = "image"
modality = "CT"
files = "images/{case}.nii.gz"
"""


def declared(folder):
    (folder / "main-biometrics.json").write_text(json.dumps(BIOMETRICS), encoding="utf-8")
    for place, name in (("images", "a.nii.gz"), ("masks", "a.nii.gz"), ("points", "a.json")):
        (folder / "files" / place).mkdir(parents=True, exist_ok=True)
        (folder / "files" / place / name).touch()
    OwnCatalog.read(folder).load("main")
    return own_request(folder / "main.toml")


SUITE = """
name = "own"
about = "Tumours and angles"
seed = 7
cap_per_config = 100
configs = [
    { task = "tl", planes = ["axial", "coronal"], labels = ["liver tumor"] },
    { task = "ad", metric_kind = "angle", vertex_angles = true },
    { task = "count", min_px = 12, dataset = "KiTS23" },
]
"""
PROFILES = """
[[model]]
ids = ["me/eyes-*"]
family = "64x64"
"""
GROUPS = {
    "kidney tumor @ CT (A)": {
        "targets": ["[10.5, 20.25]", "[5, 6]"],
        "responses": ["11,19.5", ""],
        "doc_metas": [
            {
                "image_file": f"/data/Datasets/KiTS23/Images/case_{n:05d}.nii.gz",
                "slice_dim": 2,
                "slice_idx": 40 + n,
                "image_size_2d": [512, 400],
                "taskID": "01",
                "label": 2,
                "nmae_precomputed": {"NMAE": 0.02, "success": True},
            }
            for n in range(2)
        ],
    }
}
LOG = [
    {
        "doc_id": n,
        "doc": {
            "dataset_name": "KiTS23",
            "taskID": "01",
            "image_file": f"/x/case_{n}.nii.gz",
            "slice_dim": 2,
            "slice_idx": n,
            "label": 2,
            "image_size_2d": [400, 300],
            "pixel_size": [0.5, 0.75],
        },
        "target": "[10.5, 20.25]",
        "resps": [["<answer>11, 19.5</answer>"]],
    }
    for n in range(2)
]
NAMED = {"tl": "summary_values_TL_Task.json", "log": "main_samples_KiTS23_TumorLesionSize.jsonl"}


def results(folder):
    return import_results([folder / "model"], folder / "out", protocol=load_protocol("paper"))


def in_model(name, content):
    def write(folder):
        (folder / "model").mkdir()
        text(name, content)(folder / "model")

    return write


def plan(folder):
    return import_plan(main_file(folder), folder / "out")


def store_of_replies(folder):
    with ResponseStore(folder / "main.sqlite") as opened:
        rows = [RequestRow(sample_id=f"s{n}", repeat=0, key=f"k{n}", prompt="?") for n in range(3)]
        opened.set_requests(rows)
        opened.put("k0", Reply(status=ResponseStatus.OK, text="25.0, 12.5"), model="m")
        opened.put("k1", error_reply(ErrorKind.SERVER, http_code=500, attempts=3), model="m")


def store(folder):
    with ResponseStore(main_file(folder), must_exist=True) as opened:
        return [list(opened.current_replies()), opened.status_counts(), opened.failures(),
                opened.state(), opened.n_only_reasoning()]  # fmt: skip


MEMBERS = {"toy/a.txt": b"image" * 99, "toy/b/c.txt": b"", "d.bin": bytes(range(256)) * 4}


def archive(suffix):
    def write(folder):
        WRITERS[suffix](folder / f"main{suffix}", MEMBERS)

    return write


def unpacked(folder):
    return unpack([main_file(folder)], folder / "out", Limits(bytes_in_all=1 << 22, files=1000))


def tree(make):
    def write(folder):
        make(folder / "tree")

    return write


def described(folder):
    found = describe(read_tree(folder / "tree"))
    list(description_lines(found))
    return declaration(found, name="x", root="tree", subjects_file="subjects.csv")


TARGETS = {
    "NIfTI": Target((nifti("main.nii"), nifti("main.nii.gz"),
                     nifti("main.hdr", kind=nib.Nifti1Pair),
                     nifti("main.nii", kind=nib.Nifti2Image)), image),
    "NIfTI label map": Target((nifti("main.nii", LABELS), nifti("main.nii.gz", LABELS)), label_map),
    "MetaImage": Target((metaimage("main.mha", packed=False), metaimage("main.mha", packed=True),
                         metaimage("main.mhd", packed=False)), image),
    "NRRD": Target((nrrd_file("main.nrrd", "raw"), nrrd_file("main.nrrd", "gzip"),
                    nrrd_file("main.nhdr", "raw"), nrrd_file("main.nrrd", "text"),
                    nrrd_file("main.nrrd", "bzip2")), image),
    "DICOM file": Target((dicom,), image),
    "DICOM folder": Target((dicom_series,), image),
    "DICOM segmentation": Target((dicom_segmentation,), segmentation),
    "RTSTRUCT": Target((structure_set,), regions),
    "PNG": Target((picture("main.png"), picture("main.png", np.dstack([PICTURE] * 3)),
                   picture("main.png", PICTURE.astype(np.uint16) * 200)), image),
    "TIFF": Target((picture("main.tif", tiffinfo=IMAGEJ_MM),
                    picture("main.tif", tiffinfo=IMAGEJ_MM, compression="tiff_lzw"),
                    picture("main.tif", PICTURE.astype(np.float32), tiffinfo=IMAGEJ_MM)), image),
    "JPEG": Target((picture("main.jpg"), picture("main.jpg", np.dstack([PICTURE] * 3))), image),
    "BMP": Target((picture("main.bmp"),), image),
    "picture as label map": Target((picture("main.png", PICTURE % 3),), label_map),
    "colour mask": Target((picture("main.png", np.dstack([PICTURE % 2 * 255] * 3)),),
        colour_mask),
    "Slicer segmentation": Target((slicer_scene,), segments),
    "landmarks JSON": Target((text("main.json", POINTS), text("main.json.gz", POINTS), text(
        "main.json", {"space": "RAS", "landmarks": POINTS})), landmarks),
    "landmarks CSV": Target((text("main.csv", "key,x,y,z,space\nP1,1,2,3,LPS\nP2,4,5,1.5,LPS\n"),
                             text("main.csv", "key,i,j\nP1,1,2\nP2,4,5\n")), landmarks),
    "Slicer fiducials": Target((text("main.fcsv", FCSV),), landmarks),
    "Slicer markups": Target((text("main.mrk.json", MARKUPS),), landmarks),
    "LabelMe": Target((text("main.json", LABELME),), landmarks),
    "COCO": Target((text("main.json", COCO),), coco),
    "YOLO boxes": Target((text("main.txt", "0 0.5 0.5 0.2 0.1\n1 0.3 0.25 0.1 0.2\n"),), yolo),
    "YOLO names": Target((text("main.yaml", "path: .\nnames:\n  0: liver\n  1: tumor\n"),
                          text("main.yaml", "names: [liver, 'tumor']\n")), yolo_names),
    "labels": Target((text("main.json", {"1": "liver", "2": "liver tumor"}), text(
        "main.json", {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3})),
        lambda folder: read_labels(main_file(folder))),
    "biometrics": Target((text("main.json", BIOMETRICS),), biometrics),
    "landmark tables": Target((text("main.csv", "case,landmark,x,y,z\na,P1,1,2,3\nb,P1,4,5,6\n"),
                               text("main-wide.tsv", "case\ta\tb\tc\td\nx\t1\t2\t3\t4\n")),
                              landmark_table),
    "subjects.csv": Target((text("main.csv", "subject,case,split,age\ns1,a,train,40\ns2,b,test,\n"),
                            text("main.csv", "case;site\na;x\nb;y\n")),
                           lambda folder: read_subjects(main_file(folder))),
    "spacing tables": Target((text("main.csv", "case,y,x\na,0.5,0.7\nb,1,1\n"),
        text("main.json", {"a": {"size": {"y": 0.5, "x": 0.7}}}),
        text("main.json", [{"case": "a", "size": {"y": 0.5, "x": 0.7}}])), spacings),
    "suites": Target((text("main.toml", SUITE),), lambda f: load_suite(str(main_file(f)))),
    "declarations": Target((text("main.toml", DECLARATION),), declared),
    "model profiles": Target((text("main.toml", PROFILES),),
                             lambda folder: read_profiles(main_file(folder))),
    "training configs": Target((text("main.toml", SFT_CONFIG),),
                               lambda folder: load_sft_config(main_file(folder))),
    "nnU-Net dataset.json": Target((tree(trees.nnunet_paths),),
                                   lambda folder: nnunet_dataset(folder / "tree")),
    "plans": Target((text("main.json", PLAN), text("main.json.gz", PLAN)), plan),
    "result files": Target((in_model(NAMED["tl"], GROUPS), in_model(
        NAMED["log"], "\n".join(map(json.dumps, LOG)) + "\n")), results),
    "stores of replies": Target((store_of_replies,), store),
    "zip": Target((archive(".zip"),), unpacked),
    "tar": Target((archive(".tar"), archive(".tar.gz")), unpacked),
    "tar.zst": Target((archive(".tar.zst"),), unpacked),
    "7z": Target((archive(".7z"),), unpacked),
    "rar": Target((archive(".rar"),), unpacked),
    "folders to describe": Target(tuple(map(tree, (trees.bids, trees.slicer, trees.nnunet_v1))),
                                  described),
}  # fmt: skip


def of_content(does):
    """A reader that is whole on its seed, and does something else on anything else."""

    def read(folder):
        if main_file(folder).read_bytes() != b"seed":
            does()

    return Target((text("main.bin", b"seed"),), read)


BROKEN = {
    "raises": of_content(lambda: 1 / 0),
    "takes memory": of_content(lambda: bytearray(2 << 30)),
    "dies": of_content(lambda: os.abort()),
    "hangs": of_content(lambda: time.sleep(600)),
}
"""Readers with faults, to show that each is seen."""
