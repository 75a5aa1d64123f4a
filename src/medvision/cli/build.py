"""Build tables: from a catalogued dataset, from folders of your own, or from nnU-Net raw data."""

import argparse
from pathlib import Path

from medvision.catalog.biometrics import read_biometrics_spec
from medvision.cli.progress import progress_bar
from medvision.cli.root import add_root, root_from
from medvision.cli.spacing import spacing_yx_mm
from medvision.errors import UsageError
from medvision.fetch import FetchError
from medvision.frames import Plane
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.build import BuildRequest, BuildSummary, build_tables
from medvision.table.cases import DESCRIPTIONS, MODALITIES
from medvision.table.catalogue import catalogue_request, tables_folder
from medvision.table.folders import Folders, find_cases
from medvision.table.labels import read_labels, target_ids
from medvision.table.nnunet import find_nnunet_cases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision build`."""
    parser.add_argument("dataset", nargs="?", metavar="NAME", help="a dataset of the catalogue")
    add_root(parser)
    own = parser.add_argument_group("folders of your own")
    own.add_argument("--images", type=Path, metavar="DIR", help="one image per case")
    own.add_argument("--masks", type=Path, metavar="DIR", help="label maps; pair by case name")
    own.add_argument("--labels", type=Path, metavar="FILE", help='JSON such as {"1": "liver"}')
    own.add_argument("--landmarks", type=Path, metavar="DIR", help="JSON, CSV, .fcsv, .mrk.json")
    own.add_argument("--biometrics", type=Path, metavar="FILE", help="what to measure (JSON, TOML)")
    own.add_argument("--nnunet", type=Path, metavar="DIR", help="an nnU-Net DatasetXXX_Name folder")
    own.add_argument("--name", help="dataset name (default with --nnunet: the folder's)")
    own.add_argument("--modality", choices=MODALITIES)
    own.add_argument("--target-labels", default="", metavar="1,2", help="ids or names to size")
    own.add_argument("--description", default="", help="what the pictures are, for prompts")
    own.add_argument("--spacing-mm", metavar="Y,X", help="pixel spacing of plain pictures")
    own.add_argument(
        "--spacing-from",
        choices=("sform", "qform", "pixdim"),
        help="which part of a contradictory NIfTI header to trust",
    )
    own.add_argument(
        "--projection",
        choices=[str(plane) for plane in Plane],
        default=str(Plane.NATIVE),
        help="plane of 2D images",
    )
    own.add_argument(
        "--subject-pattern",
        default="",
        metavar="REGEX",
        help="its first group is the subject in a case name (default: a case is a subject)",
    )
    own.add_argument("--out", type=Path, metavar="TABLES", help="table folder to write")
    parser.add_argument(
        "--report", action="store_true", help="write quality.html beside the tables"
    )


def run(args: argparse.Namespace) -> int:
    """Build, print counts and problems; 1 when a case could not be used."""
    try:
        request, out = _request(args)
    except FetchError as error:
        print(f"{args.dataset}: {error.reason}: {error}")
        return 1
    with progress_bar("building", "cases") as on_progress:
        summary = build_tables(request, out, on_progress)
    _print_summary(summary, out)
    if args.report:
        from medvision.analysis.quality import write_quality_page

        print(f"{write_quality_page(out, args.root)}: written")
    return 1 if summary.problems else 0


def _request(args: argparse.Namespace) -> tuple[BuildRequest, Path]:
    sources = [bool(args.dataset), args.images is not None, args.nnunet is not None]
    if sum(sources) != 1:
        msg = "expected one of NAME, --images DIR and --nnunet DIR; see `medvision build --help`"
        raise UsageError(msg)
    if args.dataset:
        root = root_from(args)
        return catalogue_request(args.dataset, root), tables_folder(root, args.dataset)
    if args.out is None:
        msg = "--out TABLES is needed: the folder to write"
        raise UsageError(msg)
    request = _nnunet_request(args) if args.nnunet else _folder_request(args)
    return request, args.out


def _folder_request(args: argparse.Namespace) -> BuildRequest:
    _check_folder_options(args)
    structures = read_labels(args.labels) if args.labels else ()
    cases, unpaired = find_cases(
        Folders(images=args.images, masks=args.masks, landmarks=args.landmarks),
        modality=args.modality,
        structures=structures,
        target_labels=target_ids(args.target_labels, structures),
        subject_pattern=args.subject_pattern,
    )
    return BuildRequest(
        cases=cases,
        unpaired=unpaired,
        options=_options(args, args.name),
        description=args.description or DESCRIPTIONS[args.modality],
    )


def _check_folder_options(args: argparse.Namespace) -> None:
    needs = {"--name": args.name, "--modality": args.modality}
    if args.masks:
        needs["--labels"] = args.labels
    if args.landmarks:
        needs["--biometrics"] = args.biometrics
    missing = [option for option, value in needs.items() if not value]
    if missing:
        msg = f"--images also needs {', '.join(missing)}"
        raise UsageError(msg)
    if not args.masks and not args.landmarks:
        msg = "--images needs --masks (with --labels) or --landmarks (with --biometrics)"
        raise UsageError(msg)


def _nnunet_request(args: argparse.Namespace) -> BuildRequest:
    cases, unpaired = find_nnunet_cases(
        args.nnunet, target_labels=args.target_labels, modality=args.modality or ""
    )
    modality = cases[0].images[0].modality if cases else args.modality or ""
    return BuildRequest(
        cases=cases,
        unpaired=unpaired,
        options=_options(args, args.name or args.nnunet.resolve().name),
        description=args.description or DESCRIPTIONS.get(modality, "scan"),
    )


def _options(args: argparse.Namespace, name: str) -> AnnotateOptions:
    return AnnotateOptions(
        dataset=name,
        spacing_yx_mm=spacing_yx_mm(args.spacing_mm) if args.spacing_mm else None,
        spacing_from=args.spacing_from,
        native_plane=Plane(args.projection),
        biometrics=read_biometrics_spec(args.biometrics) if args.biometrics else None,
    )


def _print_summary(summary: BuildSummary, out: Path) -> None:
    for problem in summary.problems:
        print(f"{problem.case_id}: {problem.reason}: {problem.message}")
    dropped = ", ".join(f"{count} {reason}" for reason, count in summary.dropped().items())
    state = "already up to date" if summary.up_to_date else "written"
    print(
        f"{out}: {state}; {summary.n_built} of {summary.n_cases} cases, "
        f"{summary.n_structures} structures, {summary.n_regions} regions, "
        f"{summary.n_biometrics} measurements" + (f"; problems: {dropped}" if dropped else "")
    )
