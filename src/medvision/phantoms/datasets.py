"""The demo's datasets on disk: phantoms as NIfTI with label maps, X-rays as PNG with landmarks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.frames import FloatArray, Plane
from medvision.phantoms.abdomen import AbdomenLabel, abdomen_phantom
from medvision.phantoms.canvas import PhantomVolume
from medvision.phantoms.ellipsoid import Grid, rotation_from_angles_deg
from medvision.phantoms.head import HeadLabel, head_phantom
from medvision.phantoms.xray import BIOMETRICS, XRAY_SPACING_YX_MM, xray_phantom

STORED_ORIENTATIONS = ("LPS", "RAS", "LAS", "PSR", "SAL", "IPL")
"""Axes as which the cases are stored in turn, so that reading them exercises every conversion."""

OBLIQUE_EVERY = 3
"""Every third volume is also tilted against the scanner's axes by a few degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomDataset:
    """What the demo must say about a folder of phantoms.

    Attributes:
        description: What the pictures are, as prompts say it (follows "This is a slice of a").
        labels: Label id to name; empty for landmarks.
        target_labels: Labels whose axes are measured.
        spacing_yx_mm: Of pictures whose files state none.
        plane: Projection of 2D images.
    """

    name: str
    modality: str
    description: str
    labels: Mapping[int, str] = field(default_factory=dict)
    target_labels: tuple[int, ...] = ()
    spacing_yx_mm: tuple[float, float] | None = None
    plane: Plane | None = None


ABDOMEN = PhantomDataset(
    name="phantom-abdomen",
    modality="CT",
    description="CT-like phantom of the abdomen",
    labels={
        AbdomenLabel.LIVER: "liver",
        AbdomenLabel.SPLEEN: "spleen",
        AbdomenLabel.RIGHT_KIDNEY: "right kidney",
        AbdomenLabel.LEFT_KIDNEY: "left kidney",
        AbdomenLabel.AORTA: "aorta",
        AbdomenLabel.LIVER_TUMOR: "liver tumor",
        AbdomenLabel.KIDNEY_CYST: "kidney cyst",
        AbdomenLabel.VERTEBRAE: "vertebrae",
    },
    target_labels=(AbdomenLabel.LIVER_TUMOR, AbdomenLabel.KIDNEY_CYST),
)

HEAD = PhantomDataset(
    name="phantom-head",
    modality="MRI",
    description="MR-like phantom of the head, T1-weighted with contrast agent",
    labels={
        HeadLabel.BRAIN: "brain",
        HeadLabel.VENTRICLES: "ventricles",
        HeadLabel.CEREBELLUM: "cerebellum",
        HeadLabel.TUMOR: "enhancing brain tumor",
    },
    target_labels=(HeadLabel.TUMOR,),
)

XRAY = PhantomDataset(
    name="phantom-xray",
    modality="XR",
    description="cephalogram-like X-ray phantom of a head from the side",
    spacing_yx_mm=XRAY_SPACING_YX_MM,
    plane=Plane.SAGITTAL,
)

DEMO_DATASETS = (ABDOMEN, HEAD, XRAY)


def write_demo_datasets(
    out: Path, rng: np.random.Generator, *, n_cases: int = 10
) -> tuple[PhantomDataset, ...]:
    """Write all phantom datasets, one folder each.

    Volumes: `<name>/images/case_000.nii.gz`, `<name>/masks/case_000.nii.gz`, `<name>/labels.json`.
    X-rays: `<name>/images/case_000.png`, `<name>/landmarks/case_000.json` (pixel column, row),
    `<name>/biometrics.json`.

    Args:
        out: Folder to write into; existing cases are written again.
        rng: The same state gives the same datasets; case n does not depend on `n_cases`.
        n_cases: Of each dataset.
    """
    from PIL import Image

    # A generator of its own for each case: case 3 is the same whether 4 or 40 are drawn.
    seeds = rng.spawn(len(DEMO_DATASETS))
    _write_volumes(out / ABDOMEN.name, ABDOMEN, abdomen_phantom, rngs=seeds[0].spawn(n_cases))
    _write_volumes(out / HEAD.name, HEAD, head_phantom, rngs=seeds[1].spawn(n_cases))
    xrays = out / XRAY.name
    for part in ("images", "landmarks"):
        (xrays / part).mkdir(parents=True, exist_ok=True)
    for index, case_rng in enumerate(seeds[2].spawn(n_cases)):
        phantom = xray_phantom(case_rng)
        Image.fromarray(phantom.pixels).save(xrays / "images" / f"case_{index:03d}.png")
        landmarks = {key: list(point) for key, point in phantom.landmarks_xy.items()}
        _save_json(landmarks, xrays / "landmarks" / f"case_{index:03d}.json")
    _save_json(BIOMETRICS, xrays / "biometrics.json")
    return DEMO_DATASETS


