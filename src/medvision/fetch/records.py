"""What has been fetched, from where, how far it was checked, and which licence was accepted.

<raw>/manifest.json            written last: archives and their digests, licence, what differs
<raw>/.fetched/ARCHIVE.json    one archive: its digest, every file that came out of it
<raw>/.fetched/licence.json    licence and terms as they were accepted, and when
<raw>/.fetched/placing         while files of an archive are put in place; a kill leaves it behind
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from annotated_types import Ge

from medvision.catalog.dataset import Dataset
from medvision.declarations import DeclarationError, decoded, read_json
from medvision.errors import ItemError
from medvision.fetch.errors import LicenceNotAcceptedError
from medvision.storage import sha256_file, write_text

logger = logging.getLogger(__name__)
T = TypeVar("T")

MANIFEST = "manifest.json"
RECORDS = ".fetched"

Checked = Literal["sha256", "md5", "size", "nothing", "differs", "unpacked by hand"]
"""What a file was compared with. Nothing: nobody states a digest. Differs: taken all the same."""

UNVERIFIED: tuple[Checked, ...] = ("differs", "unpacked by hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file below the raw folder; no digest of one that nobody has read."""

    size_bytes: Annotated[int, Ge(0)]
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One archive, or one file that is none, as it was fetched.

    Attributes:
        name: As the host calls it.
        source: Kind and id of the source.
        sha256: Digest; "" of what was given unpacked.
        checked: What it was compared with.
        given: Whether the user gave it.
        files: Path below the raw folder to what came out.
    """

    name: str
    source: str
    sha256: str = ""
    checked: Checked
    given: bool = False
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    def is_whole(self, folder: Path, *, verify: bool = False) -> bool:
        """Whether all its files are there, in their size; with `verify`, byte for byte."""
        for name, facts in self.files.items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != facts.size_bytes:
                return False
            if verify and facts.sha256 and sha256_file(path) != facts.sha256:
                return False
        return bool(self.files)


def plain_name(text: str) -> str:
    """A file name made of any text.

    Example:
        >>> plain_name("huggingface:owner/set")
        'huggingface_owner_set'
    """
    return re.sub(r"[^\w.-]+", "_", text)[-180:]


def record_path(folder: Path, source: str, name: str) -> Path:
    """Where the record of an archive stands."""
    return folder / RECORDS / f"{plain_name(f'{source}-{name}')}.json"


def write_record(folder: Path, record: Record) -> None:
    """Enter an archive whose files are all in place."""
    path = record_path(folder, record.source, record.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(record)))


@contextmanager
def placing(folder: Path) -> Iterator[None]:
    """Leave a note while files of an archive are put in place, until it is entered."""
    note = folder / RECORDS / "placing"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()
    try:
        yield
    except ItemError:  # what fails like this has put nothing in place
        note.unlink(missing_ok=True)
        raise
    note.unlink(missing_ok=True)


def was_begun(folder: Path) -> bool:
    """Whether files below a raw folder are of a fetch, and may be a part of all that there are."""
    return (folder / RECORDS / "placing").exists() or bool(read_records(folder))


def read_record(folder: Path, source: str, name: str) -> Record | None:
    """The record of an archive; None where there is none that can be read."""
    return _decoded(Record, record_path(folder, source, name))


def _decoded(kind: type[T], path: Path) -> T | None:
    """What a file of ours says; None where it is not there, or damaged: it is made again."""
    if not path.exists():
        return None
    try:
        return decoded(kind, read_json(path), str(path))
    except DeclarationError as error:
        logger.warning("%s; made again", error)
        return None


def read_records(folder: Path) -> list[Record]:
    """All archives that have been entered, by name."""
    paths = sorted((folder / RECORDS).glob("*-*.json"))
    records = (_decoded(Record, path) for path in paths)
    return sorted(filter(None, records), key=lambda record: record.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Licence and terms as a user accepted them."""

    licence: str
    terms: str
    accepted_on: str


def accept_licence(dataset: Dataset, folder: Path, *, accepted_now: bool) -> None:
    """Go on only where licence and terms have been accepted, now or before.

    Raises:
        LicenceNotAcceptedError: Neither, or they have changed since; the message states them.
    """
    path = folder / RECORDS / "licence.json"
    before = _decoded(Acceptance, path)
    if before and (before.licence, before.terms) == (dataset.licence, dataset.terms):
        return
    if not accepted_now:
        terms = f" Terms: {dataset.terms}." if dataset.terms else ""
        msg = (
            f"{dataset.name}: licence: {dataset.licence}.{terms} Cite: {dataset.citation}. "
            f"Page: {dataset.homepage}. If you accept, run `medvision fetch {dataset.name} "
            "--accept-licence`; it is asked once"
        )
        raise LicenceNotAcceptedError(msg)
    accepted = Acceptance(
        licence=dataset.licence,
        terms=dataset.terms,
        accepted_on=datetime.now(UTC).date().isoformat(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(accepted), indent=1))


def write_manifest(dataset: Dataset, folder: Path, records: Iterable[Record]) -> None:
    """Say that all is there: what it came from, and what was not as pinned."""
    listed = sorted(records, key=lambda record: record.name)
    n_named = Counter(record.name for record in listed)

    def called(record: Record) -> str:
        return record.name if n_named[record.name] == 1 else f"{record.source}/{record.name}"

    accepted = read_json(folder / RECORDS / "licence.json")
    content = {
        "dataset": dataset.name,
        "licence": accepted,
        "sha256": {called(record): record.sha256 for record in listed},
        "checked": {called(record): record.checked for record in listed},
        "sources": sorted({record.source for record in listed}),
        "given": sorted(record.name for record in listed if record.given),
        "unverified": unverified(listed),
        "n_files": sum(len(record.files) for record in listed),
        "bytes": sum(one.size_bytes for record in listed for one in record.files.values()),
    }
    write_text(folder / MANIFEST, json.dumps(content, indent=1))


def unverified(records: Iterable[Record]) -> list[str]:
    """Names of what is not proven to be what the catalogue pins, or was not looked at."""
    return sorted(record.name for record in records if record.checked in UNVERIFIED)
