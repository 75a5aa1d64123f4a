"""What the in-process adapter does without its engine; with it: tests/peers."""

import importlib.util
from types import SimpleNamespace

import pytest

from medvision.cli import main
from medvision.errors import UsageError
from medvision.models import Generation
from medvision.models.base import chat_messages
from medvision.models.hf import HfSettings
from medvision.models.in_process.chat import template_messages
from medvision.models.in_process.generate import before_stop, generate_arguments, until_end
from medvision.models.in_process.weights import WeightSettings
from tests import builders

DEFAULTS = SimpleNamespace(top_k=50, repetition_penalty=1.0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_missing_engine_is_an_error_that_names_the_extra(study_tables, tmp_path, capsys):
    words = ["eval", "--tables", study_tables, "--task", "detection", "--model", f"hf/{tmp_path}"]
    assert main([str(word) for word in [*words, "--run", tmp_path / "run"]]) == 2
    assert "needs torch, not installed; run: pip install 'medvision[hf]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("generation", "arguments"),
    [
        (
            Generation(),
            {
                "max_new_tokens": 4096,
                "do_sample": False,
                "temperature": None,
                "top_p": None,
                "top_k": None,
            },
        ),
        (
            Generation(temperature=0.7, top_p=0.9, max_tokens=5, stop=("a", "b")),
            {
                "max_new_tokens": 5,
                "do_sample": True,
                "temperature": 0.7,
                "top_p": 0.9,
                "stop_strings": ["a", "b"],
            },
        ),
        (Generation(temperature=None, max_tokens=None), {}),
        (
            Generation(temperature=1.0, max_tokens=9, extra_body={"top_k": 3}),
            {"max_new_tokens": 9, "do_sample": True, "temperature": 1.0, "top_k": 3},
        ),
        (
            Generation(temperature=None, extra_body={"chat_template_kwargs": {"thinking": False}}),
            {"max_new_tokens": 4096},
        ),
    ],
)
def test_settings_become_arguments_of_generate(generation, arguments):
    assert generate_arguments(generation, DEFAULTS) == arguments


def test_unknown_extra_field_is_refused():
    with pytest.raises(UsageError, match=r"GenerationConfig for an hf/ model, found \['min_q'\]"):
        generate_arguments(Generation(extra_body={"min_q": 1, "top_k": 2}), DEFAULTS)


@pytest.mark.parametrize("system_text", ["", "Be brief."])
def test_messages_are_those_of_a_served_model_with_the_picture_in_its_place(system_text):
    question = builders.question(system_text=system_text, image_detail="high")
    served = chat_messages(question, "data:")
    for message in served:
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
        message["content"] = [
            {"type": "image"} if part["type"] == "image_url" else part
            for part in message["content"]
        ]
    assert template_messages(question.prompt_text, system_text) == served
    assert len(served) == (2 if system_text else 1)


@pytest.mark.parametrize(
    ("tokens", "written", "has_ended"),
    [
        ([5, 6, 2, 0, 0], [5, 6], True),
        ([5, 6, 7], [5, 6, 7], False),
        ([2, 5], [], True),
        ([], [], False),
        ([5, 6, 0, 0], [5, 6], False),
        ([5, 0, 6, 3, 6], [5, 0, 6], True),
        ([0, 0], [], False),
    ],
)
def test_filling_after_the_end_is_no_part_of_a_reply(tokens, written, has_ended):
    assert until_end(tokens, frozenset({2, 3}), filling=0) == (written, has_ended)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("25 mm. Done", (".", "Done"), ("25 mm", True)),
        ("25 mm", (".",), ("25 mm", False)),
        ("25 mm", (), ("25 mm", False)),
        (".25", (".",), ("", True)),
    ],
)
def test_text_ends_before_a_stop_string(text, stop, expected):
    assert before_stop(text, stop) == expected


def test_impossible_batch_size_is_refused():
    with pytest.raises(UsageError, match="batch size of at least 1, found 0"):
        HfSettings(weights=WeightSettings(name="x"), batch_size=0)
