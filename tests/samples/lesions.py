"""Volumes with labels written as images and masks, and the tables built of them."""

import json

import nibabel as nib
import numpy as np

from medvision.cli import main


def build_tables(folder, volumes, label_names, target):
    """Tables in `folder/tables` of labels and affines by case; `target` is a label's number."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for name, (labels, affine) in volumes.items():
        nib.save(nib.Nifti1Image(labels, affine), folder / "masks" / f"{name}.nii.gz")
        image = labels.astype(np.int16) * 50
        nib.save(nib.Nifti1Image(image, affine), folder / "images" / f"{name}.nii.gz")
    (folder / "labels.json").write_text(json.dumps(label_names), encoding="utf-8")
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "lesions", "--modality", "CT"]
    words += ["--target-labels", target, "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
