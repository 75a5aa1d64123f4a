"""Model profiles on the command line."""

import os
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Option
from medvision.models.profiles import ModelProfile, profile_for, read_profiles

PROFILES_VARIABLE = "MEDVISION_PROFILES"

Profiles = Annotated[
    Path | None,
    Option(
        "FILE",
        help=f"TOML file of model profiles, before the built-in ones (or ${PROFILES_VARIABLE})",
    ),
]


def own_profiles(given: Path | None) -> tuple[ModelProfile, ...]:
    """The user's rows: of `--profiles`, else of the file that the environment names, else none.

    Raises:
        ProfileError: The file cannot be used.
    """
    named = os.environ.get(PROFILES_VARIABLE)
    path = given or (Path(named) if named else None)
    return read_profiles(path) if path else ()


def model_profile(
    model: str, own: tuple[ModelProfile, ...], *, adapter: str = ""
) -> ModelProfile | None:
    """The profile of `--model KIND/NAME`, or of a bare name; None of baselines and unknown ones.

    An adapter's profile comes before its model's.
    """
    kind, _, rest = model.partition("/")
    if kind == "baseline":
        return None
    name = rest if kind in {"openai", "hf"} and rest else model
    # An adapter may have been trained on other pictures than its base.
    return (profile_for(adapter, own) if adapter else None) or profile_for(name, own)
