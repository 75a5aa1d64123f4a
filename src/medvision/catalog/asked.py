"""What questions need of a declaration: what images are called, and which one each label is on.

Tables keep it in their manifest, so that a dataset of a user's own is asked as it was declared.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from medvision.catalog.cohort import Image, Label
from medvision.catalog.dataset import Dataset, DatasetTask, dataset_names, load_dataset
from medvision.tasks import Task

DESCRIPTIONS = {
    "CT": "computed tomography (CT) scan",
    "MRI": "magnetic resonance imaging (MRI) scan",
    "PET": "positron emission tomography (PET) scan",
    "US": "ultrasound image",
    "XR": "radiograph (X-ray image)",
}
"""What prompts say of a picture whose dataset says nothing better, by modality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedImages:
    """Images and labels of a dataset, as questions need them.

    Attributes:
        descriptions: Cohort to image id to what it shows, as prompts say it.
        detected_on: Cohort to label id to the one image that boxes are asked on; labels without
            one are asked on every image.
        measured_on: Likewise for all other tasks on masks; labels without one are asked on the
            first image.
        without_window: Cohort to the images that no CT window applies to.
        tasks: Numbered tasks.
    """

    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    detected_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    measured_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    without_window: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: tuple[DatasetTask, ...] = ()

    def has_window(self, cohort: str, image_id: str) -> bool:
        """Whether an image may be shown by the CT window of a label.

        Example:
            >>> asked = AskedImages(without_window={"": ("cone_beam",)})
            >>> asked.has_window("", "cone_beam"), asked.has_window("", "ct")
            (False, True)
        """
        return image_id not in self.without_window.get(cohort, ())


def asked_images(dataset: Dataset) -> AskedImages:
    """What a declaration says of images and labels.

    Example:
        >>> asked = asked_images(load_dataset("BraTS24"))
        >>> asked.measured_on["GLI"]["3"]  # enhancing tumour: shown by the contrast agent
        't1c'
    """
    images: dict[str, tuple[Image, ...]] = {one.name: one.images for one in dataset.cohorts}
    labels: dict[str, Mapping[str, Label]] = {
        one.name: dataset.cohort(one.name).labels for one in dataset.cohorts
    }
    for case in dataset.cases:
        known = images.get(case.cohort, ())
        ids = {image.id for image in known}
        new = tuple(image for image in case.image_files if image.id not in ids)
        images[case.cohort] = known + new
        labels[case.cohort] = {**labels.get(case.cohort, {}), **(case.labels or dataset.labels)}
    declared = {
        cohort: {label_id: label.image for label_id, label in some.items() if label.image}
        for cohort, some in labels.items()
    }
    measured: dict[str, dict[str, str]] = {cohort: {} for cohort in labels}
    for task in dataset.tasks:
        if Task.TUMOR_LESION in task.asks and task.label is not None:
            measured.setdefault(task.cohort, {})[str(task.label)] = task.image
    return AskedImages(
        descriptions={
            cohort: _descriptions(some, dataset.description) for cohort, some in images.items()
        },
        detected_on=declared,
        measured_on={cohort: measured[cohort] | declared.get(cohort, {}) for cohort in measured},
        without_window={
            cohort: tuple(image.id for image in some if not image.ct_window)
            for cohort, some in images.items()
        },
        tasks=dataset.tasks,
    )


def _descriptions(images: Iterable[Image], of_dataset: str) -> dict[str, str]:
    """Image id to what it shows; images that would be described alike are told apart by id."""
    words = {
        image.id: image.description or of_dataset or DESCRIPTIONS[image.modality]
        for image in images
    }
    alike = Counter(words.values())
    return {
        image_id: f"{text} ({image_id})" if alike[text] > 1 else text
        for image_id, text in words.items()
    }


def catalogued_images(name: str) -> AskedImages:
    """What the catalogue says of a dataset; nothing of one that it does not declare."""
    return asked_images(load_dataset(name)) if name in dataset_names() else AskedImages()
