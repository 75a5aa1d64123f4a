"""Model profiles: which id is which family, and what a user's own file may say."""

import pytest

from medvision.models.profiles import (
    CARRIED,
    ModelProfile,
    ProfileError,
    built_in_profiles,
    declared_family,
    near_profile,
    parsed_profiles,
    profile_for,
    profile_text,
    read_profiles,
)
from medvision.pictures.perceived import LimitsError, perceived_size
from medvision.pictures.view import PictureFamily
from medvision.replies import Style

FAMILIES = {
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2_5_vl",
    "qwen2-vl-72b-instruct": "qwen2_5_vl",
    "qwen2.5vl:7b": "qwen2_5_vl",
    "qwen2.5vl": "qwen2_5_vl",
    "qwen2.5vl:latest": "qwen2_5_vl",
    "qwen2.5vl:72b-q4_K_M": "qwen2_5_vl",
    "qwen2.5-vl-7b-instruct@q4_k_m": "qwen2_5_vl",
    "qwen/qwen2.5-vl-7b": "qwen2_5_vl",
    "qwen/qwen2.5-vl-72b-instruct": "qwen2_5_vl",
    "qwen/qwen2.5-vl-72b-instruct:free": "qwen2_5_vl",
    "Qwen/Qwen2.5-VL-32B-Instruct-AWQ": "qwen2_5_vl",
    "lingshu-medical-mllm/Lingshu-32B": "qwen2_5_vl",
    "YongchengYAO/MedVision-V0-7B": "qwen2_5_vl",
    "FreedomIntelligence/HuatuoGPT-Vision-7B-Qwen2.5VL": "qwen2_5_vl",
    "XiaomiMiMo/MiMo-VL-7B-RL-2508": "qwen2_5_vl",
    "Qwen/Qwen3-VL-32B-Thinking": "qwen3_vl",
    "qwen3-vl:8b": "qwen3_vl",
    "qwen/qwen3-vl-235b-a22b-instruct": "qwen3_vl",
    "Qwen/Qwen3.6-35B-A3B": "qwen3_vl",
    "google/gemma-3-27b-it": "gemma3",
    "gemma3:27b": "gemma3",
    "google/gemma-3-12b": "gemma3",
    "google/medgemma-4b-it": "gemma3",
    "google/medgemma-1.5-4b-it": "gemma3",
    "google/medgemma-27b-it": "gemma3",
    "google/gemma-4-31B-it": "gemma4",
    "google/paligemma2-3b-mix-448": "448x448",
    "google/paligemma-3b-pt-224": "224x224",
    "OpenGVLab/InternVL3-38B": "internvl3",
    "OpenGVLab/InternVL3_5-8B": "internvl3",
    "OpenGVLab/InternVL3_5-241B-A28B": "internvl3",
    "llava-hf/llava-onevision-qwen2-72b-ov-hf": "llava_onevision",
    "llava-hf/llava-v1.6-mistral-7b-hf": "llava_next",
    "llava-hf/llava-1.5-7b-hf": "clip336_pad",
    "liuhaotian/llava-v1.5-13b": "clip336_pad",
    "ibm-granite/granite-vision-3.3-2b": "granite_vision",
    "meta-llama/Llama-3.2-11B-Vision-Instruct": "mllama",
    "llama3.2-vision:11b": "mllama",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": "llama4",
    "meta-llama/llama-4-maverick": "llama4",
    "microsoft/llava-med-v1.5-mistral-7b": "clip336_pad",
    "FreedomIntelligence/HuatuoGPT-Vision-34B": "clip336_pad",
    "FreedomIntelligence/HuatuoGPT-Vision-7B": "clip336_pad",
    "lintw/HealthGPT-L14": "clip336_pad",
    "Sunanhe/MedDr_0401": "stretch448",
    "ZJU-AI4H/Hulu-Med-32B": "hulu_med",
    "StanfordAIMI/CheXagent-2-3b": "512x512",
    "StanfordAIMI/CheXagent-8b": "448x448",
    "zai-org/GLM-4.6V-Flash": "glm4v",
    "zai-org/GLM-4.1V-9B-Thinking": "glm4v",
    "z-ai/glm-4.5v": "glm4v",
    "HuggingFaceM4/Idefics3-8B-Llama3": "idefics3",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "idefics3",
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": "idefics3",
    "mistralai/Pixtral-12B-2409": "pixtral",
    "mistral-community/pixtral-12b": "pixtral",
    "mistralai/Mistral-Small-3.2-24B-Instruct-2506": "pixtral",
    "mistralai/mistral-small-3.2": "pixtral",
    "mistral-small3.2:24b": "pixtral",
    "mistral-medium-2508": "pixtral",
    "mistral-medium-latest": "pixtral",
    "mistralai/mistral-medium-3.1": "pixtral",
    "microsoft/Phi-4-multimodal-instruct": "phi4_multimodal",
    "moonshotai/Kimi-VL-A3B-Thinking-2506": "kimi",
    "moonshotai/kimi-k2.5": "kimi",
    "openbmb/MiniCPM-V-4_5": "minicpm_v",
    "openbmb/MiniCPM-V-2_6": "minicpm_v",
    "deepseek-ai/deepseek-vl2-small": "deepseek_vl2",
    "AIDC-AI/Ovis2.5-9B": "ovis2_5",
    "allenai/Molmo2-8B": "molmo2",
    "LiquidAI/LFM2-VL-1.6B": "lfm2_vl",
    "CohereLabs/command-a-vision-07-2025": "cohere2_vision",
    "claude-sonnet-4-5-20250929": "claude",
    "anthropic/claude-sonnet-4.5": "claude",
    "anthropic/claude-3.5-sonnet": "claude",
    "anthropic/claude-opus-4.1": "claude",
    "anthropic/claude-4.5-sonnet": "claude",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "claude",
    "claude-haiku-4.5": "claude",
    "claude-opus-4-6": "claude",
    "gpt-4.1-mini-2025-04-14": "openai_patch",
    "openai/gpt-4.1-nano": "openai_patch",
    "gpt-5-mini": "openai_patch",
    "openai/gpt-5-nano-2025-08-07": "openai_patch",
    "gpt-5.2": "openai_patch",
    "openai/gpt-5.4": "openai_patch",
    "gpt-5.4-mini": "openai_patch",
    "gpt-4o-2024-08-06": "openai_tile",
    "openai/gpt-4o-mini": "openai_tile",
    "gpt-4.1": "openai_tile",
    "gpt-4.1-2025-04-14": "openai_tile",
    "gpt-5": "openai_tile",
    "openai/gpt-5-chat": "openai_tile",
    "gpt-5.1-2025-11-13": "openai_tile",
    "gemini-2.5-pro": "gemini",
    "google/gemini-2.0-flash-001": "gemini",
    "models/gemini-3-pro-preview": "gemini",
    "google/gemini-3.1-flash": "gemini",
    "x-ai/grok-4": "as_sent",
    "grok-4-1-fast-reasoning": "as_sent",
    "us.amazon.nova-pro-v1:0": "as_sent",
    "amazon/nova-lite-v1": "as_sent",
    "mlx-community/Qwen3-VL-8B-Instruct-4bit": "qwen3_vl",
    "unsloth/Qwen2.5-VL-7B-Instruct-bnb-4bit": "qwen2_5_vl",
    "qwen3-vl:235b-cloud": "qwen3_vl",
    "qwen3.6:35b": "qwen3_vl",
    "qwen/qwen-2.5-vl-7b-instruct:free": "qwen2_5_vl",
    "alibayram/medgemma:4b": "gemma3",
    "google/gemma-3-27b-it:free": "gemma3",
    "gemma3:27b-it-qat": "gemma3",
    "gemma4:e4b": "gemma4",
    "lingshu:7b": "qwen2_5_vl",
    "internvl3.5:8b": "internvl3",
    "OpenGVLab/InternVL3_5-8B-HF": "internvl3",
    "FreedomIntelligence/HuatuoGPT-Vision-34B-hf": "clip336_pad",
    "Hulu-Med-HF-7B": "hulu_med",
    "mimo-vl-7b-rl": "qwen2_5_vl",
    "glm-4.6v-flash": "glm4v",
    "claude-3-5-sonnet@20240620": "claude",
    "anthropic/claude-3.7-sonnet:thinking": "claude",
    "claude-opus-4.5": "claude",
    "gemini-3-flash": "gemini",
    "x-ai/grok-4.1-fast": "as_sent",
    "us.amazon.nova-lite-v1:0": "as_sent",
    "amazon/nova-2-lite-v1": "as_sent",
    "ministral-3:8b": "pixtral",
    "minicpm-v:8b": "minicpm_v",
    "allenai/molmo-2-8b:free": "molmo2",
    "granite3.2-vision:2b": "granite_vision",
    "llama4:scout": "llama4",
    "moonshotai/kimi-vl-a3b-thinking": "kimi",
}


