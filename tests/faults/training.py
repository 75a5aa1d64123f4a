"""Training of a tiny model as a command of the harness; needs the extra `train`."""

import json
from pathlib import Path

from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.tasks import Task
from medvision.train.examples import question
from tests.faults.conftest import Study
from tests.faults.harness import Command

SIDE_PX = 56
CONFIG = f"""
output = "{{folder}}/trained"
[model]
base = "{{inputs}}/tiny"
family = "qwen2_5_vl"
limits = {{{{ min_pixels = {SIDE_PX**2}, max_pixels = {SIDE_PX**2} }}}}
[data]
tables = ["{{inputs}}/tables"]
planes = []
[[data.tasks]]
task = "tl"
[optimiser]
max_steps = 6
batch_size = 2
accumulation = 1
[validation]
subject_frac = 0.2
samples = 2
every_steps = 2
max_new_tokens = 8
[run]
gradient_checkpointing = false
workers = 0
log_every_steps = 1
log_to = []
"""


def training(study: Study) -> Command:
    """The command, once its tiny base model lies beside the study."""
    from examples.from_scratch.tiny_models import Size
    from tests import tiny_families

    suite = Suite(name="s", configs=(TaskConfig(task=Task.TUMOR_LESION),), cap_per_config=None)
    samples = select_samples(suite, table_folders([study.tables]), split="train").samples
    family = PictureFamily(name=f"{SIDE_PX}x{SIDE_PX}")
    asked = [question(sample, Style.DIRECT, family) for sample in samples[::5]]
    texts = [text for one in asked for text in (one.prompt, one.target)]
    tiny_families.MAKERS["qwen"](texts, study.inputs / "tiny", Size(side_px=SIDE_PX))
    return Command(_words, ("trained",), _trained)


def _words(study: Study) -> list[str]:
    path = study.inputs / f"{study.folder.name}.toml"
    text = CONFIG.format(folder=study.folder, inputs=study.inputs)
    path.write_text(text, encoding="utf-8")
    return ["train", "sft", str(path)]


def _trained(study: Study, _out: str) -> object:
    """Loss of each step, and the weights to the byte."""
    out = study.folder / "trained"
    states = out.glob("checkpoints/checkpoint-*/trainer_state.json")
    newest = max(states, key=lambda path: int(path.parent.name.partition("-")[2]))
    history = json.loads(newest.read_text(encoding="utf-8"))["log_history"]
    weights = {path.name: path.read_bytes() for path in Path(out / "model").glob("*.safetensors")}
    return {line["step"]: line["loss"] for line in history if "loss" in line}, weights
