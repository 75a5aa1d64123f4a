"""The base model and its processor: loaded, and refused where it cannot see or converse."""

import logging
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoModelForImageTextToText, ProcessorMixin

from medvision.models.hf_processor import LOADING_ERRORS, load_picture_processor
from medvision.pictures.perceived import Preparation, family_named, perceived_size
from medvision.pictures.view import PictureFamily
from medvision.train.config import ModelConfig, Precision, Tuning
from medvision.train.errors import BaseModelError

logger = logging.getLogger(__name__)

PROBE_HW = (160, 224)
"""Size of the blank picture that shows how a processor resizes."""


def load_processor(config: ModelConfig, folder: str = "") -> Any:
    """The base model's processor, with the caps that the config sets.

    Args:
        config: The base model.
        folder: Where the processor's files are, if not with the base.

    Raises:
        BaseModelError: There is none, or it takes no pictures.
    """
    name, revision = (folder, None) if folder else (config.base, config.revision or None)
    try:
        processor = load_picture_processor(name, base=config.base, revision=revision)
    except LOADING_ERRORS as error:
        msg = (
            f"{config.base}: expected a processor of text and pictures, found none that loads: the "
            f"model has no image support, or its files are not there: {error}"
        )
        raise BaseModelError(msg) from error
    if not isinstance(processor, ProcessorMixin) or not hasattr(processor, "image_processor"):
        msg = (
            f"{config.base}: expected a processor of text and pictures, found "
            f"{type(processor).__name__}: this model has no image support; choose a vision-"
            "language model"
        )
        raise BaseModelError(msg)
    _set_limits(processor.image_processor, config)
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _set_limits(image_processor: Any, config: ModelConfig) -> None:
    """Caps of pixels and tiles that the prompt states are the processor's too."""
    names = {"min_pixels": "shortest_edge", "max_pixels": "longest_edge"}
    given = {names[name]: value for name, value in config.limits.items() if name in names}
    if given:
        image_processor.size = {**dict(image_processor.size), **given}
    if "max_tiles" in config.limits and hasattr(image_processor, "max_patches"):
        image_processor.max_patches = config.limits["max_tiles"]
        image_processor.crop_to_patches = config.limits["max_tiles"] > 1


def load_model(config: ModelConfig) -> Any:
    """The base model's weights, in the precision of the computation.

    Raises:
        BaseModelError: No model of pictures and text is stored there.
    """
    options: dict[str, Any] = {
        "dtype": compute_dtype(config),
        "attn_implementation": config.attention,
    }
    if config.tuning is Tuning.QLORA:
        options["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute_dtype(config),
        )
    try:
        return AutoModelForImageTextToText.from_pretrained(
            config.base, revision=config.revision or None, **options
        )
    except (OSError, ValueError, ImportError) as error:
        msg = f"{config.base}: expected a vision-language model that can be loaded, found: {error}"
        raise BaseModelError(msg) from error


def has_accelerator() -> bool:
    """Whether there is anything faster than the CPU. Processes must be told when there is not."""
    return bool(torch.accelerator.is_available())


def compute_dtype(config: ModelConfig) -> torch.dtype:
    """bf16 where asked for, or by default where an accelerator supports it; else fp32."""
    if config.precision is Precision.AUTO:
        has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if has_bf16 else torch.float32
    return torch.bfloat16 if config.precision is Precision.BF16 else torch.float32


def check_stated_size(processor: Any, family: PictureFamily, base: str) -> None:
    """Refuse a processor that shows the model another picture than prompts would state.

    Only for processors whose output says its size: one array of pixels, a grid of patches, tiles.

    Raises:
        BaseModelError: It makes another canvas than the family's rule.
    """
    canvas_hw = perceived_size(family.name, *PROBE_HW, family.limits).canvas_hw
    is_sent_whole = family_named(family.name).preparation is Preparation.NONE
    probe_hw = PROBE_HW if is_sent_whole else canvas_hw
    picture = Image.fromarray(np.zeros((*probe_hw, 3), np.uint8))
    output = processor.image_processor(images=[picture], return_tensors="np")
    if (made := _made_instead(output, processor, canvas_hw)) is not None:
        msg = (
            f"{base}: prompts of family {family.name!r} would state {canvas_hw[0]}×{canvas_hw[1]} "
            f"px for a slice of {PROBE_HW[0]}×{PROBE_HW[1]}, but the model's processor makes "
            f"{made}; correct model.family or model.limits"
        )
        raise BaseModelError(msg)


def _made_instead(output: Any, processor: Any, canvas_hw: tuple[int, int]) -> str | None:
    """What a processor made of a picture, in words; None where it is the canvas, or unknown."""
    shape = np.shape(output["pixel_values"])
    if "image_grid_thw" in output:
        _, rows, columns = (int(n) for n in output["image_grid_thw"][0])
        patch_px = processor.image_processor.patch_size
        return _other_size((rows * patch_px, columns * patch_px), canvas_hw)
    if "num_patches" in output:
        n_tiles = max(len(output["pixel_values"]) - 1, 1)  # of several, the last is a thumbnail
        is_canvas = n_tiles * shape[-2] * shape[-1] == canvas_hw[0] * canvas_hw[1]
        return None if is_canvas else f"{n_tiles} tiles of {shape[-2]}×{shape[-1]}"
    is_one = len(shape) == 4 and shape[0] == 1
    return _other_size((shape[2], shape[3]), canvas_hw) if is_one else None


def _other_size(made_hw: tuple[int, int], canvas_hw: tuple[int, int]) -> str | None:
    return None if made_hw == canvas_hw else f"{made_hw[0]}×{made_hw[1]}"
