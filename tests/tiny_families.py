"""Tiny models of the families whose training is tested, made on the spot with random weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen2Config,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    set_seed,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from examples.from_scratch.tiny_models import (
    CHATML,
    TINY,
    Size,
    image_only,
    mrope_section,
    qwen,
    qwen_image_processor,
    qwen_text_settings,
    qwen_token_ids,
    qwen_tokenizer,
    qwen_vision_settings,
    saved,
    text_settings,
    tokenizer,
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


def vision_settings(size: Size) -> dict[str, Any]:
    """Of a vision half that looks at one size of picture, in patches of 14 px."""
    layers, width = size.vision
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "image_size": size.side_px,
        "patch_size": 14,
    }


def qwen3(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """Qwen3-VL architecture: patches of 16 px, visual features into several text layers."""
    set_seed(1)
    words = qwen_tokenizer(texts, size)
    config = Qwen3VLConfig(
        text_config=qwen_text_settings(words, size, tied=True)
        | {"head_dim": size.text[1] // 4, "rope_scaling": None}
        | {"rope_parameters": {"rope_type": "default", "mrope_section": mrope_section(size)}},
        vision_config=qwen_vision_settings(size)
        | {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        tie_word_embeddings=True,
        **qwen_token_ids(words),
    )
    processor = image_only(Qwen3VLProcessor)(
        image_processor=qwen_image_processor(size, patch_px=16),
        tokenizer=words,
        chat_template=CHATML,
    )
    return saved(Qwen3VLForConditionalGeneration(config), processor, folder)


def llava(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """LLaVA architecture: CLIP, Llama, a projector between; its template writes no end of turn."""
    set_seed(1)
    words = tokenizer(
        texts,
        size,
        special=["<s>", "</s>", "<image>"],
        end="</s>",
        image_token="<image>",
    )
    vision = CLIPVisionConfig(**vision_settings(size), projection_dim=size.vision[1])
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
    patches = size.side_px // 14
    config = Gemma3Config(
        text_config=text_settings(size, len(words)) | {"head_dim": size.text[1] // 4},
        vision_config=vision_settings(size),
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


IMG_CONTEXT = CHATML.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n")

MAX_TILES = 4


def internvl(texts: Iterable[str], folder: str | Path, size: Size = TINY) -> Path:
    """InternVL architecture: pictures cut into tiles of `side_px`, a thumbnail beside them."""
    set_seed(1)
    names = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    special = ["<|im_start|>", "<|im_end|>", *names.values()]
    words = tokenizer(texts, size, special=special, end="<|im_end|>", **names)
    tile = {"height": size.side_px, "width": size.side_px}
    n_tokens = (size.side_px // 14 // 2) ** 2
    config = InternVLConfig(
        text_config=Qwen2Config(
            **text_settings(size, len(words)),
            tie_word_embeddings=False,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=words.eos_token_id,
        ),
        vision_config=vision_settings(size),
        image_token_id=words.context_image_token_id,
        image_seq_length=n_tokens,
        tie_word_embeddings=False,
    )
    processor = image_only(InternVLProcessor)(
        image_processor=GotOcr2ImageProcessorPil(
            size=tile, crop_to_patches=True, min_patches=1, max_patches=MAX_TILES
        ),
        tokenizer=words,
        image_seq_length=n_tokens,
        chat_template=IMG_CONTEXT,
    )
    return saved(InternVLForConditionalGeneration(config), processor, folder)


MAKERS = {"qwen": qwen, "qwen3": qwen3, "llava": llava, "gemma3": gemma3, "internvl": internvl}
