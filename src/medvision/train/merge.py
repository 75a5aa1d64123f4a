"""An adapter folded into its base: one model that any server loads, checked against the pair."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftConfig, PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText

from medvision.models.profiles import CARRIED
from medvision.table.manifest import MANIFEST, write_manifest
from medvision.train.base_model import load_processor
from medvision.train.card import CARD
from medvision.train.chat import Chat, chat_of
from medvision.train.config import ModelConfig
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
    """
    _check_folders(adapter, out)
    base = base or str(PeftConfig.from_pretrained(str(adapter)).base_model_name_or_path)
    config = ModelConfig(base=base)
    processor = load_processor(config, str(adapter) if _has_processor(adapter) else "")
    chat = chat_of(processor, base)
    model = PeftModel.from_pretrained(_loaded(base, dtype), str(adapter)).eval()
    expected = _log_probabilities(model, chat)
    merged = model.merge_and_unload()
    merged.save_pretrained(str(out))
    processor.save_pretrained(str(out))
    del model, merged
    result = _compared(expected, _log_probabilities(_loaded(str(out), dtype), chat), out)
    _refuse_other_model(result, dtype)
    _write_records(result, adapter, base)
    return result


def _check_folders(adapter: Path, out: Path) -> None:
    if not (adapter / "adapter_config.json").is_file():
        msg = f"{adapter}: expected a folder with adapter_config.json, as `train sft` writes it"
        raise MergeError(msg)
    if out.exists() and any(out.iterdir()):
        msg = f"{out}: expected a new or empty folder for the merged model; choose another"
        raise MergeError(msg)


def _has_processor(folder: Path) -> bool:
    return (folder / "processor_config.json").exists()


def _loaded(name: str, dtype: torch.dtype) -> Any:
    return AutoModelForImageTextToText.from_pretrained(name, dtype=dtype).eval()


def _log_probabilities(model: Any, chat: Chat) -> torch.Tensor:
    """(tokens, vocabulary) after each token of each probe."""
    rows = []
    for seed in range(N_PROBES):
        rng = np.random.default_rng(seed)
        noise = rng.integers(0, 256, (PROBE_SIDE_PX, PROBE_SIDE_PX, 3), dtype=np.uint8)
        inputs = chat.processor(
            images=[[Image.fromarray(noise)]],
            text=[chat.prompt(PROBE_TEXT) + str(10 * seed)],
            return_tensors="pt",
            add_special_tokens=False,
        ).to(model.device)
        with torch.no_grad():
            rows.append(model(**inputs).logits[0].float().log_softmax(dim=-1))
    return torch.cat(rows)


def _compared(expected: torch.Tensor, found: torch.Tensor, out: Path) -> MergeResult:
    likely = expected > np.log(1e-4)  # differences of log-probabilities mean nothing below
    difference = (expected - found).abs()[likely].max()
    same = (expected.argmax(dim=-1) == found.argmax(dim=-1)).float().mean()
    return MergeResult(model=out, max_difference=float(difference), same_top_token_frac=float(same))


def _refuse_other_model(result: MergeResult, dtype: torch.dtype) -> None:
    if result.max_difference <= TOLERANCE[dtype]:
        return
    msg = (
        f"{result.model}: expected the merged model to give what base and adapter give, within "
        f"{TOLERANCE[dtype]}, found log-probabilities {result.max_difference:.3g} apart (same top "
        f"token for {result.same_top_token_frac:.1%}); do not use it: keep the adapter, or merge "
        "in fp32"
    )
    raise MergeError(msg)


def _write_records(result: MergeResult, adapter: Path, base: str) -> None:
    card = adapter / CARD
    if card.exists():
        note = (
            f"\nMerged into `{base}`: log-probabilities within {result.max_difference:.2g} of base "
            "and adapter.\n"
        )
        text = card.read_text(encoding="utf-8").replace("library_name: peft\n", "")
        (result.model / CARD).write_text(text + note, encoding="utf-8")
    if (adapter / CARRIED).exists():
        shutil.copy(adapter / CARRIED, result.model / CARRIED)
    write_manifest(
        result.model,
        {
            "stage": "merge",
            "base": base,
            "adapter": str(adapter),
            "adapter_config": json.loads((adapter / "adapter_config.json").read_text("utf-8")),
            "max_difference": result.max_difference,
            "same_top_token_frac": result.same_top_token_frac,
        },
    )
    logger.info("%s: merged, %s written", result.model, MANIFEST)
