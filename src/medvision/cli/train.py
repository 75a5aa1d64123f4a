"""Fine-tune a vision-language model on the train split of tables.

sft trains as a TOML file says and goes on after an interruption; merge folds an adapter into its
base and checks the result. Several processes: `accelerate launch -m medvision.cli train sft FILE`.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from medvision.cli.progress import progress_bar
from medvision.cli.root import add_root
from medvision.cli.summary import print_rows
from medvision.errors import UsageError
from medvision.extras import require
from medvision.train import LIBRARIES
from medvision.train.config import load_sft_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `medvision train`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="sft | grpo | merge")
    sft = actions.add_parser("sft", help="supervised fine-tuning")
    sft.add_argument("config", type=Path, metavar="CONFIG.toml")
    add_root(sft)
    grpo = actions.add_parser("grpo", help="reinforcement fine-tuning (not built yet)")
    grpo.add_argument("config", type=Path, nargs="?", metavar="CONFIG.toml")
    merge = actions.add_parser("merge", help="fold an adapter into its base")
    merge.add_argument("adapter", type=Path, metavar="ADAPTER", help="folder that sft wrote")
    merge.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    merge.add_argument("--base", default="", help="base model, if it lies elsewhere now")
    merge.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def run(args: argparse.Namespace) -> int:
    """Train or merge."""
    return ACTIONS[args.action](args)


def _sft(args: argparse.Namespace) -> int:
    config = load_sft_config(args.config)
    for library in LIBRARIES:
        require(library, "train", item="training")
    from medvision.train.sft import train_sft

    with progress_bar(Path(config.output).name, "steps") as move:
        result = train_sft(config, root=args.root, move=move)
    if os.environ.get("RANK", "0") != "0":
        return 0
    if result.up_to_date:
        print(f"{result.model}: already trained with this configuration")
    print_rows({name: str(value) for name, value in result.counts.items()})
    for step in dict.fromkeys([*sorted(result.scores)[:1], *sorted(result.scores)[-1:]]):
        print(f"\nvalidation at step {step}")
        print_rows({name: f"{value:.4g}" for name, value in result.scores[step].items()})
    print(f"\n{result.model}")
    return 0


def _grpo(_args: argparse.Namespace) -> int:
    msg = "grpo is not built yet; `medvision train sft` is"
    raise UsageError(msg)


def _merge(args: argparse.Namespace) -> int:
    for library in LIBRARIES:
        require(library, "train", item="training")
    import torch

    from medvision.train.merge import merge_adapter

    dtype: Any = getattr(torch, args.dtype)
    result = merge_adapter(args.adapter, args.out, base=args.base, dtype=dtype)
    print(
        f"{result.model}: log-probabilities within {result.max_difference:.2g} of base and "
        f"adapter, same top token for {result.same_top_token_frac:.1%} of the probes' tokens"
    )
    return 0


ACTIONS = {"sft": _sft, "merge": _merge, "grpo": _grpo}
