"""Counts that the original benchmark publishes of a dataset, to compare a build with."""

from dataclasses import dataclass

from medvision.declarations import Count


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCounts:
    """Counts over all planes, training and test together; None where nothing is published.

    Attributes:
        source: Where they stand.
        images: Volumes; sequences of a case count one each.
        masks: Label maps; one for all sequences of a case.
        slices: Slices with any label.
        slice_label_pairs: Pairs of a slice and a label that is on it.
        single_instance_samples: Those pairs with one component whose box passes the filter of
            detection.
        measurements: Angles and distances between landmarks.
        tl_single: Tumour or lesion sizes of labels with one component on the slice (1.4.0).
        tl_multi: Likewise with several components (1.4.0).
    """

    source: str
    images: Count | None = None
    masks: Count | None = None
    slices: Count | None = None
    slice_label_pairs: Count | None = None
    single_instance_samples: Count | None = None
    measurements: Count | None = None
    tl_single: Count | None = None
    tl_multi: Count | None = None
