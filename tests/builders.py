"""Samples and questions for tests. What a `Sample` is made of is known here and nowhere else."""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from medvision.frames import SliceGeometry
from medvision.models import Question
from medvision.replies import Style
from medvision.samples import Sample, sample_table
from medvision.tasks import TASKS, MetricKind, Task

SQUARE = SliceGeometry(height_px=64, width_px=64, spacing_y_mm=1.0, spacing_x_mm=1.0)


def shape_hw(sample: Sample) -> tuple[int, int]:
    """Height and width in px of a sample's slice."""
    return sample.geometry.height_px, sample.geometry.width_px


TRUTHS: dict[Task, tuple[float, ...]] = {
    Task.DETECTION: (0.25, 0.25, 0.5, 0.75),
    Task.TUMOR_LESION: (31.25, 18.5),
    Task.ANGLE_DISTANCE: (28.13,),
    Task.AREA: (412.75,),
    Task.COUNT: (3.0,),
    Task.INSTANCES: (0.25, 0.25, 0.5, 0.75, 0.625, 0.125, 0.875, 0.375),
}

STRUCTURE = {
    "label_id": 1,
    "label": "liver",
    "component": 0,
    "name": "liver",
    "metric_kind": "",
    "metric_key": "",
    "box_px": (16.0, 16.0, 32.0, 48.0),  # detection's truth, on 64 × 64 px
}
MEASUREMENT = {
    "label_id": None,
    "label": "",
    "component": None,
    "name": "liver span",
    "metric_kind": MetricKind.DISTANCE,
    "metric_key": "D1",
    "box_px": (),
}


def sample(
    task: Task | str = Task.DETECTION,
    *,
    number: int = 0,
    geometry: SliceGeometry = SQUARE,
    **changes: Any,
) -> Sample:
    """A sample of a task, of the case and the slice of that number.

    Args:
        task: Decides what is asked about, the unit and the truth.
        number: Samples of different numbers have different ids.
        geometry: Of the slice.
        changes: Any other field, by its name. The id follows from the fields where it is not given.
    """
    task = Task(task)
    fields: dict[str, Any] = {
        "dataset": "set",
        "cohort": "",
        "case_id": f"case{number}",
        "subject_id": f"subject{number}",
        "split": "test",
        "image_id": "image",
        "modality": "CT",
        "image_uri": "/nowhere/image.nii.gz",
        "image_sha256": "0" * 64,
        "plane": "axial",
        "slice_index": number,
        **(MEASUREMENT if task is Task.ANGLE_DISTANCE else STRUCTURE),
        "unit": TASKS[task].units[0],
        "truth": TRUTHS[task],
        "points": (),
        "min_px": 10 if task in (Task.COUNT, Task.INSTANCES) else None,
        **changes,
    }
    return Sample(
        **{"sample_id": _sample_id(task, fields), **fields},
        task=task,
        geometry=geometry,
    )


def _sample_id(task: Task, fields: Mapping[str, Any]) -> str:
    label_id = fields["label_id"]
    what = fields["metric_key"] if label_id is None else f"{label_id}.{fields['component']}"
    names = ("dataset", "cohort", "case_id", "image_id", "plane", "slice_index")
    return "/".join(str(part) for part in (*(fields[name] for name in names), what, task))


def samples_table(samples: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of samples, each given by the arguments of `sample`."""
    return sample_table(sample(**changes) for changes in samples)


def numbered_png(number: int) -> bytes:
    """A picture of 64 × 64 px that is no other number's."""
    pixels = np.full((64, 64), number % 256, dtype=np.uint8)
    pixels.flat[:4] = np.frombuffer(np.uint32(number).tobytes(), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def question(number: int = 0, **changes: Any) -> Question:
    """A question about the sample of that number; `changes` are any fields, by name."""
    fields: dict[str, Any] = {
        "sample": sample(number=number),
        "prompt_text": f"Where is the liver? ({number})",
        "image_png": lambda: numbered_png(number),
        "pixel_sha256": f"{number:064x}",
        "pixel_shape": (64, 64),
        "style": Style.DIRECT,
    }
    return Question(**{**fields, **changes})
