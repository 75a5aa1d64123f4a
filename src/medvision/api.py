"""The front door: from arrays or folders to a scored model, one name for each step.

Everything here is a thin call of a stage; `medvision` re-exports it, and the command line does the
same with options. What comes back are values that a notebook shows as pictures and tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medvision.errors import UsageError
from medvision.models import evaluate as evaluation
from medvision.models.base import LocalModel, ServedModel
from medvision.models.baselines import make_baseline
from medvision.models.generation import Generation
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.profiles import declared_family, profile_for
from medvision.models.runner import RunSettings, RunSummary
from medvision.pictures.view import PictureFamily
from medvision.replies import Style, known_style
from medvision.samples import Sample, sample_table
from medvision.samples.select import Selection, Split, table_folders
from medvision.samples.select import select_samples as selected
from medvision.samples.suite import Suite, TaskConfig, load_suite
from medvision.table import build, read
from medvision.table.annotate_case import AnnotateOptions, Problem
from medvision.table.cases import DESCRIPTIONS
from medvision.table.folders import Folders, find_cases
from medvision.table.labels import structures_from_labels, target_ids
from medvision.tasks import Task

PathLike = str | Path
Arrays = Mapping[str, npt.ArrayLike]
"""Case id to array [i, j, k] in RAS+, or [y, x] of a picture."""


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
        return aggregate(self)._repr_html_()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A written report: one HTML file that needs no network."""

    path: Path

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import page_html

        return page_html(self.path)


def build_tables(
    images: PathLike | Arrays,
    masks: PathLike | Arrays,
    labels: Mapping[str, Any],
    *,
    name: str,
    modality: str,
    out: PathLike,
    target_labels: Sequence[int | str] = (),
    spacing_mm: Sequence[float] | None = None,
    affine: npt.ArrayLike | None = None,
) -> Tables:
    """Tables of regions from images and label maps, in folders or in memory.

    Arrays are written to `out/images` and `out/masks` first, so that pictures can be drawn from
    them later; doing it again with the same arrays does nothing.

    Args:
        images: A folder with one image per case, or case id to array: (I, J, K) in RAS+, in HU
            for CT.
        masks: The same for label maps, whole numbers.
        labels: Id to name, `{"1": "liver"}`.
        name: Of the dataset.
        modality: CT, MRI, PET, US or XR.
        out: Table folder.
        target_labels: Ids or names of tumours and lesions, which get axis lengths and counts.
        spacing_mm: Voxel spacing of the arrays along i, j, k.
        affine: (4, 4), world RAS in mm from voxel indices, instead of a spacing.

    Raises:
        UsageError: Arrays without spacing, folders with it, or labels that cannot be used.
    """
    out = Path(out)
    if isinstance(images, Mapping) and isinstance(masks, Mapping):
        matrix = _array_affine(spacing_mm, affine)
        images = _written(images, matrix, out / "images", dtype=None)
        masks = _written(masks, matrix, out / "masks", dtype=np.int32)
    elif isinstance(images, Mapping) or isinstance(masks, Mapping):
        msg = "expected images and masks both as folders or both as arrays, found one of each"
        raise UsageError(msg)
    elif spacing_mm is not None or affine is not None:
        msg = "spacing_mm and affine go with arrays; files state their own spacing"
        raise UsageError(msg)
    structures = structures_from_labels({str(key): text for key, text in labels.items()}, "labels")
    cases, unpaired = find_cases(
        Folders(images=Path(images), masks=Path(masks)),
        modality=modality,
        structures=structures,
        target_labels=target_ids(",".join(map(str, target_labels)), structures),
    )
    request = build.BuildRequest(
        cases=cases,
        unpaired=unpaired,
        options=AnnotateOptions(dataset=name),
        description=DESCRIPTIONS.get(modality, "scan"),
    )
    summary = build.build_tables(request, out)
    return Tables(path=out, problems=summary.problems)