@pytest.mark.parametrize(("name", "family"), FAMILIES.items())
def test_known_ids_have_their_family(name, family):
    profile = profile_for(name)
    assert profile is not None
    assert profile.family == family
    assert profile.source
    assert perceived_size(family, 512, 384, profile.limits).canvas_hw


@pytest.mark.parametrize(
    "name",
    [
        "claude-unheard-of",
        "claude-opus-4-99",
        "gpt-4.10",
        "gpt-9",
        "gpt-5.3",
        "gpt-5-codex",
        "gpt-4",
        "o10",
        "Qwen3-8B",
        "gemma3:1b",
        "gemma3n:e4b",
        "claude-opus-4.99",
        "grok-3",
        "gemma-3n-E4B-it",
        "gemma-3-1b-it",
        "Qwen2.5-7B-Instruct",
        "unsloth/Qwen2.5-VL-7B-Instruct-GGUF",
        "m",
        "",
    ],
)
def test_other_ids_are_not_guessed_at(name):
    assert profile_for(name) is None


LIMITS = {
    "Qwen/Qwen2.5-VL-7B-Instruct": {},
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": {"long_edge_px": 1536, "tile_px": 384},
    "mistral-small3.2:24b": {"long_edge_px": 1540, "patch_px": 28},
    "moonshotai/Kimi-VL-A3B-Instruct": {"max_patches": 4096, "max_side_patches": 511},
    "openbmb/MiniCPM-V-2_6": {"patch_px": 14},
    "gpt-5.4": {"patch_budget": 2500, "long_edge_px": 2048},
    "gpt-5.4-mini": {"patch_budget": 1536, "long_edge_px": 2048},
}


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_models_of_one_family_have_their_own_limits(name, limits):
    assert profile_for(name).limits == limits


