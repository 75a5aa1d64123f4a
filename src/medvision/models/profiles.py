"""Model profiles: what is known of a model by its id. One row each, in `profiles.toml`.

A profile says how the model's own preprocessing resizes pictures, so that the prompt states the
pixel size it sees, and how it is best asked. A model without one is not guessed at.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from medvision.declarations import (
    DeclarationError,
    NoneAs,
    NonEmpty,
    decoded,
    parsed_toml,
    read_toml,
)
from medvision.pictures.perceived import resolved_limits
from medvision.pictures.view import UNDECLARED, PictureFamily
from medvision.protocols import PIXEL_SIZE_WITHHELD, Protocol
from medvision.replies import Style

CoordinateHabit = Literal["canvas_px_xyxy", "per_mille_xyxy", "per_mille_yxyx", "loc_yxyx", ""]
"""The frame in which a model writes boxes unasked: pixels of its canvas or 0–1000 (top-left
origin), in the order given, or location tokens; "" where it is not known."""

FROM_SERVER = "server"
"""In TOML: leave this setting to the server."""

CARRIED = "medvision_profile.toml"
"""File in a model's folder with the profile that it was trained with."""

_OTHER_PREPROCESSING = "gguf"
"""Ids with this word run on engines that resize pictures by rules of their own."""


class ProfileError(DeclarationError):
    """A profile file that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """One row.

    Attributes:
        ids: Patterns of ids, `*` for any text; neither case nor what stands between letters and
            numbers matters ("qwen2.5vl:7b" is "Qwen2.5-VL-7B"). A pattern without a slash is
            compared with what follows the id's last slash, else with the whole id.
        family: How pictures are resized: a family of `medvision.pictures.perceived`, or "HxW".
        limits: Caps of these models; the family's published ones where none is given.
        coordinates: In what frame the model writes boxes unasked. Only the analysis of unread
            replies uses it: prompts ask for the benchmark's frame and read no other.
        style: Answer style asked for unless the user says otherwise.
        temperature: None leaves it to the server.
        max_tokens: Most tokens of a reply; None leaves it to the server.
        system_text: System message; "" sends none.
        square: Slices are resampled to square pixels first.
        shape_hw: Slices are stretched to this height and width first; empty for as they are.
        protocol: Under which protocol the model was trained, by its name; "" where that is not
            known or was none.
        source: Where family and limits come from.
        note: What a user must know.
    """

    ids: tuple[str, ...]
    family: str
    limits: Mapping[str, int] = field(default_factory=dict)
    coordinates: CoordinateHabit = ""
    style: Style = Style.DIRECT
    temperature: Annotated[float | None, NoneAs(FROM_SERVER)] = 0.0
    max_tokens: Annotated[int | None, NoneAs(FROM_SERVER)] = 4096
    system_text: str = ""
    square: bool = False
    shape_hw: tuple[int, ...] = ()
    protocol: str = ""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse an unknown family, and limits that it does not take or that are missing."""
        if not self.ids or not all(self.ids):
            msg = f"expected at least one id pattern, found {self.ids}"
            raise ProfileError(msg)
        if self.coordinates not in get_args(CoordinateHabit):
            known = ", ".join(get_args(CoordinateHabit))
            msg = f"{self.ids[0]}: coordinates: expected one of {known} found {self.coordinates!r}"
            raise ProfileError(msg)
        if len(self.shape_hw) not in {0, 2}:
            msg = f"{self.ids[0]}: shape_hw: expected height and width, found {self.shape_hw}"
            raise ProfileError(msg)
        resolved_limits(self.family, self.limits)

    def trained_otherwise(self, protocol: Protocol) -> str:
        """A sentence where the model is asked by another protocol than it was trained under."""
        asked = protocol.name.removesuffix(PIXEL_SIZE_WITHHELD)  # asked on purpose
        if not self.protocol or self.protocol == asked:
            return ""
        return (
            f"trained under the protocol {self.protocol}, asked under {asked}: its scores say as "
            "much of the other pictures and prompts as of the model"
        )

    def matches(self, name: str) -> bool:
        """Whether a model id is one of these."""
        whole = name.casefold()
        spelled = _spelled(_ROUTED.sub("", whole))
        for pattern in self.ids:
            is_whole = "/" in pattern
            if fnmatchcase(whole if is_whole else whole.rpartition("/")[2], pattern.casefold()):
                return True
            if _spelled_as(pattern).fullmatch(spelled if is_whole else spelled.rpartition("/")[2]):
                return True
        return False


_ROUTED = re.compile(
    r":(free|nitro|floor|online|extended|exacto|beta|thinking|latest)$|@[a-z0-9_-]+$"
    r"|^((us|eu|apac|global|au|jp)\.)?(anthropic|amazon|mistral|meta|google)\.(?=[a-z])"
)
"""What routers, clouds and local servers add to a name: "…:free", "us.anthropic.…", "…@q4_k_m"."""

_PARTS = re.compile(r"\*|/|[a-z]+|\d+")


def _spelled(name: str) -> str:
    """Words of letters and words of digits, a space after each, whatever stands between them."""
    return "".join(f"{part} " for part in _PARTS.findall(name.casefold())).replace("/ ", "/")


