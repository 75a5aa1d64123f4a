"""Options about files of one's own: which there are, and which of them each source takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.cohort import MODALITIES
from medvision.cli.options import Option, given_options
from medvision.errors import ItemError, UsageError
from medvision.frames import Plane
from medvision.table.build import BuildRequest
from medvision.volumes import read_geometry
from medvision.volumes.stored import SpacingFrom
from medvision.volumes.suffixes import DICOM, NIFTI, PICTURE, ending


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOptions:
    """Files that no catalogue describes."""

    images: Annotated[Path | None, Option("DIR", help="one image per case")] = None
    masks: Annotated[Path | None, Option("DIR", help="label maps; pair by case name")] = None
    labels: Annotated[Path | None, Option("FILE", help='JSON such as {"1": "liver"}')] = None
    landmarks: Annotated[Path | None, Option("DIR", help="JSON, CSV, .fcsv, .mrk.json")] = None
    biometrics: Annotated[Path | None, Option("FILE", help="what to measure (JSON, TOML)")] = None
    nnunet: Annotated[Path | None, Option("DIR", help="an nnU-Net DatasetXXX_Name folder")] = None
    bids: Annotated[Path | None, Option("DIR", help="a BIDS tree with derivatives")] = None
    totalsegmentator: Annotated[
        Path | None, Option("DIR", help="TotalSegmentator's training set or output")
    ] = None
    name: Annotated[str, Option(help="dataset name (default with --nnunet: the folder's)")] = ""
    modality: Annotated[str, Option(choices=MODALITIES)] = ""
    target_labels: Annotated[str, Option("1,2", help="ids or names to size")] = ""
    description: Annotated[str, Option(help="what the pictures are, for prompts")] = ""
    spacing_mm: Annotated[
        str | None, Option("Y,X", help="pixel spacing of plain pictures, or unknown")
    ] = None
    spacing_from: Annotated[
        SpacingFrom | None, Option(help="which part of a contradictory NIfTI header to trust")
    ] = None
    projection: Annotated[Plane, Option(help="plane of 2D images")] = Plane.NATIVE
    subject_pattern: Annotated[
        str,
        Option(
            "REGEX",
            help="its first group is the subject in a case name (default: a case is a subject)",
        ),
    ] = ""
    subjects: Annotated[
        Path | None, Option("CSV", help="subject, split and further columns; see docs")
    ] = None

    @property
    def source(self) -> str:
        """The option that says where the files are.

        Raises:
            UsageError: None of them is given, or several.
        """
        given = [option for option in given_options(self) if option in TAKEN]
        if not given:
            msg = (
                "expected one of NAME, FILE.toml, FOLDER, --images DIR, --nnunet DIR, --bids DIR "
                "and --totalsegmentator DIR; see `medvision build --help`"
            )
            raise UsageError(msg)
        if len(given) > 1:
            msg = (
                f"expected one source of files, found {' and '.join(given)}; leave out all but one"
            )
            raise UsageError(msg)
        return given[0]


OF_NNUNET = ("name", "modality", "target_labels", "description", "spacing_mm", "spacing_from")
OF_FOLDER = (*OF_NNUNET, "labels", "biometrics", "projection", "subject_pattern", "subjects")
TAKEN: Mapping[str, tuple[str, ...]] = {
    "NAME": ("subjects",),
    "FILE.toml": ("subjects",),
    "FOLDER": OF_FOLDER,
    "--images": (*OF_FOLDER, "images", "masks", "landmarks"),
    "--bids": (*OF_FOLDER, "bids"),
    "--totalsegmentator": (*OF_FOLDER, "totalsegmentator"),
    "--nnunet": (*OF_NNUNET, "nnunet", "projection", "subject_pattern", "subjects"),
}
"""What of `OwnOptions` each source takes; the others are refused."""

INSISTED: Mapping[str, str] = {
    "--bids": "BIDS derivatives",
    "--totalsegmentator": "TotalSegmentator",
}
"""Options of folders to the layout, as `describe` calls it, that these must have."""

KEYS: Mapping[str, str] = {
    "images": "images",
    "masks": "mask",
    "labels": "labels",
    "landmarks": "landmarks",
    "biometrics": "biometrics_file",
    "name": "name",
    "modality": "modality",
    "target_labels": "target",
    "description": "description",
    "spacing_mm": "spacing_yx_mm",
    "spacing_from": "spacing_from",
    "projection": "projection",
    "subject_pattern": "subject_pattern",
}
"""Key of a declaration that says what an option says."""


def refuse_untaken(own: OwnOptions, source: str, dataset: str) -> None:
    """Refuse options that a source does not take, with what to do instead.

    Args:
        own: The options.
        source: A key of `TAKEN`.
        dataset: As given on the command line.

    Raises:
        UsageError: Names them.
    """
    names = {option: option.removeprefix("--").replace("-", "_") for option in given_options(own)}
    untaken = {option: name for option, name in names.items() if name not in TAKEN[source]}
    if not untaken:
        return
    given = ", ".join(untaken)
    place = dataset or getattr(own, source.removeprefix("--"))
    keys = [KEYS[name] for name in untaken.values() if name in KEYS]
    if source == "FILE.toml" and keys:
        msg = f"{given}: not with {dataset}: say it there ({', '.join(keys)}), or leave out"
    elif sources := [option for option in untaken if option in TAKEN]:
        msg = f"expected one source of files, found {dataset} and {sources[0]}; leave out one"
    elif source == "FOLDER" or source in INSISTED:
        msg = f"{given}: with --images, not with the folder {place}; leave out"
    elif source == "--nnunet":
        msg = f"{given} and --nnunet: the nnU-Net folder says it itself; leave out"
    else:
        msg = f"{given}: not with {dataset or source}, which says it itself; leave out"
    raise UsageError(msg)


def refuse_idle(own: OwnOptions, request: BuildRequest) -> None:
    """Refuse options that would change nothing of these files.

    Raises:
        UsageError: The option, and why.
    """
    paths = [image.path for case in request.cases for image in case.images]
    masks = [
        path
        for case in request.cases
        for path in (case.mask, *(mask.path for mask in case.masks))
        if path
    ]
    if not paths:
        return
    idle = {}
    if own.images and own.labels and not own.masks:
        idle["--labels"] = "it names what --masks hold, and there are none"
    if own.images and own.biometrics and not own.landmarks:
        idle["--biometrics"] = "it measures between --landmarks, and there are none"
    if own.target_labels and not masks:
        idle["--target-labels"] = "structures are sized by masks, and there are none"
    is_nifti = any(ending(path.name, NIFTI) for path in (*paths, *masks))
    # A folder of masks may hold any format.
    if own.spacing_from and not is_nifti and not any(path.is_dir() for path in masks):
        idle["--spacing-from"] = "it is for headers of NIfTI, and no file has one"
    for option, value in (
        ("--spacing-mm", own.spacing_mm),
        ("--projection", own.projection is not Plane.NATIVE),
    ):
        if value and not _has_pictures(paths, own):
            idle[option] = f"it is for 2D images, {paths[0]} is a volume"
    if idle:
        told = "; ".join(f"{option}: {why}" for option, why in idle.items())
        msg = f"{told}; leave {'it' if len(idle) == 1 else 'them'} out"
        raise UsageError(msg)


def _has_pictures(paths: Sequence[Path], own: OwnOptions) -> bool:
    """Whether any image is 2D, by suffix, or by the header of the first where that does not say."""
    if any(ending(path.name, (*PICTURE, *DICOM)) for path in paths):
        return True
    try:
        return read_geometry(paths[0], spacing_from=own.spacing_from).is_native
    except ItemError:  # one of a picture that states no spacing; building will say any other
        return True
