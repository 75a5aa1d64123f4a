"""Result files of the original benchmark as a run, to be scored and reported like any other.

Reads summary_values_*_Task*.json and logs (JSON lines), and folders of them, of one model.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Argument, Option
from medvision.cli.summary import print_scores
from medvision.exchange import import_results
from medvision.protocols import load_protocol
from medvision.scoring.judged_scores import current_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResultsOptions:
    """Options of `medvision import results`."""

    files: Annotated[tuple[Path, ...], Argument("FILE", help="files, or folders of them")]
    out: Annotated[Path, Option("RUN", help="run folder to make")]
    name: Annotated[str, Option(help="of the model (default: that of the files' folder)")] = ""
    protocol: Annotated[str, Option("P", help="how the replies came about and are read")] = "paper"


def run(options: ImportResultsOptions) -> int:
    """Import, score, print; 1 when an entry could not be used."""
    protocol = load_protocol(options.protocol)
    found = import_results(options.files, options.out, protocol=protocol, model=options.name)
    for problem in found.problems:
        print(problem, file=sys.stderr)
    state = "already up to date" if found.up_to_date else "written"
    print(f"{options.out}: {state}; {found.n_samples} replies of {found.model}")
    print_scores(current_scores(options.out), max_error_rate=0.0)
    return 1 if found.problems else 0
