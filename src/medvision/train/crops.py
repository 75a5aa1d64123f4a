"""Training examples that show a crop around their structure instead of the whole slice."""

import numpy as np
import pyarrow as pa

from medvision.samples.crops import crop_around
from medvision.train.config import CropConfig
from medvision.train.mixing import Rows


def with_crops(
    samples: pa.Table, order: Rows, config: CropConfig, seed: int
) -> tuple[pa.Table, Rows]:
    """Samples once more as crops, and an order that shows a share of examples so.

    A sample's crop is the same whenever it is shown; whether it is shown as a crop is drawn each
    time anew, so that it is also seen whole. Questions without a structure, or with one that needs
    the whole slice, stay whole.

    Args:
        samples: In the order of their row numbers, columns as in `SAMPLE_SCHEMA`.
        order: Rows in the order of training.
        config: How crops are made; of a share above 0.
        seed: Of crops and draws.

    Returns:
        The samples followed by their crops, and the order with rows of either.
    """
    # Streams of their own: what is drawn for the order stays as it is without crops.
    shifts, draws = (np.random.default_rng([seed, part]) for part in (0xC709, 0xD7A3))
    n = samples.num_rows
    shift_frac = shifts.uniform(-config.jitter, config.jitter, (n, 2)).tolist()
    names = ("box_px", "height_px", "width_px")
    rows = zip(*(samples[name].to_pylist() for name in names), shift_frac, strict=True)
    crops = [
        crop_around(box, height_px, width_px, margin_frac=config.margin, shift_frac=(x, y))
        if box
        else ()
        for box, height_px, width_px, (x, y) in rows
    ]
    place = samples.column_names.index("crop_px")
    kind = samples.schema.field("crop_px").type
    cropped = samples.set_column(place, "crop_px", pa.array(crops, kind))
    has_crop = np.array([bool(crop) for crop in crops], dtype=np.bool_)
    is_shown = (draws.uniform(size=len(order)) < config.share) & has_crop[order]
    return pa.concat_tables([samples, cropped]), np.where(is_shown, order + n, order)
