"""Draw one sample, or all that the tables know of one slice."""

import argparse
from pathlib import Path

from medvision.analysis import overlay_png, overlay_svg, png_bytes
from medvision.cli.root import add_root, root_from
from medvision.errors import UsageError
from medvision.prompts.render import SlicePictures
from medvision.samples import Sample, Task
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.catalogue import tables_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision render`."""
    parser.add_argument("sample_id", nargs="?", metavar="SAMPLE_ID")
    parser.add_argument("--tables", type=Path, metavar="T", help="table folder")
    add_root(parser)
    parser.add_argument("--case", metavar="C", help="with --plane and --slice: its first sample")
    parser.add_argument("--plane")
    parser.add_argument("--slice", type=int, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png or .svg")
    parser.add_argument("--overlay", action="store_true", help="draw the truth over the slice")


def run(args: argparse.Namespace) -> int:
    """Write the picture and print its path."""
    sample = _sample(args)
    picture = png_bytes(SlicePictures().picture(sample))
    if args.out.suffix not in {".png", ".svg"}:
        msg = f"--out: expected a .png or .svg file, found {args.out.name!r}"
        raise UsageError(msg)
    if args.out.suffix == ".svg":
        args.out.write_text(overlay_svg(sample, picture_png=picture), encoding="utf-8")
    elif args.overlay:
        args.out.write_bytes(overlay_png(sample, picture_png=picture))
    else:
        args.out.write_bytes(picture)
    print(f"{args.out}: {sample.sample_id}")
    return 0


def _sample(args: argparse.Namespace) -> Sample:
    by_slice = None not in (args.case, args.plane, args.slice)
    if bool(args.sample_id) == by_slice or (by_slice and args.tables is None):
        msg = "expected SAMPLE_ID, or --tables T --case C --plane P --slice N"
        raise UsageError(msg)
    folder = args.tables or tables_folder(root_from(args), args.sample_id.split("/")[0])
    everything = Suite(
        name="all", configs=tuple(TaskConfig(task=task) for task in Task), cap_per_config=None
    )
    samples = select_samples(everything, table_folders([folder]), split="all", root=args.root)
    for sample in samples.samples:
        on_slice = (sample.case_id, sample.plane, sample.slice_index)
        if sample.sample_id == args.sample_id or on_slice == (args.case, args.plane, args.slice):
            return sample
    msg = f"{folder}: no sample {args.sample_id or 'on that slice'}"
    raise UsageError(msg)
