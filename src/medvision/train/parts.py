"""The parts of a vision-language model, and which of their layers LoRA adapts."""

import re
from typing import Any

import torch
from peft import LoraConfig

from medvision.train.config import AdapterConfig
from medvision.train.errors import BaseModelError

LANGUAGE = ("model.language_model",)
VISION_TOWER = ("model.visual.blocks", "model.vision_tower")
PROJECTOR = (
    "model.visual.merger",
    "model.visual.deepstack_merger_list",
    "model.multi_modal_projector",
    "model.embed_vision",
)
"""Where the parts of the known architectures are found, by module name."""


def lora_config(model: Any, config: AdapterConfig) -> LoraConfig:
    """LoRA on all linear projections of the language model, and of more where configured.

    Embedding layer and LM head are trained and saved whole; where they are one weight, they stay
    one. A projector without linear layers is trained whole too.

    Raises:
        BaseModelError: The model has no language model where known architectures have it.
    """
    patterns = _linear_patterns(model, LANGUAGE)
    if not patterns:
        msg = (
            f"{type(model).__name__}: expected linear layers below {', '.join(LANGUAGE)}, found "
            "none: this architecture is not known; see medvision.train.parts"
        )
        raise BaseModelError(msg)
    saved = embedding_names(model) if config.embeddings_and_head else []
    if config.vision_tower:
        patterns += _linear_patterns(model, VISION_TOWER)
    if config.projector:
        linear = _linear_patterns(model, PROJECTOR)
        patterns += linear
        modules = dict(model.named_modules())
        saved += [] if linear else [name for name in PROJECTOR if name in modules]
    return LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        bias="none",
        target_modules="|".join(patterns),
        modules_to_save=saved or None,
        # PEFT copies each of `modules_to_save`: of one weight there would be two, which part at the
        # first step, and a merged model could hold only one of them
        ensure_weight_tying=bool(saved) and has_tied_embeddings(model),
        task_type="CAUSAL_LM",
    )


def _linear_patterns(model: Any, parts: tuple[str, ...]) -> list[str]:
    """For each part that the model has: a pattern of all its linear layers' names.

    PEFT's own "all-linear" would adapt the vision tower and the projector too.
    """
    patterns = []
    for part in parts:
        # last names alone (q_proj, …): all layers share them, so that the pattern stays short
        leaves = sorted(
            {
                name.rpartition(".")[2]
                for name, module in model.named_modules()
                if name.startswith(f"{part}.") and isinstance(module, torch.nn.Linear)
            }
        )
        if leaves:
            patterns.append(rf"{re.escape(part)}\.(?:.+\.)?(?:{'|'.join(leaves)})")
    return patterns


def embedding_names(model: Any) -> list[str]:
    """Module names of the embedding layer and of the LM head."""
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    return [name for name, module in model.named_modules() if any(module is one for one in wanted)]


def has_tied_embeddings(model: Any) -> bool:
    """Whether embedding layer and LM head are one weight."""
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight
