"""Build tables: of the catalogue, of declarations or folders of your own, or of nnU-Net data.

Of the catalogue's datasets it does what is missing: download, unpack, convert, measure. It may be
stopped at any time; the same command goes on. What cannot be fetched (by hand, an account, a
licence that you have not accepted) is named with its steps, and the others are built.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from medvision.catalog.biometrics import read_biometrics_spec
from medvision.catalog.dataset import Dataset, parse_dataset
from medvision.catalog.own import OwnCatalog
from medvision.cli.lines import print_problems
from medvision.cli.options import Argument, Group, Option, given_options
from medvision.cli.own_options import INSISTED, OwnOptions, refuse_idle, refuse_untaken
from medvision.cli.printable import printable
from medvision.cli.progress import in_megabytes, progress_bar
from medvision.cli.root import Root, data_root
from medvision.cli.spacing import spacing_yx_mm
from medvision.describe.answers import Answers, answered, described_subjects
from medvision.describe.declaration import declaration
from medvision.describe.recognise import describe
from medvision.describe.tree import read_tree
from medvision.errors import MissingExtraError, UsageError
from medvision.fetch import FetchError, FetchSettings
from medvision.samples.suite import load_suite
from medvision.table.build import BuildRequest, build_tables
from medvision.table.cases import Structure, Unpaired
from medvision.table.catalogue import catalogue_request
from medvision.table.declared import dataset_request, listed_request, own_request
from medvision.table.folders import Folders, checked_modality, find_cases, left_notes
from medvision.table.labels import declared_labels, read_labels, target_ids
from medvision.table.nnunet import nnunet_dataset, nnunet_notes
from medvision.table.read import tables_folder
from medvision.table.subjects import read_subjects
from medvision.volumes.errors import CorruptFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Options of `medvision build`."""

    datasets: Annotated[
        tuple[str, ...],
        Argument(
            "NAME",
            help="datasets of the catalogue, FILE.toml that declares yours, or a FOLDER as other "
            "tools lay them out (see `medvision describe`)",
        ),
    ] = ()
    suite: Annotated[
        str | None, Option("S", help="the datasets of a built-in suite or of a .toml file")
    ] = None
    accept_licence: Annotated[bool, Option(help="you accept licence and terms of each")] = False
    mirror: Annotated[
        str, Option("URL", help="a copy with the same file names below one address")
    ] = ""
    catalog: Annotated[
        Path | None, Option("DIR", help="declarations of your own, beside the built-in ones")
    ] = None
    root: Root = None
    out: Annotated[
        Path | None, Option("TABLES", help="table folder to write (default: below the data root)")
    ] = None
    own: Annotated[OwnOptions, Group("folders of your own")]
    report: Annotated[bool, Option(help="write quality.html beside the tables")] = False


def run(options: BuildOptions) -> int:
    """Build, print counts and problems; 1 when a case or a dataset could not be used."""
    catalog = OwnCatalog.read(options.catalog)
    names = list(dict.fromkeys([*options.datasets, *_suite_datasets(options.suite)]))
    given = given_options(replace(options.own, subjects=None))
    if (len(names) > 1 or options.suite) and (options.out or given):
        msg = f"{', '.join([*(['--out'] if options.out else []), *given])}: for one dataset alone"
        raise UsageError(msg)
    for name in names:
        if not name.endswith(".toml") and not Path(name).is_dir():
            catalog.load(name)  # nothing is started where one of several names is wrong
    codes = {}
    left: dict[str, str] = {}
    for name in names or [""]:
        try:
            request, out = _request(name, options)
        except (FetchError, MissingExtraError) as error:
            print(printable(f"{name}: {error.reason}: {error}"), file=sys.stderr)
            left[name] = error.reason
        else:
            codes[name] = _build(request, out, options)
    if left and len(names) > 1:
        listed = ", ".join(f"{name} ({reason})" for name, reason in left.items())
        print(
            f"not built: {listed}; built: {', '.join(codes) or 'none'}; once they can be had, the "
            "same command goes on",
            file=sys.stderr,
        )
    return 1 if left else max(codes.values())


