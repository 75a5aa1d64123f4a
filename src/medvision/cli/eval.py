"""Ask a model the questions of a suite or of tables, store every reply, and score them."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from medvision.cli.asking import GenerationOptions, PaceOptions
from medvision.cli.combine import CombineOption, print_combined
from medvision.cli.live import live_progress
from medvision.cli.model import ServerOptions, WeightOptions, served_model
from medvision.cli.options import Group, Option
from medvision.cli.pixel_grid import GridOptions
from medvision.cli.printable import printable
from medvision.cli.profiles import Profiles, model_profile, own_profiles
from medvision.cli.protocol import ProtocolOptions
from medvision.cli.refine import NextRequest, RefineOptions
from medvision.cli.root import Root, data_root
from medvision.cli.spacing import SpacingOptions
from medvision.cli.stopped import exit_status
from medvision.cli.summary import WHAT_NOW, n_missing, print_scores
from medvision.errors import UsageError
from medvision.models.advice import failure_lines
from medvision.models.asked_again import asked_again
from medvision.models.base import LocalModel, ServedModel
from medvision.models.baselines import TRAINED_BASELINES, make_baseline
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.models.hf import HfModel, HfSettings
from medvision.models.profiles import ModelProfile, declared_family, unknown_words
from medvision.models.run_folder import in_pieces_path
from medvision.models.run_words import RunSettings, RunSummary, StopReason
from medvision.pictures.view import UNDECLARED, PictureFamily
from medvision.protocols import Protocol
from medvision.replies import Style
from medvision.samples import Sample
from medvision.samples.select import Split, select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig, load_suite
from medvision.scoring.running_score import RunningScore
from medvision.scoring.score_run import ReplyReader, score_run
from medvision.storage import only_process
from medvision.table.read import tables_folder, tables_manifest
from medvision.tasks import BOX_TASKS, Task

LOST = "image files are missing, see above"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """What is asked."""

    suite: Annotated[str | None, Option("S", help="a built-in suite or a .toml file")] = None
    tables: Annotated[tuple[Path, ...], Option("T", help="table folders")] = ()
    task: Task | None = None
    split: Split = "test"
    limit: Annotated[
        int | None, Option("N", help="at most N samples, drawn by seed", at_least=1)
    ] = None
    style: Style | None = None
    protocol: ProtocolOptions
    spacing: SpacingOptions
    refine: RefineOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Who is asked, how it sees pictures and how it is to write."""

    model: Annotated[str, Option("M", help="openai/, hf/ or baseline/NAME")]
    server: ServerOptions
    family: Annotated[
        str | None, Option("F", help="how the model sees pictures: a family or HxW")
    ] = None
    profiles: Profiles = None
    grid: GridOptions
    generation: GenerationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where replies go, and how the run goes."""

    run: Annotated[Path, Option("RUN", help="run folder")]
    max_error_rate: Annotated[float, Option("F", at_least=0, at_most=1)] = 0.0
    repeats: Annotated[int, Option("N", help="times each question", at_least=1)] = 1
    combine: CombineOption = None
    pace: PaceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """Options of `medvision eval`."""

    root: Root = None
    questions: Annotated[QuestionOptions, Group("questions")]
    asked: Annotated[ModelOptions, Group("model")]
    weights: Annotated[WeightOptions, Group("weights of an hf/ model")]
    run: Annotated[RunOptions, Group("run")]


def run(options: EvalOptions) -> int:
    """Evaluate and score; 1 when more replies than allowed are errors, 130 or 143 when stopped."""
    questions, asked = options.questions, options.asked
    suite, tables = suite_and_tables(questions, options.root)
    protocol = questions.protocol.chosen()
    read = partial(select_samples, suite, tables, root=options.root, protocol=protocol)
    selection = read(split=questions.split, limit=questions.limit)
    profile = model_profile(
        asked.model, own_profiles(asked.profiles), adapter=options.weights.adapter
    )
    is_trained = asked.model.removeprefix("baseline/") in TRAINED_BASELINES
    train = read(split="train").samples if is_trained else []
    request = EvalRequest(
        samples=selection.table,
        model=asked_model(options, profile, train),
        family=picture_family(asked, selection.table, profile),
        style=asked_style(questions.style, protocol, profile),
        system_text=profile.system_text if profile else "",
        profile=profile,
        repeats=options.run.repeats,
        selection={
            "suite": suite.name,
            "split": questions.split,
            "limit": questions.limit,
            "seed": suite.seed,
            "cap_per_config": suite.cap_per_config,
            "dropped": selection.dropped,
        },
        protocol=protocol,
        in_pieces=selection.in_pieces,
    )
    again = asked_again(
        request,
        factors=questions.spacing.factors(),
        withheld=questions.spacing.withhold_spacing,
    )
    zoomed = questions.refine.requests(request, options.run.run)
    is_lost = not asked.model.startswith("baseline/") and tell_lost(selection.table, tables)
    dropped = ", ".join(f"{count} {reason}" for reason, count in selection.dropped.items())
    for line in selection.unmet:
        print(printable(line), file=sys.stderr)
    print(f"{selection.table.num_rows} samples" + (f" (left out: {dropped})" if dropped else ""))
    if selection.in_pieces is not None:
        where = f"listed in {in_pieces_path(options.run.run).name} beside the samples"
        print(f"{selection.in_pieces.num_rows} structures in several pieces: not asked, {where}")
    settings = options.run.pace.run_settings()  # what it refuses is refused before a folder is made
    if options.run.combine and options.run.repeats == 1:
        msg = "--combine: expected several replies to each question; add --repeats 8"
        raise UsageError(msg)
    with only_process(options.run.run, "evaluating"):
        code = ask_in_turn({"": request, **again, **zoomed}, options.run, settings, is_lost=is_lost)
        if options.run.combine and code <= 1:
            print_combined(options.run.run, options.run.combine, options.run.max_error_rate)
        return code


def ask_in_turn(
    requests: Mapping[str, NextRequest],
    options: RunOptions,
    settings: RunSettings,
    *,
    is_lost: bool,
) -> int:
    """Evaluate and score, one after another, until one is stopped; budget and time are for all.

    Args:
        requests: By the name of the folder inside the run's; "" is the run itself. Those that
            depend on replies are made when it is their turn.
        options: Where, and how many errors are allowed.
        settings: How many at once, and what may be spent on all of them.
        is_lost: Image files are missing, which was told.

    Returns:
        1 when more replies than allowed are errors in one of them, 130 or 143 when stopped, else 0.
    """
    code, left = 0, list(requests)
    for name, asked in requests.items():
        folder, start_s = options.run / name, time.monotonic()
        if name:
            print(f"{name}:")
        request = asked() if callable(asked) else asked
        reader = ReplyReader(
            style=request.style, family=request.family, reading=request.protocol.reading
        )
        with only_process(folder, "evaluating"):
            with live_progress(request.model.model_id, RunningScore(reader=reader)) as on_progress:
                summary = evaluate(replace(request, settings=settings), folder, on_progress)
            allowed = options.max_error_rate
            told = tell(folder, summary, max_error_rate=allowed, is_lost=is_lost)
            code = max(code, told)
        left.remove(name)
        if summary.stopped:
            if left:
                print(f"not asked: {', '.join(left)}", file=sys.stderr)
            break
        settings = settings.after(summary, time.monotonic() - start_s)
    return code


def tell(folder: Path, summary: RunSummary, *, max_error_rate: float, is_lost: bool) -> int:
    """Score a run and print what was spent, scored and missed; its exit code."""
    scores = score_run(folder)
    if summary.prompt_tokens or summary.completion_tokens:
        money = "" if summary.money is None else f", {summary.money:.4f} spent"
        print(f"{summary.prompt_tokens} + {summary.completion_tokens} tokens in and out{money}")
    print_scores(scores, max_error_rate=max_error_rate)
    missing = n_missing(scores)
    for line in failure_lines(folder):
        print(line, file=sys.stderr)
    if missing or summary.stopped:
        words = f"{missing} of {scores.num_rows} questions have no answer"
        now = LOST if is_lost and not summary.stopped else WHAT_NOW[summary.stopped]
        print(f"{words}: {now}", file=sys.stderr)
    if summary.interrupted:
        return exit_status(is_term=summary.stopped is StopReason.TERMINATED)
    return int(missing > max_error_rate * scores.num_rows)


def tell_lost(samples: pa.Table, tables: Mapping[str, Path]) -> bool:
    """Tell of image files that are not there, a line for each dataset; whether any is not."""
    is_lost = False
    for name, folder in tables.items():
        own = samples.filter(pc.equal(samples["dataset"], name))["image_uri"].unique().to_pylist()
        gone = [uri for uri in own if not Path(uri).exists()]
        if gone:
            manifest = tables_manifest(folder)
            built_under = manifest["root"] or manifest.get("files_root")
            moved = (
                f"give --root FOLDER, which stands for {built_under}, or " if built_under else ""
            )
            print(
                f"{folder}: {len(gone)} of {len(own)} image files are missing, such as {gone[0]}; "
                f"if they were moved, {moved}build the tables again",
                file=sys.stderr,
            )
            is_lost = True
    return is_lost


def asked_style(given: Style | None, protocol: Protocol, profile: ModelProfile | None) -> Style:
    """How answers are asked for: as the user says, else the protocol, else the model's profile."""
    if given or protocol.prompt.style:
        return given or Style(protocol.prompt.style)
    return profile.style if profile else Style.DIRECT


