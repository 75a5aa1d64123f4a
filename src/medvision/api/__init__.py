"""The front door: from arrays or folders to a scored model, one name for each step.

Everything here is a thin call of a stage; `medvision` re-exports it, and the command line does the
same with options. What comes back are values that a notebook shows as pictures and tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from medvision.api.answers import answers_to
from medvision.api.arrays import build_tables
from medvision.api.values import Aggregate, PathLike, Report, Run, Scores, Shown, Tables
from medvision.errors import UsageError
from medvision.models import evaluate as evaluation
from medvision.models.base import LocalModel, ServedModel
from medvision.models.baselines import make_baseline
from medvision.models.generation import Generation
from medvision.models.openai_server import OpenAIServer, ServerSettings
from medvision.models.profiles import declared_family, profile_for
from medvision.models.runner import RunSettings
from medvision.pictures.view import PictureFamily
from medvision.protocols import MEDVISION, Protocol, load_protocol
from medvision.replies import Style, known_style
from medvision.samples import Sample, sample_table
from medvision.samples.select import Selection, Split, table_folders
from medvision.samples.select import select_samples as selected
from medvision.samples.suite import Suite, TaskConfig, load_suite
from medvision.storage import local_path
from medvision.table import read
from medvision.tasks import BOX_TASKS, Task

__all__ = [
    "Aggregate",
    "Report",
    "Run",
    "Scores",
    "Shown",
    "Tables",
    "aggregate",
    "build_tables",
    "evaluate",
    "fine_tune",
    "read_tables",
    "report",
    "score_run",
    "select_samples",
    "show",
]


def read_tables(path: PathLike) -> Tables:
    """A table folder that was built before.

    Raises:
        UsageError: The folder holds no complete tables.
    """
    read.tables_manifest(local_path(path))
    return Tables(path=local_path(path))


def select_samples(
    tables: Tables | PathLike | Iterable[Tables | PathLike],
    asked: Task | str | Suite,
    *,
    split: Split = "test",
    limit: int | None = None,
    root: PathLike | None = None,
    protocol: Protocol | str = MEDVISION,
) -> Selection:
    """The questions to ask.

    Args:
        tables: One table folder, or several.
        asked: A task ("detection", "tl", "ad", "area", "count", "instances"), or a suite: its
            name, its TOML file, or the object.
        split: Which subjects: "test", "train" or "all".
        limit: At most so many, drawn by seed.
        root: Data root that replaces the one the tables were built under.
        protocol: What is left out and how slices are shown: "medvision", "paper", a TOML file, or
            a `medvision.protocols.Protocol`. `evaluate` asks by the same.

    Raises:
        UsageError: No such task, suite or protocol, or a folder without tables.
    """
    many = [tables] if isinstance(tables, (Tables, str, Path)) else list(tables)
    folders = [one.path if isinstance(one, Tables) else local_path(one) for one in many]
    if isinstance(asked, Suite):
        suite = asked
    elif asked in set(Task):  # two built-in suites are called like tasks: ask for those by object
        suite = Suite(
            name=f"tables-{asked}", configs=(TaskConfig(task=Task(asked)),), cap_per_config=None
        )
    else:
        suite = load_suite(asked)
    where = None if root is None else local_path(root)
    return selected(
        suite,
        table_folders(folders),
        split=split,
        limit=limit,
        root=where,
        protocol=_protocol(protocol),
    )


def _protocol(named: Protocol | str) -> Protocol:
    return load_protocol(named) if isinstance(named, str) else named


def evaluate(
    samples: Selection | pa.Table | Sequence[Sample],
    model: str | ServedModel | LocalModel,
    run: PathLike,
    *,
    family: str | PictureFamily | None = None,
    style: Style | str | None = None,
    base_url: str | None = None,
    train_samples: Iterable[Sample] = (),
    generation: Generation | None = None,
    concurrency: int = 32,
    repeats: int = 1,
    protocol: Protocol | str | None = None,
) -> Run:
    """Ask a model every question that has no answer yet, and keep every reply.

    Args:
        samples: The questions.
        model: "baseline/NAME", "openai/NAME" with `base_url`, "hf/NAME", or a model of your own.
        run: Run folder; asking again goes on where it stopped.
        family: How the model sees pictures; by default its profile says. A model without one that
            is asked for millimetres needs it.
        style: Bare answers, or reasoning and an answer in tags; by default as the protocol says,
            else bare.
        base_url: Address of an OpenAI-compatible server.
        train_samples: What `baseline/train-mean` and its kin may look at.
        generation: Temperature, tokens and the like; the profile's by default.
        concurrency: Questions under way at once.
        repeats: How often each question is asked.
        protocol: Facts in prompts and the reading of replies; by default that of the selection.

    Raises:
        UsageError: No such model or protocol, how it sees pictures is not known, or samples of
            another view than the protocol's.
    """
    table = samples.table if isinstance(samples, Selection) else samples
    if protocol is None:
        protocol = samples.protocol if isinstance(samples, Selection) else MEDVISION
    protocol = _protocol(protocol)
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
        style=known_style(style or protocol.prompt.style or Style.DIRECT),
        system_text=profile.system_text if profile else "",
        profile=profile,
        repeats=repeats,
        settings=RunSettings(concurrency=concurrency),
        protocol=protocol,
        in_pieces=samples.in_pieces if isinstance(samples, Selection) else None,
    )
    return Run(path=local_path(run), summary=evaluation.evaluate(request, local_path(run)))


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
    measured = sorted({*samples["task"].unique().to_pylist()} - BOX_TASKS)
    if family is None and profile is None and measured and not is_blind:
        msg = (
            f"tasks {', '.join(measured)} state the pixel size that the model sees, and no profile "
            f'knows {name!r}: say how it resizes pictures with family="NAME" or "HxW"'
        )
        raise UsageError(msg)
    return declared_family(family, profile)


def show(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    runs: Run | PathLike | Iterable[Run | PathLike] = (),
) -> Shown:
    """One case: the slice as a model gets it, with truth and answer drawn.

    Args:
        sample: The question.
        values: An answer, in the order and frame of `sample.truth`.
        runs: Evaluated runs whose answers are drawn, a picture for each.

    Raises:
        UsageError: A folder holds no evaluated run, or the run was not asked the sample.
    """
    return Shown(sample=sample, values=tuple(values), answers=answers_to(sample, _run_paths(runs)))


def score_run(run: Run | PathLike, *, protocol: Protocol | str | None = None) -> Scores:
    """Read and score the replies of a run, without asking anything.

    Args:
        run: Evaluated before.
        protocol: How replies are read; by default as the run's own says.

    Raises:
        UsageError: The folder holds no evaluated run, or there is no such protocol.
    """
    from medvision.models.run_folder import run_manifest
    from medvision.scoring.score_run import score_run as scored

    path = _run_path(run)
    reading = _protocol(protocol).reading if protocol else None
    return Scores(table=scored(path, reading), model=str(run_manifest(path)["model"]))


def aggregate(scores: Scores | pa.Table, by: Sequence[str] = ()) -> Aggregate:
    """Metrics by task and unit, and by further columns of the scores ("plane", "label", …)."""
    from medvision.scoring import aggregate as aggregated

    table = scores.table if isinstance(scores, Scores) else scores
    return Aggregate(table=aggregated(table, by), by=tuple(by))


def report(
    runs: Run | PathLike | Iterable[Run | PathLike],
    out: PathLike | None = None,
    *,
    protocol: Protocol | str | None = None,
    names: Mapping[str, Run | PathLike] | None = None,
) -> Report:
    """One page that shows how well the models of some runs measure, and where they fail.

    Args:
        runs: Evaluated runs.
        out: HTML file; by default `report/report.html` in the first run's folder.
        protocol: How replies are read; by default as they were scored.
        names: What to call some of the runs: {"Model A": run}; others by their models. Runs of one
            model that asked different tasks are one row.

    Raises:
        UsageError: A folder holds no evaluated run, there is no such protocol, or a name is of none
            of the runs.
    """
    from medvision.analysis.read_run import read_runs, row_pictures
    from medvision.analysis.report import write_report

    paths = _run_paths(runs)
    if not paths:
        msg = "expected at least one run to report, found none"
        raise UsageError(msg)
    target = local_path(out) if out else paths[0] / "report" / "report.html"
    reading = _protocol(protocol).reading if protocol else None
    named = {_run_path(one): name for name, one in (names or {}).items()}
    read_ones = read_runs(paths, reading, names=named)
    return Report(path=write_report(read_ones, target, picture=row_pictures()))


def _run_paths(runs: Run | PathLike | Iterable[Run | PathLike]) -> list[Path]:
    many = [runs] if isinstance(runs, (Run, str, Path)) else runs
    return [_run_path(one) for one in many]


def _run_path(run: Run | PathLike) -> Path:
    return run.path if isinstance(run, Run) else local_path(run)


def fine_tune(
    config: PathLike, *, root: PathLike | None = None, protocol: str | None = None
) -> Path:
    """Fine-tune a model by a TOML configuration; goes on where an earlier call stopped.

    Args:
        config: As for `medvision train sft`.
        root: Data root that replaces the one the tables were built under.
        protocol: "medvision", "paper" or a TOML file, instead of the configuration's.

    Returns:
        Folder of the trained model, or of its adapter.

    Raises:
        UsageError: The configuration, the data or the base model cannot be used.
        MissingExtraError: The extra `train` is not installed.
    """
    from medvision.train import require_libraries
    from medvision.train.config import load_sft_config

    resolved = load_sft_config(Path(config))
    if protocol is not None:
        resolved = replace(resolved, protocol=protocol)
    require_libraries()
    # Imports torch, and must come after the check for it.
    from medvision.train.sft import train_sft

    return train_sft(resolved, root=None if root is None else local_path(root)).model
