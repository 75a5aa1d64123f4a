"""What the line of a suite asks for and tables do not have, so that it is told."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.compute as pc

from medvision.declarations import meant
from medvision.names import composed
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_biometrics, read_regions
from medvision.tasks import Task

SHOWN = 5
"""Most names in a sentence."""


def missing_datasets(suite: Suite, tables: Mapping[str, Path]) -> Iterator[str]:
    """Datasets that a suite names and that no table folder at hand holds: one sentence for all."""
    named = dict.fromkeys(config.dataset for config in suite.configs if config.dataset)
    absent = [name for name in named if name not in tables]
    if absent:
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        guess = meant(absent[0], tables) or ";" if len(absent) == 1 else ";"
        yield (
            f"suite {suite.name!r}: no tables of {len(absent)} of its {len(named)} datasets: "
            f"{', '.join(absent[:SHOWN])}{more}{guess} tables at hand: {', '.join(sorted(tables))}"
        )


def unmet(config: TaskConfig, folders: Sequence[Path]) -> Iterator[str]:
    """What no row of some table folders can ever answer, a sentence each.

    Args:
        config: The line of a suite.
        folders: All that it is asked of; none says nothing.
    """
    if not folders:
        return
    where = ", ".join(map(str, folders))
    is_measured = config.task is Task.ANGLE_DISTANCE
    kind = "biometrics" if is_measured else "regions"
    # Folders of the tables are named after planes, whatever their number of rows.
    planes = {
        entry.name.removeprefix("plane=")
        for folder in folders
        for entry in (folder / kind).glob("plane=*")
    }
    if not planes:
        what = "measurement between landmarks" if is_measured else "structure"
        yield f"no {what} in {where}"
        return
    for plane in config.planes:
        if plane not in planes:
            yield f"no row on plane {str(plane)!r} in {where}; known: {', '.join(sorted(planes))}"
    if is_measured and config.metric_kind:
        kinds = {k for f in folders for k in read_biometrics(f)["metric_kind"].unique().to_pylist()}
        if config.metric_kind not in kinds:
            yield f"no {config.metric_kind} in {where}; known: {', '.join(sorted(kinds))}"
    if config.task in (Task.TUMOR_LESION, Task.COUNT):
        is_target = pc.field("ellipse_status") != "not_target"
        if not any(read_regions(f, is_target, columns=["label_id"]).num_rows for f in folders):
            yield f"no label is a target (a tumour or lesion) in {where}"
    if config.labels:
        found = [read_regions(f, columns=["label"])["label"].unique().to_pylist() for f in folders]
        known = {composed(label) for labels in found for label in labels}
        for label in config.labels:
            if composed(label) not in known:
                yield (
                    f"no label {label!r} in {where}{meant(label, known) or ';'} "
                    f"known: {', '.join(sorted(known)) or 'none'}"
                )
