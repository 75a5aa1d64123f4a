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
        key = (config.task, config.dataset, config.task_id, config.planes, config.metric_kind)
        if key in seen and not config.labels:
            what = f"{config.dataset} {config.task} {config.task_id} twice"
            found.append((Mistake.CONFIG_REPEATED, what))
        seen.add(key)
        if config.dataset in known:
            found += _config(config, load_dataset(config.dataset))
        elif config.dataset and config.dataset not in others:
            found.append((Mistake.UNKNOWN_DATASET, f"no dataset {config.dataset!r}"))
    where = f"suite {suite.name}"
    return [Finding(mistake=kind, where=where, message=text) for kind, text in found]


def _config(config: TaskConfig, dataset: Dataset) -> Iterator[tuple[Mistake, str]]:
    if not config.task_id:
        yield from _labels(config, dataset, None)
        return
    try:
        task = dataset.task(config.task, config.task_id)
    except UsageError as error:
        yield Mistake.UNKNOWN_TASK, str(error)
        return
    cohort = dataset.cohort(task.cohort)
    for plane in config.planes:
        if plane not in (cohort.planes or VOLUME_PLANES):
            yield (
                Mistake.PLANE_NOT_MEASURED,
                f"{dataset.name} task {task.id}: {plane} is not measured, only "
                f"{', '.join(cohort.planes)}",
            )
    yield from _labels(config, dataset, task.cohort)


def _labels(
    config: TaskConfig, dataset: Dataset, cohort: str | None
) -> Iterator[tuple[Mistake, str]]:
    sets = dataset.label_sets()
    if cohort is not None:
        sets = {cohort: dataset.cohort(cohort).labels}
    names = {label.name for labels in sets.values() for label in labels.values()}
    for name in config.labels:
        if name not in names:
            yield Mistake.UNKNOWN_LABEL, f"{dataset.name}: no label {name!r}"
