"""Download, verify and unpack a dataset; resumes where it stopped."""

import sys
from dataclasses import dataclass
from typing import Annotated

from medvision.catalog.dataset import load_dataset
from medvision.cli.options import Argument, Option
from medvision.cli.printable import printable
from medvision.cli.root import Root, data_root
from medvision.fetch import FetchError, fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Options of `medvision fetch`."""

    name: Annotated[str, Argument("NAME", help="dataset, see `medvision catalog list`")]
    verify: Annotated[bool, Option(help="check the digests of fetched files")] = False
    root: Root = None


def run(options: FetchOptions) -> int:
    """Fetch one dataset."""
    dataset = load_dataset(options.name)
    try:
        folder = fetch(dataset, data_root(options.root), verify=options.verify)
    except FetchError as error:
        print(f"{options.name}: {error.reason}: {error}", file=sys.stderr)
        return 1
    print(printable(str(folder)))
    return 0
