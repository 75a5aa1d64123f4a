"""One case to its rows: read, check, measure. Pure of any output."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medvision.annotate.biometrics import biometric_rows
from medvision.annotate.boxes import box_region_table
from medvision.annotate.landmark_frames import canonical_ijk, native_xy
from medvision.annotate.landmarks import read_landmarks
from medvision.annotate.regions import native_region_table, region_table
from medvision.storage import absolute
from medvision.table.case_boxes import case_boxes, coco_landmarks, is_coco_file
from medvision.table.cases import AnnotatedCase, AnnotateOptions, CaseSource, Problem
from medvision.table.mask_layers import mask_layers
from medvision.table.schema import (
    BIOMETRIC_SCHEMA,
    CASE_SCHEMA,
    INT,
    REGION_SCHEMA,
    STRUCTURE_SCHEMA,
    TEXT,
)
from medvision.table.structures import structure_rows, voxel_volume_mm3
from medvision.volumes import (
    Volume,
    check_same_grid,
    read_volume,
    spacing_suspect,
    volume_fingerprint,
)
from medvision.volumes.guard import names_file
from medvision.volumes.stored import ReadOptions


def annotate_case(
    case: CaseSource, options: AnnotateOptions, digests: Mapping[Path, str]
) -> AnnotatedCase:
    """Read one case and measure all that its mask and landmarks allow.

    Args:
        case: Files and names.
        options: Dataset-wide choices.
        digests: SHA-256 of each of the case's files.

    Raises:
        ItemError: The case cannot be used; the class tells why.
    """
    volumes = [
        read_volume(image.path, spacing_mm=options.spacing_yx_mm, spacing_from=options.spacing_from)
        for image in case.images
    ]
    reference = volumes[0]
    for volume, image in zip(volumes[1:], case.images[1:], strict=True):
        check_same_grid(reference, volume, item=f"{case.case_id}: image {image.path.name}")
    structures, regions = _mask_rows(case, options, reference)
    biometrics, problems = _biometric_rows(case, options, reference)
    return AnnotatedCase(
        record=_record(case, options, reference, digests),
        structures=structures,
        regions=regions,
        biometrics=biometrics,
        problems=problems,
    )


def _record(
    case: CaseSource, options: AnnotateOptions, volume: Volume, digests: Mapping[Path, str]
) -> dict[str, Any]:
    flags = list(volume.flags)
    if case.placeholder_spacing or spacing_suspect(volume, case.images[0].modality):
        flags.append("spacing_suspect")
    shape, spacing = volume.array.shape, volume.spacing_mm
    if volume.is_native:
        shape, spacing = shape[::-1], spacing[::-1]
    record = {
        "dataset": options.dataset,
        "cohort": case.cohort,
        "case_id": case.case_id,
        "subject_id": case.subject_id,
        "split": AnnotatedCase.NO_SPLIT,
        "images": [
            {
                "image_id": image.image_id,
                "modality": image.modality,
                "uri": str(absolute(image.path)),
                "sha256": digests[image.path],
            }
            for image in case.images
        ],
        "mask_uri": str(absolute(case.mask)) if case.mask else None,
        "shape_ijk": [int(side) for side in shape],
        "spacing_mm": [float(side) for side in spacing],
        "affine": [float(value) for value in volume.affine.ravel()],
        "orientation_as_stored": volume.orientation_as_stored,
        "obliquity_deg": float(volume.obliquity_deg),
        "spacing_source": str(volume.spacing_source),
        "flags": flags,
        "volume_fingerprint": volume_fingerprint(volume.array),
    }
    return {name: record[name] for name in CASE_SCHEMA.names}


def _mask_rows(
    case: CaseSource, options: AnnotateOptions, image: Volume
) -> tuple[pa.Table, pa.Table]:
    """Rows of `structures` and of `regions`."""
    structures, regions = [STRUCTURE_SCHEMA.empty_table()], [REGION_SCHEMA.empty_table()]
    reading = ReadOptions(spacing_mm=options.spacing_yx_mm, spacing_from=options.spacing_from)
    with names_file(case.boxes or case.images[0].path):
        boxes = case_boxes(case, image)
    if boxes:
        (height_px, width_px), (y_mm, x_mm) = image.shape, image.spacing_mm
        drawn = box_region_table(boxes, (height_px, width_px), (y_mm, x_mm), options.native_plane)
        of_id = {one.label_id: one for one in case.structures}
        named = [of_id[label_id].name for label_id in drawn["label_id"].to_pylist()]
        unasked = pa.array([one.label_id for one in case.structures if not one.asked], INT)
        drawn = drawn.append_column("label", pa.array(named, TEXT))
        drawn = drawn.filter(pc.invert(pc.is_in(drawn["label_id"], unasked)))
        regions.append(_with_case(drawn, case, options, REGION_SCHEMA))
    for layer in mask_layers(case, image, reading):
        labels = layer.labels
        if labels.is_native:
            spacing_y_mm, spacing_x_mm = labels.spacing_mm
            measured = native_region_table(
                labels.array, (spacing_y_mm, spacing_x_mm), options.native_plane, case.target_labels
            )
        else:
            measured = region_table(labels.array, labels.spacing_mm, case.target_labels)
        if case.planes:
            planes = pa.array([str(plane) for plane in case.planes])
            measured = measured.filter(pc.is_in(measured["plane"], planes))
        name_of = {structure.label_id: structure.name for structure in layer.structures}
        names = [name_of[label_id] for label_id in measured["label_id"].to_pylist()]
        whole = structure_rows(
            layer.extents,
            layer.structures,
            # A 2D array is rows of pixels; in tables its axes are x, then y.
            shape_ijk=(*labels.shape[::-1], 1) if labels.is_native else labels.shape,
            voxel_mm3=None if labels.is_native else voxel_volume_mm3(image.affine),
        )
        unasked = pa.array([one.label_id for one in layer.structures if not one.asked], INT)
        for rows, found, schema in (
            (structures, whole, STRUCTURE_SCHEMA),
            (regions, measured.append_column("label", pa.array(names, TEXT)), REGION_SCHEMA),
        ):
            asked = found.filter(pc.invert(pc.is_in(found["label_id"], unasked)))
            rows.append(_with_case(asked, case, options, schema))
    return pa.concat_tables(structures), pa.concat_tables(regions)


_CASE_CONSTANTS = ("dataset", "cohort", "case_id", "subject_id", "split", "image_id")


def _with_case(
    rows: pa.Table, case: CaseSource, options: AnnotateOptions, schema: pa.Schema
) -> pa.Table:
    values = [options.dataset, case.cohort, case.case_id, case.subject_id]
    values += [AnnotatedCase.NO_SPLIT, case.images[0].image_id]
    constants = dict(zip(_CASE_CONSTANTS, values, strict=True))
    columns = [
        rows[name] if name in rows.column_names else pa.repeat(constants[name], rows.num_rows)
        for name in schema.names
    ]
    return pa.Table.from_arrays(columns, names=schema.names).cast(schema)


def _biometric_rows(
    case: CaseSource, options: AnnotateOptions, volume: Volume
) -> tuple[pa.Table, tuple[Problem, ...]]:
    """Measurements between the case's landmarks, and those that could not be made."""
    if case.landmarks is None or options.biometrics is None:
        return BIOMETRIC_SCHEMA.empty_table(), ()
    with names_file(case.landmarks):
        if is_coco_file(case.landmarks):
            landmarks = coco_landmarks(case, case.landmarks)
        else:
            landmarks = read_landmarks(case.landmarks)
    if volume.is_native:
        located = native_xy(landmarks, volume.shape)
    else:
        located = canonical_ijk(
            landmarks,
            volume.array.shape,
            orientation_as_stored=volume.orientation_as_stored,
            affine=volume.affine,
        )
    measured = biometric_rows(
        options.biometrics,
        located,
        shape=volume.array.shape,
        spacing_mm=volume.spacing_mm,
        native_plane=options.native_plane,
    )
    fields = [f for f in BIOMETRIC_SCHEMA if f.name not in _CASE_CONSTANTS]
    rows = pa.Table.from_pylist([asdict(row) for row in measured.rows], pa.schema(fields))
    problems = tuple(
        Problem(
            case_id=case.case_id,
            reason=str(problem.reason),
            message=f"{case.landmarks}: {problem.message}",
        )
        for problem in measured.problems
    )
    return _with_case(rows, case, options, BIOMETRIC_SCHEMA), problems
