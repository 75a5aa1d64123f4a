"""Fold an adapter into its base, and check the result: both give the same log-probabilities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from medvision.cli.options import Argument, Option
from medvision.train import require_libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """Options of `medvision train merge`."""

    adapter: Annotated[Path, Argument("ADAPTER", help="folder that sft wrote")]
    out: Annotated[Path, Option("DIR", help="new folder")]
    base: Annotated[str, Option(help="base model, if it lies elsewhere now")] = ""
    dtype: Literal["float32", "bfloat16"] = "float32"


def run(options: MergeOptions) -> int:
    """Merge, and print how close the result is."""
    require_libraries()
    import torch

    from medvision.train.merge import merge_adapter

    dtype: Any = getattr(torch, options.dtype)
    result = merge_adapter(options.adapter, options.out, base=options.base, dtype=dtype)
    print(
        f"{result.model}: log-probabilities within {result.max_difference:.2g} of base and "
        f"adapter, same top token for {result.same_top_token_frac:.1%} of the probes' tokens"
    )
    return 0
