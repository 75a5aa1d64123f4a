"""The example that trains a model from random weights. Needs the extra `train`."""

import dataclasses
import io
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")

import pyarrow.parquet as pq
from PIL import Image

from examples.from_scratch import make_base
from examples.from_scratch.result_sheet import result_sheet
from examples.from_scratch.result_tables import result_tables
from medvision.train.config import Tuning, load_sft_config
from medvision.train.sft import train_sft
from tests.train.conftest import CONFIGS

pytestmark = pytest.mark.train

EXAMPLE = CONFIGS.parent / "examples" / "from_scratch"


SHOWN = ("Detection", "Tumour")
"""Tables of the tasks that were asked."""


def tabulated(markdown):
    """Title of each table to the number of questions in it, over all rows."""
    counts = {}
    for section in markdown.split("### ")[1:]:
        title, *lines = section.splitlines()
        rows = [line.split(" | ") for line in lines if "| trained |" in line]
        counts[title] = sum(int(row[row.index("trained") + 1]) for row in rows)
    return counts


@pytest.mark.parametrize("name", ["sft", "lora"])
def test_the_configurations_of_the_example_can_be_read(name):
    config = load_sft_config(EXAMPLE / f"{name}.toml")
    assert config.held_out.suites == ("examples/from_scratch/suite.toml",)


def test_a_base_is_made_trained_and_its_answers_tabulated(
    sft_config, toml_file, tmp_path, monkeypatch
):
    config = sft_config(tmp_path / "base")
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, tuning=Tuning.FULL)
    )
    path = toml_file(config)
    words = ["make_base", path, "--text", 2, 64, "--vision", 2, 64, "--vocabulary", 400]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    make_base.main()
    train_sft(load_sft_config(path))
    run = Path(config.output) / "validation" / "step-4"
    scores = pq.read_table(run / "scores.parquet", partitioning=None)
    for title, n_asked in tabulated(result_tables({"trained": scores})).items():
        task = "detection" if title.startswith("Detection") else "tl"
        expected = scores["task"].to_pylist().count(task) if title.startswith(SHOWN) else 0
        assert n_asked == expected
    sheet = Image.open(io.BytesIO(result_sheet(run, "study")))
    assert min(sheet.size) > 3 * 480