def suite_and_tables(
    questions: QuestionOptions, root: Path | None
) -> tuple[Suite, dict[str, Path]]:
    """What the command line asks for: a suite, and table folders by dataset name."""
    if bool(questions.suite) == bool(questions.task):
        msg = f"expected --suite S, or --tables T with --task {'|'.join(Task)}"
        raise UsageError(msg)
    if questions.task:
        if not questions.tables:
            msg = "--task also needs --tables T: the folder that `medvision build` wrote"
            raise UsageError(msg)
        name, configs = f"tables-{questions.task}", (TaskConfig(task=questions.task),)
        suite = Suite(name=name, configs=configs, cap_per_config=None)
        return suite, table_folders(questions.tables)
    suite = load_suite(questions.suite or "")
    if questions.tables:
        return suite, table_folders(questions.tables)
    named = dict.fromkeys(config.dataset for config in suite.configs if config.dataset)
    folders = [tables_folder(data_root(root), name) for name in named]
    present = [folder for folder in folders if (folder / "manifest.json").exists()]
    if not present:
        msg = (
            f"suite {suite.name!r} asks for {', '.join(sorted(named))}, of which none is built "
            f"below {data_root(root)}; run `medvision build --suite {questions.suite}` first, or "
            "name folders with --tables"
        )
        raise UsageError(msg)
    return suite, table_folders(present)


