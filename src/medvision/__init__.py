"""Quantitative medical image analysis with vision-language models.

Not for clinical use.

    import medvision as mv

    tables = mv.build_tables({"a": image}, {"a": mask}, {"1": "liver"}, name="my-ct", ...)
    samples = mv.select_samples(tables, "detection", split="all")
    run = mv.evaluate(samples, "baseline/center", "runs/center")
    mv.aggregate(mv.score_run(run))

Every name is loaded when it is first used, so that importing this costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from medvision.annotate import region_table as region_table
    from medvision.api import Aggregate as Aggregate
    from medvision.api import Report as Report
    from medvision.api import Run as Run
    from medvision.api import Scores as Scores
    from medvision.api import Tables as Tables
    from medvision.api import aggregate as aggregate
    from medvision.api import build_tables as build_tables
    from medvision.api import evaluate as evaluate
    from medvision.api import fine_tune as fine_tune
    from medvision.api import read_tables as read_tables
    from medvision.api import report as report
    from medvision.api import score_run as score_run
    from medvision.api import select_samples as select_samples
    from medvision.api import show as show
    from medvision.frames import Plane as Plane
    from medvision.frames import SliceGeometry as SliceGeometry
    from medvision.pictures.perceived import PerceivedSize as PerceivedSize
    from medvision.pictures.perceived import perceived_size as perceived_size
    from medvision.pictures.view import PictureFamily as PictureFamily
    from medvision.replies import Answer as Answer
    from medvision.replies import AnswerStatus as AnswerStatus
    from medvision.replies import read_answer as read_answer
    from medvision.samples import Sample as Sample
    from medvision.samples.select import Selection as Selection
    from medvision.scoring import ScoreRow as ScoreRow
    from medvision.scoring import score as score
    from medvision.tasks import Task as Task
    from medvision.volumes import Volume as Volume
    from medvision.volumes import read_volume as read_volume

_HOMES = {
    "medvision.annotate": ("region_table",),
    "medvision.api": (
        *("Aggregate", "Report", "Run", "Scores", "Tables"),
        *("aggregate", "build_tables", "evaluate", "fine_tune", "read_tables", "report"),
        *("score_run", "select_samples", "show"),
    ),
    "medvision.frames": ("Plane", "SliceGeometry"),
    "medvision.pictures.perceived": ("PerceivedSize", "perceived_size"),
    "medvision.pictures.view": ("PictureFamily",),
    "medvision.replies": ("Answer", "AnswerStatus", "read_answer"),
    "medvision.samples": ("Sample",),
    "medvision.samples.select": ("Selection",),
    "medvision.scoring": ("ScoreRow", "score"),
    "medvision.tasks": ("Task",),
    "medvision.volumes": ("Volume", "read_volume"),
}
"""Where each name really lives; the imports above say the same to type checkers."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        msg = f"module 'medvision' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
