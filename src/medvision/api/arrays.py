"""Tables from images and label maps, in folders or in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medvision.api.values import PathLike, Tables
from medvision.catalog.dataset import Dataset
from medvision.errors import UsageError
from medvision.storage import checked_name, write_bytes
from medvision.table import build
from medvision.table.declared import listed_request
from medvision.table.folders import Folders, checked_modality, find_cases
from medvision.table.labels import declared_labels, structures_from_labels, target_ids

Arrays = Mapping[str, npt.ArrayLike]
"""Case id to array [i, j, k] in RAS+, or [y, x] of a picture."""


def build_tables(
    images: PathLike | Arrays,
    masks: PathLike | Arrays,
    labels: Mapping[str, Any],
    *,
    name: str,
    modality: str,
    out: PathLike,
    target_labels: Sequence[int | str] = (),
    spacing_mm: Sequence[float] | None = None,
    affine: npt.ArrayLike | None = None,
) -> Tables:
    """Tables of regions from images and label maps, in folders or in memory.

    Arrays are written to `out/images` and `out/masks` first, so that pictures can be drawn from
    them later; doing it again with the same arrays does nothing.

    Args:
        images: A folder with one image per case, or case id to array: (I, J, K) in RAS+, in HU
            for CT.
        masks: The same for label maps, whole numbers.
        labels: Id to name, `{"1": "liver"}`.
        name: Of the dataset.
        modality: CT, MRI, PET, US or XR.
        out: Table folder.
        target_labels: Ids or names of tumours and lesions, which get axis lengths and counts.
        spacing_mm: Voxel spacing of the arrays along i, j, k.
        affine: (4, 4), world RAS in mm from voxel indices, instead of a spacing.

    Raises:
        UsageError: Arrays without spacing, folders with it, or labels that cannot be used.
    """
    out = Path(out)
    if isinstance(images, Mapping) and isinstance(masks, Mapping):
        matrix = _array_affine(spacing_mm, affine)
        images = _written(images, matrix, out / "images", dtype=None)
        masks = _written(masks, matrix, out / "masks", dtype=np.int32)
    elif isinstance(images, Mapping) or isinstance(masks, Mapping):
        msg = "expected images and masks both as folders or both as arrays, found one of each"
        raise UsageError(msg)
    elif spacing_mm is not None or affine is not None:
        msg = "spacing_mm and affine go with arrays; files state their own spacing"
        raise UsageError(msg)
    structures = structures_from_labels({str(key): text for key, text in labels.items()}, "labels")
    folders = Folders(images=Path(images), masks=Path(masks))
    cases, unpaired = find_cases(folders, modality=checked_modality(modality))
    targets = target_ids(",".join(map(str, target_labels)), structures)
    dataset = Dataset(name=name, labels=declared_labels(structures, targets), cases=cases)
    request = listed_request(dataset, unpaired)
    summary = build.build_tables(request, out)
    return Tables(path=out, problems=summary.problems)


def _array_affine(
    spacing_mm: Sequence[float] | None, affine: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    if affine is not None and spacing_mm is None:
        return np.asarray(affine, dtype=np.float64)
    if spacing_mm is not None and affine is None and len(spacing_mm) == 3:
        return np.diag([*map(float, spacing_mm), 1.0])
    msg = (
        "arrays have no header: expected spacing_mm of three numbers, or a (4, 4) affine, found "
        f"spacing_mm={spacing_mm!r}, affine={affine!r}"
    )
    raise UsageError(msg)


def _written(
    arrays: Arrays, affine: npt.NDArray[np.float64], folder: Path, *, dtype: type | None
) -> Path:
    """Arrays as NIfTI files; a file that holds the same array already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for case_id, values in arrays.items():
        array = np.asarray(values, dtype=dtype)
        if array.dtype in (np.bool_, np.int64, np.uint64):
            array = array.astype(np.int32)  # NIfTI has no booleans, and few readers take 64 bits
        content = nib.nifti1.Nifti1Image(array, affine).to_bytes()  # type: ignore[no-untyped-call]
        path = folder / f"{checked_name(case_id, 'case id')}.nii"
        if not path.exists() or path.read_bytes() != content:
            write_bytes(path, content)
    return folder
