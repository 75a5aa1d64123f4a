"""Rates of training against a clock and a FLOP count made by hand."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from medvision.train import throughput as throughput_module
from medvision.train.collate import ExampleTransform
from medvision.train.config import OptimiserConfig, Tuning, ValidationConfig
from medvision.train.sft import train_sft
from medvision.train.throughput import Throughput, bf16_peak_flops

pytestmark = pytest.mark.train


@pytest.fixture
def clock(monkeypatch):
    """The clock of the meter: it stands still unless `now_s` is moved."""
    clock = SimpleNamespace(now_s=100.0)
    by_hand = SimpleNamespace(perf_counter=lambda: clock.now_s)
    monkeypatch.setattr(throughput_module, "time", by_hand)
    return clock


def stepped(meter, clock, *, wait_s, work_s, samples, tokens):
    with meter.waiting():
        clock.now_s += wait_s
    meter.add(samples=samples, tokens=tokens)
    clock.now_s += work_s
    meter.end_step()


def test_rates_are_those_of_the_steps_after_the_first(clock):
    meter = Throughput(n_processes=2, passes=3)
    stepped(meter, clock, wait_s=50, work_s=50, samples=8, tokens=800)
    stepped(meter, clock, wait_s=1, work_s=3, samples=8, tokens=900)
    clock.now_s += 1000  # validation
    stepped(meter, clock, wait_s=0, work_s=4, samples=8, tokens=700)
    rates = meter.whole()
    assert rates["samples_per_s"] == pytest.approx(2 * 16 / 8)
    assert rates["tokens_per_s"] == pytest.approx(2 * 1600 / 8)
    assert rates["data_wait_frac"] == pytest.approx(1 / 8)
    assert meter.since_log() == rates
    assert meter.since_log() == {}


def test_flops_are_those_of_the_forward_pass(clock):
    meter = Throughput(n_processes=1, passes=3)
    layer = torch.nn.Linear(64, 32, bias=False)
    for _ in range(2):
        with meter.counting_flops(tokens=10):
            layer(torch.zeros(10, 64))
    stepped(meter, clock, wait_s=0, work_s=1, samples=1, tokens=10)
    stepped(meter, clock, wait_s=0, work_s=2, samples=1, tokens=10)
    assert meter.whole()["model_flops_per_s"] == pytest.approx(3 * 2 * 10 * 64 * 32 / 2)


def test_the_peak_is_known_by_name():
    assert bf16_peak_flops("NVIDIA H200") == 989e12
    assert bf16_peak_flops("NVIDIA H100 PCIe") == 756e12
    assert bf16_peak_flops("NVIDIA A100-SXM4-80GB") == 312e12
    assert bf16_peak_flops("Some Card") is None


def test_a_slow_input_shows_as_waiting(tiny_base, sft_config, clock, monkeypatch):
    config = sft_config(
        tiny_base("qwen"),
        validation=ValidationConfig(subject_frac=0.0, every_steps=100),
        optimiser=OptimiserConfig(max_steps=4, batch_size=2, accumulation=2),
    )
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, tuning=Tuning.FULL)
    )
    quick = ExampleTransform.example

    def slow(self, row):
        clock.now_s += 0.2
        return quick(self, row)

    monkeypatch.setattr(ExampleTransform, "example", slow)
    result = train_sft(config)
    rates = json.loads((result.model.parent / "manifest.json").read_text(encoding="utf-8"))["rates"]
    assert rates["data_wait_frac"] == pytest.approx(1.0)
    assert rates["samples_per_s"] == pytest.approx(5.0)
    assert rates["tokens_per_s"] / rates["samples_per_s"] > 50
    assert rates["model_flops_per_s"] > 0
    card = (result.model / "README.md").read_text(encoding="utf-8")
    assert "of the time waiting for data" in card