def write_phantom_volume(
    phantom: PhantomVolume,
    image_path: Path,
    mask_path: Path,
    *,
    orientation: str,
    affine: FloatArray,
) -> None:
    """Write image and label map as NIfTI with the given stored axes.

    Args:
        phantom: In RAS+.
        image_path: `.nii` or `.nii.gz`.
        mask_path: `.nii` or `.nii.gz`.
        orientation: Letters towards which the stored axes run, such as "LPS".
        affine: (4, 4) RAS+ voxel to RAS mm of the phantom's array.
    """
    image_path.parent.mkdir(parents=True, exist_ok=True)
    mask_path.parent.mkdir(parents=True, exist_ok=True)
    _save_nifti(phantom.image, image_path, orientation=orientation, affine=affine)
    _save_nifti(phantom.label_map, mask_path, orientation=orientation, affine=affine)


def phantom_affine(
    grid: Grid, *, tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> FloatArray:
    """(4, 4) RAS+ voxel to RAS mm, the array's centre at the world's origin.

    Args:
        grid: Shape and spacing.
        tilt_deg: Turn against the world's axes, about x, then y, then z.

    Example:
        >>> phantom_affine(Grid(shape_ijk=(5, 5, 3), spacing_mm=(1, 1, 4)))[:3].tolist()
        [[1.0, 0.0, 0.0, -2.0], [0.0, 1.0, 0.0, -2.0], [0.0, 0.0, 4.0, -4.0]]
    """
    affine = np.eye(4)
    affine[:3, :3] = rotation_from_angles_deg(*tilt_deg) * np.array(grid.spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(grid.shape_ijk) - 1) / 2)
    return affine


def _write_volumes(
    folder: Path,
    dataset: PhantomDataset,
    draw: Callable[[np.random.Generator], PhantomVolume],
    *,
    rngs: list[np.random.Generator],
) -> None:
    for index, rng in enumerate(rngs):
        phantom = draw(rng)
        oblique = index % OBLIQUE_EVERY == OBLIQUE_EVERY - 1
        x_deg, y_deg, z_deg = rng.uniform(-8, 8, 3) if oblique else (0.0, 0.0, 0.0)
        name = f"case_{index:03d}.nii.gz"
        write_phantom_volume(
            phantom,
            folder / "images" / name,
            folder / "masks" / name,
            orientation=STORED_ORIENTATIONS[index % len(STORED_ORIENTATIONS)],
            affine=phantom_affine(phantom.grid, tilt_deg=(x_deg, y_deg, z_deg)),
        )
    names = {str(int(label)): name for label, name in dataset.labels.items()}
    _save_json(names, folder / "labels.json")


def _save_nifti(
    array: npt.NDArray[np.generic], path: Path, *, orientation: str, affine: FloatArray
) -> None:
    import nibabel

    nib: Any = nibabel  # mostly untyped
    to_stored = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(orientation)
    )
    stored = nib.orientations.apply_orientation(array, to_stored)
    stored_affine = affine @ nib.orientations.inv_ornt_aff(to_stored, array.shape)
    image = nib.Nifti1Image(np.asarray(stored), stored_affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(stored_affine, code=1)
    image.set_sform(stored_affine, code=1)
    nib.save(image, path)


def _save_json(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
