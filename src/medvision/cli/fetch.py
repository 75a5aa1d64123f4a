"""Download, verify and unpack a dataset; resumes where it stopped."""

import argparse

from medvision.catalog.dataset import load_dataset
from medvision.cli.root import add_root, root_from
from medvision.fetch import FetchError, fetch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision fetch`."""
    parser.add_argument("name", metavar="NAME", help="dataset, see `medvision catalog list`")
    parser.add_argument("--verify", action="store_true", help="check the digests of fetched files")
    add_root(parser)


def run(args: argparse.Namespace) -> int:
    """Fetch one dataset."""
    dataset = load_dataset(args.name)
    try:
        folder = fetch(dataset, root_from(args), verify=args.verify)
    except FetchError as error:
        print(f"{args.name}: {error.reason}: {error}")
        return 1
    print(folder)
    return 0
