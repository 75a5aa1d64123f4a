"""Which segment of a file is which declared structure: by its name, or by its number.

Tools number segments file by file: number 2 may be the spleen here and the liver there. So a name
that is declared decides, whatever its number, and a number where no name is known.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from medvision.errors import ItemError
from medvision.names import plain_name
from medvision.table.cases import Structure
from medvision.table.label_names import Agreement, agreement

logger = logging.getLogger(__name__)


class UnknownLabelError(ItemError):
    """A mask holds a value or a segment that no label is declared for, or another one."""

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
    by_number_alone: list[tuple[NamedSegment, Structure]] = []
    for place, segment in enumerate(segments):
        by_name = names.get(plain_name(segment.name))
        by_number = [s for s in structures if segment.number and segment.number in s.values]
        if by_name and by_name not in by_number and all(len(s.values) == 1 for s in by_number):
            by_number = []  # programs number anew when they save
        if by_name and by_number and by_name not in by_number:
            msg = (
                f"{path}: segment {segment.number} calls itself {segment.name!r}, your labels "
                f"join it with others as {by_number[0].name!r}; give it a label of its own, or "
                "declare what to join by found_as"
            )
            raise UnknownLabelError(msg)
        if by_name and not by_number:
            before = named.get(by_name.label_id, set())
            if plain_name(segment.name) in before or (by_name.label_id in found and not before):
                msg = f"{path}: two segments are {segment.name!r}; rename or join them"
                raise UnknownLabelError(msg)
            named.setdefault(by_name.label_id, set()).add(plain_name(segment.name))
        if not by_name and len(by_number) == 1:
            by_number_alone.append((segment, by_number[0]))
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
            f"also {', '.join(unknown)}; name them in your labels"
        )
        raise UnknownLabelError(msg)
    for segment, structure in by_number_alone:
        check_name(segment.name, structure, structures, f"{path}: segment {segment.number}")
    return found


def check_name(
    stated: str, structure: Structure, structures: Sequence[Structure], where: str
) -> None:
    """Refuse what a file calls a structure if that means something else; tell of a new name.

    Args:
        stated: By the file.
        structure: The one that its number or its file's name stands for.
        structures: All that are declared.
        where: File and number, for messages.

    Raises:
        UnknownLabelError: The name contradicts the structure's: see `agreement`.
    """
    if structure.values and len(structure.values) > 1:  # one name for each of its values
        return
    others = [name for other in structures if other is not structure for name in other.names]
    found = {agreement(stated, name, others) for name in (structure.name, *structure.found_as)}
    if Agreement.SAME in found:
        return
    if Agreement.CONTRADICTORY in found:
        msg = (
            f"{where} calls itself {stated!r}, your labels call it {structure.name!r}; number it "
            "as your labels do, or rename the one that is wrong"
        )
        raise UnknownLabelError(msg)
    _tell_new_name(stated, structure.name)


@cache
def _tell_new_name(stated: str, name: str) -> None:
    """Once for all cases, so that who did not mean it can see it."""
    logger.warning("masks call %r what your labels call %r: taken as its new name", stated, name)
