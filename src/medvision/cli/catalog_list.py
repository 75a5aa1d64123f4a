"""The datasets of the catalogue, one line each: modality, tasks, access, licence."""

from dataclasses import dataclass

from medvision.catalog.dataset import dataset_names, load_dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """`medvision catalog list` has none."""


def run(_options: ListOptions) -> int:
    """Print what the catalogue declares, those that can be fetched first."""
    datasets = [load_dataset(name) for name in dataset_names()]
    header = ("name", "modality", "tasks", "access", "licence")
    groups = {
        "Fetched by `medvision fetch`": [d for d in datasets if d.cases],
        "Obtained by you (`medvision catalog show NAME` says how)": [
            d for d in datasets if not d.cases
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