def asked_model(
    options: EvalOptions, profile: ModelProfile | None, train: list[Sample]
) -> ServedModel | LocalModel:
    """The model that `--model` names; what the command line leaves open is its profile's.

    Raises:
        UsageError: An unknown kind or name, or a server or weights that cannot be used.
    """
    asked, pace = options.asked, options.run.pace
    match asked.model.partition("/"):
        case "baseline", "/", name if name:
            return make_baseline(asked.model, train_samples=train)
        case "openai", "/", name if name:
            return served_model(
                name,
                asked.server,
                generation=asked.generation.generation(profile),
                pace=pace,
                revision=options.weights.revision,
            )
        case "hf", "/", name if name:
            return HfModel(
                HfSettings(
                    weights=options.weights.weight_settings(name),
                    generation=asked.generation.generation(profile),
                    batch_size=options.weights.batch_size,
                )
            )
    msg = f"--model: expected baseline/NAME, openai/NAME or hf/NAME, found {asked.model!r}"
    raise UsageError(msg)


def picture_family(
    asked: ModelOptions, samples: pa.Table, profile: ModelProfile | None
) -> PictureFamily:
    """How the model sees pictures: as `--family` says, else as its profile does.

    Raises:
        UsageError: A served model without family or profile is asked for millimetres: the prompt
            could not state the pixel size it sees.
    """
    grid = asked.grid.pixel_grid()
    if asked.family or profile:
        return declared_family(asked.family, profile).shown_on(grid)
    measured = sorted(set(samples["task"].unique().to_pylist()) - BOX_TASKS)
    if measured and not asked.model.startswith("baseline/"):
        msg = (
            f"tasks {', '.join(measured)} state the pixel size that the model sees, which depends "
            f"on how it resizes pictures, and no profile knows {asked.model!r}"
            f"{unknown_words(asked.model)}; declare it with "
            "--family NAME, --family HxW, or a profile of your own in --profiles FILE"
        )
        raise UsageError(msg)
    return PictureFamily(name=UNDECLARED).shown_on(grid)
