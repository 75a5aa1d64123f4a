"""The worked example of MedVision-V0-7B: its commands parse, its suite loads, its questions fit."""

import base64
import io
import json
import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from medvision import cli
from medvision.models.profiles import declared_family, profile_for
from medvision.protocols import load_protocol
from medvision.replies import Style
from medvision.samples.suite import load_suite
from medvision.tasks import Task
from tests.model_server import say

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "medvision_v0"
PAGES = (FOLDER / "README.md", ROOT / "docs" / "protocol.md")
NAME = "MedVision-V0-7B"


def commands(page):
    """Commands of ours in the blocks of a page, as words; a line may go on."""
    blocks = re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [one[1:] for one in words if one[:1] == ["medvision"] and "…" not in one]


ALL = [words for page in PAGES for words in commands(page)]


@pytest.mark.parametrize("words", ALL, ids=[" ".join(words[:4]) for words in ALL])
def test_commands_parse(words):
    parsed = cli._parsed("medvision", cli.MEDVISION, words, verbose=False)
    assert parsed.name == " ".join(["medvision", *words[: len(parsed.name.split()) - 1]])


def test_pages_have_commands():
    assert [len(commands(page)) for page in PAGES] == [9, 7]


def test_the_profile_asks_by_the_paper():
    profile = profile_for(NAME)
    assert (profile.protocol, profile.style) == ("paper", Style.COT)
    assert profile.trained_otherwise(load_protocol("paper")) == ""
    assert "asked under medvision" in profile.trained_otherwise(load_protocol("medvision"))
    assert declared_family(None, profile).name == "qwen2_5_vl"


def test_the_suite_asks_what_it_was_trained_on_and_every_box():
    suite = load_suite(str(FOLDER / "suite.toml"))
    filters = load_protocol("paper").filters
    tasks = [config.under(filters).task for config in suite.configs]
    assert tasks == [Task.DETECTION, Task.TUMOR_LESION, Task.ANGLE_DISTANCE, Task.INSTANCES]


def test_it_is_asked_in_tagged_steps_with_the_pictures_it_was_trained_on(
    study_tables, tmp_path, serve
):
    server, run = serve(lambda *_: say("<answer>30, 20</answer>")), tmp_path / "run"
    words = ["eval", "--tables", study_tables, "--task", "tl", "--limit", 3, "--split", "all"]
    words += ["--protocol", "paper", "--model", f"openai/{NAME}", "--base-url", server.base_url]
    assert cli.main([str(word) for word in (*words, "--resize", "512x512", "--run", run)]) == 0
    sent = json.dumps(server.requests[0].body)
    assert "<step-1-answer>" in sent
    assert "504 pixels wide and 504 pixels high" in sent
    picture = re.search(r"data:image/png;base64,([\w+/=]+)", sent)[1]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (512, 512)
    samples = pq.read_table(run / "samples.parquet")
    assert set(samples["view"].to_pylist()) == {"original"}