def _array_affine(
    spacing_mm: Sequence[float] | None, affine: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    if affine is not None and spacing_mm is None:
        return np.asarray(affine, dtype=np.float64)
    if spacing_mm is not None and affine is None and len(spacing_mm) == 3:
        return np.diag([*map(float, spacing_mm), 1.0])
    msg = (
        "arrays have no header: expected spacing_mm of three numbers, or a (4, 4) affine, found "
        f"spacing_mm={spacing_mm!r}, affine={affine!r}"
    )
    raise UsageError(msg)


def _written(
    arrays: Arrays, affine: npt.NDArray[np.float64], folder: Path, *, dtype: type | None
) -> Path:
    """Arrays as NIfTI files; a file that holds the same array already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for case_id, values in arrays.items():
        if not case_id or Path(case_id).name != case_id:
            msg = f"expected case ids that can be file names, found {case_id!r}"
            raise UsageError(msg)
        array = np.asarray(values, dtype=dtype)
        if array.dtype in (np.bool_, np.int64, np.uint64):
            array = array.astype(np.int32)  # NIfTI has no booleans, and few readers take 64 bits
        content = nib.nifti1.Nifti1Image(array, affine).to_bytes()  # type: ignore[no-untyped-call]
        path = folder / f"{case_id}.nii"
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return folder


def read_tables(path: PathLike) -> Tables:
    """A table folder that was built before.

    Raises:
        UsageError: The folder holds no complete tables.
    """
    read.tables_manifest(Path(path))
    return Tables(path=Path(path))


def select_samples(
    tables: Tables | PathLike | Iterable[Tables | PathLike],
    asked: Task | str | Suite,
    *,
    split: Split = "test",
    limit: int | None = None,
    root: PathLike | None = None,
) -> Selection:
    """The questions to ask.

    Args:
        tables: One table folder, or several.
        asked: A task ("detection", "tl", "ad", "area", "count"), or a suite: its name, its TOML
            file, or the object.
        split: Which subjects: "test", "train" or "all".
        limit: At most so many, drawn by seed.
        root: Data root that replaces the one the tables were built under.

    Raises:
        UsageError: No such task or suite, or a folder without tables.
    """
    many = [tables] if isinstance(tables, (Tables, str, Path)) else list(tables)
    folders = [one.path if isinstance(one, Tables) else Path(one) for one in many]
    if isinstance(asked, Suite):
        suite = asked
    elif asked in set(Task):  # two built-in suites are called like tasks: ask for those by object
        suite = Suite(
            name=f"tables-{asked}", configs=(TaskConfig(task=Task(asked)),), cap_per_config=None
        )
    else:
        suite = load_suite(asked)
    where = None if root is None else Path(root)
    return selected(suite, table_folders(folders), split=split, limit=limit, root=where)


def evaluate(
    samples: Selection | pa.Table | Sequence[Sample],
    model: str | ServedModel | LocalModel,
    run: PathLike,
    *,
    family: str | PictureFamily | None = None,
    style: Style | str = Style.DIRECT,
    base_url: str | None = None,
    train_samples: Iterable[Sample] = (),
    generation: Generation | None = None,
    concurrency: int = 32,
    repeats: int = 1,
) -> Run:
    """Ask a model every question that has no answer yet, and keep every reply.

    Args:
        samples: The questions.
        model: "baseline/NAME", "openai/NAME" with `base_url`, "hf/NAME", or a model of your own.
        run: Run folder; asking again goes on where it stopped.
        family: How the model sees pictures; by default its profile says. A model without one that
            is asked for millimetres needs it.
        style: Bare answers, or reasoning and an answer in tags.
        base_url: Address of an OpenAI-compatible server.
        train_samples: What `baseline/train-mean` may look at.
        generation: Temperature, tokens and the like; the profile's by default.
        concurrency: Questions under way at once.
        repeats: How often each question is asked.

    Raises:
        UsageError: No such model, or how it sees pictures is not known.
    """
    table = samples.table if isinstance(samples, Selection) else samples
    if not isinstance(table, pa.Table):
        table = sample_table(table)
    name = model if isinstance(model, str) else model.model_id
    profile = profile_for(name.partition("/")[2])
    if generation is None:
        generation = (
            Generation(temperature=profile.temperature, max_tokens=profile.max_tokens)
            if profile
            else Generation()
        )
    if isinstance(model, str):
        model = _named_model(model, base_url, generation, train_samples, concurrency)
    if not isinstance(family, PictureFamily):
        family = _known_family(name, family, table)
    request = evaluation.EvalRequest(
        samples=table,
        model=model,
        family=family,
        style=known_style(style),
        system_text=profile.system_text if profile else "",
        profile=profile,
        repeats=repeats,
        settings=RunSettings(concurrency=concurrency),
    )
    return Run(path=Path(run), summary=evaluation.evaluate(request, Path(run)))


def _named_model(
    name: str,
    base_url: str | None,
    generation: Generation,
    train_samples: Iterable[Sample],
    concurrency: int,
) -> ServedModel | LocalModel:
    match name.partition("/"):
        case "baseline", "/", kind if kind:
            return make_baseline(name, train_samples=train_samples)
        case "openai", "/", served if served:
            return OpenAIServer(
                ServerSettings(
                    name=served,
                    base_url=base_url,
                    generation=generation,
                    max_in_flight=concurrency,
                )
            )
        case "hf", "/", weights if weights:
            from medvision.models.hf import HfModel, HfSettings
            from medvision.models.in_process.weights import WeightSettings

            return HfModel(HfSettings(weights=WeightSettings(name=weights), generation=generation))
    msg = f"expected baseline/NAME, openai/NAME or hf/NAME, found {name!r}"
    raise UsageError(msg)


def _known_family(name: str, family: str | None, samples: pa.Table) -> PictureFamily:
    profile = profile_for(name.partition("/")[2])
    is_blind = name.startswith("baseline/")
    measured = sorted({*samples["task"].unique().to_pylist()} - {str(Task.DETECTION)})
    if family is None and profile is None and measured and not is_blind:
        msg = (
            f"tasks {', '.join(measured)} state the pixel size that the model sees, and no profile "
            f'knows {name!r}: say how it resizes pictures with family="NAME" or "HxW"'
        )
        raise UsageError(msg)
    return declared_family(family, profile)


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
class Shown:
    """A sample as a notebook shows it, with an answer drawn over it.

    Attributes:
        sample: The question.
        values: An answer as read; empty for none.
    """

    sample: Sample
    values: tuple[float, ...] = ()

    def save(self, path: PathLike) -> Path:
        """Write the drawing as PNG.

        Raises:
            ItemError: The slice's picture cannot be made.
        """
        from medvision.analysis import overlay_png
        from medvision.pictures.render import SlicePictures, png_bytes

        picture = png_bytes(SlicePictures().picture(self.sample))
        Path(path).write_bytes(overlay_png(self.sample, self.values, picture_png=picture))
        return Path(path)

    def _repr_html_(self) -> str:
        from medvision.analysis.notebook import sample_html

        return sample_html(self.sample, self.values)


def show(sample: Sample, values: Sequence[float] = ()) -> Shown:
    """One case: the slice as a model gets it, with truth and answer drawn."""
    return Shown(sample=sample, values=tuple(values))


def score_run(run: Run | PathLike) -> Scores:
    """Read and score the replies of a run, without asking anything.

    Raises:
        UsageError: The folder holds no evaluated run.
    """
    from medvision.models.run_folder import run_manifest
    from medvision.scoring.score_run import score_run as scored

    path = run.path if isinstance(run, Run) else Path(run)
    return Scores(table=scored(path), model=str(run_manifest(path)["model"]))


def aggregate(scores: Scores | pa.Table, by: Sequence[str] = ()) -> Aggregate:
    """Metrics by task and unit, and by further columns of the scores ("plane", "label", …)."""
    from medvision.scoring import aggregate as aggregated

    table = scores.table if isinstance(scores, Scores) else scores
    return Aggregate(table=aggregated(table, by), by=tuple(by))


def report(runs: Run | PathLike | Iterable[Run | PathLike], out: PathLike | None = None) -> Report:
    """One page that shows how well the models of some runs measure, and where they fail.

    Args:
        runs: Evaluated runs.
        out: HTML file; by default `report/report.html` in the first run's folder.

    Raises:
        UsageError: A folder holds no evaluated run.
    """
    from medvision.analysis.read_run import read_runs, row_pictures
    from medvision.analysis.report import write_report

    many = [runs] if isinstance(runs, (Run, str, Path)) else list(runs)
    paths = [one.path if isinstance(one, Run) else Path(one) for one in many]
    if not paths:
        msg = "expected at least one run to report, found none"
        raise UsageError(msg)
    target = Path(out) if out else paths[0] / "report" / "report.html"
    return Report(path=write_report(read_runs(paths), target, picture=row_pictures()))


def fine_tune(config: PathLike, *, root: PathLike | None = None) -> Path:
    """Fine-tune a model by a TOML configuration; goes on where an earlier call stopped.

    Args:
        config: As for `medvision train sft`.
        root: Data root that replaces the one the tables were built under.

    Returns:
        Folder of the trained model, or of its adapter.

    Raises:
        UsageError: The configuration, the data or the base model cannot be used.
        MissingExtraError: The extra `train` is not installed.
    """
    from medvision.train.config import load_sft_config
    from medvision.train.sft import train_sft

    where = None if root is None else Path(root)
    return train_sft(load_sft_config(Path(config)), root=where).model
