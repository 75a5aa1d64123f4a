"""The landmarks of a case: of one file, of several together, or of a table for all cases."""

from dataclasses import replace

from medvision.annotate.landmarks import (
    DuplicateLandmarkError,
    LandmarkFormatError,
    LandmarkFrameError,
    Landmarks,
    LandmarkSpace,
    checked_landmarks,
    read_landmark_lines,
    read_landmarks,
    stated_number,
)
from medvision.table.case_boxes import coco_landmarks, is_coco_file
from medvision.table.cases import CaseSource, LandmarkSource
from medvision.table.marked_voxels import marked_landmarks
from medvision.volumes.guard import names_file


def case_landmarks(case: CaseSource) -> Landmarks:
    """All landmarks of a case that has some.

    Raises:
        ItemError: A file cannot be read, two hold one landmark, or count in different spaces.
    """
    first, *others = [_source_landmarks(case, source) for source in case.landmarks]
    points = dict(first.points)
    for one in others:
        if one.space is not first.space:
            msg = (
                f"{first.source} counts in {first.space}, {one.source} in {one.space}; landmarks "
                "of one case must be in one space"
            )
            raise LandmarkFrameError(msg)
        if twice := sorted(points.keys() & one.points.keys()):
            msg = f"{one.source}: landmark {twice[0]!r} is also in another file of {case.case_id}"
            raise DuplicateLandmarkError(msg)
        points |= one.points
    source = f"{first.source} and {len(others)} more" if others else first.source
    return replace(first, source=source, points=points)


def _source_landmarks(case: CaseSource, source: LandmarkSource) -> Landmarks:
    if source.stated is not None:
        return checked_landmarks(
            f"{source.path}: case {case.case_id}",
            LandmarkSpace(source.space),
            ((key, [stated_number(text) for text in texts]) for key, texts in source.stated),
        )
    with names_file(source.path):
        if source.voxels:
            return marked_landmarks(source.path, source.voxels)
        if source.lines:
            return read_landmark_lines(source.path, source.lines)
        if is_coco_file(source.path):
            return coco_landmarks(case, source.path)
        found = read_landmarks(source.path)
    if not source.key:
        return found
    if len(found.points) != 1:
        msg = f"{source.path}: expected one landmark, {source.key!r}, found {len(found.points)}"
        raise LandmarkFormatError(msg)
    return replace(found, points=dict.fromkeys([source.key], *found.points.values()))
