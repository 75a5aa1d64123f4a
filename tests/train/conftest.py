"""Configurations and tiny base models for the tests of training."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from medvision.train.config import (
    AdapterConfig,
    DataConfig,
    ModelConfig,
    OptimiserConfig,
    RunConfig,
    SftConfig,
    TaskMix,
    ValidationConfig,
)
from medvision.train.examples import question

CONFIGS = Path(__file__).parents[2] / "configs"

SIDE_PX = 56
QWEN_LIMITS = {"min_pixels": SIDE_PX**2, "max_pixels": SIDE_PX**2}
QWEN3_SIDE_PX = 64
QWEN3_LIMITS = {"min_pixels": QWEN3_SIDE_PX**2, "max_pixels": QWEN3_SIDE_PX**2}
TILES = {"max_tiles": 4, "tile_px": SIDE_PX}
FAMILIES = ("qwen", "qwen3", "llava", "gemma3", "internvl")
TASKS = (Task.DETECTION, Task.TUMOR_LESION)


def model_config(kind, base):
    if kind == "qwen":
        return ModelConfig(base=str(base), family="qwen2_5_vl", limits=QWEN_LIMITS)
    if kind == "qwen3":
        return ModelConfig(base=str(base), family="qwen3_vl", limits=QWEN3_LIMITS)
    if kind == "internvl":
        return ModelConfig(base=str(base), family="internvl3", limits=TILES)
    return ModelConfig(base=str(base), family=f"{SIDE_PX}x{SIDE_PX}")


@pytest.fixture(scope="session")
def study_samples(study_tables):
    """Training samples of the study, detection and T/L, all planes."""
    suite = Suite(
        name="s", configs=tuple(TaskConfig(task=task) for task in TASKS), cap_per_config=None
    )
    return select_samples(suite, table_folders([study_tables]), split="train").samples


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory, study_samples):
    """Makes a tiny base model of a family once, with a tokenizer that knows the prompts."""
    pytest.importorskip("trl")
    from examples.from_scratch.tiny_models import Size
    from tests import tiny_families

    made = {}

    def base(kind):
        if kind not in made:
            family = PictureFamily(name=f"{SIDE_PX}x{SIDE_PX}")
            asked = [
                question(sample, style, family) for sample in study_samples[::7] for style in Style
            ]
            texts = [text for one in asked for text in (one.prompt, one.target)]
            folder = tmp_path_factory.mktemp(f"tiny-{kind}")
            side_px = QWEN3_SIDE_PX if kind == "qwen3" else SIDE_PX
            made[kind] = tiny_families.MAKERS[kind](texts, folder, Size(side_px=side_px))
        return made[kind]

    return base


@pytest.fixture
def sft_config(study_tables, tmp_path):
    """Makes a small run's configuration; keyword arguments replace parts of it."""

    def config(base="none", kind="qwen", **parts):
        values = {
            "output": str(tmp_path / "run"),
            "model": model_config(kind, base),
            "data": DataConfig(
                tables=(str(study_tables),),
                tasks=tuple(TaskMix(task=task) for task in TASKS),
                planes=(),
            ),
            "adapter": AdapterConfig(),
            "optimiser": OptimiserConfig(
                learning_rate=5e-3, max_steps=4, batch_size=4, accumulation=1, max_grad_norm=1.0
            ),
            "validation": ValidationConfig(
                subject_frac=0.2, samples=8, every_steps=2, max_new_tokens=40
            ),
            "run": RunConfig(gradient_checkpointing=False, workers=0, log_every_steps=1, log_to=()),
        }
        return SftConfig(**(values | parts))

    return config


def losses(out):
    """Training loss by step, from the newest checkpoint."""
    states = sorted(
        Path(out).glob("checkpoints/checkpoint-*/trainer_state.json"),
        key=lambda path: int(path.parent.name.partition("-")[2]),
    )
    history = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
    return {line["step"]: line["loss"] for line in history if "loss" in line}


def interrupt(out, step):
    """Leave of a finished run what a kill leaves before its checkpoint of this step is written."""
    (Path(out) / "manifest.json").unlink()
    shutil.rmtree(Path(out) / "model")
    shutil.rmtree(Path(out) / "checkpoints" / f"checkpoint-{step}")


def train_command(path, *launcher, module="medvision.cli"):
    return [sys.executable, *map(str, launcher), "-m", module, "train", "sft", str(path)]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture
def toml_file(tmp_path):
    """Writes a configuration as TOML."""

    def write(config, name="config.toml"):
        path = tmp_path / name
        path.write_text(toml_text(config))
        return path

    return write


def toml_text(config):
    """TOML of a resolved configuration: plain values, tables, one list of tables."""
    from medvision.table.manifest import jsonable

    lines, tables = [], []
    for key, value in jsonable(config).items():
        if isinstance(value, dict):
            tables += table_lines(key, value)
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def table_lines(name, values):
    lines, lists = [f"[{name}]"], []
    for key, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                lists.append(f"[[{name}.{key}]]")
                lists += [f"{k} = {json.dumps(v)}" for k, v in item.items()]
        elif isinstance(value, dict):
            inner = ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
            lines.append(f"{key} = {{ {inner} }}")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return lines + lists
