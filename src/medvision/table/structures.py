"""Structures of a case as wholes: 3D box, number of voxels, volume."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from medvision.annotate.extents import LabelExtents
from medvision.frames import FloatArray
from medvision.table.cases import Structure
from medvision.table.schema import STRUCTURE_SCHEMA

MEASURED_COLUMNS = tuple(
    name
    for name in STRUCTURE_SCHEMA.names
    if name not in ("dataset", "cohort", "case_id", "subject_id", "split")
)
"""Columns that need no case."""


def voxel_volume_mm3(affine: FloatArray) -> float:
    """Volume of a voxel: |det| of the affine's axes, whichever way they point.

    Example:
        >>> voxel_volume_mm3(np.diag([-0.5, 0.5, 2.0, 1.0]))
        0.5
    """
    return float(abs(np.linalg.det(np.asarray(affine, dtype=np.float64)[:3, :3])))


def structure_rows(
    extents: LabelExtents,
    structures: Iterable[Structure],
    *,
    shape_ijk: tuple[int, ...],
    voxel_mm3: float | None,
) -> pa.Table:
    """Structures found in a mask; a structure of several values is their union.

    Args:
        extents: Of the mask's values.
        structures: Which values make up which structure; those without a voxel get no row.
        shape_ijk: Of the mask.
        voxel_mm3: Volume of a voxel; None of a 2D image, which has no volume.

    Returns:
        `MEASURED_COLUMNS`, in the order of `structures`. `touches_border`: the box reaches a face
        of the mask, on an axis of more than one voxel.
    """
    rows = []
    sides = np.array(shape_ijk)
    for structure in structures:
        own = np.isin(extents.label_id, structure.values)
        if not own.any():
            continue
        low, high = extents.box_vox[own, :3].min(axis=0), extents.box_vox[own, 3:].max(axis=0)
        count = int(extents.voxel_count[own].sum())
        touches = ((low == 0) | (high == sides)) & (sides > 1)
        values = [structure.label_id, structure.name, *low.tolist(), *high.tolist(), count]
        values += [None if voxel_mm3 is None else count * voxel_mm3, bool(touches.any())]
        rows.append(dict(zip(MEASURED_COLUMNS, values, strict=True)))
    return pa.Table.from_pylist(
        rows, pa.schema([STRUCTURE_SCHEMA.field(name) for name in MEASURED_COLUMNS])
    )
