"""Names from outside — of files, cases, subjects, labels, columns — as they are compared.

One system writes ü as one character, another as two that look the same, and both come from disks,
tables and declarations. So names are kept and compared in Unicode's composed form (NFC), and a path
that says one is found under the other.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import normalize

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


def composed(name: str) -> str:
    r"""A name in Unicode's composed form.

    Example:
        >>> composed("Mu\u0308ller") == "M\u00fcller"
        True
    """
    return normalize("NFC", name)


def spellings(name: str) -> list[str]:
    r"""A name as files may have written it: as it is, composed, and taken apart.

    Example:
        >>> [len(spelling) for spelling in spellings("M\u00fcller")], spellings("liver")
        ([6, 7], ['liver'])
    """
    return list(dict.fromkeys([name, composed(name), normalize("NFD", name)]))


def plain_name(name: str) -> str:
    """A name as it is compared where case, outer spaces, and `_` for a space make no difference.

    Example:
        >>> plain_name(" Left_Lung ")
        'left lung'
    """
    # Composed last: lower-case letters may have a composed form where capitals have none.
    return composed(name.strip().casefold().replace("_", " "))


def existing_path(path: Path) -> Path:
    """A path as the disk spells it: each name that is not there is looked for by its composed form.

    Where nothing fits it is returned as it is, for whoever opens it to say so.
    """
    if os.path.lexists(path) or path.parent == path or path.name in ("", ".", ".."):
        return path
    folder = existing_path(path.parent)
    wanted = composed(path.name)
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            if composed(entry.name) == wanted:
                return entry
    return folder / path.name


@dataclass(frozen=True, slots=True)
class _Composed:
    """Marks a text that other names are compared with."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core.core_schema import no_info_after_validator_function

        return no_info_after_validator_function(composed, handler(source))


Name = Annotated[str, _Composed()]
"""Text of a declaration that names something: composed when it is read."""