def _suite_datasets(name: str | None) -> list[str]:
    """The datasets that a suite names, in its order.

    Raises:
        UsageError: No such suite, or one that names none.
    """
    if name is None:
        return []
    suite = load_suite(name)
    named = list(dict.fromkeys(config.dataset for config in suite.configs if config.dataset))
    if not named:
        msg = f"--suite {name}: it names no dataset: it is for any tables; name datasets instead"
        raise UsageError(msg)
    return named


def _build(request: BuildRequest, out: Path, options: BuildOptions) -> int:
    with progress_bar("building", "cases") as on_progress:
        summary = build_tables(request, out, on_progress)
    print_problems(summary.problems)
    for note in summary.notes:
        print(f"note: {note.message}", file=sys.stderr)
    dropped = ", ".join(f"{count} {reason}" for reason, count in summary.dropped().items())
    state = "already up to date" if summary.up_to_date else "written"
    print(
        f"{printable(str(out))}: {state}; {summary.n_built} of {summary.n_cases} cases, "
        f"{summary.n_structures} structures, {summary.n_regions} regions, "
        f"{summary.n_biometrics} measurements" + (f"; problems: {dropped}" if dropped else "")
    )
    if options.report:
        # Imported here alone: most builds draw nothing.
        from medvision.analysis.quality import write_quality_page

        print(f"{write_quality_page(out, options.root)}: written")
    return 1 if summary.problems else 0


def _request(dataset: str, options: BuildOptions) -> tuple[BuildRequest, Path]:
    """What is to be built, and where to."""
    own = options.own
    root = data_root(options.root)
    # A folder that is called like a dataset of the catalogue is meant as ./NAME.
    is_folder = Path(dataset).is_dir() and dataset not in OwnCatalog.read(options.catalog).names
    if options.catalog and (not dataset or is_folder or dataset.endswith(".toml")):
        msg = "--catalog: for datasets by NAME, not for files of your own; leave out"
        raise UsageError(msg)
    if dataset:
        is_file = dataset.endswith(".toml") and not is_folder
        source = "FOLDER" if is_folder else "FILE.toml" if is_file else "NAME"
    else:
        source = own.source
    refuse_untaken(own, source, dataset)
    match source:
        case "FOLDER":
            request = _described_request(Path(dataset), own)
        case "--bids" | "--totalsegmentator":
            place = own.bids or own.totalsegmentator
            request = _described_request(Path(str(place)), own, INSISTED[source])
        case "FILE.toml":
            request = own_request(Path(dataset), own.subjects)
        case "NAME":
            with progress_bar(f"fetching {dataset}", "MB") as move:
                settings = FetchSettings(
                    accept_licence=options.accept_licence,
                    mirror=options.mirror,
                    on_progress=in_megabytes(move),
                )
                request = catalogue_request(
                    dataset, root, own.subjects, options.catalog, settings=settings
                )
        case _:
            if options.out is None:
                msg = "--out TABLES is needed: the folder to write"
                raise UsageError(msg)
            request = _folder_request(own)
    if not dataset or is_folder:
        refuse_idle(own, request)
    return request, options.out or tables_folder(root, request.options.dataset)


