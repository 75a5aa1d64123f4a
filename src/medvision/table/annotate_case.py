"""One case to its rows: read, check, measure. Pure of any output."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from medvision.annotate.biometrics import BiometricsSpec, biometric_rows
from medvision.annotate.boxes import box_region_table
from medvision.annotate.landmark_frames import canonical_ijk, native_xy
from medvision.annotate.regions import native_region_table, region_table
from medvision.frames import Plane
from medvision.storage import absolute
from medvision.table.case_boxes import case_boxes
from medvision.table.case_landmarks import case_landmarks
from medvision.table.cases import CaseSource
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
from medvision.table.unscaled import (
    NOMINAL_YX_MM,
    SPACING_UNKNOWN,
    is_unscaled,
    unscaled,
    without_mm,
)
from medvision.volumes import (
    Volume,
    check_same_grid,
    read_volume,
    spacing_suspect,
    volume_fingerprint,
)
from medvision.volumes.errors import MissingSpacingError
from medvision.volumes.guard import names_file
from medvision.volumes.stored import ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about one case that could not be used, and why."""

    case_id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateOptions:
    """What building needs to know beside a case's files.

    Attributes:
        dataset: Dataset name.
        spacing_yx_mm: Pixel spacing of pictures whose files hold none.
        spacing_from: Which part of a contradictory NIfTI header to trust.
        spacing_unknown: Pictures without a spacing are built for tasks that need none.
        native_plane: Plane of 2D images: their projection, or "native".
        biometrics: What to measure between landmarks.
        empty_masks: Masks may hold background only; nothing is asked of such cases, or they are
            left out.
    """

    dataset: str
    spacing_yx_mm: tuple[float, float] | None = None
    spacing_from: Literal["sform", "qform", "pixdim"] | None = None
    spacing_unknown: bool = False
    native_plane: Plane = Plane.NATIVE
    biometrics: BiometricsSpec | None = None
    empty_masks: bool | Literal["left_out"] = False

    def reading(self, case: CaseSource) -> ReadOptions:
        """How the files of a case are read."""
        spacing_mm = case.spacing_yx_mm or self.spacing_yx_mm
        return ReadOptions(spacing_mm=spacing_mm, spacing_from=self.spacing_from)

    def image(self, case: CaseSource, path: Path) -> Volume:
        """An image of a case.

        Raises:
            ItemError: It cannot be read.
        """
        spacing_mm = case.spacing_yx_mm or self.spacing_yx_mm
        try:
            return read_volume(path, spacing_mm=spacing_mm, spacing_from=self.spacing_from)
        except MissingSpacingError:
            if not self.spacing_unknown:
                raise
            return unscaled(read_volume(path, spacing_mm=NOMINAL_YX_MM))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedCase:
    """Rows of one case, without `split`, which depends on all subjects of the dataset."""

    record: dict[str, Any]
    structures: pa.Table
    regions: pa.Table
    biometrics: pa.Table
    problems: tuple[Problem, ...]

    NO_SPLIT: ClassVar[str] = ""


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
    volumes = [options.image(case, image.path) for image in case.images]
    reference = volumes[0]
    for volume, image in zip(volumes[1:], case.images[1:], strict=True):
        check_same_grid(reference, volume, item=f"{case.case_id}: image {image.path.name}")
    structures, regions = _mask_rows(case, options, reference)
    biometrics, problems = _biometric_rows(case, options, reference)
    biometrics = on_measured_slices(biometrics, case, regions)
    regions = on_measured_slices(regions, case, regions)
    unasked = pa.array([one.label_id for one in case.structures if not one.asked], INT)
    structures, regions = (
        rows.filter(pc.invert(pc.is_in(rows["label_id"], unasked)))
        for rows in (structures, regions)
    )
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
    # A file that we converted holds less than its source said.
    said = case.images[0].source or volume
    flags = list(said.flags)
    if case.placeholder_spacing or spacing_suspect(volume, case.images[0].modality):
        flags.append("spacing_suspect")
    shape, spacing = volume.array.shape, volume.spacing_mm
    if volume.is_native:
        shape, spacing = shape[::-1], spacing[::-1]
    is_known = not is_unscaled(volume)
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
        "spacing_mm": [float(side) if is_known else None for side in spacing],
        "affine": [float(value) if is_known else None for value in volume.affine.ravel()],
        "orientation_as_stored": said.orientation_as_stored,
        "obliquity_deg": float(said.obliquity_deg),
        "spacing_source": str(said.spacing_source),
        "flags": flags,
        "volume_fingerprint": volume_fingerprint(volume.array),
    }
    return {name: record[name] for name in CASE_SCHEMA.names}


