"""The base model: loaded as evaluation does, refused where prompts would state another size."""

import logging
from typing import Any

import torch

from medvision.frames import SliceGeometry
from medvision.models.in_process import weights
from medvision.models.in_process.chat import Chat, chat_of
from medvision.models.in_process.processor import load_processor
from medvision.models.in_process.seen import probe_picture, seen_in
from medvision.pictures.view import PictureFamily
from medvision.train.config import ModelConfig, Precision, Tuning
from medvision.train.errors import BaseModelError

logger = logging.getLogger(__name__)

PROBE_HW = (160, 224)
"""Size of the picture that shows how a processor resizes."""

PRECISIONS = {
    Precision.AUTO: weights.Precision.AUTO,
    Precision.BF16: weights.Precision.BFLOAT16,
    Precision.FP32: weights.Precision.FLOAT32,
}


def weight_settings(config: ModelConfig) -> weights.WeightSettings:
    """The configuration's base in the words of evaluation; the trainer places it on devices."""
    return weights.WeightSettings(
        name=config.base,
        revision=config.revision,
        precision=PRECISIONS[config.precision],
        in_4bit=config.tuning is Tuning.QLORA,
        attention=config.attention,
    )


def located_base(config: ModelConfig) -> weights.LocatedWeights:
    """Where the base model is.

    Raises:
        UsageError: It is not there, or it is an adapter.
    """
    found = weights.located(weight_settings(config))
    if found.adapter is not None:
        msg = (
            f"{config.base}: expected a whole model as base, found an adapter of {found.name}; "
            "fold it into its base with `medvision train merge`, and train on from that"
        )
        raise BaseModelError(msg)
    return found


def load_chat(config: ModelConfig) -> Chat:
    """The base model's processor, with the caps that the config sets, and conversation form.

    Raises:
        UsageError: There is none, it takes no pictures, or its template cannot write them.
    """
    return chat_of(load_processor(located_base(config), limits=config.limits), config.base)


def load_model(config: ModelConfig) -> Any:
    """The base model's weights, in the precision of the computation.

    Raises:
        UsageError: No model of pictures and text is stored there.
    """
    return weights.load_weights(weight_settings(config), located_base(config))


def has_accelerator() -> bool:
    """Whether there is anything faster than the CPU. Processes must be told when there is not."""
    return bool(torch.accelerator.is_available())


def computes_in_bf16(config: ModelConfig) -> bool:
    """Whether the computation is in bf16: where asked for, or by default where a GPU has it."""
    precision = weights.resolved_precision(PRECISIONS[config.precision])
    return precision is weights.Precision.BFLOAT16


def check_stated_size(processor: Any, family: PictureFamily, base: str) -> None:
    """Refuse a processor that shows the model another picture than prompts would state.

    Only for processors whose output says its size: one array of pixels, a grid of patches, tiles.

    Raises:
        BaseModelError: It makes another canvas than the family's rule.
    """
    height_px, width_px = PROBE_HW
    view = family.view(
        SliceGeometry(height_px=height_px, width_px=width_px, spacing_y_mm=1.0, spacing_x_mm=1.0)
    )
    canvas_hw, probe_hw = view.perceived.canvas_hw, view.sent_hw
    picture = probe_picture(*probe_hw)
    output = processor.image_processor(images=[picture], return_tensors="np")
    made = seen_in(output, processor.image_processor, *probe_hw)
    if made is not None and not made.agrees_with(canvas_hw):
        msg = (
            f"{base}: prompts of family {family.name!r} would state {canvas_hw[0]}×{canvas_hw[1]} "
            f"px for a slice of {PROBE_HW[0]}×{PROBE_HW[1]}, but the model's processor makes "
            f"{made}; correct model.family or model.limits"
        )
        raise BaseModelError(msg)