def _described_request(folder: Path, own: OwnOptions, layout: str = "") -> BuildRequest:
    """A folder as another tool lays it out: described, what is left open answered by options.

    Args:
        folder: The folder.
        own: Options.
        layout: That it must have; "" for any.
    """
    structures = read_labels(own.labels) if own.labels else ()
    if any(one.values != (one.label_id,) for one in structures):
        msg = f'{own.labels}: expected value to name, {{"1": "liver"}}, found lists of values'
        raise UsageError(msg)
    described = answered(
        describe(read_tree(folder), layout),
        Answers(
            modality=checked_modality(own.modality) if own.modality else None,
            names={one.label_id: one.name for one in structures},
            subject_pattern=own.subject_pattern,
            biometrics=own.biometrics,
        ),
    )
    found = described.found
    print(
        f"{folder}: {found.layout} ({found.certainty}: {found.reason}); to see or correct what "
        f"pairs with what: medvision describe {folder} --out my.toml",
        file=sys.stderr,
    )
    written = declaration(
        described,
        name=own.name or folder.resolve().name,
        root=str(folder),
        subjects_file="",
        biometrics_file=str(own.biometrics.absolute()) if own.biometrics else "",
    )
    dataset = _with_options(parse_dataset(written.text, str(folder)), own)
    if own.target_labels:
        labels = {int(label_id): label for label_id, label in dataset.labels.items()}
        known = [Structure(label_id=n, name=x.name, values=(n,)) for n, x in labels.items()]
        targets = target_ids(own.target_labels, tuple(known))
        retold = {str(n): replace(x, target=n in targets) for n, x in labels.items()}
        dataset = replace(dataset, labels=retold)
    subjects = read_subjects(own.subjects) if own.subjects else described_subjects(described)
    request = dataset_request(
        dataset,
        str(folder),
        subjects=subjects,
        own=[folder / file for file in found.side_files],
    )
    # Patterns find what lacks a file themselves; listed cases are those that lack none.
    listed = {case.case_id for case in request.cases}
    listed |= {case.case_id for case in request.unpaired}
    lacking = [
        Unpaired(case_id=case_id, subject_id="", message=f"case {case_id}: {lack}")
        for case_id, lack in found.lacking.items()
        if case_id not in listed
    ]
    lacking += [
        Unpaired(case_id=item, subject_id="", message=f"case {item}: {why}", reason="ambiguous")
        for item, why in found.ambiguous.items()
        if item not in listed
    ]
    lacking += [
        Unpaired(case_id=item, subject_id="", message=why, reason=CorruptFileError.reason)
        for item, why in found.broken.items()
        if item not in listed
    ]
    return replace(request, unpaired=[*request.unpaired, *lacking])


def _folder_request(own: OwnOptions) -> BuildRequest:
    """Folders of the user's own, as a declaration that lists their cases."""
    if own.nnunet:
        dataset, unpaired = nnunet_dataset(
            own.nnunet,
            name=own.name,
            target_labels=own.target_labels,
            modality=checked_modality(own.modality) if own.modality else None,
            subject_pattern=own.subject_pattern,
        )
        notes = nnunet_notes(own.nnunet, dataset)
    else:
        folders = _folders(own)
        structures = read_labels(own.labels) if own.labels else ()
        cases, unpaired = find_cases(
            folders,
            modality=checked_modality(own.modality),
            subject_pattern=own.subject_pattern,
        )
        notes = list(left_notes(folders))
        targets = target_ids(own.target_labels, structures)
        dataset = Dataset(name=own.name, labels=declared_labels(structures, targets), cases=cases)
    dataset = replace(
        _with_options(dataset, own),
        biometrics=read_biometrics_spec(own.biometrics) if own.biometrics else None,
    )
    subjects = read_subjects(own.subjects) if own.subjects else None
    return listed_request(dataset, unpaired, subjects=subjects, notes=notes)


def _with_options(dataset: Dataset, own: OwnOptions) -> Dataset:
    """A dataset with what options say of it as a whole, and no file does."""
    spacing_mm = own.spacing_mm
    is_unknown = spacing_mm == "unknown"
    return replace(
        dataset,
        description=own.description,
        spacing_yx_mm=None if is_unknown or not spacing_mm else spacing_yx_mm(spacing_mm),
        spacing_unknown=is_unknown,
        spacing_from=own.spacing_from,
        projection=own.projection,
    )


def _folders(own: OwnOptions) -> Folders:
    """The folders of images, masks and landmarks.

    Raises:
        UsageError: Something they need is not given.
    """
    needs = {"--images": own.images, "--name": own.name, "--modality": own.modality}
    if own.masks:
        needs["--labels"] = own.labels
    if own.landmarks:
        needs["--biometrics"] = own.biometrics
    missing = [option for option, value in needs.items() if not value]
    if missing or not own.images:
        msg = f"--images also needs {', '.join(missing)}"
        raise UsageError(msg)
    if not own.masks and not own.landmarks:
        msg = "--images needs --masks (with --labels) or --landmarks (with --biometrics)"
        raise UsageError(msg)
    return Folders(images=own.images, masks=own.masks, landmarks=own.landmarks)
