"""A small Qwen2.5-VL, made on the spot with random weights, and a tokenizer of its questions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    set_seed,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


PHRASE_ENDS = r" (?:axial|coronal|sagittal)|[.:;,()\n]"
"""Where a phrase of several words ends; the plane stays a word of its own."""


def image_only(processor: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """A processor without its video part, which needs torchvision; saved under its own name."""
    parts = classmethod(lambda _cls: ["image_processor", "tokenizer"])
    return type(processor.__name__, (processor,), {"get_attributes": parts})


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of both halves: `text` and `vision` are (layers, width)."""

    text: tuple[int, int] = (2, 64)
    vision: tuple[int, int] = (2, 64)
    side_px: int = 56
    vocabulary: int = 500
    phrases: bool = False
    """Whether a token may hold several words: prompts become three times shorter."""


TINY = Size()


def tokenizer(
    texts: Iterable[str],
    size: Size,
    *,
    special: Sequence[str],
    end: str,
    begin: str = "",
    **named: str,
) -> PreTrainedTokenizerFast:
    """Byte-level BPE over the texts, digits one by one."""
    raw = Tokenizer(models.BPE())
    parts = [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not size.phrases),
    ]
    if size.phrases:
        parts.insert(1, pre_tokenizers.Split(Regex(PHRASE_ENDS), "isolated"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(parts)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
        special_tokens=["<pad>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    begins = {"bos_token": begin} if begin else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=end,
        pad_token="<pad>",  # noqa: S106
        extra_special_tokens=named,
        padding_side="left",
        **begins,
    )


def text_settings(size: Size, vocabulary: int) -> dict[str, Any]:
    """Of the language model, in the words that all families share."""
    layers, width = size.text
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "max_position_embeddings": 2048,
    }


def qwen(texts: Iterable[str], folder: str | Path, size: Size = TINY, *, tied: bool = True) -> Path:
    """Qwen2.5-VL architecture."""
    set_seed(1)
    words = qwen_tokenizer(texts, size)
    config = Qwen2_5_VLConfig(
        text_config=qwen_text_settings(words, size, tied=tied),
        vision_config=qwen_vision_settings(size)
        | {"fullatt_block_indexes": [size.vision[0] - 1], "window_size": 56},
        tie_word_embeddings=tied,
        **qwen_token_ids(words),
    )
    processor = image_only(Qwen2_5_VLProcessor)(
        image_processor=qwen_image_processor(size, patch_px=14),
        tokenizer=words,
        chat_template=CHATML,
    )
    return saved(Qwen2_5_VLForConditionalGeneration(config), processor, folder)


def qwen_tokenizer(texts: Iterable[str], size: Size) -> PreTrainedTokenizerFast:
    """With the marks of both Qwen families."""
    special = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    special += ["<|image_pad|>", "<|video_pad|>", "<|endoftext|>"]
    return tokenizer(texts, size, special=special, end="<|im_end|>")


def qwen_token_ids(words: PreTrainedTokenizerFast) -> dict[str, int]:
    """Of pictures and their marks."""
    names = {"image": "image_pad", "video": "video_pad"}
    names |= {"vision_start": "vision_start", "vision_end": "vision_end"}
    return {
        f"{name}_token_id": words.convert_tokens_to_ids(f"<|{mark}|>")
        for name, mark in names.items()
    }


def qwen_text_settings(words: PreTrainedTokenizerFast, size: Size, *, tied: bool) -> dict[str, Any]:
    """Of the language model."""
    return text_settings(size, len(words)) | {
        "rope_scaling": {"type": "mrope", "mrope_section": mrope_section(size)},
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": tied,
    }


def qwen_vision_settings(size: Size) -> dict[str, Any]:
    """Of the vision half of both Qwen families."""
    layers, width = size.vision
    return {
        "depth": layers,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_heads": 4,
        "out_hidden_size": size.text[1],
    }


def qwen_image_processor(size: Size, *, patch_px: int) -> Qwen2VLImageProcessorPil:
    """Every picture at about `side_px` squared pixels."""
    pixels = size.side_px**2
    return Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels, "longest_edge": pixels}, patch_size=patch_px
    )


def mrope_section(size: Size) -> list[int]:
    """Half of a head's width, in three parts."""
    half = size.text[1] // 4 // 2
    return [half - 2 * (half // 3), half // 3, half // 3]


def saved(model: PreTrainedModel, processor: ProcessorMixin, folder: str | Path) -> Path:
    """Write both; greedy replies end where the tokenizer says."""
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)
