"""Keys of a declaration that say something of masks, where there are none."""

from collections.abc import Iterator, Mapping

from medvision.catalog.cohort import Label
from medvision.catalog.dataset import Dataset


def idle_mask_keys(dataset: Dataset) -> Iterator[str]:
    """What is wrong with keys of masks that stand beside boxes or landmarks alone, a line each.

    Boxes have no values and no colours: who declares some to be left out would believe that they
    are.
    """
    with_masks = {
        cohort.name: any(way.mask_files for way in cohort.ways) for cohort in dataset.cohorts
    }
    listed = (one.mask_files or one.mask_from_probabilities for one in dataset.cases)
    keys = {
        "ignore": dataset.ignore,
        "colours": dataset.colours,
        "empty_masks": dataset.empty_masks,
    }
    given = _given(keys, dataset.labels)
    if given and not any(with_masks.values()) and not any(listed):
        yield f"{given}: for masks, and there are none"
    for cohort in dataset.cohorts:
        given = _given({"ignore": cohort.ignore, "colours": cohort.colours}, cohort.labels)
        if given and not with_masks[cohort.name]:
            yield f"cohort {cohort.name!r}: {given}: for masks, and it has none"


def _given(keys: Mapping[str, object], labels: Mapping[str, Label]) -> str:
    values = {f"values of {one.name!r}": one.values for one in labels.values()}
    return ", ".join(key for key, value in {**keys, **values}.items() if value)
