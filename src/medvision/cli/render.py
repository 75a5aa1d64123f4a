"""Draw one sample, everything known of one slice, or a contact sheet of a table."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow.compute as pc

from medvision.analysis.drawing import (
    MaskOutlines,
    SheetCell,
    case_row,
    case_slice,
    overlay_png,
    overlay_svg,
    sheet_png,
    sheet_samples,
    sheet_svg,
    slice_facts,
    slice_png,
    slice_svg,
)
from medvision.analysis.drawing.outline import Stretches
from medvision.analysis.read_run import row_samples
from medvision.catalog.anatomy import ct_window
from medvision.cli.options import Argument, Option
from medvision.cli.pixel_grid import GridOptions
from medvision.cli.printable import printable
from medvision.cli.root import Root, data_root
from medvision.errors import UsageError
from medvision.models.run_folder import read_samples, run_manifest
from medvision.pictures.render import RenderedImage, SlicePictures, png_bytes, window_label
from medvision.samples import Sample, samples_from_table
from medvision.samples.case_images import tables_asked
from medvision.samples.select import Selection, select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.scoring.judged_scores import current_scores
from medvision.storage import write_bytes, write_text
from medvision.table.read import tables_folder, tables_manifest
from medvision.tasks import Task

KINDS = (".png", ".svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """Options of `medvision render`."""

    sample_id: Annotated[str, Argument("SAMPLE_ID")] = ""
    tables: Annotated[Path | None, Option("T", help="table folder")] = None
    run: Annotated[
        Path | None,
        Option("RUN", help="with SAMPLE_ID: the run that asked it; draws its answer too"),
    ] = None
    root: Root = None
    case: Annotated[str, Option("C", help="with --plane and --slice: that slice")] = ""
    plane: Annotated[str, Option("P", help="sagittal, coronal, axial, native")] = ""
    slice: Annotated[int | None, Option("K")] = None
    sheet: Annotated[int | None, Option("N", help="N samples of a table on one sheet")] = None
    label: Annotated[str, Option(help="with --slice: the structure whose CT window is used")] = ""
    out: Annotated[Path, Option("FILE", help=".png or .svg")]
    overlay: Annotated[
        bool,
        Option(
            help="draw what is known over the slice, in true proportions; else, in a .png, the "
            "picture alone, as a model gets it"
        ),
    ] = False
    grid: GridOptions


def run(options: RenderOptions) -> int:
    """Write the picture and print what it is."""
    if options.out.suffix not in KINDS:
        msg = f"--out: expected a .png or .svg file, found {options.out.name!r}"
        raise UsageError(msg)
    slice_index = options.slice if options.case and options.plane else None
    match options.sample_id, slice_index, options.sheet, options.tables:
        case str(sample_id), None, None, tables if sample_id:
            dataset, _, _ = sample_id.partition("/")
            words = (
                _render_asked(options, options.run)
                if options.run
                else _render_sample(
                    options, tables or tables_folder(data_root(options.root), dataset)
                )
            )
        case "", int(index), None, Path() as tables:
            words = _render_slice(options, tables, index)
        case "", None, int(count), Path() as tables:
            words = _render_sheet(options, tables, count)
        case _:
            msg = (
                "expected SAMPLE_ID, or --tables T with --case C --plane P --slice K, or "
                "--tables T with --sheet N"
            )
            raise UsageError(msg)
    print(printable(f"{options.out}: {words}"))
    return 0


def _render_sample(options: RenderOptions, tables: Path) -> str:
    """Draw one question; in words, which and how large."""
    everything = _all_samples(tables, options.root).table
    found = samples_from_table(everything.filter(pc.field("sample_id") == options.sample_id))
    if not found:
        msg = f"{tables}: no sample {options.sample_id}"
        raise UsageError(msg)
    sample = found[0]
    image = SlicePictures().image(sample, options.grid.pixel_grid())
    outline_px = MaskOutlines(tables, options.root).of_sample(sample)
    _write_drawn(options, sample, image, outline_px=outline_px)
    return f"{sample.sample_id}, {_size_words(image)}"


def _render_asked(options: RenderOptions, run: Path) -> str:
    """Draw one question of a run, with the answer read from its reply; in words, which."""
    model = run_manifest(run)["model"]
    scores = current_scores(run)
    named = pc.field("sample_id") == options.sample_id
    found = read_samples(run).filter(named).to_pylist()
    if not found:
        msg = f"{run}: no sample {options.sample_id}"
        raise UsageError(msg)
    sample = row_samples(options.root)(found[0])
    answers = scores.filter(named)["values"].to_pylist()
    values = (answers[0] if answers else None) or ()
    image = SlicePictures().image(sample, options.grid.pixel_grid())
    _write_drawn(options, sample, image, values)
    said = f"answer of {model}" if values else f"no answer of {model}"
    return f"{sample.sample_id}, {said}, {_size_words(image)}"


def _write_drawn(
    options: RenderOptions,
    sample: Sample,
    image: RenderedImage,
    values: Sequence[float] = (),
    *,
    outline_px: Stretches | None = None,
) -> None:
    """Write one question's picture, with what is known of it drawn over it if that is asked."""
    picture = png_bytes(image.pixels)
    if options.out.suffix == ".svg":
        svg = overlay_svg(sample, values, picture_png=picture, outline_px=outline_px)
        write_text(options.out, svg)
    elif options.overlay:
        png = overlay_png(sample, values, picture_png=picture, outline_px=outline_px)
        write_bytes(options.out, png)
    else:
        write_bytes(options.out, picture)


