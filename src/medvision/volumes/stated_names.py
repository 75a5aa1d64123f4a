"""What files say that the values of a label map are called."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from medvision.errors import ItemError
from medvision.volumes import metaimage, nifti, nrrd_file, suffixes
from medvision.volumes.guard import names_file

# An element of a GIfTI label table, which label maps keep in an extension of their NIfTI header.
_LABEL_ELEMENT = re.compile(
    r"""<Label\b[^>]*\bKey=["'](\d{1,9})["'][^>]*>\s*(?:<!\[CDATA\[)?([^<\]]*)"""
)


def stated_names(path: Path) -> dict[int, str]:
    """Value to name, by a label map's own header; empty where it says nothing.

    Read are the fields of 3D Slicer in NRRD (and in MetaImage, where a converter has kept them),
    and label tables in NIfTI headers.
    """
    suffix = suffixes.ending(path.name, _READERS)
    if suffix is None:
        return {}
    try:
        with names_file(path):
            return _READERS[suffix](path)
    except ItemError:  # reading the voxels will say what is wrong
        return {}


def slicer_segment_names(fields: Mapping[str, Any]) -> dict[int, str]:
    """Value to name of `SegmentN_LabelValue` and `SegmentN_Name` fields.

    Values that several segments have, on layers of their own, are left out.

    Example:
        >>> slicer_segment_names({"Segment0_Name": "liver", "Segment0_LabelValue": "3"})
        {3: 'liver'}
    """
    found: list[tuple[int, str]] = []
    for key, value in fields.items():
        match = re.fullmatch(r"(Segment\d+)_LabelValue", key)
        name = fields.get(f"{match[1]}_Name") if match else None
        if name is not None and re.fullmatch(r"\s*\d{1,9}\s*", str(value)):
            found.append((int(value), str(name).strip()))
    return _without_repeated(found)


def label_table_names(text: str) -> dict[int, str]:
    """Value to name of the `Label` elements of a text.

    Example:
        >>> label_table_names('<Label Key="1" Red="1"><![CDATA[spleen]]></Label>')
        {1: 'spleen'}
    """
    return _without_repeated((int(key), name.strip()) for key, name in _LABEL_ELEMENT.findall(text))


def _without_repeated(pairs: Iterable[tuple[int, str]]) -> dict[int, str]:
    names: dict[int, set[str]] = {}
    for value, name in pairs:
        names.setdefault(value, set()).add(name)
    return {value: found.pop() for value, found in names.items() if len(found) == 1}


def _of_nifti(path: Path) -> dict[int, str]:
    return label_table_names(nifti.extension_bytes(path).decode("utf-8", "ignore"))


_READERS: dict[str, Callable[[Path], dict[int, str]]] = {
    **dict.fromkeys(suffixes.NIFTI_SINGLE, _of_nifti),
    **dict.fromkeys(
        suffixes.NRRD, lambda path: slicer_segment_names(nrrd_file.read_header(path).fields)
    ),
    **dict.fromkeys(suffixes.METAIMAGE, lambda path: slicer_segment_names(metaimage.fields(path))),
}
