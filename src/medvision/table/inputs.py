"""What a case is made from, byte for byte: files, series folders, headers with their data files."""

from collections.abc import Iterable
from pathlib import Path

from medvision.storage import sha256_file
from medvision.table.cases import CaseSource
from medvision.table.manifest import content_key

DETACHED_HEADERS = (".hdr", ".nhdr", ".mhd")
"""Headers whose voxels are in other files, named alike by all that write them."""


def case_inputs(case: CaseSource) -> list[Path]:
    """Files and folders of a case: images, masks, landmarks, boxes."""
    return [
        *(image.path for image in case.images),
        *(path for path in (case.mask, case.landmarks, case.boxes) if path is not None),
        *case.more_masks,
    ]


def input_digests(cases: Iterable[CaseSource]) -> tuple[dict[Path, str], dict[Path, OSError]]:
    """Digest of every input of the cases that can be read, and why the others cannot."""
    digests: dict[Path, str] = {}
    unreadable: dict[Path, OSError] = {}
    for case in cases:
        for path in case_inputs(case):
            try:
                digests[path] = input_digest(path)
            except OSError as error:
                unreadable[path] = error
    return digests, unreadable


def input_digest(path: Path) -> str:
    """SHA-256 of a file; of a folder or a detached header, of all its files' names and digests.

    Raises:
        OSError: A file cannot be read.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    elif path.suffix.lower() in DETACHED_HEADERS:
        alike = (file for file in path.parent.glob(f"{path.stem}.*") if file.is_file())
        files = sorted({path, *alike})
    else:
        return sha256_file(path)
    if files == [path]:  # a header whose voxels are missing, which reading the case will say
        return sha256_file(path)
    return content_key({str(file.relative_to(path.parent)): sha256_file(file) for file in files})
