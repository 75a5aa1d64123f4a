"""Which segment of a file is which declared structure: by its name, or by its number.

Tools number segments file by file: number 2 may be the spleen here and the liver there. So a name
decides where both sides have it, a number where they do not, and where the two contradict each
other nothing does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medvision.errors import ItemError
from medvision.table.cases import Structure, plain_name


class UnknownLabelError(ItemError):
    """A mask holds a value or a segment that the label file does not name."""

    reason = "unknown_label"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSegment:
    """What a file says of one of its segments.

    Attributes:
        number: As the file numbers it; 0 where its numbers mean nothing.
        name: What the file calls it.
        is_empty: Whether it holds no voxel.
    """

    number: int
    name: str
    is_empty: bool = False


def structures_by_name(structures: Sequence[Structure]) -> dict[str, Structure]:
    """Plain name to structure, by what files call it.

    Example:
        >>> tumor = Structure(label_id=2, name="tumor", values=(2,), found_as=("GTVp", "GTVn"))
        >>> sorted(structures_by_name([tumor]))
        ['gtvn', 'gtvp']
    """
    return {plain_name(name): structure for structure in structures for name in structure.names}


def segments_of_structures(
    structures: Sequence[Structure],
    segments: Sequence[NamedSegment],
    path: Path,
    *,
    all_known: bool = True,
) -> dict[int, list[int]]:
    """Label id to the places of its segments, for the structures that have any.

    Args:
        structures: As declared; their values are numbers of segments.
        segments: Of one file.
        path: The file, for messages.
        all_known: Whether a segment that is no declared structure is an error.

    Raises:
        UnknownLabelError: A segment that no structure is declared for, one whose name and number
            belong to two structures, or two of them with one structure's name.

    Example:
        >>> liver = Structure(label_id=4, name="liver", values=(4,))
        >>> found = [NamedSegment(number=1, name="spleen"), NamedSegment(number=2, name="Liver")]
        >>> segments_of_structures([liver], found, Path("a.dcm"), all_known=False)
        {4: [1]}
    """
    names = structures_by_name(structures)
    found: dict[int, list[int]] = {}
    named: dict[int, set[str]] = {}
    unknown = []
    for place, segment in enumerate(segments):
        by_name = names.get(plain_name(segment.name))
        by_number = [s for s in structures if segment.number and segment.number in s.values]
        if by_name and by_number and by_name not in by_number:
            msg = (
                f"{path}: segment {segment.number} calls itself {segment.name!r}, which the label "
                "file gives another number; segments of all cases must be numbered alike"
            )
            raise UnknownLabelError(msg)
        if by_name and not by_number:
            before = named.get(by_name.label_id, set())
            if plain_name(segment.name) in before or (by_name.label_id in found and not before):
                msg = f"{path}: two segments are {segment.name!r}; rename or join them"
                raise UnknownLabelError(msg)
            named.setdefault(by_name.label_id, set()).add(plain_name(segment.name))
        owners = by_number or ([by_name] if by_name else [])
        for structure in owners:
            if structure.label_id in named and structure is not by_name:
                msg = (
                    f"{path}: segment {segment.number} {segment.name!r} and segment "
                    f"{min(named[structure.label_id])!r} are both taken for {structure.name!r}"
                )
                raise UnknownLabelError(msg)
            found.setdefault(structure.label_id, []).append(place)
        if not owners and not segment.is_empty:
            unknown.append(f"{segment.number} {segment.name!r}" if segment.number else segment.name)
    if unknown and all_known:
        msg = (
            f"{path}: expected only the segments {', '.join(s.name for s in structures)}, found "
            f"also {', '.join(unknown)}; name them in the label file"
        )
        raise UnknownLabelError(msg)
    return found
