"""DICOM trees, as archives deliver them: patient, study, series, each series in a folder.

Folder names say little and are cut to fit, so that everything is read from the headers: patients,
modalities, and which series a segmentation (SEG) or structure set (RTSTRUCT) was drawn on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from medvision.describe.found import Certainty, Found, FoundCase, FoundLabel
from medvision.describe.hints import modality_of_word
from medvision.describe.tree import Tree
from medvision.errors import ItemError, MissingExtraError
from medvision.extras import require
from medvision.names import plain_name
from medvision.volumes.dicom_folder import has_preamble
from medvision.volumes.guard import names_file
from medvision.volumes.suffixes import DICOM

_DRAWN = ("SEG", "RTSTRUCT")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """One series, or one segmentation of a series.

    Attributes:
        place: Its folder, or its file where it is a segmentation.
        drawn_on: Series that a segmentation refers to.
        names: Of its segments or regions.
    """

    uid: str
    place: str
    patient: str
    date: str
    number: str
    modality: str
    drawn_on: str = ""
    names: tuple[str, ...] = ()


def recognise(tree: Tree) -> Found | None:
    """Series with segmentations or structure sets that refer to them.

    Raises:
        MissingExtraError: The folder holds DICOM files and pydicom is not installed.
    """
    broken: dict[str, str] = {}
    listed = list(_series(tree, broken))
    places: dict[str, list[_Series]] = {}
    for one in listed:
        if one.modality not in _DRAWN:
            places.setdefault(one.uid, []).append(one)
    drawn = [one for one in listed if one.modality in _DRAWN]
    if not drawn and not broken:
        return None
    found, lacking = [], {}
    for one in drawn:
        images = places.get(one.drawn_on, [])
        if len(images) == 1:
            found.append((one, images[0]))
        else:
            lacking[one.place] = (
                f"refers to series {one.drawn_on or '(none)'}, found {len(images)} of it"
            )
    used = {image.place for _, image in found}
    lacking |= {
        one.place: f"{one.modality} series without a segmentation"
        for one in listed
        if one.modality not in _DRAWN and one.place not in used
    }
    ids = _case_ids(found)
    cases = [
        FoundCase(
            case_id=ids[n], subject_id=one.patient, images={"image": image.place}, mask=one.place
        )
        for n, (one, image) in enumerate(found)
    ]
    words = {modality_of_word(image.modality) for _, image in found}
    kinds = " and ".join(sorted({one.modality for one in drawn}))
    names: dict[str, str] = {}
    for one, _ in found:
        for name in one.names:
            names.setdefault(plain_name(name), name)
    return Found(
        layout="DICOM series with segmentations",
        certainty=Certainty.CERTAIN,
        reason=f"headers of {kinds} that refer to their series: {len(found)}",
        cases=tuple(sorted(cases, key=lambda case: case.case_id)),
        modalities={"image": words.pop() if len(words) == 1 else ""},
        labels=tuple(
            FoundLabel(label_id=n, name=name, found_as=name)
            for n, name in enumerate(names.values(), start=1)
        ),
        lacking=lacking,
        broken=broken,
        notes=(
            "subjects are the patients of the headers",
            *(("several modalities: one dataset each is clearer",) if len(words) > 1 else ()),
        ),
    )


def _case_ids(found: list[tuple[_Series, _Series]]) -> list[str]:
    """Patient, and only as much more as keeps cases apart."""
    keys = [
        (one.patient, image.date, f"series{image.number}", f"{one.modality}{one.number}")
        for one, image in found
    ]
    for length in (1, 2, 3, 4):
        ids = ["_".join(filter(None, key[:length])) for key in keys]
        if len(set(ids)) == len(ids):
            return ids
    return [f"{name}_{n}" for n, name in enumerate(ids, start=1)]


def _series(tree: Tree, broken: dict[str, str]) -> Iterator[_Series]:
    """The series of each folder, by the header of its first file; segmentations by their own.

    Args:
        tree: Where.
        broken: Takes a DICOM file of each folder of which none can be read, and why.
    """
    for folder, names in tree.folders.items():
        prefix = f"{folder}/" if folder else ""
        unread: dict[str, str] = {}
        for name in names:
            file = f"{prefix}{name}"
            suffix = PurePosixPath(name).suffix.lower()
            is_bare = not suffix or suffix[1:].isdecimal()  # `IM1`, and the end of a UID
            if suffix not in DICOM and not is_bare:
                continue
            path = tree.path(file)
            try:
                with names_file(path):
                    if suffix not in DICOM and not has_preamble(path):
                        continue
                    series = _series_of(path, file, folder)
            except MissingExtraError:
                raise
            except ItemError as error:
                unread[file] = str(error)
                continue
            yield series
            if series.modality not in _DRAWN:
                unread.clear()
                break  # a folder is one series; reading it will say where it is not
        # Of several one stands for all.
        broken.update(list(unread.items())[:1])


def _series_of(path: Path, file: str, folder: str) -> _Series:
    """What the header of a file says of its series."""
    header = require("pydicom", "dicom", item=str(path)).dcmread(path, stop_before_pixels=True)
    modality = str(header.get("Modality", ""))
    is_drawn = modality in _DRAWN
    return _Series(
        uid=str(header.get("SeriesInstanceUID", "")),
        place=file if is_drawn else folder,
        patient=str(header.get("PatientID", "")),
        date=str(header.get("StudyDate", "")),
        number=str(header.get("SeriesNumber", "") or ""),
        modality=modality,
        drawn_on=_drawn_on(header) if is_drawn else "",
        names=_names(header) if is_drawn else (),
    )


def _drawn_on(header: Any) -> str:
    """The series that a segmentation or a structure set refers to."""
    for series in header.get("ReferencedSeriesSequence", []):
        return str(series.get("SeriesInstanceUID", ""))
    for frame in header.get("ReferencedFrameOfReferenceSequence", []):
        for study in frame.get("RTReferencedStudySequence", []):
            for series in study.get("RTReferencedSeriesSequence", []):
                return str(series.get("SeriesInstanceUID", ""))
    return ""


def _names(header: Any) -> tuple[str, ...]:
    segments = [str(one.get("SegmentLabel", "")) for one in header.get("SegmentSequence", [])]
    regions = [str(one.get("ROIName", "")) for one in header.get("StructureSetROISequence", [])]
    return tuple(name.strip() for name in (*segments, *regions) if name.strip())
