"""Fetch a declared dataset: download, verify, unpack into `<root>/raw/<name>/`; resumes."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

from medvision.catalog.dataset import Dataset
from medvision.errors import UsageError
from medvision.fetch.bring import Fetching
from medvision.fetch.errors import MissingFilesError, NotFetchableError
from medvision.fetch.given import given_files, given_unpacked
from medvision.fetch.packages import fetch_packages
from medvision.fetch.records import MANIFEST, accept_licence, read_record, write_manifest
from medvision.fetch.settings import FetchSettings
from medvision.fetch.space import DOWNLOADS, refuse_what_does_not_fit
from medvision.fetch.unpack import remove_scratch
from medvision.fetch.ways import Wanted, Way, chosen_way, wanted_of, ways_of
from medvision.storage import only_process, remove_tree


def raw_folder(root: Path, name: str) -> Path:
    """Where a dataset's files lie as fetched."""
    return root / "raw" / name


def fetch(
    dataset: Dataset,
    root: Path,
    *,
    verify: bool = False,
    settings: FetchSettings | None = None,
) -> Path:
    """Make a dataset's files present, complete and verified.

    What is there is not fetched again; the manifest, written last, says what it is. A second
    process that fetches below the same root waits until the first has ended.

    Args:
        dataset: The declaration.
        root: Data root.
        verify: Recompute the digest of files that an earlier run has fetched.
        settings: How they are obtained.

    Returns:
        The raw folder.

    Raises:
        NotFetchableError: A person has to get the files; the message says how.
        LicenceNotAcceptedError: The user has not accepted licence and terms yet.
        FetchError: A source cannot be obtained, or an archive lacks a file.
        ChecksumError: An archive is not the pinned one.
    """
    settings = settings or FetchSettings()
    folder = raw_folder(root, dataset.name)
    if dataset.in_packages:
        if settings.given or settings.mirror:
            msg = (
                f"{dataset.name} is in packages of a registry: pip and apt-get know mirrors of "
                "their own; leave --from and --mirror out"
            )
            raise UsageError(msg)
        fetch_packages(dataset, folder, verify=verify)
        return folder
    if not dataset.sources:
        raise NotFetchableError(how_to_get(dataset, folder))
    way = _way(dataset, settings, folder)
    wanted = wanted_of(way.sources)
    missing = _missing(wanted, folder, verify=verify)
    # Without the manifest, an earlier process was killed just before the end.
    if wanted and not missing and (folder / MANIFEST).exists():
        return folder
    obtainable = way.by_program or settings.given or settings.mirror
    if not wanted or (missing and not obtainable):
        raise NotFetchableError(how_to_get(dataset, folder))
    accept_licence(dataset, folder, accepted_now=settings.accept_licence)
    # The whole root: two fetches at once would each count on the same free space.
    with only_process(folder.parent, "fetching", waits=True):
        # Asked for again: while this one waited, another may have fetched them. Those that were
        # there already are not digested a second time.
        missing = _missing(missing, folder, verify=verify)
        if not missing and (folder / MANIFEST).exists():
            return folder
        if missing:
            for one in missing:
                remove_scratch(folder / one.declared.into)
            refuse_what_does_not_fit(dataset.name, folder, missing, settings)
            (folder / MANIFEST).unlink(missing_ok=True)  # it says that all is there
            Fetching(dataset.name, folder, settings).run(missing)
        if not settings.keep_archives:
            remove_tree(folder / DOWNLOADS)
        read = (read_record(folder, one.source.name, one.name) for one in wanted)
        write_manifest(dataset, folder, [record for record in read if record])
    return folder


def _way(dataset: Dataset, settings: FetchSettings, folder: Path) -> Way:
    """The way to take: of files that are given or here, the one that most of them belong to."""
    if settings.role is not None:
        return chosen_way(dataset, settings.role)
    given = settings.given
    if given is None:

        def n_here(way: Way) -> int:
            return sum(is_fetched(one, folder) for one in wanted_of(way.sources))

        n_begun, begun = _fullest(dataset, n_here)
        return begun if n_begun else chosen_way(dataset)
    if not given.is_dir():
        msg = f"--from {given}: expected a folder with the files of {dataset.name}"
        raise MissingFilesError(msg)

    def n_found(way: Way) -> int:
        parts = [part for one in wanted_of(way.sources) for part in one.parts]
        return sum(bool(given_files(p, given) or given_unpacked(p, given)) for p in parts)

    n_given, way = _fullest(dataset, n_found)
    if not n_given:
        names = [one.name for way in ways_of(dataset) for one in wanted_of(way.sources)]
        msg = (
            f"--from {given}: nothing there is known of {dataset.name}; expected "
            f"{', '.join(names) or 'no one knows what: its archives are not declared'}"
        )
        raise MissingFilesError(msg)
    return way


def _fullest(dataset: Dataset, count: Callable[[Way], int]) -> tuple[int, Way]:
    """The way that counts most, with its number; the first of equals: the owner's."""
    counted = [(count(way), way) for way in ways_of(dataset)]
    return max(counted, key=itemgetter(0))


def _missing(wanted: Sequence[Wanted], folder: Path, *, verify: bool) -> list[Wanted]:
    """Archives whose files are not all there."""
    return [one for one in wanted if not is_fetched(one, folder, verify=verify)]


def is_fetched(wanted: Wanted, folder: Path, *, verify: bool = False) -> bool:
    """Whether all files of an archive are in the raw folder."""
    record = read_record(folder, wanted.source.name, wanted.name)
    return record is not None and record.is_whole(folder, verify=verify)


def how_to_get(dataset: Dataset, folder: Path) -> str:
    """What a person has to do, from licence to the command that goes on."""
    terms = f"; terms: {dataset.terms}" if dataset.terms else ""
    steps = [step for source in dataset.sources for step in source.steps]
    files = [image.files for cohort in dataset.cohorts for image in cohort.images]
    named = f" (such as {files[0]})" if files else ""
    told = "".join(f" {rank}. {step}" for rank, step in enumerate(steps, start=1))
    known = any(source.downloads for source in dataset.sources)
    given = (
        f"run `medvision fetch {dataset.name} --from DIR` on what you have, or " if known else ""
    )
    return (
        f"{dataset.name} is not fetched automatically. {dataset.how_to_get}{told} Licence: "
        f"{dataset.licence}{terms}; access: {dataset.access}. Homepage: {dataset.homepage}. Then "
        f"{given}place "
        f"the files below {folder} as `medvision catalog show {dataset.name}` names them{named} "
        f"and run `medvision build {dataset.name}`."
    )
