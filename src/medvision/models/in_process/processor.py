"""What makes tokens of text and pictures: a processor of the `transformers` library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvision.extras import require
from medvision.models.in_process.weights import (
    EXTRA,
    LOADING_ERRORS,
    LocatedWeights,
    ModelFolderError,
)

PROCESSOR_CONFIGS = ("processor_config.json", "preprocessor_config.json")


def load_processor(
    weights: LocatedWeights,
    *,
    limits: Mapping[str, int] | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """A model's processor: the adapter's own where training has saved one, else the model's.

    Args:
        weights: The model's folders.
        limits: Caps of pixels (`min_pixels`, `max_pixels`) and tiles (`max_tiles`) to set on it,
            as the prompt states them; others are of families that know no such cap.
        trust_remote_code: Whether code that comes with the files may run.

    Raises:
        ModelFolderError: There is none, or it takes no pictures.
    """
    transformers = require("transformers", EXTRA, item=weights.name)
    own = weights.adapter
    has_own = own is not None and any((own / name).is_file() for name in PROCESSOR_CONFIGS)
    folder = own if has_own and own is not None else weights.model
    try:
        processor = transformers.AutoProcessor.from_pretrained(
            str(folder), trust_remote_code=trust_remote_code
        )
    except LOADING_ERRORS as error:
        processor = _without_video(folder, weights.model, error)
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        msg = (
            f"{weights.name}: expected a processor of text and pictures, found "
            f"{type(processor).__name__}: this model has no image support; choose a vision-"
            "language model, or serve it with its own code and ask it as openai/NAME"
        )
        raise ModelFolderError(msg)
    _set_limits(processor.image_processor, limits or {})
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _without_video(folder: Path, model: Path, error: Exception) -> Any:
    """A processor of image processor and tokenizer alone.

    The video parts of several families need torchvision, which no extra of ours brings, and
    nothing here is a video. `ProcessorMixin` loads what `get_attributes` names, so a subclass that
    names less loads less.
    """
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    try:
        family = transformers.AutoConfig.from_pretrained(str(model)).model_type
        whole = getattr(transformers, PROCESSOR_MAPPING_NAMES[family])
        parts = {"get_attributes": classmethod(lambda _cls: ["image_processor", "tokenizer"])}
        # of the same name: it is saved with the processor, and looked up when that is loaded
        image_only: Any = type(whole.__name__, (whole,), parts)
        return image_only.from_pretrained(str(folder))
    except LOADING_ERRORS:
        msg = (
            f"{folder}: expected a processor of text and pictures, found none that loads: the "
            f"model has no image support, or its files are not there: {error}"
        )
        raise ModelFolderError(msg) from error


def _set_limits(image_processor: Any, limits: Mapping[str, int]) -> None:
    # Qwen's processors keep their bounds of pixels under the names of edges; InternVL's cut
    # pictures into at most `max_patches` tiles, and one tile only where they do not cut at all.
    edges = {"min_pixels": "shortest_edge", "max_pixels": "longest_edge"}
    given = {edges[name]: value for name, value in limits.items() if name in edges}
    if given:
        image_processor.size = {**dict(image_processor.size), **given}
    if "max_tiles" in limits and hasattr(image_processor, "max_patches"):
        image_processor.max_patches = limits["max_tiles"]
        image_processor.crop_to_patches = limits["max_tiles"] > 1
