"""The tables of a training result: detection by size, axes, angles and distances, areas.

Reads score tables and prints Markdown, each model beside the others; axial slices, which the first
stage was trained on, apart from the other planes. Run in the repository:
python -m examples.from_scratch.result_tables NAME=SCORES.parquet …
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medvision.scoring import aggregate

REAL_DATASETS = ("pyradiomics-tumors",)
PLANES = "planes"
IMAGES = "images"
STRUCTURES = "structures"

SIZE_ORDER = {"<5%": "0", "5-10%": "1", ">10%": "2"}

Row = Mapping[str, Any]


def with_groups(scores: pa.Table) -> pa.Table:
    """Score rows with three more columns: what was asked about, on which images and planes."""
    is_axial = pc.equal(scores["plane"], "axial")
    is_real = pc.is_in(scores["dataset"], pa.array(REAL_DATASETS))
    planes = pc.if_else(is_axial, "axial", "sagittal, coronal")
    structures = pc.if_else(scores["is_tumor_lesion"], "tumours and lesions", "healthy")
    return (
        scores.append_column(PLANES, planes)
        .append_column(IMAGES, pc.if_else(is_real, "real", "phantoms"))
        .append_column(STRUCTURES, structures)
    )


def result_tables(runs: Mapping[str, pa.Table]) -> str:
    """Markdown of all tables.

    Args:
        runs: Name of each model to its score rows, all of the same questions.
    """
    grouped = {name: with_groups(scores) for name, scores in runs.items()}
    boxes = [
        *("iou_mean_zero_filled", "recall_mean_zero_filled", "precision_mean_zero_filled"),
        *("f1_mean_zero_filled", "iou_at_0.5_frac"),
    ]
    sizes = ["mre_mean_parsed", "mae_mean_parsed", "mre_below_0.1_frac"]
    parts = [
        ("Detection, all sizes", "detection", [IMAGES, PLANES], boxes),
        ("Detection by kind of structure", "detection", [STRUCTURES, PLANES], boxes),
        (
            "Detection by size of the box, share of the image",
            "detection",
            [PLANES, "size_bin"],
            boxes,
        ),
        ("Tumour and lesion axes, mm", "tl", [IMAGES, PLANES], sizes),
        ("Angles (deg) and distances (mm)", "ad", ["unit"], sizes),
        ("Areas, mm²", "area", [PLANES], sizes),
    ]
    return "\n\n".join(
        f"### {title}\n\n{_table(grouped, task, by, metrics)}" for title, task, by, metrics in parts
    )


def _table(
    runs: Mapping[str, pa.Table], task: str, by: Iterable[str], metrics: Iterable[str]
) -> str:
    keys, shown = list(by), list(metrics)
    rows: list[tuple[tuple[str, ...], int, str]] = []
    for place, (name, scores) in enumerate(runs.items()):
        own = scores.filter(pc.equal(scores["task"], task))
        groups = [key for key in keys if key != "unit"]
        for row in aggregate(own, by=groups, n_resamples=1000).to_pylist():
            key = tuple(str(row[one]) for one in keys)
            cells = [*key, name, str(row["n"]), _share(row["success_rate"])]
            cells += [_with_interval(row, shown[0]), *(_number(row[one]) for one in shown[1:])]
            order = tuple(SIZE_ORDER.get(part, part) for part in key)
            rows.append((order, place, "| " + " | ".join(cells) + " |"))
    heads = [*keys, "model", "n", "answers read", *shown]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(line for *_, line in sorted(rows))])


def _share(value: float) -> str:
    return f"{value:.1%}"


def _with_interval(row: Row, metric: str) -> str:
    low, high = (row[f"{metric}_{end}"] for end in ("low", "high"))
    interval = "" if row[metric] is None else f" [{_number(low)}, {_number(high)}]"
    return _number(row[metric]) + interval


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def main() -> None:
    """Print the tables of the score files named on the command line."""
    named = (word.partition("=") for word in sys.argv[1:])
    runs = {name: pq.read_table(Path(path), partitioning=None) for name, _, path in named}
    print(result_tables(runs))  # noqa: T201


if __name__ == "__main__":
    main()
