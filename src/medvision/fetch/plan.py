"""What a fetch would download: files, sizes, and what it takes to get them."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from medvision.catalog.dataset import Dataset
from medvision.catalog.source import PACKAGES, Role, Source, SourceKind
from medvision.fetch.fetch import is_fetched, raw_folder
from medvision.fetch.space import gigabytes, needed_bytes
from medvision.fetch.tokens import PAGES, VARIABLES, token_of
from medvision.fetch.ways import chosen_way, wanted_of, ways_of


def plan_lines(datasets: Sequence[Dataset], root: Path, *, role: Role | None = None) -> list[str]:
    """The plan as lines of text, a block for each dataset, and what all need together.

    Args:
        datasets: What would be fetched.
        root: Data root; what is there already is marked.
        role: Whose files; None for those that `fetch` would take.
    """
    lines: list[str] = []
    total = n_unknown = 0
    for dataset in datasets:
        lines += [*_dataset_lines(dataset, root, role), ""]
        sources = chosen_way(dataset, role).sources if dataset.sources else ()
        folder = raw_folder(root, dataset.name)
        missing = [one for one in wanted_of(sources) if not is_fetched(one, folder)]
        total += sum(needed_bytes(missing, folder))
        n_unknown += sum(one.size_bytes is None for one in missing)
        n_unknown += sum(not source.downloads for source in sources) or not sources
    above = next(folder for folder in (root, *root.resolve().parents) if folder.exists())
    free = gigabytes(shutil.disk_usage(above).free)
    needed = gigabytes(total) if total or not n_unknown else "not known"
    if n_unknown:
        needed += f" or more, as {n_unknown} sizes are not known" if total else ""
    return [*lines, f"needed: {needed}; free: {free}"]


def _dataset_lines(dataset: Dataset, root: Path, role: Role | None) -> Iterator[str]:
    yield f"{dataset.name}: {dataset.title}"
    yield f"  licence   {dataset.licence}" + (f"; {dataset.terms}" if dataset.terms else "")
    if not dataset.sources:
        yield f"  by hand   {dataset.how_to_get}"
        return
    way = chosen_way(dataset, role)
    others = [other.role for other in ways_of(dataset) if other.role != way.role]
    also = f" (also: {', '.join(f'--source {other}' for other in others)})" if others else ""
    yield f"  from      {way.role}{also}"
    folder = raw_folder(root, dataset.name)
    for source in way.sources:
        yield f"  source    {source.name}" + (f" [{source.note}]" if source.note else "")
        yield from (f"    needs   {words}" for words in needs(source))
        yield from (f"    step {rank}  {step}" for rank, step in enumerate(source.steps, 1))
        if source.kind in PACKAGES:
            yield f"    file    {source.package} {source.version}, sha256 pinned"
        elif not source.downloads:
            yield "    file    names not known"
        for one in wanted_of([source]):
            size = gigabytes(one.size_bytes) if one.size_bytes else "size not known"
            pinned = "sha256" if one.declared.sha256 else "md5" if one.declared.md5 else ""
            facts = [size, f"{pinned} pinned" if pinned else "no digest known"]
            facts += ["there already"] if is_fetched(one, folder) else []
            yield f"    file    {one.name}: {', '.join(facts)}"
    if not way.by_program:
        yield f"  by hand   {dataset.how_to_get}"
        if any(source.downloads for source in way.sources):
            yield f"            Then: medvision fetch {dataset.name} --from DIR"


def needs(source: Source) -> Iterator[str]:
    """What a user must have to download from a source, a line each."""
    by_account = source.access == "token" or source.kind in (SourceKind.SYNAPSE, SourceKind.KAGGLE)
    if by_account and source.kind in VARIABLES:
        state = "is set" if token_of(source.kind) else "is not set"
        page = f", terms accepted at {source.url}" if source.url else ""
        variable = VARIABLES[source.kind][0]
        yield f"an account{page}, a token from {PAGES[source.kind]} in {variable} ({state})"
    elif source.access != "open":
        yield f"an account of the owner's: {source.url}"
    libraries = {
        SourceKind.HUGGINGFACE: "pip install 'medvision[fetch]'",
        SourceKind.GOOGLE_DRIVE: "pip install 'medvision[fetch]'",
        SourceKind.SYNAPSE: "pip install 'medvision[synapse]'",
    }
    if source.kind in libraries:
        yield libraries[source.kind]
    names = [one.name.lower() for one in source.downloads]
    if any(name.endswith((".7z", ".rar", ".zst")) for name in names):
        yield "pip install 'medvision[fetch]' to unpack"
    inner = [pattern for one in source.downloads for pattern in one.inner]
    if any(name.endswith(".rar") for name in (*names, *inner)):
        yield "a program that reads RAR: unrar, unar, 7z or bsdtar"
