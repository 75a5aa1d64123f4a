"""Small vision-language models of real architectures, made on the spot with random weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    set_seed,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<start_of_image>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
USER_ASSISTANT = (
    "{% for message in messages %}{{ message.role | upper }}: "
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>\n"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
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
    layers, width = size.vision
    config = Qwen2_5_VLConfig(
        text_config=qwen_text_settings(words, size, tied=tied),
        vision_config={
            "depth": layers,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_heads": 4,
            "out_hidden_size": size.text[1],
            "fullatt_block_indexes": [layers - 1],
            "window_size": 56,
        },
        tie_word_embeddings=tied,
        **qwen_token_ids(words),
    )
    processor = image_only(Qwen2_5_VLProcessor)(
        image_processor=qwen_image_processor(size, patch_px=14),
        tokenizer=words,
        chat_template=CHATML,
    )
    return saved(Qwen2_5_VLForConditionalGeneration(config), processor, folder)


def qwen3(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """Qwen3-VL architecture: patches of 16 px, visual features into several text layers."""
    set_seed(1)
    words = qwen_tokenizer(texts, size)
    layers, width = size.vision
    config = Qwen3VLConfig(
        text_config=qwen_text_settings(words, size, tied=True)
        | {"head_dim": size.text[1] // 4, "rope_scaling": None}
        | {"rope_parameters": {"rope_type": "default", "mrope_section": mrope_section(size)}},
        vision_config={
            "depth": layers,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_heads": 4,
            "out_hidden_size": size.text[1],
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        tie_word_embeddings=True,
        **qwen_token_ids(words),
    )
    processor = image_only(Qwen3VLProcessor)(
        image_processor=qwen_image_processor(size, patch_px=16),
        tokenizer=words,
        chat_template=CHATML,
    )
    return saved(Qwen3VLForConditionalGeneration(config), processor, folder)


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


def llava(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """LLaVA architecture: CLIP, Llama, a projector between; its template writes no end of turn."""
    set_seed(1)
    words = tokenizer(
        texts,
        size,
        special=["<s>", "</s>", "<image>"],
        end="</s>",
        image_token="<image>",  # noqa: S106
    )
    layers, width = size.vision
    vision = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        image_size=size.side_px,
        patch_size=14,
        projection_dim=width,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(**text_settings(size, len(words)), pad_token_id=0),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=False,
    )
    square = {"height": size.side_px, "width": size.side_px}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=square, crop_size=square),
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=USER_ASSISTANT,
    )
    return saved(LlavaForConditionalGeneration(config), processor, folder)


def gemma3(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """Gemma 3 architecture: tied embeddings, a projector without linear layers."""
    set_seed(1)
    names = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    special = ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", *names.values()]
    words = tokenizer(texts, size, special=special, end="<eos>", begin="<bos>", **names)
    layers, width = size.vision
    patches = size.side_px // 14
    config = Gemma3Config(
        text_config=text_settings(size, len(words)) | {"head_dim": size.text[1] // 4},
        vision_config={
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "image_size": size.side_px,
            "patch_size": 14,
        },
        mm_tokens_per_image=(patches // 2) ** 2,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
        image_token_index=words.image_token_id,
    )
    square = {"height": size.side_px, "width": size.side_px}
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size=square, image_seq_length=(patches // 2) ** 2),
        tokenizer=words,
        chat_template=TURNS,
        image_seq_length=(patches // 2) ** 2,
    )
    return saved(Gemma3ForConditionalGeneration(config), processor, folder)


def saved(model: PreTrainedModel, processor: ProcessorMixin, folder: str | Path) -> Path:
    """Write both; greedy replies end where the tokenizer says."""
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)


MAKERS = {"qwen": qwen, "qwen3": qwen3, "llava": llava, "gemma3": gemma3}
