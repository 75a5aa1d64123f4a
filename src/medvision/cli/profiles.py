"""Model profiles on the command line."""

import argparse
import os
from pathlib import Path

from medvision.models.profiles import ModelProfile, profile_for, read_profiles

PROFILES_VARIABLE = "MEDVISION_PROFILES"


def add_profiles(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option for a user's own profiles."""
    parser.add_argument(
        "--profiles",
        type=Path,
        metavar="FILE",
        help=f"TOML file of model profiles, before the built-in ones (or ${PROFILES_VARIABLE})",
    )


def own_profiles(args: argparse.Namespace) -> tuple[ModelProfile, ...]:
    """The user's rows: of `--profiles`, else of the file that the environment names, else none.

    Raises:
        ProfileError: The file cannot be used.
    """
    path: Path | None = args.profiles
    if path is None and os.environ.get(PROFILES_VARIABLE):
        path = Path(os.environ[PROFILES_VARIABLE])
    return read_profiles(path) if path else ()


def model_profile(args: argparse.Namespace) -> ModelProfile | None:
    """The profile of `--model KIND/NAME`, or of a bare name; None of baselines and unknown ones.

    Raises:
        ProfileError: The user's file cannot be used.
    """
    kind, _, rest = args.model.partition("/")
    if kind == "baseline":
        return None
    name = rest if kind in {"openai", "hf"} and rest else args.model
    own = own_profiles(args)
    adapter = getattr(args, "adapter", "")
    return (profile_for(adapter, own) if adapter else None) or profile_for(name, own)
