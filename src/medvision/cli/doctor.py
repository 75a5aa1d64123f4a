"""What is installed, what is missing and what that would enable; what a model will see."""

import argparse
import importlib.util
import platform
import shutil

from medvision import __version__
from medvision.cli.spacing import spacing_yx_mm
from medvision.cli.summary import print_rows
from medvision.errors import UsageError
from medvision.prompts.perceived import FAMILIES, perceived_size, picture_to_send, stated_frame
from medvision.table.manifest import package_versions

OPTIONAL_MODULES = {
    "SimpleITK": "MetaImage and DICOM images (extra: formats)",
}
PROGRAMS = {
    "apt-get": "fetching datasets that are Debian packages (colin27-aal)",
    "dpkg-deb": "unpacking them",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision doctor`."""
    parser.add_argument("--family", metavar="F", help="show what a model of this family sees")
    parser.add_argument("--model", metavar="ID", help=argparse.SUPPRESS)
    parser.add_argument("--size", default="512x512", metavar="HxW", help="size of the slice, px")
    parser.add_argument("--spacing-mm", default="1,1", metavar="Y,X", help="its pixel spacing")


def run(args: argparse.Namespace) -> int:
    """Print the state of the installation, or a family's view of a slice."""
    if args.model:
        msg = "--model is not built yet; use --family: " + ", ".join(FAMILIES)
        raise UsageError(msg)
    if args.family:
        _print_view(args)
        return 0
    print_rows({"medvision": __version__, "python": platform.python_version()} | package_versions())
    print()
    for module, enables in OPTIONAL_MODULES.items():
        found = "yes" if importlib.util.find_spec(module) else "missing"
        print_rows({module: f"{found:<9}{enables}"})
    for program, enables in PROGRAMS.items():
        print_rows({program: f"{'yes' if shutil.which(program) else 'missing':<9}{enables}"})
    return 0


def _print_view(args: argparse.Namespace) -> None:
    import numpy as np

    height_px, width_px = _size(args.size)
    spacing_y_mm, spacing_x_mm = spacing_yx_mm(args.spacing_mm)
    seen = perceived_size(args.family, height_px, width_px)
    frame = stated_frame(seen, height_px, width_px, spacing_y_mm, spacing_x_mm)
    sent = picture_to_send(np.zeros((height_px, width_px), np.uint8), args.family)
    sizes = {
        "slice": f"{height_px}x{width_px} px (height x width)",
        "sent": "{}x{} px".format(*sent.pixels.shape[:2]),
        "canvas": "{}x{} px: the grid the model sees".format(*seen.canvas_hw),
        "content": "{}x{} px: the slice on it".format(*seen.content_hw),
        "stated size": f"{frame.width_px} pixels wide, {frame.height_px} pixels high",
        "stated pixel": f"{frame.pixel_x_mm:.6g} mm wide, {frame.pixel_y_mm:.6g} mm high",
    }
    print_rows(sizes)


def _size(words: str) -> tuple[int, int]:
    try:
        height_px, width_px = (int(word) for word in words.split("x"))
    except ValueError as error:
        msg = f"--size: expected HxW in pixels such as 160x384, found {words!r}"
        raise UsageError(msg) from error
    return height_px, width_px