@cache
def _spelled_as(pattern: str) -> re.Pattern[str]:
    """A pattern for `_spelled`, in which a star is any number of whole words.

    So "Qwen2.5-VL-*" is "qwen2.5vl:7b" and "qwen2.5vl" too, and "gpt-4.1*" is not "gpt-4.10".
    """
    return re.compile(re.escape(_spelled(pattern)).replace(r"\*\ ", "(?:[a-z0-9]+ )*"))


@cache
def built_in_profiles() -> tuple[ModelProfile, ...]:
    """The packaged rows, in the order of their file."""
    text = files("medvision.models").joinpath("profiles.toml").read_text("utf-8")
    return parsed_profiles(text, where="profiles.toml")


def read_profiles(path: Path) -> tuple[ModelProfile, ...]:
    """A user's own rows.

    Raises:
        ProfileError: No such file, not TOML, or a row that cannot be used.
    """
    return _rows(read_toml(path, ProfileError), str(path))


def parsed_profiles(text: str, *, where: str) -> tuple[ModelProfile, ...]:
    """Rows of a TOML text with one [[model]] table each.

    Raises:
        ProfileError: As `read_profiles` does.
    """
    return _rows(parsed_toml(text, where, ProfileError), where)


def _rows(content: dict[str, Any], where: str) -> tuple[ModelProfile, ...]:
    return decoded(_ProfileFile, content, where, ProfileError).model


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProfileFile:
    model: NonEmpty[ModelProfile]


def profile_for(name: str, own: Sequence[ModelProfile] = ()) -> ModelProfile | None:
    """What is known of a model: the user's own rows, what its folder says, then built-in rows.

    Args:
        name: As the server or the API knows the model, such as "Qwen/Qwen2.5-VL-7B-Instruct", or
            a folder.
        own: The user's rows.

    Raises:
        ProfileError: The folder's profile cannot be used.
    """
    for profile in own:
        if profile.matches(name):
            return profile
    carried = Path(name) / CARRIED
    if carried.is_file():
        return read_profiles(carried)[0]
    if _OTHER_PREPROCESSING in name.casefold():
        return None
    return next((profile for profile in built_in_profiles() if profile.matches(name)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearProfile:
    """A built-in row that a model without one might belong to."""

    pattern: str
    profile: ModelProfile

    def __str__(self) -> str:
        limits = "".join(f" {key}={value}" for key, value in self.profile.limits.items())
        return f"{self.pattern} (family {self.profile.family}{limits})"


def near_profile(name: str) -> NearProfile | None:
    """The built-in row whose pattern is most like a name, for a message; never used unasked.

    Example:
        >>> str(near_profile("my/Qwen2.5-VL-7B-Instruct-GGUF"))
        'Qwen2.5-VL-* (family qwen2_5_vl)'
    """
    asked = _spelled(_ROUTED.sub("", name.casefold()).rpartition("/")[2])
    asked = asked.replace(f"{_OTHER_PREPROCESSING} ", "").removeprefix("chat")
    name_words = asked.split()
    best, best_likeness = None, LEAST_LIKENESS
    for profile in built_in_profiles():
        for pattern in profile.ids:
            words = _spelled(pattern).replace("* ", "").split()
            pairs = zip(words, name_words, strict=False)
            n_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            # A long word of its own, "pixtral", names a line of models, as "qwen" alone does not.
            if n_shared and len(words[0]) >= LONG_WORD and best is None:
                best = NearProfile(pattern=pattern, profile=profile)
            # Of equally like ones the longer, which says more.
            if (likeness := (n_shared / len(words), n_shared)) > best_likeness:
                best, best_likeness = NearProfile(pattern=pattern, profile=profile), likeness
    return best


LEAST_LIKENESS = (0.49, 0)
"""Share of a pattern's words that a name must begin with to be called near it, and their number."""

LONG_WORD = 7
"""Letters of a first word that alone makes a name near, where no more is shared."""


def unknown_words(name: str) -> str:
    """What to say of a model that no row knows: which one is near, if one is."""
    near = near_profile(name)
    return f"; it is near {near}, if it resizes pictures as that does" if near else ""


def profile_text(profile: ModelProfile) -> str:
    """A profile as TOML, as `read_profiles` reads it; settings at their defaults are left out."""
    lines = ["[[model]]"]
    for item in fields(ModelProfile):
        value = getattr(profile, item.name)
        default = {} if item.name == "limits" else item.default
        if value != default:
            lines.append(f"{item.name} = {_toml(FROM_SERVER if value is None else value)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def declared_family(name: str | None, profile: ModelProfile | None) -> PictureFamily:
    """The family a user declares, else the profile's, with which all else of the profile goes.

    Raises:
        UsageError: No such family, or its limits are not known.
    """
    if profile is None or name not in {None, profile.family}:
        resolved_limits(name or UNDECLARED, {})
        return PictureFamily(name=name or UNDECLARED)
    resolved_limits(profile.family, profile.limits)
    return PictureFamily(
        name=profile.family,
        limits=dict(profile.limits) or None,
        square=profile.square,
        shape_hw=profile.shape_hw or None,
    )
