"""Names of one model, and names of two."""

import pytest

from medvision.models.spelling import is_same_model, words_of

SAME = [
    ("gpt-4o", "gpt-4o"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-08-06", "gpt-4o"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-4", "gpt-4-0613"),
    ("openai/gpt-4o", "gpt-4o"),
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929"),
    ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gemini-2.5-pro", "models/gemini-2.5-pro-preview-0506"),
    ("gemini-2.0-flash", "gemini-2.0-flash-001"),
    ("Qwen/Qwen2.5-VL-7B-Instruct", "/models/Qwen2.5-VL-7B-Instruct"),
    ("qwen2.5vl:7b", "qwen2.5-vl-7b-instruct"),
    ("Qwen/Qwen3-VL-32B-Instruct", "Qwen3-VL-32B-Instruct-FP8"),
    ("mistral-medium", "mistral-medium-latest"),
    ("qwen/qwen2.5-vl-72b-instruct", "qwen/qwen2.5-vl-72b-instruct:free"),
    ("m", "M"),
]
OTHER = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4", "gpt-4.1-2025-04-14"),
    ("gpt-5", "gpt-5.1"),
    ("claude-opus-4", "claude-opus-4-1-20250805"),
    ("Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-72B-Instruct"),
    ("Qwen2.5-VL-7B-Instruct", "Qwen3-VL-8B-Instruct"),
    ("medgemma-4b-it", "gemma-3-4b-it"),
    ("tiny", "m"),
    ("a", "2024-01-01"),
]


@pytest.mark.parametrize(("asked", "named"), SAME)
def test_releases_folders_and_routers_name_one_model(asked, named):
    assert is_same_model(asked, named)
    assert is_same_model(named, asked)


@pytest.mark.parametrize(("asked", "named"), OTHER)
def test_sizes_and_versions_name_others(asked, named):
    assert not is_same_model(asked, named)
    assert not is_same_model(named, asked)


def test_words_are_letters_and_numbers():
    assert words_of("Qwen2.5-VL-7B") == ("qwen", "2", "5", "vl", "7", "b")
