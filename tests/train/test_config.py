import dataclasses
import re
from pathlib import Path

import pytest

from medvision.frames import Plane
from medvision.pictures.perceived import resolved_limits
from medvision.replies import Style
from medvision.tasks import Task
from medvision.train.config import Precision, Tuning, load_sft_config
from medvision.train.errors import ConfigError
from medvision.train.examples import picture_family

CONFIGS = Path(__file__).parents[2] / "configs" / "sft"

WHOLE = """
output = "runs/x"
[model]
base = "Qwen/Qwen2.5-VL-7B-Instruct"
[data]
tables = ["tables/a"]
style = "cot"
planes = ["axial", "coronal"]
[[data.tasks]]
task = "detection"
cap = 100
[[data.tasks]]
task = "ad"
vertex_angles = true
"""


def loaded(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    return load_sft_config(path)


def test_defaults_are_the_papers_and_the_documented_ones(tmp_path):
    config = loaded(tmp_path, WHOLE)
    adapter, optimiser = config.adapter, config.optimiser
    assert (adapter.r, adapter.alpha, adapter.dropout) == (16, 16, 0.05)
    assert adapter.embeddings_and_head
    assert not adapter.vision_tower
    assert not adapter.projector
    assert (optimiser.schedule, optimiser.warmup_frac) == ("linear", 0.03)
    assert optimiser.max_grad_norm == 0.3
    assert config.learning_rate == 2e-4
    assert config.model.tuning is Tuning.LORA
    assert config.model.precision is Precision.AUTO


def test_values_have_their_types(tmp_path):
    config = loaded(tmp_path, WHOLE)
    assert config.data.style is Style.COT
    assert config.data.planes == (Plane.AXIAL, Plane.CORONAL)
    assert [mix.task for mix in config.data.tasks] == [Task.DETECTION, Task.ANGLE_DISTANCE]
    assert config.data.tasks[0].cap == 100
    assert config.data.tasks[1].vertex_angles


def test_full_fine_tuning_has_its_own_learning_rate(tmp_path):
    config = loaded(tmp_path, WHOLE.replace("[data]", 'tuning = "full"\n[data]', 1))
    assert config.learning_rate == 1e-5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "output =",
            "outptu =",
            "unknown key 'outptu'; did you mean 'output'. known: adapter, data",
        ),
        ("base =", "baze =", r"c.toml: model: unknown key 'baze'"),
        (
            "cap =",
            "cup =",
            r"data\.tasks\[0\]: unknown key 'cup'; did you mean 'cap'\? known: cap, d",
        ),
        ('style = "cot"', 'style = "verbose"', "style: expected one of direct, cot"),
        ('task = "ad"', 'task = "volume"', "task: expected one of detection"),
        ("cap = 100", 'cap = "many"', 'cap: expected a whole number, found "many"'),
        ("cap = 100", "cap = true", "cap: expected a whole number, found true"),
        ("cap = 100", "cap = 1.5", "cap: expected a whole number, found 1.5"),
        ('tables = ["tables/a"]', 'tables = "tables/a"', "tables: expected a list"),
        ('tables = ["tables/a"]', "tables = []", "at least one folder"),
        ('base = "Qwen/Qwen2.5-VL-7B-Instruct"', "", "model: missing key 'base'"),
        ("[data]", "[adapter]\ndropout = 1.0\n[data]", "dropout must be in"),
        ("[data]", '[run]\nlog_to = ["mlflow"]\n[data]', "log_to takes tensorboard and wandb"),
        (
            "[data]",
            "[optimiser]\nbatch_size = 0\n[data]",
            "optimiser: batch_size and accumulation must be",
        ),
        (
            "[data]",
            "[model.limits]\nmax_pixels = 1.5\n[data]",
            r"model\.limits\.max_pixels: expected a whole number",
        ),
        ("[model]", "[model", r"expected TOML, found: .*line 3"),
        ("cap = 100", "cap = -1", "cap must be at least 0, found -1"),
        ("[data]", '[optimiser]\nschedule = "cosin"\n[data]', "expected one of linear, cosine"),
        (
            "[data]",
            "[optimiser]\nlearning_rate = -1e-5\n[data]",
            r"learning_rate must be in \[0, 1",
        ),
        ("[data]", "[optimiser]\nlearning_rate = nan\n[data]", "learning_rate: expected a finite"),
        ("[data]", "[optimiser]\nlearning_rate = 5\n[data]", "learning_rate must be in"),
        ("[data]", "[optimiser]\nweight_decay = -0.1\n[data]", "weight_decay must be in"),
        ("[data]", "[optimiser]\nmax_grad_norm = inf\n[data]", "max_grad_norm: expected a finite"),
        ("[data]", "[optimiser]\nmax_steps = -1\n[data]", "max_steps must be at least 0"),
        ('style = "cot"', "temperature = inf", "temperature: expected a finite"),
        (
            "[data]",
            '[loss]\nnumbers = "mse"\n[data]',
            "expected one of plain, wasserstein, squared",
        ),
        (
            "[data]",
            '[loss]\nnumbers = "soft_digits"\nweight = 1.5\n[data]',
            r"weight must be in \[0, 1",
        ),
        ("[data]", "[loss]\nweight = -1\n[data]", r"weight must be in \[0, inf"),
        ("[data]", "[loss]\nsoftness = 0\n[data]", "softness must be positive"),
        ('style = "cot"', "samples_per_epoch = -1", "samples_per_epoch must be at least 0"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, old, new, message):
    assert old in WHOLE
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, WHOLE.replace(old, new, 1))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: expected a TOML file"):
        load_sft_config(tmp_path / "none.toml")


def test_a_resolved_configuration_reads_back_as_itself(sft_config, toml_file):
    config = sft_config()
    assert load_sft_config(toml_file(config)) == config


def test_no_part_of_a_configuration_can_be_changed(sft_config):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sft_config().adapter.r = 8


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_provided_configurations_hold_the_papers_recipe(path):
    config = load_sft_config(path)
    adapter = config.adapter
    assert (adapter.r, adapter.alpha, adapter.dropout) == (16, 16, 0.05)
    assert adapter.embeddings_and_head
    family = picture_family(config.model)
    expected = {"qwen2": "qwen2_5_vl", "qwen3": "qwen3_vl", "medge": "gemma3"}
    assert family.name == expected[path.stem[:5]]
    assert resolved_limits(family.name, family.limits) is not None
    launcher = re.search(r"configs/accelerate/(\w+)\.yaml", path.read_text(encoding="utf-8"))[1]
    assert (CONFIGS.parent / "accelerate" / f"{launcher}.yaml").exists()
    assert Path(config.output).name == f"sft-{path.stem}"


def test_the_models_of_the_paper_have_a_configuration():
    bases = {load_sft_config(path).model.base for path in CONFIGS.glob("*.toml")}
    assert {
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen2.5-VL-32B-Instruct",
        "google/medgemma-4b-it",
        "google/medgemma-27b-it",
    } < bases
