"""What is installed, what is missing and what that would enable; what a model will see."""

import argparse
import importlib.util
import platform
import shutil

from medvision import __version__
from medvision.cli.pixel_grid import add_grid, grid_from, size_hw
from medvision.cli.profiles import PROFILES_VARIABLE, add_profiles, model_profile, own_profiles
from medvision.cli.spacing import spacing_yx_mm
from medvision.cli.summary import print_rows
from medvision.errors import UsageError
from medvision.frames import SliceGeometry
from medvision.models.profiles import ModelProfile, built_in_profiles, declared_family
from medvision.pictures.perceived import resolved_limits
from medvision.pictures.view import PictureFamily
from medvision.table.manifest import package_versions

OPTIONAL_MODULES = {
    "SimpleITK": "MetaImage and DICOM images (extra: formats)",
}
PROGRAMS = {
    "apt-get": "fetching datasets that are Debian packages (colin27-aal)",
    "dpkg-deb": "unpacking them",
}
HABITS = {
    "canvas_px_xyxy": "boxes in pixels of its canvas, top-left origin: x0, y0, x1, y1",
    "per_mille_xyxy": "boxes in 0-1000, top-left origin: x0, y0, x1, y1",
    "per_mille_yxyx": "boxes in 0-1000, top-left origin: y0, x0, y1, x1",
    "loc_yxyx": "boxes as location tokens: y0, x0, y1, x1",
    "": "not known",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision doctor`."""
    parser.add_argument("--model", metavar="ID", help="show what this model sees of a slice")
    parser.add_argument("--family", metavar="F", help="show what a model of this family sees")
    add_profiles(parser)
    parser.add_argument("--list-models", action="store_true", help="print the model profiles")
    parser.add_argument("--size", default="512x512", metavar="HxW", help="size of the slice, px")
    parser.add_argument("--spacing-mm", default="1,1", metavar="Y,X", help="its pixel spacing")
    add_grid(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of the installation, the model profiles, or a model's view of a slice."""
    if args.list_models:
        _print_profiles(args)
    elif args.model or args.family:
        profile = _profile(args)
        if profile:
            _print_profile(args, profile)
        _print_view(args, declared_family(args.family, profile))
    else:
        _print_installation()
    return 0


def _profile(args: argparse.Namespace) -> ModelProfile | None:
    """The profile asked for.

    Raises:
        UsageError: No profile knows the model, and no family is declared.
    """
    if not args.model:
        return None
    profile = model_profile(args)
    if profile is None and not args.family:
        msg = (
            f"--model: no profile knows {args.model!r}, and how it resizes pictures is not guessed "
            "at. `medvision doctor --list-models` prints those known; for another, declare "
            "--family NAME or --family HxW, or write a profile of your own: --profiles FILE or "
            f"${PROFILES_VARIABLE}"
        )
        raise UsageError(msg)
    return profile


def _print_installation() -> None:
    print_rows({"medvision": __version__, "python": platform.python_version()} | package_versions())
    print()
    for module, enables in OPTIONAL_MODULES.items():
        found = "yes" if importlib.util.find_spec(module) else "missing"
        print_rows({module: f"{found:<9}{enables}"})
    for program, enables in PROGRAMS.items():
        print_rows({program: f"{'yes' if shutil.which(program) else 'missing':<9}{enables}"})


def _print_profiles(args: argparse.Namespace) -> None:
    own = own_profiles(args)
    for profile in (*own, *built_in_profiles()):
        words = profile.family + "".join(f" {key}={n}" for key, n in profile.limits.items())
        print(f"{words}{' (your own)' if profile in own else ''}")
        print(f"    {', '.join(profile.ids)}")


def _print_profile(args: argparse.Namespace, profile: ModelProfile) -> None:
    rows = {
        "model": args.model,
        "profile": ", ".join(profile.ids),
        "from": profile.source or "your own file",
        "note": profile.note,
        "writes unasked": HABITS[profile.coordinates],
        "asked for": f"{profile.style} answers, temperature {_setting(profile.temperature)}, "
        f"at most {_setting(profile.max_tokens)} tokens",
        "system message": profile.system_text,
    }
    print_rows({name: words for name, words in rows.items() if words})


def _setting(value: float | None) -> str:
    return "as the server sets it" if value is None else f"{value:g}"


def _print_view(args: argparse.Namespace, family: PictureFamily) -> None:
    height_px, width_px = size_hw(args.size, "--size")
    spacing_y_mm, spacing_x_mm = spacing_yx_mm(args.spacing_mm)
    stored = SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )
    grid = grid_from(args)
    view = family.shown_on(grid).view(stored)
    shown, seen, frame = view.shown, view.perceived, view.stated
    limits = resolved_limits(family.name, family.limits)
    y0, x0 = seen.content_origin_yx
    rows = {
        "family": family.name,
        "limits": ", ".join(f"{key} {value}" for key, value in limits.items()) or "none",
        "slice": f"{height_px}x{width_px} px (height x width) of "
        f"{spacing_y_mm:g}x{spacing_x_mm:g} mm",
        "shown": f"{shown.height_px}x{shown.width_px} px of "
        f"{shown.spacing_y_mm:.6g}x{shown.spacing_x_mm:.6g} mm",
        "sent": "{}x{} px".format(*view.sent_hw),
        "canvas": "{}x{} px: the grid the model sees".format(*seen.canvas_hw),
        "content": "{}x{} px: the slice on it".format(*seen.content_hw)
        + (f", {y0} px from the top and {x0} px from the left" if y0 or x0 else ""),
        "stated size": f"{frame.width_px} pixels wide, {frame.height_px} pixels high",
        "stated pixel": f"{frame.pixel_x_mm:.6g} mm wide, {frame.pixel_y_mm:.6g} mm high",
    }
    print_rows(rows)
