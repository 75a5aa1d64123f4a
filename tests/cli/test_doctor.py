"""What `medvision doctor` says of a model."""

import pytest

from medvision.cli import main

OWN = """
[[model]]
ids = ["house/*"]
family = "llava_onevision"
note = "ours"
"""


@pytest.fixture
def shown(capsys):
    """Runs doctor; rows of its output as a dict."""

    def run(*words, status=0):
        assert main(["doctor", *words]) == status
        lines = capsys.readouterr().out.splitlines()
        return {line[:24].strip(): line[24:] for line in lines if line[:24].strip()}

    return run


def test_known_model_needs_no_family(shown):
    rows = shown("--model", "openai/Qwen/Qwen2.5-VL-7B-Instruct", "--size", "160x384")
    assert rows["family"] == "qwen2_5_vl"
    assert rows["limits"] == "min_pixels 3136, max_pixels 12845056"
    assert rows["sent"] == "160x384 px"
    assert rows["canvas"].startswith("168x392 px")
    assert rows["stated size"] == "392 pixels wide, 168 pixels high"
    assert rows["stated pixel"] == "0.979592 mm wide, 0.952381 mm high"


@pytest.mark.parametrize(
    ("family", "checked"),
    [
        ("pixtral", "against transformers: PixtralImageProcessor"),
        ("deepseek_vl2", "not verified: the authors' processing_deepseek_vl_v2"),
        ("openai_tile", "not verified: OpenAI's documentation, Images and vision"),
        ("448x448", "not verified: the user, who declares it"),
    ],
)
def test_a_rule_says_what_it_was_checked_against(shown, family, checked):
    rows = shown("--family", family)
    assert rows["checked"] == checked
    assert rows["rule"]


def test_an_unknown_model_says_which_it_is_near(capsys):
    assert main(["doctor", "--model", "unsloth/Qwen2.5-VL-7B-Instruct-GGUF"]) == 2
    near = "it is near Qwen2.5-VL-* (family qwen2_5_vl), if it resizes pictures as that does"
    assert near in capsys.readouterr().err


def test_api_model_is_sent_what_it_sees(shown):
    rows = shown("--model", "claude-sonnet-4-5", "--size", "3000x2000")
    assert rows["limits"] == "long_edge_px 1568, max_tokens 1600"
    assert rows["canvas"].startswith(rows["sent"])


def test_padding_shows_content_apart_from_canvas(shown):
    words = ["--family", "llava_onevision", "--size", "160x384", "--spacing-mm", "1,1"]
    rows = shown(*words)
    assert rows["canvas"].startswith("384x384 px")
    assert rows["content"].startswith("160x384 px: the slice on it, 112 px from the top")
    assert rows["stated pixel"] == "1 mm wide, 1 mm high"


def test_square_pixels_and_fixed_shapes_come_before_the_model(shown):
    words = ["--family", "as_sent", "--size", "40x512", "--spacing-mm", "5,1"]
    assert shown(*words)["stated pixel"] == "1 mm wide, 5 mm high"
    square = shown(*words, "--square")
    assert square["stated size"] == "512 pixels wide, 200 pixels high"
    assert square["stated pixel"] == "1 mm wide, 1 mm high"
    fixed = shown(*words, "--resize", "100x256")
    assert fixed["stated size"] == "256 pixels wide, 100 pixels high"
    assert fixed["stated pixel"] == "2 mm wide, 2 mm high"


def test_declared_family_wins_over_the_profile(shown):
    rows = shown("--model", "gemma-3-27b-it", "--family", "448x448")
    assert rows["family"] == "448x448"
    assert rows["limits"] == "none"


def test_own_profiles_by_option_or_environment(shown, tmp_path, monkeypatch):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    assert shown("--model", "house/a", "--profiles", str(path))["note"] == "ours"
    monkeypatch.setenv("MEDVISION_PROFILES", str(path))
    assert shown("--model", "openai/house/a")["family"] == "llava_onevision"


def test_profiles_are_listed(capsys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    assert main(["doctor", "--list-models", "--profiles", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["llava_onevision (your own)", "    house/*"]
    assert "claude long_edge_px=1568 max_tokens=1600" in lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "claude-9"], "no profile knows 'claude-9'"),
        (["--model", "baseline/center"], "no profile knows"),
        (["--family", "claude"], "caps that differ per model"),
        (["--family", "gemma3", "--size", "12"], "--size: expected HxW"),
        (["--family", "gemma3", "--resize", "axb"], "--resize: expected HxW"),
        (["--family", "gemma3", "--square", "--resize", "9x9"], "leave one out"),
        (["--model", "x", "--profiles", "gone.toml"], r"gone.toml: expected a TOML file"),
    ],
)
def test_wrong_use_says_what_to_do(words, message, capsys):
    assert main(["doctor", *words]) == 2
    assert message in capsys.readouterr().err


def test_installation_is_shown_without_a_model(shown):
    rows = shown()
    assert {"medvision", "numpy", "SimpleITK"} <= set(rows)
