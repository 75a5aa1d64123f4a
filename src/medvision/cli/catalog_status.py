"""Where each dataset stands below the data root, and how large it is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Argument, Option
from medvision.cli.root import Root, data_root
from medvision.fetch.space import gigabytes
from medvision.fetch.status import dataset_status, folder_bytes
from medvision.table.read import tables_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions:
    """Options of `medvision catalog status`."""

    names: Annotated[tuple[str, ...], Argument("NAME", help="some datasets (default: all)")] = ()
    catalog: Annotated[Path | None, Option("DIR", help="declarations of your own too")] = None
    root: Root = None


def run(options: StatusOptions) -> int:
    """Print a line per dataset."""
    root, catalog = data_root(options.root), OwnCatalog.read(options.catalog)
    rows: list[tuple[str, ...]] = [
        ("name", "state", "tables", "raw", "tables size", "declared"),
    ]
    for name in options.names or catalog.names:
        dataset = catalog.load(name)
        status = dataset_status(dataset, root)
        tables = tables_folder(root, name)
        built = "built" if (tables / "manifest.json").exists() else "-"
        declared = gigabytes(dataset.size_mb * 1e6) if dataset.size_mb else "not known"
        unverified = f", {len(status.unverified)} unverified" if status.unverified else ""
        sizes = [
            gigabytes(size) if size else "-" for size in (status.raw_bytes, folder_bytes(tables))
        ]
        rows.append((name, status.state + unverified, built, *sizes, declared))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0
