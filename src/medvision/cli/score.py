"""Score the stored replies of a run again; asks no model, unless a judge is named."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.asking import GenerationOptions, PaceOptions
from medvision.cli.combine import CombineOption, print_combined
from medvision.cli.model import ServerOptions, served_model
from medvision.cli.options import Argument, Group, Option
from medvision.cli.protocol import ReadingOptions
from medvision.cli.summary import WHAT_NOW, n_missing, print_scores
from medvision.errors import UsageError
from medvision.models.run_folder import run_manifest
from medvision.scoring.judge import ask_judge
from medvision.scoring.judged_scores import add_judged, judged_summaries
from medvision.scoring.score_run import score_run
from medvision.storage import only_process


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Who re-reads replies that were not read."""

    judge: Annotated[str | None, Option("M", help="openai/NAME")] = None
    server: ServerOptions
    generation: GenerationOptions
    pace: PaceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """Options of `medvision score`."""

    run_folder: Annotated[Path, Argument("RUN")]
    reading: ReadingOptions
    combine: CombineOption = None
    max_error_rate: Annotated[float, Option("F", at_least=0, at_most=1)] = 0.0
    judge: Annotated[
        JudgeOptions, Group("judge: a second model re-reads replies that were not read")
    ]


def run(options: ScoreOptions) -> int:
    """Score one run; 1 when more replies than allowed are errors."""
    run_manifest(options.run_folder)  # no lock is taken in a folder that is no run
    with only_process(options.run_folder, "scoring"):
        score_run(options.run_folder, options.reading.chosen())
        if options.judge.judge:
            kind, _, name = options.judge.judge.partition("/")
            if kind != "openai" or not name:
                msg = f"--judge: expected openai/NAME, found {options.judge.judge!r}"
                raise UsageError(msg)
            generation, pace = options.judge.generation.generation(None), options.judge.pace
            judge = served_model(name, options.judge.server, generation=generation, pace=pace)
            asked = ask_judge(options.run_folder, judge, settings=pace.run_settings())
            if asked.n_errors or asked.stopped:
                words = f"{asked.n_errors} of {asked.n_total} unread replies have no reading"
                print(f"{words} by the judge: {WHAT_NOW[asked.stopped]}", file=sys.stderr)
        scores = add_judged(options.run_folder)
        print_scores(scores, max_error_rate=options.max_error_rate)
        summaries = judged_summaries(scores)
        for summary in summaries:
            means = {
                "iou_mean_judged": summary.iou_mean_judged,
                "relative_error_mean_judged": summary.relative_error_mean_judged,
            }
            counts = (
                f"{summary.task}: judge read {summary.n_read} of {summary.n} unread replies, "
                f"{summary.n_error} errors"
            )
            if summary.n_made_up:
                counts += (
                    f", {summary.n_made_up} answers not counted: made up, their numbers do not "
                    "stand in the replies"
                )
            known = [f"{name} {mean:.4g}" for name, mean in means.items() if mean is not None]
            print(", ".join([counts, *known]))
        missing = n_missing(scores)
        if missing:
            words = f"{missing} of {scores.num_rows} questions have no answer"
            print(f"{words}: run `medvision eval` again to ask them", file=sys.stderr)
        if options.combine:
            print_combined(options.run_folder, options.combine, options.max_error_rate)
        too_many = missing > options.max_error_rate * scores.num_rows
        return int(too_many or any(summary.n_error for summary in summaries))
