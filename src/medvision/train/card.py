"""The model card: what was trained from what, on what, how, and how well it measures."""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.storage import write_text
from medvision.train import LIBRARIES
from medvision.train.config import NumberLossKind, SftConfig, Tuning

CARD = "README.md"


@dataclass(slots=True, kw_only=True)
class CardFacts:
    """What a card states beside the configuration.

    Attributes:
        counts: Training samples by dataset, task and plane.
        n_subjects: Training subjects.
        n_crops: Examples drawn that show a crop.
        dropped: Samples left out, by reason.
        n_test_subjects: Subjects of test sets compared with.
        n_test_volumes: Their volumes, compared by voxel hash.
        scores: Validation metrics by step.
        steps: Optimiser steps taken.
        best_step: Step of the weights kept; None where validation did not choose.
        train_s: Time in training.
        rates: Of `Throughput.whole`.
        machine: Where.
    """

    counts: Counter[tuple[str, str, str]]
    n_subjects: int
    n_crops: int
    dropped: Mapping[str, int]
    n_test_subjects: int
    n_test_volumes: int
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    steps: int = 0
    best_step: int | None = None
    train_s: float = 0.0
    rates: Mapping[str, float] = field(default_factory=dict)
    machine: str = ""


def sample_counts(samples: pa.Table) -> Counter[tuple[str, str, str]]:
    """Samples by dataset, task and plane."""
    names = ["dataset", "task", "plane"]
    rows = samples.group_by(names).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["dataset"], row["task"], row["plane"]): row["count_all"] for row in rows})


def scores_by_step(log_history: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Validation metrics of a trainer's log, by step."""
    found: dict[int, dict[str, float]] = {}
    for line in log_history:
        values = {k.removeprefix("eval_"): v for k, v in line.items() if k.startswith("eval_")}
        if values:
            found.setdefault(int(line["step"]), {}).update(values)
    return found


def machine_words() -> str:
    """Processor or accelerators of this machine."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def card_text(config: SftConfig, facts: CardFacts) -> str:
    """The card in Markdown, with the front matter that model hubs read."""
    library = [] if config.model.tuning is Tuning.FULL else ["library_name: peft"]
    front_matter = [
        "---",
        f"base_model: {config.model.base}",
        "pipeline_tag: image-text-to-text",
        *library,
        "tags: [medvision, medical-imaging, measurement]",
        "---",
    ]
    return "\n\n".join(
        [
            "\n".join(front_matter),
            f"# {Path(config.output).name}",
            "**Not for clinical use.** A research model that answers quantitative questions about "
            "medical images (boxes, sizes in mm, angles, areas). Its numbers can be wrong without "
            "any sign of it.",
            _model_words(config),
            _data_words(config, facts),
            _scores_table(facts),
            _run_words(config, facts),
        ]
    )


def write_card(config: SftConfig, facts: CardFacts, folder: Path) -> None:
    """Write the card into a model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CARD, card_text(config, facts) + "\n")


def _model_words(config: SftConfig) -> str:
    model, adapter = config.model, config.adapter
    revision = f" at revision `{model.revision}`" if model.revision else ""
    if model.tuning is Tuning.FULL:
        return f"## Model\n\nAll weights of `{model.base}`{revision}, fine-tuned."
    parts = ["language model"]
    parts += ["vision tower"] if adapter.vision_tower else []
    parts += ["projector"] if adapter.projector else []
    whole = "; embedding layer and LM head trained whole" if adapter.embeddings_and_head else ""
    base = "4-bit NF4 " if model.tuning is Tuning.QLORA else ""
    return (
        f"## Model\n\nLoRA adapter of {base}`{model.base}`{revision}: r {adapter.r}, alpha "
        f"{adapter.alpha}, dropout {adapter.dropout:g}, on all linear projections of the "
        f"{', '.join(parts)}{whole}."
    )


def _data_words(config: SftConfig, facts: CardFacts) -> str:
    rows = [
        f"| {dataset} | {task} | {plane} | {count} |"
        for (dataset, task, plane), count in sorted(facts.counts.items())
    ]
    dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(facts.dropped.items()))
    return "\n".join(
        [
            "## Data",
            "",
            f"Train split only, {facts.n_subjects} subjects; answers: {config.data.style}; "
            f"protocol: {config.questions.name}, slices in the {config.questions.view} view. None "
            f"is among the {facts.n_test_subjects} test subjects, and no volume among the "
            f"{facts.n_test_volumes} test volumes (compared by a hash of the voxels), of the "
            f"tables at hand. Left out: {dropped or 'nothing'}. Each dataset has its own terms.",
            "",
            "| dataset | task | plane | samples |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _scores_table(facts: CardFacts) -> str:
    if not facts.scores:
        return "## Scores\n\nNot validated during training."
    first, last = min(facts.scores), max(facts.scores)
    steps = dict.fromkeys([first, facts.best_step or last, last])
    names = sorted({name for step in steps for name in facts.scores.get(step, {})})
    names = [name for name in names if not name.endswith(("_second", "runtime", "num_tokens"))]
    rows = [[name, *(facts.scores.get(step, {}).get(name) for step in steps)] for name in names]
    kept = f"; the weights are those of step {facts.best_step}" if facts.best_step else ""
    return "\n".join(
        [
            "## Scores",
            "",
            f"On training subjects held out for validation{kept}.",
            "",
            "| metric | " + " | ".join(f"step {step}" for step in steps) + " |",
            "|---" * (len(steps) + 1) + "|",
            *(
                f"| {name} | " + " | ".join("" if v is None else f"{v:.4g}" for v in values) + " |"
                for name, *values in rows
            ),
        ]
    )


def _run_words(config: SftConfig, facts: CardFacts) -> str:
    optimiser = config.optimiser
    versions = ", ".join(f"{name} {version(name)}" for name in ("medvision", *LIBRARIES))
    rates = ""
    if facts.rates:
        words = [
            f"{facts.rates['samples_per_s']:.3g} samples and {facts.rates['tokens_per_s']:.3g} "
            "tokens a second",
            f"{facts.rates['data_wait_frac']:.1%} of the time waiting for data",
            f"{facts.rates['model_flops_per_s'] / 1e12:.3g} TFLOP/s of the model",
        ]
        if "peak_memory_gib" in facts.rates:
            words.append(f"{facts.rates['peak_memory_gib']:.1f} GiB of memory at most")
        if "model_flops_utilisation" in facts.rates:
            words.append(f"{facts.rates['model_flops_utilisation']:.1%} of the bf16 peak")
        rates = f" ({', '.join(words)})"
    loss = ""
    if config.loss.numbers is not NumberLossKind.PLAIN:
        loss = (
            f"Loss at the digits of numbers: {config.loss.numbers}, weight {config.loss.weight:g}. "
        )
    crops = ""
    if config.data.crops.share:
        crops = f"Of the examples {facts.n_crops} showed a crop around their structure. "
    return (
        "## Training\n\n"
        f"AdamW, learning rate {config.learning_rate:g}, {optimiser.schedule} schedule, warm-up "
        f"{optimiser.warmup_frac:g}, gradient norm {optimiser.max_grad_norm:g}; {facts.steps} "
        f"steps in {facts.train_s:.0f} s on {facts.machine}{rates}. {loss}{crops}{versions}. "
        "The whole configuration is in `config.json` beside the checkpoints."
    )
