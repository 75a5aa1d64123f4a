"""An adapter folded into its base: one model that any server loads, checked against the pair."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from medvision.models.in_process.chat import Chat, chat_of
from medvision.models.in_process.processor import load_processor
from medvision.models.in_process.weights import (
    ADAPTER_CONFIG,
    Precision,
    WeightSettings,
    load_weights,
    located,
    with_adapter,
)
from medvision.models.profiles import CARRIED
from medvision.storage import write_text
from medvision.table.manifest import MANIFEST, write_manifest
from medvision.train.card import CARD
from medvision.train.errors import MergeError

logger = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.5}
"""Largest difference of log-probabilities that number formats explain: measured 1e-5 in fp32. In
bf16 the merged weights are rounded to eight bits; there the top token decides as well."""

N_PROBES = 4
PROBE_SIDE_PX = 224
PROBE_TEXT = "How long is the major axis of the lesion, in mm? Reply with only one number."


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What came of a merge.

    Attributes:
        model: Folder of the merged model.
        max_difference: Largest difference of log-probabilities between merged model, read back
            from disk, and base with adapter, over the probes' tokens.
        same_top_token_frac: Share of the probes' tokens with the same most probable next one.
    """

    model: Path
    max_difference: float
    same_top_token_frac: float


def merge_adapter(
    adapter: Path, out: Path, *, base: str = "", dtype: torch.dtype = torch.float32
) -> MergeResult:
    """Merge, save, read back, and compare with base and adapter on pictures of noise.

    Args:
        adapter: Folder that training wrote.
        out: Folder for the merged model, which must be new or empty.
        base: Base model, where it lies elsewhere than the adapter says.
        dtype: Number format to compute and save in.

    Raises:
        MergeError: `out` is in use, `adapter` is none, or the merged model gives something else.
        UsageError: The base model is not there.
    """
    if not (adapter / ADAPTER_CONFIG).is_file():
        msg = f"{adapter}: expected a folder with {ADAPTER_CONFIG}, as `train sft` writes it"
        raise MergeError(msg)
    if out.exists() and any(out.iterdir()):
        msg = f"{out}: expected a new or empty folder for the merged model; choose another"
        raise MergeError(msg)
    precision = Precision(str(dtype).removeprefix("torch."))
    settings = WeightSettings(
        name=base or str(adapter), adapter=str(adapter) if base else "", precision=precision
    )
    found = located(settings)
    processor = load_processor(found)
    chat = chat_of(processor, found.name)
    model = with_adapter(load_weights(settings, found), found)
    pair_gives = _log_probabilities(model, chat)
    # An adapter trained over a base in 4 bits is folded into the base in full all the same:
    # folded into the quantised one, its small changes would be rounded away.
    merged = model.merge_and_unload()
    merged.save_pretrained(str(out))
    processor.save_pretrained(str(out))
    del model, merged
    again = WeightSettings(name=str(out), precision=precision)
    merged_gives = _log_probabilities(load_weights(again, located(again)).eval(), chat)
    same_top = pair_gives.argmax(dim=-1) == merged_gives.argmax(dim=-1)
    likely = pair_gives > np.log(1e-4)  # differences of log-probabilities mean nothing below
    result = MergeResult(
        model=out,
        max_difference=float((pair_gives - merged_gives).abs()[likely].max()),
        same_top_token_frac=float(same_top.float().mean()),
    )
    if result.max_difference > TOLERANCE[dtype]:
        msg = (
            f"{out}: expected the merged model to give what base and adapter give, within "
            f"{TOLERANCE[dtype]}, found log-probabilities {result.max_difference:.3g} apart (same "
            f"top token for {result.same_top_token_frac:.1%}); do not use it: keep the adapter, or "
            "merge in fp32"
        )
        raise MergeError(msg)
    _write_records(result, adapter, found.name)
    return result


def _log_probabilities(model: Any, chat: Chat) -> torch.Tensor:
    """(tokens, vocabulary) after each token of each probe."""
    rows = []
    for seed in range(N_PROBES):
        rng = np.random.default_rng(seed)
        noise = rng.integers(0, 256, (PROBE_SIDE_PX, PROBE_SIDE_PX, 3), dtype=np.uint8)
        prompt = chat.prompt(PROBE_TEXT) + str(10 * seed)
        inputs = chat.tokens([prompt], [Image.fromarray(noise)]).to(model.device)
        with torch.no_grad():
            rows.append(model(**inputs).logits[0].float().log_softmax(dim=-1))
    return torch.cat(rows)


def _write_records(result: MergeResult, adapter: Path, base: str) -> None:
    """The adapter's card and profile beside the merged model, and its manifest last."""
    card = adapter / CARD
    if card.exists():
        note = (
            f"\nMerged into `{base}`: log-probabilities within {result.max_difference:.2g} of base "
            "and adapter.\n"
        )
        text = card.read_text(encoding="utf-8").replace("library_name: peft\n", "")
        write_text(result.model / CARD, text + note)
    if (adapter / CARRIED).exists():
        shutil.copy(adapter / CARRIED, result.model / CARRIED)
    write_manifest(
        result.model,
        {
            "stage": "merge",
            "base": base,
            "adapter": str(adapter),
            "adapter_config": json.loads((adapter / ADAPTER_CONFIG).read_text("utf-8")),
            "max_difference": result.max_difference,
            "same_top_token_frac": result.same_top_token_frac,
        },
    )
    logger.info("%s: merged, %s written", result.model, MANIFEST)
