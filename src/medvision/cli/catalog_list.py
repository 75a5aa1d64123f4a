"""The datasets of the catalogue, one line each: modality, tasks, access, licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.dataset import Dataset
from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Option
from medvision.fetch.ways import chosen_way


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Options of `medvision catalog list`."""

    catalog: Annotated[Path | None, Option("DIR", help="declarations of your own too")] = None


def run(options: ListOptions) -> int:
    """Print what the catalogue declares, those that need no hands first."""
    catalog = OwnCatalog.read(options.catalog)
    datasets = [catalog.load(name) for name in catalog.names]
    header = ("name", "modality", "tasks", "access", "licence")
    groups = {
        "Fetched by `medvision fetch` alone": [d for d in datasets if is_fetched(d)],
        "Obtained by you (`medvision fetch --plan NAME` says how)": [
            d for d in datasets if not is_fetched(d)
        ],
    }
    for title, members in groups.items():
        rows = [
            header,
            *(
                (d.name, " ".join(d.modalities), " ".join(d.asks), str(d.access), d.licence)
                for d in members
            ),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        print(f"{title}\n")
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  " + "  ".join(cells).rstrip())
        print()
    return 0


def is_fetched(dataset: Dataset) -> bool:
    """Whether `fetch` gets its files without a person's account or hands."""
    if not dataset.sources:
        return False
    way = chosen_way(dataset)
    return way.by_program and way.open
