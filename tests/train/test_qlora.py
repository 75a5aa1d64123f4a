"""Training over a base in 4-bit NF4, which bitsandbytes also has for the CPU; logging to W&B."""

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("bitsandbytes")

from bitsandbytes.nn import Linear4bit

from medvision.train.base_model import load_model
from medvision.train.config import OptimiserConfig, Precision, RunConfig, Tuning, ValidationConfig
from medvision.train.merge import merge_adapter
from medvision.train.sft import train_sft
from tests.train.conftest import losses, model_config

pytestmark = pytest.mark.train


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_qlora_trains_an_adapter_over_a_4_bit_base(tiny_base, sft_config, tmp_path, precision):
    base = tiny_base("qwen")
    model = dataclasses.replace(
        model_config("qwen", base), tuning=Tuning.QLORA, precision=precision
    )
    held = load_model(model)
    packed = [module for module in held.modules() if isinstance(module, Linear4bit)]
    assert len(packed) > 10
    assert {module.weight.quant_type for module in packed} == {"nf4"}
    config = sft_config(
        base,
        model=model,
        optimiser=OptimiserConfig(
            learning_rate=1e-2, max_steps=20, batch_size=8, accumulation=1, max_grad_norm=1.0
        ),
        validation=ValidationConfig(subject_frac=0.2, samples=4, every_steps=20, max_new_tokens=8),
        run=RunConfig(gradient_checkpointing=False, workers=0, log_every_steps=1, log_to=()),
    )
    result = train_sft(config)
    loss = losses(config.output)
    assert loss[20] < 0.8 * loss[1]
    saved = json.loads((result.model / "adapter_config.json").read_text(encoding="utf-8"))
    assert (saved["r"], saved["lora_alpha"]) == (16, 16)
    assert "4-bit NF4" in (result.model / "README.md").read_text(encoding="utf-8")
    merged = merge_adapter(result.model, tmp_path / "merged")
    assert merged.max_difference < 1e-3


def test_wandb_gets_losses_and_scores(tiny_base, sft_config, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = sft_config(
        tiny_base("qwen"),
        run=RunConfig(
            gradient_checkpointing=False, workers=0, log_every_steps=1, log_to=("wandb",)
        ),
    )
    train_sft(config)
    wandb.teardown()  # finish() returns before the service has written everything
    (stored,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = stored.read_bytes()
    for name in (b"train/loss", b"eval/validation_score", b"train/samples_per_s"):
        assert name in content
