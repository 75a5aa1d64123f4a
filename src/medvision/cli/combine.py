"""The option `--combine` of eval and score, and what is printed of its run."""

from pathlib import Path
from typing import Annotated

from medvision.cli.options import Option
from medvision.cli.summary import print_scores
from medvision.models.run_folder import run_manifest
from medvision.scoring.combined import Combine, combined_run
from medvision.scoring.judged_scores import current_scores

CombineOption = Annotated[
    Combine | None, Option(help="make one answer of repeats, as a run of its own inside the run")
]


def print_combined(run: Path, how: Combine, max_error_rate: float) -> None:
    """Combine a run's repeats and print the scores of what comes out."""
    folder = combined_run(run, how)
    print(f"\n{run_manifest(folder)['model']}: {folder}")
    print_scores(current_scores(folder), max_error_rate=max_error_rate)
