"""Model profiles: which id is which family, and what a user's own file may say."""

import pytest

from medvision.models.profiles import (
    CARRIED,
    ModelProfile,
    ProfileError,
    built_in_profiles,
    declared_family,
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
    "lingshu-medical-mllm/Lingshu-32B": "qwen2_5_vl",
    "Qwen/Qwen3-VL-32B-Thinking": "qwen3_vl",
    "google/gemma-3-27b-it": "gemma3",
    "google/medgemma-4b-it": "gemma3",
    "google/gemma-4-31B-it": "gemma4",
    "OpenGVLab/InternVL3-38B": "internvl3",
    "llava-hf/llava-onevision-qwen2-72b-ov-hf": "llava_onevision",
    "meta-llama/Llama-3.2-11B-Vision-Instruct": "mllama",
    "microsoft/llava-med-v1.5-mistral-7b": "clip336_pad",
    "FreedomIntelligence/HuatuoGPT-Vision-34B": "clip336_pad",
    "lintw/HealthGPT-L14": "clip336_pad",
    "Sunanhe/MedDr_0401": "stretch448",
    "zai-org/GLM-4.6V-Flash": "glm4v",
    "claude-sonnet-4-5-20250929": "claude",
    "gpt-4.1-mini-2025-04-14": "openai_patch",
    "gpt-4o-2024-08-06": "openai_tile",
    "gemini-2.5-pro": "gemini",
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
        "gpt-4.1",
        "gpt-9",
        "gemma-3n-E4B-it",
        "gemma-3-1b-it",
        "Qwen2.5-7B-Instruct",
        "unsloth/Qwen2.5-VL-7B-Instruct-GGUF",
        "FreedomIntelligence/HuatuoGPT-Vision-7B-Qwen2.5VL",
        "m",
        "",
    ],
)
def test_other_ids_are_not_guessed_at(name):
    assert profile_for(name) is None


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
