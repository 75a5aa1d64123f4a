r"""Patterns of file names: paths with named parts, matched folder by folder.

`{case}`, `{subject}`, … stand for one or more characters of a name, as few as will do, never for a
separator; one that stands twice is the same text. `*` stands for any characters, `**` alone for any
number of folders.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from medvision.errors import UsageError
from medvision.names import composed

CASE_PARTS = ("subject", "session", "case")
"""Parts that say whose file it is, in the order in which they make a case id."""

OTHER_PARTS = ("image", "structure", "landmark")
"""Parts that say which of a case's files it is."""

FOLDERS = "**"

_PART = re.compile(r"\{([^{}]*)\}")
_TOKEN = re.compile(r"\{[^{}]*\}|\*")


@dataclass(frozen=True, kw_only=True)
class FilePattern:
    """A path of names with named parts.

    Attributes:
        text: As declared, with `/` between folders.
        image: What `{image}` stands for: a name, or a number written with any number of digits.
    """

    text: str
    image: str | int | None = None

    def __post_init__(self) -> None:
        """Refuse parts that nobody knows, paths from the top, and lone braces."""
        known = (*CASE_PARTS, *OTHER_PARTS)
        for name in _PART.findall(self.text):
            if name not in known:
                msg = f"{self.text!r}: unknown part {{{name}}}; known: {', '.join(known)}"
                raise UsageError(msg)
        if set("{}") & set(_PART.sub("", self.text)):
            msg = f"{self.text!r}: expected braces in pairs, as in {{case}}"
            raise UsageError(msg)
        if not self.names or any(FOLDERS in name and name != FOLDERS for name in self.names):
            msg = f"{self.text!r}: expected names between /, and ** alone between two of them"
            raise UsageError(msg)
        if self.names[-1] == FOLDERS:
            msg = f"{self.text!r}: expected the name of a file at the end, found **"
            raise UsageError(msg)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of folders, and last of the file; in Unicode's composed form."""
        return tuple(name for name in composed(self.text).split("/") if name not in ("", "."))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Named parts, each once."""
        return tuple(dict.fromkeys(_PART.findall(self.text)))

    @cached_property
    def case_parts(self) -> tuple[str, ...]:
        """Those that say whose file it is, in the order of case ids."""
        return tuple(part for part in CASE_PARTS if part in self.parts)

    @property
    def is_whole(self) -> bool:
        """Whether the last name is complete; else a file of any suffix fits, and a folder.

        Example:
            >>> FilePattern(text="scans/{case}.nii.gz").is_whole
            True
            >>> FilePattern(text="scans.v2/{case}").is_whole
            False
        """
        return "." in _TOKEN.split(self.names[-1])[-1]

    @cached_property
    def n_fixed(self) -> int:
        """How many characters of a path it states: of two patterns, who says more."""
        return sum(len("".join(_TOKEN.split(name))) for name in self.names)

    def expression(self, place: int, known: Mapping[str, str]) -> re.Pattern[str]:
        """What a name at some place must look like.

        Args:
            place: Of the name, among `names`.
            known: Parts that folders before it have settled.

        Example:
            >>> pattern = FilePattern(text="{subject}/{subject}_{session}.nii")
            >>> match = pattern.expression(1, {"subject": "p1"}).fullmatch("p1_before.nii")
            >>> match.groupdict()
            {'session': 'before'}
            >>> second = FilePattern(text="{case}_{image}.nii", image=1)
            >>> second.expression(0, {}).fullmatch("p_2_0001.nii").groupdict()
            {'case': 'p_2'}
        """
        name, seen, words = self.names[place], set(known), []
        at = 0
        for token in _TOKEN.finditer(name):
            words.append(re.escape(name[at : token.start()]))
            part = token.group().strip("{}")
            if part == "*":
                words.append(".*")
            elif part == "image" and self.image is not None:
                number = isinstance(self.image, int)
                words.append(f"0*{self.image}" if number else re.escape(str(self.image)))
            elif part in known:
                words.append(re.escape(known[part]))
            else:
                words.append(f"(?P={part})" if part in seen else f"(?P<{part}>.+?)")
                seen.add(part)
            at = token.end()
        words.append(re.escape(name[at:]))
        return re.compile("".join(words), re.DOTALL)
