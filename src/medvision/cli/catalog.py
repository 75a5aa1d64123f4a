"""List the datasets of the catalogue, or show one."""

import argparse

from medvision.catalog.dataset import Dataset, dataset_names, load_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision catalog`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="one line per dataset")
    actions.add_parser("show", help="all about one dataset").add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print what the catalogue declares."""
    if args.action == "show":
        _show(load_dataset(args.name))
        return 0
    for name in dataset_names():
        dataset = load_dataset(name)
        size = f"{dataset.size_mb:g} MB"
        print(f"{name:<22}{dataset.access:<14}{size:<10}{dataset.title}")
    return 0


def _show(dataset: Dataset) -> None:
    print(f"{dataset.name}: {dataset.title}")
    print(f"  licence   {dataset.licence}")
    print(f"  access    {dataset.access}, about {dataset.size_mb:g} MB")
    print(f"  homepage  {dataset.homepage}")
    print(f"  cite      {dataset.citation}")
    for source in dataset.sources:
        print(f"  source    {source.kind} package {source.package} {source.version}")
    print(f"  cases     {', '.join(case.case_id for case in dataset.cases)}")
    labels = {name for case in dataset.cases for name in case.labels.values()}
    labels |= set(dataset.labels.values())
    if labels:
        print(f"  labels    {', '.join(sorted(labels))}")
    for measurement in dataset.biometrics.get("measure", []):
        print(f"  measures  {measurement['kind']} {measurement['key']}")