def _mask_rows(
    case: CaseSource, options: AnnotateOptions, image: Volume
) -> tuple[pa.Table, pa.Table]:
    """Rows of `structures` and of `regions`, of all planes, slices and labels."""
    structures, regions = [STRUCTURE_SCHEMA.empty_table()], [REGION_SCHEMA.empty_table()]
    with names_file(case.boxes or case.images[0].path):
        boxes = case_boxes(case, image)
    if boxes:
        (height_px, width_px), (y_mm, x_mm) = image.shape, image.spacing_mm
        yx_mm = None if is_unscaled(image) else (y_mm, x_mm)
        drawn = box_region_table(boxes, (height_px, width_px), yx_mm, options.native_plane)
        of_id = {one.label_id: one for one in case.structures}
        named = [of_id[label_id].name for label_id in drawn["label_id"].to_pylist()]
        drawn = drawn.append_column("label", pa.array(named, TEXT))
        regions.append(_with_case(drawn, case, options, REGION_SCHEMA))
    for layer in mask_layers(case, image, options.reading(case)):
        labels = layer.labels
        if labels.is_native:
            spacing_y_mm, spacing_x_mm = labels.spacing_mm
            measured = native_region_table(
                labels.array, (spacing_y_mm, spacing_x_mm), options.native_plane, case.target_labels
            )
        else:
            measured = region_table(labels.array, labels.spacing_mm, case.target_labels)
        if is_unscaled(image):
            measured = without_mm(measured)
        name_of = {structure.label_id: structure.name for structure in layer.structures}
        names = [name_of[label_id] for label_id in measured["label_id"].to_pylist()]
        whole = structure_rows(
            layer.extents,
            layer.structures,
            # A 2D array is rows of pixels; in tables its axes are x, then y.
            shape_ijk=(*labels.shape[::-1], 1) if labels.is_native else labels.shape,
            voxel_mm3=None if labels.is_native else voxel_volume_mm3(image.affine),
        )
        structures.append(_with_case(whole, case, options, STRUCTURE_SCHEMA))
        measured = measured.append_column("label", pa.array(names, TEXT))
        regions.append(_with_case(measured, case, options, REGION_SCHEMA))
    return pa.concat_tables(structures), pa.concat_tables(regions)


def on_measured_slices(rows: pa.Table, case: CaseSource, regions: pa.Table) -> pa.Table:
    """Rows of the planes and slices that the declaration leaves.

    Args:
        rows: With `plane` and `slice_index`.
        case: Says which.
        regions: Those of all labels: they tell on which slices a label is.
    """
    if case.planes:
        rows = rows.filter(pc.is_in(rows["plane"], pa.array([str(plane) for plane in case.planes])))
    kept = pa.repeat(pa.scalar(value=True), rows.num_rows)
    for plane, wanted in case.slices.items():
        index = rows["slice_index"]
        offset = pc.subtract(index, wanted.first)
        # Integer division: slices between two wanted ones fall back on the lower of them.
        whole = pc.multiply(pc.divide(offset, wanted.every), wanted.every)
        inside = pc.and_(pc.greater_equal(offset, 0), pc.equal(whole, offset))
        if wanted.last is not None:
            inside = pc.and_(inside, pc.less_equal(index, wanted.last))
        if wanted.with_label:
            on_plane = pc.equal(regions["plane"], str(plane))
            there = regions.filter(pc.and_(on_plane, pc.equal(regions["label"], wanted.with_label)))
            inside = pc.and_(inside, pc.is_in(index, there["slice_index"].combine_chunks()))
        kept = pc.and_(kept, pc.or_(pc.not_equal(rows["plane"], str(plane)), inside))
    return rows.filter(kept)


_CASE_CONSTANTS = ("dataset", "cohort", "case_id", "subject_id", "split")


def _with_case(
    rows: pa.Table, case: CaseSource, options: AnnotateOptions, schema: pa.Schema
) -> pa.Table:
    values = [options.dataset, case.cohort, case.case_id, case.subject_id, AnnotatedCase.NO_SPLIT]
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
    if not case.landmarks or options.biometrics is None:
        return BIOMETRIC_SCHEMA.empty_table(), ()
    if is_unscaled(volume):
        message = f"{case.case_id}: pixels of unknown size: nothing is measured on them"
        unknown = Problem(case_id=case.case_id, reason=SPACING_UNKNOWN, message=message)
        return BIOMETRIC_SCHEMA.empty_table(), (unknown,)
    landmarks = case_landmarks(case)
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
    left_out = (*_CASE_CONSTANTS, "image_id")
    fields = [f for f in BIOMETRIC_SCHEMA if f.name not in left_out]
    rows = pa.Table.from_pylist([asdict(row) for row in measured.rows], pa.schema(fields))
    set_on = case.landmark_image or case.images[0].image_id
    # A key may be measured on several planes, each asked on an image of its own.
    named = {(one.key, one.plane): one.image for one in options.biometrics.measure}
    images = [
        named.get((row.metric_key, row.plane)) or named.get((row.metric_key, None)) or set_on
        for row in measured.rows
    ]
    rows = rows.append_column("image_id", pa.array(images, TEXT))
    problems = tuple(
        Problem(
            case_id=case.case_id,
            reason=str(problem.reason),
            message=f"{landmarks.source}: {problem.message}",
        )
        for problem in measured.problems
    )
    return _with_case(rows, case, options, BIOMETRIC_SCHEMA), problems
