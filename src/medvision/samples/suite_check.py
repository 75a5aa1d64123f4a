"""Whether a suite asks only for what the catalogue declares."""

from collections.abc import Collection, Iterator

from medvision.catalog.check import Finding, Mistake
from medvision.catalog.dataset import Dataset, load_dataset
from medvision.errors import UsageError
from medvision.frames import VOLUME_PLANES
from medvision.samples.suite import Suite, TaskConfig


def check_suite(suite: Suite, known: Collection[str], others: Collection[str]) -> list[Finding]:
    """All mistakes of one suite.

    Args:
        suite: The suite.
        known: Names of the catalogue's datasets.
        others: Names of datasets that exist without a declaration, such as phantoms.
    """
    found: list[tuple[Mistake, str]] = []
    seen = set()
    for config in suite.configs:
        what = (config.task, config.instances, config.metric_kind)
        key = (what, config.dataset, config.task_id, config.planes)
        if key in seen and not config.labels:
            twice = f"{config.dataset} {config.task} {config.task_id} twice"
            found.append((Mistake.CONFIG_REPEATED, twice))
        seen.add(key)
    for config in suite.configs:
        if config.dataset in known:
            found += _against_declaration(config, load_dataset(config.dataset))
        elif config.dataset and config.dataset not in others:
            found.append((Mistake.UNKNOWN_DATASET, f"no dataset {config.dataset!r}"))
    where = f"suite {suite.name}"
    return [Finding(mistake=kind, where=where, message=text) for kind, text in found]


def _against_declaration(config: TaskConfig, dataset: Dataset) -> Iterator[tuple[Mistake, str]]:
    sets = dataset.label_sets()
    if config.task_id:
        try:
            task = dataset.task(config.task, config.task_id)
        except UsageError as error:
            yield Mistake.UNKNOWN_TASK, str(error)
            return
        cohort = dataset.cohort(task.cohort)
        sets = {task.cohort: cohort.labels}
        for plane in config.planes:
            if plane not in (cohort.planes or VOLUME_PLANES):
                measured = ", ".join(cohort.planes)
                text = f"{dataset.name} task {task.id}: {plane} is not measured, only {measured}"
                yield Mistake.PLANE_NOT_MEASURED, text
    names = {label.name for labels in sets.values() for label in labels.values()}
    for name in config.labels:
        if name not in names:
            yield Mistake.UNKNOWN_LABEL, f"{dataset.name}: no label {name!r}"
