"""Draw one sample, everything known of one slice, or a contact sheet of a table."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from medvision.analysis import overlay_png, overlay_svg
from medvision.analysis.contact_sheet import SheetCell, sheet_png, sheet_samples, sheet_svg
from medvision.analysis.mask_outlines import MaskOutlines
from medvision.analysis.overlay_outline import outline_shape
from medvision.analysis.overlay_shapes import Shape, canvas_of
from medvision.analysis.overlay_slice import slice_png, slice_svg
from medvision.analysis.slice_facts import (
    SliceFacts,
    case_row,
    case_slice,
    slice_facts,
)
from medvision.catalog.anatomy import ct_window
from medvision.cli.pixel_grid import add_grid, grid_from
from medvision.cli.root import add_root, root_from
from medvision.errors import UsageError
from medvision.pictures.render import RenderedImage, SlicePictures, png_bytes, window_label
from medvision.samples import Sample, samples_from_table
from medvision.samples.select import Selection, select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.catalogue import tables_folder
from medvision.table.manifest import write_text
from medvision.tasks import Task

KINDS = (".png", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision render`."""
    parser.add_argument("sample_id", nargs="?", metavar="SAMPLE_ID")
    parser.add_argument("--tables", type=Path, metavar="T", help="table folder")
    add_root(parser)
    parser.add_argument("--case", metavar="C", help="with --plane and --slice: that slice")
    parser.add_argument("--plane", metavar="P", help="sagittal, coronal, axial, native")
    parser.add_argument("--slice", type=int, metavar="K")
    parser.add_argument("--sheet", type=int, metavar="N", help="N samples of a table on one sheet")
    parser.add_argument("--label", help="with --slice: the structure whose CT window is used")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png or .svg")
    parser.add_argument(
        "--overlay",
        action="store_true",
        help="draw what is known over the slice, in true proportions; else, in a .png, the picture "
        "alone, as a model gets it",
    )
    add_grid(parser)


def run(args: argparse.Namespace) -> int:
    """Write the picture and print what it is."""
    if args.out.suffix not in KINDS:
        msg = f"--out: expected a .png or .svg file, found {args.out.name!r}"
        raise UsageError(msg)
    by_slice = None not in (args.case, args.plane, args.slice)
    asked = (bool(args.sample_id), by_slice, args.sheet is not None)
    if sum(asked) != 1 or (args.tables is None and not args.sample_id):
        msg = (
            "expected SAMPLE_ID, or --tables T with --case C --plane P --slice K, or --tables T "
            "with --sheet N"
        )
        raise UsageError(msg)
    if args.sheet is not None:
        return _render_sheet(args)
    return _render_slice(args) if by_slice else _render_sample(args)


def _render_sample(args: argparse.Namespace) -> int:
    tables = args.tables or tables_folder(root_from(args), args.sample_id.split("/")[0])
    everything = _all_samples(tables, args.root).table
    found = samples_from_table(everything.filter(pc.field("sample_id") == args.sample_id))
    if not found:
        msg = f"{tables}: no sample {args.sample_id}"
        raise UsageError(msg)
    sample = found[0]
    image = SlicePictures().image(sample, grid_from(args))
    picture = png_bytes(image.pixels)
    below = _below(sample, MaskOutlines(tables, args.root))
    if args.out.suffix == ".svg":
        write_text(args.out, overlay_svg(sample, picture_png=picture, below=below))
    elif args.overlay:
        args.out.write_bytes(overlay_png(sample, picture_png=picture, below=below))
    else:
        args.out.write_bytes(picture)
    print(f"{args.out}: {sample.sample_id}, {_size_words(image)}")
    return 0


def _render_slice(args: argparse.Namespace) -> int:
    case = case_row(args.tables, args.case)
    ref, geometry = case_slice(
        args.tables, case, plane=args.plane, slice_index=args.slice, root=args.root
    )
    outlines = MaskOutlines(args.tables, args.root)
    facts = slice_facts(args.tables, outlines, ref, case=case, geometry=geometry)
    label = args.label or _window_label(facts)
    shown = window_label(label, case["dataset"], case["cohort"], case["images"][0]["image_id"])
    ref = dataclasses.replace(ref, label=shown)
    image = SlicePictures().slice_image(ref, grid_from(args))
    picture = png_bytes(image.pixels)
    if args.out.suffix == ".svg":
        write_text(args.out, slice_svg(facts, picture_png=picture))
    else:
        drawn = slice_png(facts, picture_png=picture) if args.overlay else picture
        args.out.write_bytes(drawn)
    print(
        f"{args.out}: {args.case}, {args.plane} {args.slice}, {_size_words(image)}, "
        f"{len(facts.structures)} structures, {len(facts.measurements)} measurements"
    )
    return 0


def _window_label(facts: SliceFacts) -> str:
    """The largest structure of the slice that has a CT window; "" if none has."""
    by_area = sorted(facts.structures, key=lambda structure: -structure.area_mm2)
    return next((structure.name for structure in by_area if ct_window(structure.name)), "")


def _render_sheet(args: argparse.Namespace) -> int:
    if args.sheet < 1:
        msg = f"--sheet: expected at least 1 sample, found {args.sheet}"
        raise UsageError(msg)
    picked = sheet_samples(_all_samples(args.tables, args.root).samples, args.sheet)
    if not picked:
        msg = f"{args.tables}: no sample to put on a sheet"
        raise UsageError(msg)
    cells = _cells(picked, args)
    if args.out.suffix == ".svg":
        write_text(args.out, sheet_svg(cells))
    else:
        args.out.write_bytes(sheet_png(cells))
    print(f"{args.out}: {len(cells)} samples")
    return 0


def _cells(picked: Sequence[Sample], args: argparse.Namespace) -> list[SheetCell]:
    """Cells in the order of the samples; each image and mask is read once."""
    pictures, outlines = SlicePictures(), MaskOutlines(args.tables, args.root)
    grid = grid_from(args)
    cells = {
        sample.sample_id: SheetCell(
            sample=sample,
            picture_png=png_bytes(pictures.image(sample, grid).pixels),
            below=_below(sample, outlines),
        )
        for sample in sorted(picked, key=lambda sample: sample.image_uri)
    }
    return [cells[sample.sample_id] for sample in picked]


def _below(sample: Sample, outlines: MaskOutlines) -> tuple[Shape, ...]:
    """The outline of the structure a sample asks for, where its mask can be read."""
    stretches = outlines.of_sample(sample)
    return () if stretches is None else (outline_shape(canvas_of(sample), stretches, ""),)


def _all_samples(tables: Path, root: Path | None) -> Selection:
    everything = Suite(
        name="all", configs=tuple(TaskConfig(task=task) for task in Task), cap_per_config=None
    )
    folders = table_folders([tables])
    return select_samples(everything, folders, split="all", root=root)


def _size_words(image: RenderedImage) -> str:
    height_px, width_px = image.pixels.shape
    return f"{height_px}x{width_px} px of {image.spacing_y_mm:.4g}x{image.spacing_x_mm:.4g} mm"
