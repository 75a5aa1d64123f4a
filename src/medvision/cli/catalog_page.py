"""The page about all datasets, written from the declarations (docs/datasets.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.catalog.own import OwnCatalog
from medvision.cli.options import Option
from medvision.fetch.page import datasets_page
from medvision.storage import write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Options of `medvision catalog page`."""

    out: Annotated[Path | None, Option("FILE", help="write it here, instead of printing it")] = None
    catalog: Annotated[Path | None, Option("DIR", help="declarations of your own too")] = None


def run(options: PageOptions) -> int:
    """Write or print the page."""
    catalog = OwnCatalog.read(options.catalog)
    text = datasets_page([catalog.load(name) for name in catalog.names])
    if options.out is None:
        print(text, end="")
    else:
        write_text(options.out, text)
        print(options.out)
    return 0
