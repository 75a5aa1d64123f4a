"""What the front door gives back: values that a notebook shows as pictures and tables."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from medvision.models.runner import RunSummary
from medvision.samples import Sample
from medvision.storage import write_bytes
from medvision.table import read
from medvision.table.annotate_case import Problem

PathLike = str | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A table folder: what was measured of each case.

    Attributes:
        path: The folder.
        problems: Cases and measurements that could not be used, with reasons.
    """

    path: Path
    problems: tuple[Problem, ...] = ()

    @property
    def cases(self) -> pa.Table:
        """One row per case."""
        return read.read_cases(self.path)

    @property
    def regions(self) -> pa.Table:
        """One row per connected component of a label on a slice."""
        return read.read_regions(self.path)

    @property
    def biometrics(self) -> pa.Table:
        """One row per measurement from landmarks."""
        return read.read_biometrics(self.path)

    @property
    def structures(self) -> pa.Table:
        """One row per case and label, in three dimensions."""
        return read.read_structures(self.path)

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import tables_html

        return tables_html(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder: the questions, every reply, the scores.

    Attributes:
        path: The folder.
        summary: What the last evaluation did.
    """

    path: Path
    summary: RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One row per question and repeat, as in `scores.parquet`.

    Attributes:
        table: Columns as in `medvision.scoring.SCORE_SCHEMA`.
        model: Who answered.
    """

    table: pa.Table
    model: str = ""

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import aggregate_html
        from medvision.scoring import aggregate

        return aggregate_html(aggregate(self.table))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Metrics of groups, one row each, with counts and intervals.

    Attributes:
        table: As `medvision.scoring.aggregate` makes it.
        by: What was grouped by, beside task and unit.
    """

    table: pa.Table
    by: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import aggregate_html

        return aggregate_html(self.table, self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A written report: one HTML file that needs no network.

    A notebook shows it inline; everywhere else it is as good as its path.
    """

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import page_html

        return page_html(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """What a run answered to one question.

    Attributes:
        name: Of the run.
        values: As read; empty where nothing was.
        status: What became of the reply, as in `scores`.
    """

    name: str
    values: tuple[float, ...]
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A sample as a notebook shows it, with an answer drawn over it.

    Attributes:
        sample: The question.
        values: An answer as read; empty for none.
        answers: Of runs, a picture for each.
    """

    sample: Sample
    values: tuple[float, ...] = ()
    answers: tuple[RunAnswer, ...] = ()

    def save(self, path: PathLike) -> Path:
        """Write the drawing as PNG.

        Raises:
            ItemError: The slice's picture cannot be made.
        """
        from medvision.analysis import overlay_png
        from medvision.pictures.render import SlicePictures, png_bytes

        picture = png_bytes(SlicePictures().picture(self.sample))
        write_bytes(Path(path), overlay_png(self.sample, self.values, picture_png=picture))
        return Path(path)

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import answer_words, sample_html
        from medvision.pictures.render import SlicePictures

        if not self.answers:
            return sample_html(self.sample, self.values)
        pictures = SlicePictures()
        return "".join(
            sample_html(self.sample, one.values, pictures=pictures, said=f"{one.name}: {words}")
            for one in self.answers
            for words in [answer_words(self.sample, one.values) or one.status]
        )
