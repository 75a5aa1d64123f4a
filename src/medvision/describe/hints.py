"""What files say of their modality and of the values in a mask."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from medvision.errors import ItemError
from medvision.table.nnunet import CHANNEL_MODALITIES
from medvision.volumes import read_label_map, read_volume
from medvision.volumes.colours import picture_colours
from medvision.volumes.errors import UnsupportedPixelsError
from medvision.volumes.pictures import rgba_pixels
from medvision.volumes.suffixes import PICTURE as PICTURE_SUFFIXES

MODALITY_WORDS = {
    **CHANNEL_MODALITIES,
    **dict.fromkeys(("T1C", "T1N", "T2F", "T2STAR", "PD", "PDW"), "MRI"),
    **dict.fromkeys(("SWI", "BOLD", "TOF", "CINE"), "MRI"),
    **dict.fromkeys(("PT",), "PET"),
    **dict.fromkeys(("DX", "CR", "MG", "XA", "RF", "XRAY"), "XR"),
    **dict.fromkeys(("CTA", "CBCT", "CECT"), "CT"),
}
"""Words of file names, headers and channels to our modalities, in upper case."""

SAMPLED_MASKS = 5
"""Masks that are looked at for their values: the first ones, in order of their names."""

SAMPLED_FOLDERS = 20
"""Folders of masks of which the first is looked at for whether it holds anything."""

AIR_HU = -500
"""Whole numbers this low, or lower, are Hounsfield units of air or of padding around a CT."""


def modality_of_word(word: str) -> str:
    """The modality that a word stands for; "" where it stands for none.

    Example:
        >>> modality_of_word("FLAIR"), modality_of_word("liver")
        ('MRI', '')
    """
    return MODALITY_WORDS.get(word.upper().replace("-", "").replace("_", ""), "")


def is_hounsfield(path: Path) -> bool:
    """Whether a volume's values can only be those of a CT: whole numbers far below zero."""
    if path.name.lower().endswith(PICTURE_SUFFIXES):
        return False
    try:
        volume = read_volume(path)
    except ItemError:
        return False
    low = float(volume.array.min())
    return not volume.is_native and low <= AIR_HU and bool(np.isclose(low, round(low)))


def mask_values(paths: Sequence[Path]) -> tuple[list[int], list[str]]:
    """Values of the first masks, or their colours where they are pictures in colour.

    Returns:
        (values above 0, colours but black), sorted. Masks that cannot be read say nothing here:
        building names them.
    """
    values: set[int] = set()
    colours: set[str] = set()
    for path in paths[:SAMPLED_MASKS]:
        is_picture = path.name.lower().endswith(PICTURE_SUFFIXES)
        try:
            labels = read_label_map(path, spacing_mm=(1.0, 1.0) if is_picture else None)
            values |= set(np.unique(labels.array).tolist())
        except UnsupportedPixelsError:
            if is_picture:
                colours |= set(picture_colours(rgba_pixels(path)))
        except ItemError:
            continue
    return sorted(values - {0}), sorted(colours - {"#000000"})


def empty_folders(masks: Iterable[Path]) -> list[Path]:
    """Folders whose first mask is a picture without anything on it, such as those of normal cases.

    Volumes are not looked at: they are large, and an empty one is a mistake more often.
    """
    pictures = (path for path in masks if path.name.lower().endswith(PICTURE_SUFFIXES))
    first: dict[Path, Path] = {}
    for path in pictures:
        first.setdefault(path.parent, path)
    found = []
    for folder, path in list(first.items())[:SAMPLED_FOLDERS]:
        try:
            if not rgba_pixels(path)[..., :3].any():
                found.append(folder)
        except ItemError:
            continue
    return found
