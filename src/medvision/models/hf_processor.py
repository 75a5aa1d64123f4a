"""Processors of text and pictures, for families whose video part cannot be loaded here."""

from typing import Any

LOADING_ERRORS = (ImportError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What loading a processor that is not there, or is none of pictures, raises."""


def load_picture_processor(
    folder: str, *, base: str, revision: str | None = None, trust_remote_code: bool = False
) -> Any:
    """A processor of the `transformers` library.

    Where the family's video part cannot be loaded (it needs torchvision), the processor is made of
    image processor and tokenizer alone: nothing here is a video.

    Args:
        folder: Id or path of the processor's files.
        base: Id or path of the model, whose configuration names the family.
        revision: Of both.
        trust_remote_code: Run code that comes with the files.

    Raises:
        LOADING_ERRORS: Neither can be loaded; the error of the whole processor.
    """
    import transformers

    try:
        return transformers.AutoProcessor.from_pretrained(
            folder, revision=revision, trust_remote_code=trust_remote_code
        )
    except (ImportError, OSError, ValueError, TypeError) as error:
        try:
            return _without_video(folder, base, revision)
        except LOADING_ERRORS:
            raise error from None


def _without_video(folder: str, base: str, revision: str | None) -> Any:
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    family = transformers.AutoConfig.from_pretrained(base, revision=revision).model_type
    whole = getattr(transformers, PROCESSOR_MAPPING_NAMES[family])
    parts = {"get_attributes": classmethod(lambda _cls: ["image_processor", "tokenizer"])}
    image_only: Any = type(whole.__name__, (whole,), parts)
    return image_only.from_pretrained(folder, revision=revision)
