"""Where datasets stand below a data root, and how large they are there."""

import os
from dataclasses import dataclass
from pathlib import Path

from medvision.catalog.dataset import Dataset
from medvision.fetch.fetch import raw_folder
from medvision.fetch.records import MANIFEST, RECORDS, read_records, unverified
from medvision.fetch.ways import wanted_of, ways_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetStatus:
    """One dataset below a data root.

    Attributes:
        name: Of the dataset.
        state: In words: "not fetched", "2 of 4 archives", "fetched", "placed by hand".
        unverified: Archives that are not proven to be the pinned ones.
        raw_bytes: What was fetched takes on the disk.
    """

    name: str
    state: str
    unverified: tuple[str, ...] = ()
    raw_bytes: int = 0


def dataset_status(dataset: Dataset, root: Path) -> DatasetStatus:
    """Where a dataset stands."""
    folder = raw_folder(root, dataset.name)
    raw_bytes = folder_bytes(folder)
    records = read_records(folder)
    if not raw_bytes:
        state = "not fetched"
    elif (folder / MANIFEST).exists():
        state = "fetched"
    elif (folder / RECORDS).is_dir():
        sources = {record.source for record in records}
        ways = [wanted_of(way.sources) for way in ways_of(dataset)]
        of = max(ways, key=lambda way: sum(one.source.name in sources for one in way))
        state = f"{len(records)} of {len(of)} archives"
    else:
        state = "begun" if dataset.in_packages else "placed by hand"
    return DatasetStatus(
        name=dataset.name,
        state=state,
        unverified=tuple(unverified(records)),
        raw_bytes=raw_bytes,
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed; 0 where there is none."""
    total = 0
    for above, _folders, names in os.walk(folder):
        for name in names:
            total += os.lstat(Path(above) / name).st_size
    return total
