"""Cases of 4D files whose frames are cases of their own."""

from dataclasses import replace
from pathlib import Path

from medvision.table.cases import CaseSource, ImageSource, MaskSource
from medvision.volumes import suffixes
from medvision.volumes.errors import DimensionsError
from medvision.volumes.guard import names_file
from medvision.volumes.nifti import frame_count


def frame_cases(case: CaseSource) -> list[CaseSource]:
    """A case `<case>_f000`, … for each frame; only headers are read.

    Args:
        case: Its images and masks have as many frames as each other, or one that goes with each.
            An image of which a channel is picked has one.

    Raises:
        ItemError: A header cannot be read, or files differ in their number of frames.
    """
    masks = case.masks or ((MaskSource(path=case.mask),) if case.mask else ())
    counts: dict[Path, int] = {}
    files: list[ImageSource | MaskSource] = [*case.images, *masks]
    for file in files:
        counts.setdefault(file.path, 1)
        if file.path.name.lower().endswith(suffixes.NIFTI) and not any(
            step.channel is not None for step in file.steps
        ):
            with names_file(file.path):
                counts[file.path] = frame_count(file.path)
    n_frames = max(counts[image.path] for image in case.images)
    odd = next((path for path, n in counts.items() if n not in (1, n_frames)), None)
    if odd is not None:
        msg = f"{odd}: expected 1 or {n_frames} frames as the images have, found {counts[odd]}"
        raise DimensionsError(msg)
    made = []
    for frame in range(n_frames):
        of_path = {path: None if n == 1 else frame for path, n in counts.items()}
        apart = case.mask is None or of_path[case.mask] is not None
        made.append(
            replace(
                case,
                case_id=f"{case.case_id}_f{frame:03d}",
                images=tuple(replace(one, frame=of_path[one.path]) for one in case.images),
                mask=None if apart else case.mask,
                masks=tuple(replace(one, frame=of_path[one.path]) for one in masks if apart),
            )
        )
    return made
