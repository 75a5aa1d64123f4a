"""Cases of a declaration as sources: which file is what, and what masks call their structures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from medvision.catalog.cohort import CaseFiles, Image, Label, MaskFiles
from medvision.catalog.dataset import Dataset
from medvision.names import existing_path, plain_name
from medvision.table.cases import (
    CaseSource,
    ImageSource,
    LandmarkSource,
    MaskSource,
    Structure,
)
from medvision.table.find_files import FoundFile
from medvision.table.pairing import PairedCase


def cohort_case(dataset: Dataset, paired: PairedCase, subject_id: str) -> CaseSource:
    """A complete case."""
    cohort = paired.cohort
    structures = declared_structures(cohort.labels)
    mask, masks = _masks(cohort.mask_files, paired.masks, structures)
    measured = [t.label for t in dataset.tasks if "tl" in t.asks and t.cohort == cohort.name]
    targets = {label for label in measured if label is not None}
    targets |= {int(label_id) for label_id, label in cohort.labels.items() if label.target}
    return CaseSource(
        case_id=paired.case_id,
        cohort=cohort.name,
        subject_id=subject_id,
        images=tuple(
            _image(image, paired.images[image.id], paired.transforms.get(image.id))
            for image in cohort.images
            if image.id in paired.images
        ),
        mask=mask,
        masks=masks,
        landmarks=tuple(
            LandmarkSource(
                path=file.path,
                key=file.parts.get("landmark", ""),
                lines=cohort.landmark_lines,
                voxels=cohort.landmark_voxels,
            )
            for file in paired.landmarks
        ),
        landmark_image=cohort.landmark_image,
        structures=structures,
        target_labels=tuple(sorted(targets)),
        ignore=cohort.ignore,
        colours=_colours(cohort.colours, structures),
        colour_tolerance=cohort.colour_tolerance,
        points_at=cohort.points_at,
        winner=cohort.winner,
        boxes=paired.boxes,
        planes=cohort.planes,
        slices=cohort.slices,
        placeholder_spacing=paired.case_id in cohort.placeholder_spacing,
    )


def listed_case(dataset: Dataset, case: CaseFiles, subject_id: str, root: Path) -> CaseSource:
    """A case whose files are named one by one."""
    labels = case.labels or dataset.labels
    targets = {*case.target_labels}
    targets |= {int(label_id) for label_id, label in labels.items() if label.target}
    structures = declared_structures(labels)
    found = [
        (FoundFile(path=existing_path(root / one.files), parts={}),) for one in case.mask_files
    ]
    mask, masks = _masks(case.mask_files, found, structures)
    return CaseSource(
        case_id=case.case_id,
        cohort=case.cohort,
        subject_id=subject_id,
        images=tuple(
            _image(
                image,
                existing_path(root / image.files),
                next((existing_path(root / text) for text in image.transforms), None),
            )
            for image in case.image_files
        ),
        mask=mask,
        masks=masks,
        landmarks=tuple(LandmarkSource(path=existing_path(root / path)) for path in case.landmarks),
        structures=structures,
        target_labels=tuple(sorted(targets)),
        ignore=dataset.ignore,
        colours=_colours(dataset.colours, structures),
        boxes=existing_path(root / case.boxes) if case.boxes else None,
    )


def _image(image: Image, path: Path, transform: Path | None) -> ImageSource:
    return ImageSource(
        image_id=image.id,
        modality=image.modality,
        path=path,
        steps=image.steps,
        transform=transform,
    )


def _masks(
    declared: Sequence[MaskFiles],
    found: Sequence[Sequence[FoundFile]],
    structures: Sequence[Structure],
) -> tuple[Path | None, tuple[MaskSource, ...]]:
    """The one mask that can be read as it is, or the several that are joined."""
    if len(declared) == 1 and len(found[0]) == 1:
        (alone,), (file,) = declared, found[0]
        if not alone.label and not alone.steps and "structure" not in file.parts:
            return file.path, ()
    id_of = {structure.name: structure.label_id for structure in structures}
    called: dict[str, list[int | None]] = defaultdict(list)
    for structure in structures:
        for name in structure.names:
            called[plain_name(name)].append(structure.label_id)
    sources: list[MaskSource] = []
    for mask, files in zip(declared, found, strict=True):
        for file in files:
            label_ids = [id_of[mask.label] if mask.label else None]
            if "structure" in file.parts:  # files of structures that nobody has declared: none
                label_ids = called[plain_name(file.parts["structure"])]
            sources += [
                MaskSource(path=file.path, label_id=label_id, steps=mask.steps)
                for label_id in label_ids
            ]
    return None, tuple(sources)


def _colours(colours: Mapping[str, str], structures: Sequence[Structure]) -> dict[str, int]:
    """Colour to label id."""
    id_of = {structure.name: structure.label_id for structure in structures}
    return {colour: id_of[name] for colour, name in colours.items()}


def declared_structures(labels: Mapping[str, Label]) -> tuple[Structure, ...]:
    """Labels of a declaration as structures."""
    return tuple(
        Structure(
            label_id=int(label_id),
            name=label.name,
            values=label.values or (int(label_id),),
            asked=label.asked,
            found_as=label.found_as,
        )
        for label_id, label in labels.items()
    )
