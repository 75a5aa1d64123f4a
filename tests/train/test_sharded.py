"""Sharded training, as `configs/accelerate/fsdp.yaml` sets it, on CPU. Needs the extra `train`."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from accelerate import FullyShardedDataParallelPlugin
from safetensors.torch import load_file

from medvision.train.config import (
    AdapterConfig,
    OptimiserConfig,
    Precision,
    RunConfig,
    Tuning,
    ValidationConfig,
)
from medvision.train.errors import ConfigError
from medvision.train.sft import train_sft
from medvision.train.sharding import make_ready_to_shard
from tests.train.conftest import CONFIGS, environment, interrupt, losses, train_command

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture
def run_config(tiny_base, sft_config, tmp_path):
    """Makes the configuration of a run of one process, or of the same run on two."""

    def make(kind, name, *, n_processes=1, **model):
        config = sft_config(
            tiny_base(kind),
            kind,
            output=str(tmp_path / name),
            adapter=AdapterConfig(dropout=0.0),
            optimiser=OptimiserConfig(
                learning_rate=5e-3, max_steps=4, batch_size=8 // n_processes, accumulation=1
            ),
            validation=ValidationConfig(
                subject_frac=0.2, samples=4, every_steps=2, max_new_tokens=4
            ),
            run=RunConfig(
                gradient_checkpointing="precision" in model,
                workers=0,
                log_every_steps=1,
                log_to=(),
            ),
        )
        return dataclasses.replace(config, model=dataclasses.replace(config.model, **model))

    return make


@pytest.fixture
def train_sharded(toml_file):
    """Trains on two processes that hold half of the weights each."""

    def train(config, mixed_precision="no"):
        launcher = ("-m", "accelerate.commands.launch", "--num_processes", "2")
        launcher += ("--main_process_port", "0")  # a free one: other tests may be at it too
        launcher += ("--config_file", CONFIGS / "accelerate" / "fsdp.yaml")
        launcher += ("--mixed_precision", mixed_precision)
        command = train_command(toml_file(config), *launcher, module="tests.train.fsdp_on_cpu")
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    return train


def assert_same_weights(one, other):
    (name,) = {path.name for path in Path(one, "model").glob("*model.safetensors")}
    expected, found = (load_file(Path(out, "model", name)) for out in (one, other))
    tied = {key for key in set(expected) ^ set(found) if "lm_head" in key}
    assert set(expected) ^ set(found) == tied
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], atol=1e-4, rtol=0)


def assert_same_run(whole, sharded):
    assert losses(sharded.output) == pytest.approx(losses(whole.output), abs=1e-5)
    assert_same_weights(whole.output, sharded.output)


def test_sharded_training_is_that_of_whole_weights_and_goes_on_after_an_interruption(
    run_config, train_sharded
):
    """LLaVA: embeddings and LM head are two weights, and the head's is used without calling it."""
    whole = run_config("llava", "whole")
    train_sft(whole)
    sharded = run_config("llava", "sharded", n_processes=2)
    train_sharded(sharded)
    assert_same_run(whole, sharded)
    interrupt(sharded.output, step=4)
    train_sharded(sharded)
    assert_same_run(whole, sharded)


def test_the_first_version_of_fsdp_is_refused():
    plugin = FullyShardedDataParallelPlugin(fsdp_version=1)
    with pytest.raises(ConfigError, match="expected fsdp_version: 2, found 1"):
        make_ready_to_shard(torch.nn.Linear(1, 1), plugin)


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["qwen", "qwen3", "gemma3"])
def test_weights_that_are_tied_stay_so_when_sharded(run_config, train_sharded, kind):
    whole = run_config(kind, "whole")
    train_sft(whole)
    sharded = run_config(kind, "sharded", n_processes=2)
    train_sharded(sharded)
    assert_same_run(whole, sharded)


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_all_weights_can_be_trained_sharded(run_config, train_sharded, kind):
    whole = run_config(kind, "whole", tuning=Tuning.FULL)
    train_sft(whole)
    sharded = run_config(kind, "sharded", n_processes=2, tuning=Tuning.FULL)
    train_sharded(sharded)
    assert_same_run(whole, sharded)


@pytest.mark.peers
def test_sharded_training_in_bf16_adds_up_in_fp32(run_config, train_sharded):
    """As on GPUs, with gradient checkpointing. Summed and rounded in bf16, losses are 1e-2 off."""
    whole = run_config("qwen", "whole")
    train_sft(whole)
    sharded = run_config("qwen", "sharded", n_processes=2, precision=Precision.BF16)
    train_sharded(sharded, "bf16")
    assert losses(sharded.output) == pytest.approx(losses(whole.output), abs=2e-3)
