"""What is installed, what is missing and what that would enable; what a model will see."""

import asyncio
import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from typing import Annotated

from medvision import __version__
from medvision.cli.lines import print_rows
from medvision.cli.model import ServerOptions
from medvision.cli.options import Option
from medvision.cli.pixel_grid import GridOptions, size_hw
from medvision.cli.profiles import PROFILES_VARIABLE, Profiles, model_profile, own_profiles
from medvision.cli.spacing import spacing_yx_mm
from medvision.errors import UsageError
from medvision.frames import SliceGeometry
from medvision.models.generation import Generation
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.probe import Verdict, overall, probed
from medvision.models.profiles import (
    ModelProfile,
    built_in_profiles,
    declared_family,
    unknown_words,
)
from medvision.pictures.perceived import family_named, resolved_limits
from medvision.pictures.view import PictureFamily
from medvision.table.manifest import package_versions

OPTIONAL_MODULES = {
    "SimpleITK": "DICOM images (extra: formats)",
    "huggingface_hub": "fetching from Hugging Face (extra: fetch)",
    "gdown": "fetching from Google Drive (extra: fetch)",
    "synapseclient": "fetching from Synapse (extra: synapse)",
    "fpdf": "figures of reports as PDF (extra: figures)",
    "py7zr": "unpacking 7z archives (extra: fetch)",
    "rarfile": "unpacking RAR archives (extra: fetch)",
}
PROGRAMS = {
    "apt-get": "fetching datasets that are Debian packages (colin27-aal)",
    "dpkg-deb": "unpacking them",
    "unrar": "unpacking compressed RAR archives, as unar, 7z and bsdtar do",
}
HABITS = {
    "canvas_px_xyxy": "boxes in pixels of its canvas, top-left origin: x0, y0, x1, y1",
    "per_mille_xyxy": "boxes in 0-1000, top-left origin: x0, y0, x1, y1",
    "per_mille_yxyx": "boxes in 0-1000, top-left origin: y0, x0, y1, x1",
    "loc_yxyx": "boxes as location tokens: y0, x0, y1, x1",
    "": "not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """Options of `medvision doctor`."""

    model: Annotated[str, Option("ID", help="show what this model sees of a slice")] = ""
    family: Annotated[str | None, Option("F", help="show what a model of this family sees")] = None
    profiles: Profiles = None
    list_models: Annotated[bool, Option(help="print the model profiles")] = False
    size: Annotated[str, Option("HxW", help="size of the slice, px")] = "512x512"
    spacing_mm: Annotated[str, Option("Y,X", help="its pixel spacing")] = "1,1"
    grid: GridOptions
    probe: Annotated[
        bool, Option(help="ask the served --model where known dots are, and count its tokens")
    ] = False
    server: ServerOptions


def run(options: DoctorOptions) -> int:
    """Print the state of the installation, the model profiles, or a model's view of a slice."""
    own = own_profiles(options.profiles)
    if options.list_models:
        for profile in (*own, *built_in_profiles()):
            words = profile.family + "".join(f" {key}={n}" for key, n in profile.limits.items())
            print(f"{words}{' (your own)' if profile in own else ''}")
            print(f"    {', '.join(profile.ids)}")
    elif options.model or options.family:
        known = model_profile(options.model, own) if options.model else None
        if known:
            _print_profile(options.model, known)
        elif not options.family:
            msg = (
                f"--model: no profile knows {options.model!r}, and how it resizes pictures is not "
                f"guessed at{unknown_words(options.model)}. `medvision doctor --list-models` "
                "prints those known; for another, declare --family NAME or --family HxW, or "
                "write a profile of your own: "
                f"--profiles FILE or ${PROFILES_VARIABLE}"
            )
            raise UsageError(msg)
        family = declared_family(options.family, known)
        _print_view(options, family)
        if options.probe:
            return _probe(options, family, known)
    elif options.probe:
        msg = "--probe asks a model: name it with --model, and its server with --base-url"
        raise UsageError(msg)
    else:
        ours = {"medvision": __version__, "python": platform.python_version()}
        print_rows(ours | package_versions())
        print()
        here = {name: importlib.util.find_spec(name) is not None for name in OPTIONAL_MODULES}
        here |= {name: shutil.which(name) is not None for name in PROGRAMS}
        for name, enables in (OPTIONAL_MODULES | PROGRAMS).items():
            print_rows({name: f"{'yes' if here[name] else 'missing':<9}{enables}"})
    return 0


def _probe(options: DoctorOptions, family: PictureFamily, known: ModelProfile | None) -> int:
    """Ask the served model, and print what its answers say of the rule; 1 where they differ."""
    name = options.model.removeprefix("openai/")
    if not name or options.model.startswith(("hf/", "baseline/")):
        msg = (
            "--probe: expected --model NAME of a served model, found "
            f"{options.model or 'none'}; an hf/ model is compared when it is evaluated"
        )
        raise UsageError(msg)
    usual = known or Generation()
    settings = ServerSettings(
        name=name,
        base_url=options.server.base_url,
        api_key_env=options.server.api_key_env,
        generation=Generation(temperature=usual.temperature, max_tokens=usual.max_tokens),
    )
    findings = asyncio.run(probed(OpenAIServer(settings), family))
    verdict = overall(findings)
    print()
    print_rows({one.what: f"{one.verdict}: {one.words}" for one in findings})
    print_rows({"the rule": f"{verdict}"})
    if verdict is Verdict.DIFFERS:
        print(
            "The model sees otherwise than prompts would state: declare how with --family NAME or "
            "--family HxW, or set its limits in a profile of your own",
            file=sys.stderr,
        )
    return 1 if verdict is Verdict.DIFFERS else 0


def _print_profile(model: str, profile: ModelProfile) -> None:
    temperature, max_tokens = (
        "as the server sets it" if value is None else f"{value:g}"
        for value in (profile.temperature, profile.max_tokens)
    )
    rows = {
        "model": model,
        "profile": ", ".join(profile.ids),
        "from": profile.source or "your own file",
        "note": profile.note,
        "writes unasked": HABITS[profile.coordinates],
        "asked for": f"{profile.style} answers, temperature {temperature}, "
        f"at most {max_tokens} tokens",
        "system message": profile.system_text,
    }
    print_rows({name: words for name, words in rows.items() if words})


def _print_view(options: DoctorOptions, family: PictureFamily) -> None:
    height_px, width_px = size_hw(options.size, "--size")
    spacing_y_mm, spacing_x_mm = spacing_yx_mm(options.spacing_mm)
    stored = SliceGeometry(
        height_px=height_px,
        width_px=width_px,
        spacing_y_mm=spacing_y_mm,
        spacing_x_mm=spacing_x_mm,
    )
    view = family.shown_on(options.grid.pixel_grid()).view(stored)
    shown, seen, frame = view.shown, view.perceived, view.stated
    limits, rule = resolved_limits(family.name, family.limits), family_named(family.name)
    y0, x0 = seen.content_origin_yx
    rows = {
        "family": family.name,
        "rule": rule.about,
        "checked": f"against {rule.source}" if rule.verified else f"not verified: {rule.source}",
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
