"""Training under the paper's protocol: its pictures, prompts, replies, and what is said of it."""

import json
import logging

import numpy as np
import pytest

pytest.importorskip("trl")

import medvision as mv
from medvision.analysis.page import coverage_warnings
from medvision.analysis.read_run import read_runs
from medvision.cli import main
from medvision.models.profiles import profile_for
from medvision.pictures.render import SlicePictures
from medvision.prompts.messages import prompt_text
from medvision.prompts.targets import target_text
from medvision.protocols import load_protocol
from medvision.replies import Style
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from medvision.train.config import DataConfig, OptimiserConfig, TaskMix, ValidationConfig
from medvision.train.examples import picture_family
from medvision.train.material import prepared_material

PAPER = load_protocol("paper")


def test_pictures_prompts_and_targets_are_the_protocols_and_the_model_remembers_it(
    tiny_base, sft_config, toml_file, study_tables, tmp_path, caplog
):
    data = DataConfig(
        tables=(str(study_tables),), tasks=(TaskMix(task=Task.TUMOR_LESION),), style=Style.COT
    )
    optimiser = OptimiserConfig(max_steps=2, batch_size=2, accumulation=1)
    config = sft_config(tiny_base("qwen"), data=data, optimiser=optimiser, protocol="paper")
    material = prepared_material(config, tmp_path / "material", None)
    suite = Suite(name="s", configs=(TaskConfig(task=Task.TUMOR_LESION),), cap_per_config=None)
    tables = table_folders([study_tables])
    theirs, ours = (
        {one.sample_id: one for one in select_samples(suite, tables, split="train", **how).samples}
        for how in ({"protocol": PAPER}, {})
    )
    family = picture_family(config.model)
    for row in range(3):
        sample = material.examples.sample(row)
        assert sample == theirs[sample.sample_id] != ours[sample.sample_id]
        asked, view = material.examples.question(sample), family.view(sample.geometry)
        assert asked.prompt == prompt_text(sample, Style.COT, view.stated, PAPER.prompt)
        assert asked.target == target_text(sample, Style.COT, view, PAPER.prompt)
        assert "<step-3-answer>" in asked.prompt
        assert "</step-3-answer>" in asked.target
        turned = SlicePictures().picture(ours[sample.sample_id])[::-1, ::-1].T
        np.testing.assert_array_equal(SlicePictures().picture(sample), turned)
    assert {sample.view for sample in material.validation} == {"original"}

    # Asked for on the command line or from Python alike.
    seldom = ValidationConfig(subject_frac=0.2, samples=1, every_steps=2, max_new_tokens=4)
    plain = sft_config(tiny_base("qwen"), data=data, optimiser=optimiser, validation=seldom)
    model = mv.fine_tune(toml_file(plain), protocol="paper")
    kept = json.loads((model.parent / "config.json").read_text(encoding="utf-8"))
    assert kept["protocol"] == "paper"
    assert "protocol: paper, slices in the original view" in (model / "README.md").read_text(
        "utf-8"
    )
    assert profile_for(str(model)).protocol == "paper"

    said = {}
    for protocol in ("paper", "medvision"):
        words = ["eval", "--tables", study_tables, "--task", "tl", "--model", f"hf/{model}"]
        words += ["--limit", 1, "--max-tokens", 4, "--protocol", protocol]
        caplog.clear()
        with caplog.at_level(logging.WARNING, "medvision"):
            main([str(word) for word in (*words, "--run", tmp_path / protocol)])
        said[protocol] = "trained under the protocol paper" in caplog.text
    assert said == {"paper": False, "medvision": True}
    runs = read_runs([tmp_path / "paper", tmp_path / "medvision"])
    told = [words for words in coverage_warnings(runs) if "trained under" in words]
    assert len(told) == 1
    assert "scored under medvision" in told[0]