def test_qwen2_vl_writes_per_mille_and_qwen2_5_pixels():
    habits = [profile_for(f"Qwen{n}-VL-7B-Instruct").coordinates for n in ("2", "2.5", "3")]

    assert habits == ["per_mille_xyxy", "canvas_px_xyxy", "per_mille_xyxy"]


NEAR = {
    "unsloth/Qwen2.5-VL-7B-Instruct-GGUF": "Qwen2.5-VL-* (family qwen2_5_vl)",
    "Qwen/Qwen4-VL-8B": "",
    "gpt-5.3": "gpt-5 (family openai_tile)",
    "claude-opus-4-99": "claude-opus-4",
    "llava-v1.6": "llava-v1.6-* (family llava_next)",
    "mistralai/pixtral-large-2411": "Pixtral-12B-* (family pixtral)",
    "mistral-large-2512": "Mistral-Large-3-*",
    "chatgpt-4o-latest": "gpt-4o* (family openai_tile)",
    "lmstudio-community/Qwen2.5-VL-7B-Instruct-GGUF@q4_k_m": "Qwen2.5-VL-* (family qwen2_5_vl)",
    "unsloth/medgemma-4b-it-GGUF": "medgemma-* (family gemma3)",
    "llava:13b-v1.6": "llava",
    "openai/gpt-5-pro": "gpt-5 (family openai_tile)",
    "moondream:1.8b": "",
    "somebody/brand-new-model": "",
    "": "",
}


@pytest.mark.parametrize(("name", "near"), NEAR.items())
def test_an_unknown_model_says_which_near_one_it_could_be(name, near):
    assert str(near_profile(name) or "").startswith(near)
    assert bool(near_profile(name)) == bool(near)


def test_no_id_pattern_is_listed_twice():
    patterns = [pattern for profile in built_in_profiles() for pattern in profile.ids]
    assert len(patterns) == len(set(patterns))


def test_own_rows_come_first_and_say_everything(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        """
        [[model]]
        ids = ["Qwen2.5-VL-7B-*", "house/*"]
        family = "qwen2_5_vl"
        limits = { max_pixels = 1003520 }
        coordinates = "canvas_px_xyxy"
        style = "cot"
        temperature = "server"
        max_tokens = 99
        system_text = "Be brief."
        """
    )
    (own,) = read_profiles(path)
    assert profile_for("Qwen/Qwen2.5-VL-7B-Instruct", [own]) is own
    assert profile_for("house/anything", [own]) is own
    assert profile_for("house-gguf", [own]) is None
    assert (own.style, own.temperature, own.max_tokens) == (Style.COT, None, 99)
    assert own.limits == {"max_pixels": 1003520}


