"""Fine-tune a vision-language model on the train split of tables, as a TOML file says.

Goes on after an interruption. Several processes: `accelerate launch -m medvision.cli train sft
CONFIG.toml`.
"""

import logging
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from medvision.cli.lines import print_rows
from medvision.cli.options import Argument, Option
from medvision.cli.progress import progress_bar
from medvision.cli.root import Root
from medvision.train import require_libraries
from medvision.train.config import load_sft_config


@dataclass(frozen=True, slots=True, kw_only=True)
class SftOptions:
    """Options of `medvision train sft`."""

    config: Annotated[Path, Argument("CONFIG.toml")]
    root: Root = None
    protocol: Annotated[
        str, Option("P", help="medvision, paper, or a .toml file; else the configuration's")
    ] = ""


def run(options: SftOptions) -> int:
    """Train, and print what was trained on and the scores before and after."""
    config = load_sft_config(options.config)
    config = replace(config, protocol=options.protocol or config.protocol)
    require_libraries()
    # The libraries warn one another of renamed options, on every run: nothing a user can change.
    libraries = r"(accelerate|peft|transformers|trl)\."
    warnings.filterwarnings("ignore", category=FutureWarning, module=libraries)
    # Imports torch, and must come after the check for it.
    from transformers.utils.logging import disable_progress_bar

    from medvision.train.sft import train_sft

    disable_progress_bar()  # of its own: two bars would write over each other

    is_first = os.environ.get("RANK", "0") == "0"
    if not is_first:  # each process warns of the same: the first speaks for all
        logging.getLogger("medvision").setLevel(logging.ERROR)
    with progress_bar(Path(config.output).name, "steps") as move:
        result = train_sft(config, root=options.root, move=move)
    if not is_first:
        return 0
    if result.up_to_date:
        print(f"{result.model}: already trained with this configuration")
    print_rows({name: str(value) for name, value in result.counts.items()})
    for step in dict.fromkeys([*sorted(result.scores)[:1], *sorted(result.scores)[-1:]]):
        print(f"\nvalidation at step {step}")
        print_rows({name: f"{value:.4g}" for name, value in result.scores[step].items()})
    print(f"\n{result.model}")
    return 0
