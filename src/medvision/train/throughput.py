"""How fast training goes, and whether it waits for data."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.utils.flop_counter import FlopCounterMode

BF16_PEAK_FLOPS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "B200": 2250e12,
}
"""Dense bf16 peak of accelerators by what their name contains (makers' data sheets); the first
that matches counts."""

PASSES_OF_FULL_TRAINING, PASSES_OVER_FROZEN_WEIGHTS = 3, 2
"""Forward, gradients of activations, gradients of weights; adapters spare most of the last."""


@dataclass(slots=True)
class _Sums:
    step_s: float = 0.0
    wait_s: float = 0.0
    samples: int = 0
    tokens: int = 0


@dataclass(slots=True, kw_only=True)
class Throughput:
    """Counts steps of one process; all processes are taken to go alike.

    A step is timed from asking for its batches until its weights are changed: validation and
    checkpoints do not count, nor does the first step of a run.

    Attributes:
        n_processes: That train together.
        passes: Model FLOPs of a step as multiples of those of its forward passes; what gradient
            checkpointing computes again is not counted.
    """

    n_processes: int
    passes: int
    _steps: int = 0
    _start_s: float = 0.0
    _now: _Sums = field(default_factory=_Sums)
    _since_log: _Sums = field(default_factory=_Sums)
    _all: _Sums = field(default_factory=_Sums)
    _forward_flops_per_token: float = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around fetching the batches of a step, which is where it begins."""
        self._now = _Sums()
        self._start_s = time.perf_counter()
        yield
        self._now.wait_s = time.perf_counter() - self._start_s

    def add(self, *, samples: int, tokens: int) -> None:
        """A batch of the step: examples, and tokens without padding, image tokens included."""
        self._now.samples += samples
        self._now.tokens += tokens

    @contextmanager
    def counting_flops(self, tokens: int) -> Iterator[None]:
        """Around forward passes; the first one is counted, as PyTorch counts."""
        if self._forward_flops_per_token:
            yield
            return
        with FlopCounterMode(display=False) as counter:
            yield
        self._forward_flops_per_token = counter.get_total_flops() / max(tokens, 1)

    def end_step(self) -> None:
        """The step's weights are changed."""
        self._steps += 1
        if self._steps == 1:
            return
        self._now.step_s = time.perf_counter() - self._start_s
        for sums in (self._since_log, self._all):
            sums.step_s += self._now.step_s
            sums.wait_s += self._now.wait_s
            sums.samples += self._now.samples
            sums.tokens += self._now.tokens

    def since_log(self) -> dict[str, float]:
        """Rates since the last call."""
        sums, self._since_log = self._since_log, _Sums()
        return self._rates(sums)

    def whole(self) -> dict[str, float]:
        """Rates of all steps: samples_per_s, tokens_per_s, data_wait_frac, model_flops_per_s.

        On an accelerator peak_memory_gib too, and model_flops_utilisation where its peak is known.
        """
        return self._rates(self._all)

    def _rates(self, sums: _Sums) -> dict[str, float]:
        if not sums.step_s:
            return {}
        own_flops_per_s = self.passes * self._forward_flops_per_token * sums.tokens / sums.step_s
        rates = {
            "samples_per_s": self.n_processes * sums.samples / sums.step_s,
            "tokens_per_s": self.n_processes * sums.tokens / sums.step_s,
            "data_wait_frac": sums.wait_s / sums.step_s,
            "model_flops_per_s": self.n_processes * own_flops_per_s,
        }
        if torch.cuda.is_available():
            rates["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
            if peak_flops := bf16_peak_flops(torch.cuda.get_device_name()):
                rates["model_flops_utilisation"] = own_flops_per_s / peak_flops
        return rates


def bf16_peak_flops(device_name: str) -> float | None:
    """Dense bf16 peak of an accelerator by name; None of unknown ones.

    Example:
        >>> bf16_peak_flops("NVIDIA H100 PCIe")
        756000000000000.0
    """
    return next((flops for words, flops in BF16_PEAK_FLOPS.items() if words in device_name), None)