def test_own_row_may_name_a_gguf():
    own = ModelProfile(ids=("*-gguf",), family="448x448")
    assert profile_for("a-GGUF", [own]) is own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing key 'model'"),
        ("[model]\nids=['a']", "model: expected a list, found"),
        ("x = 1\n[[model]]\nids=['a']\nfamily='gemma3'", "unknown key 'x'; known: model"),
        ("model = []", "model: expected 1 or more, found 0"),
        ("[[model]]\nids=['a']", r"model\[0\]: missing key 'family'"),
        ("[[model]]\nfamily='gemma3'", r"model\[0\]: missing key 'ids'"),
        ("[[model]]\nids=[]\nfamily='gemma3'", "at least one id pattern"),
        ("[[model]]\nids='a'\nfamily='gemma3'", r"model\[0\]\.ids: expected a list"),
        ("[[model]]\nids=[1]\nfamily='gemma3'", r"ids\[0\]: expected text, found 1"),
        ("[[model]]\nids=['a']\nfamily='nothing'", "no model family 'nothing'"),
        ("[[model]]\nids=['a']\nfamily='claude'", "missing long_edge_px, max_tokens"),
        ("[[model]]\nids=['a']\nfamily='gemma3'\nlimits={max_tiles=3}", "found max_tiles"),
        (
            "[[model]]\nids=['a']\nfamily='gemma3'\ntemprature=0",
            "did you mean 'temperature'",
        ),
        (
            "[[model]]\nids=['a']\nfamily='gemma3'\ntemperature='hot'",
            'expected a number or "server"',
        ),
        (
            "[[model]]\nids=['a']\nfamily='gemma3'\nmax_tokens=true",
            "expected a whole number or",
        ),
        ("[[model]]\nids=['a']\nfamily='gemma3'\nstyle='poem'", "poem"),
        ("[[model]]\nids=['a']\nfamily='gemma3'\ncoordinates='x'", "coordinates: expected one of"),
        ("[[model", "expected TOML"),
    ],
)
def test_bad_rows_are_refused_with_their_place(text, message):
    with pytest.raises(ProfileError, match=message) as caught:
        parsed_profiles(text, where="own.toml")
    assert str(caught.value).startswith("own.toml")


def test_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(ProfileError, match=r"gone\.toml: expected a TOML file"):
        read_profiles(tmp_path / "gone.toml")


def test_api_family_without_caps_is_an_error():
    with pytest.raises(LimitsError, match="caps that differ per model"):
        ModelProfile(ids=("x",), family="openai_patch")


WHOLE = ModelProfile(
    ids=("sft-x", 'odd "name"'),
    family="qwen2_5_vl",
    limits={"min_pixels": 28224, "max_pixels": 28224},
    coordinates="canvas_px_xyxy",
    style=Style.COT,
    temperature=None,
    max_tokens=512,
    system_text="Be exact.\nAlways.",
    square=True,
    shape_hw=(448, 336),
    source="medvision train sft",
)


@pytest.mark.parametrize(
    "profile", [WHOLE, ModelProfile(ids=("x",), family="gemma3"), *built_in_profiles()]
)
def test_a_profile_survives_its_text(profile):
    assert parsed_profiles(profile_text(profile), where="text") == (profile,)


def test_a_models_folder_says_how_it_sees_unless_the_user_does(tmp_path):
    folder = tmp_path / "Qwen2.5-VL-7B-Instruct"
    folder.mkdir()
    assert profile_for(str(folder)).limits == {}
    (folder / CARRIED).write_text(profile_text(WHOLE), encoding="utf-8")
    assert profile_for(str(folder)) == WHOLE
    own = ModelProfile(ids=("Qwen2.5-VL-*",), family="gemma3")
    assert profile_for(str(folder), (own,)) == own


def test_the_picture_family_takes_all_that_a_profile_says():
    whole = declared_family(None, WHOLE)
    assert (whole.name, whole.limits) == ("qwen2_5_vl", dict(WHOLE.limits))
    assert (whole.square, whole.shape_hw) == (True, (448, 336))
    assert declared_family("gemma3", WHOLE) == PictureFamily(name="gemma3")