def _render_slice(options: RenderOptions, tables: Path, slice_index: int) -> str:
    """Draw all that is known of one slice; in words, what that is."""
    case = case_row(tables, options.case)
    ref, geometry = case_slice(
        tables, case, plane=options.plane, slice_index=slice_index, root=options.root
    )
    outlines = MaskOutlines(tables, options.root)
    facts = slice_facts(tables, outlines, ref, case=case, geometry=geometry)
    # The window of the largest structure that has one, where the user names none.
    by_area = sorted(facts.structures, key=lambda structure: -structure.area_mm2)
    with_window = (structure.name for structure in by_area if ct_window(structure.name))
    label = options.label or next(with_window, "")
    image_id = case["images"][0]["image_id"]
    has_window = tables_asked(tables_manifest(tables)).has_window(case["cohort"], image_id)
    shown = window_label(label, case["dataset"], case["cohort"], image_id, ct_window=has_window)
    image = SlicePictures().slice_image(
        dataclasses.replace(ref, label=shown), options.grid.pixel_grid()
    )
    picture = png_bytes(image.pixels)
    if options.out.suffix == ".svg":
        write_text(options.out, slice_svg(facts, picture_png=picture))
    else:
        drawn = slice_png(facts, picture_png=picture) if options.overlay else picture
        write_bytes(options.out, drawn)
    return (
        f"{options.case}, {options.plane} {slice_index}, {_size_words(image)}, "
        f"{len(facts.structures)} structures, {len(facts.measurements)} measurements"
    )


def _render_sheet(options: RenderOptions, tables: Path, count: int) -> str:
    """Draw so many questions of a table on one sheet; in words, how many there are."""
    if count < 1:
        msg = f"--sheet: expected at least 1 sample, found {count}"
        raise UsageError(msg)
    picked = sheet_samples(_all_samples(tables, options.root).samples, count)
    if not picked:
        msg = f"{tables}: no sample to put on a sheet"
        raise UsageError(msg)
    pictures, outlines = SlicePictures(), MaskOutlines(tables, options.root)
    grid = options.grid.pixel_grid()
    # Made in the order of the images, so that each image and mask is read once.
    of_sample = {
        sample.sample_id: SheetCell(
            sample=sample,
            picture_png=png_bytes(pictures.image(sample, grid).pixels),
            outline_px=outlines.of_sample(sample),
        )
        for sample in sorted(picked, key=lambda sample: sample.image_uri)
    }
    cells = [of_sample[sample.sample_id] for sample in picked]
    if options.out.suffix == ".svg":
        write_text(options.out, sheet_svg(cells))
    else:
        write_bytes(options.out, sheet_png(cells))
    return f"{len(cells)} samples"


def _all_samples(tables: Path, root: Path | None) -> Selection:
    everything = Suite(
        name="all", configs=tuple(TaskConfig(task=task) for task in Task), cap_per_config=None
    )
    folders = table_folders([tables])
    return select_samples(everything, folders, split="all", root=root)


def _size_words(image: RenderedImage) -> str:
    height_px, width_px = image.pixels.shape
    if math.isnan(image.spacing_y_mm):
        return f"{height_px}x{width_px} px of unknown size"
    return f"{height_px}x{width_px} px of {image.spacing_y_mm:.4g}x{image.spacing_x_mm:.4g} mm"
