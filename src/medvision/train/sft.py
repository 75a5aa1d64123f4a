"""Supervised fine-tuning: from a configuration to a trained model, its card and its manifest."""

import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import prepare_model_for_kbit_training
from transformers import PrinterCallback
from trl import SFTConfig

from medvision.extras import require
from medvision.models.profiles import CARRIED, profile_text
from medvision.protocols import MEDVISION
from medvision.storage import only_process, write_text
from medvision.table.manifest import (
    jsonable,
    package_versions,
    read_manifest,
    write_manifest,
)
from medvision.table.own_files import Keys, read_record
from medvision.train.base_model import computes_in_bf16, has_accelerator, load_model
from medvision.train.card import scores_by_step, write_card
from medvision.train.collate import refuse_long_sequences
from medvision.train.config import CropConfig, LossConfig, NumberLossKind, SftConfig, Tuning
from medvision.train.errors import OtherRunError
from medvision.train.examples import trained_profile
from medvision.train.material import (
    Material,
    prepared_material,
    training_dataset,
    validation_dataset,
)
from medvision.train.number_loss import NumberLoss
from medvision.train.parts import lora_config
from medvision.train.trainer import (
    RANK,
    ProgressReport,
    SampleTrainer,
    WholeCheckpoints,
    last_whole_checkpoint,
    remove_broken_checkpoints,
)
from medvision.train.validation import Validator

CHECKPOINTS, VALIDATION, MODEL = "checkpoints", "validation", "model"
CONFIG = "config.json"
ANOTHER = "choose another output folder, or remove this one"

Move = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SftResult:
    """What a run came to.

    Attributes:
        model: Folder of the trained model, or of its adapter, with the card.
        counts: Of the samples.
        scores: Validation metrics by step.
        up_to_date: Nothing was left to do.
    """

    model: Path
    counts: dict[str, Any]
    scores: dict[int, dict[str, float]]
    up_to_date: bool = False


def train_sft(
    config: SftConfig, *, root: Path | None = None, move: Move | None = None
) -> SftResult:
    """Train, validate, keep the best, write the card; goes on where an earlier run stopped.

    Under `torchrun` or `accelerate launch` every process calls this with the same configuration.

    Args:
        config: The run.
        root: Data root that replaces the one the tables were built under.
        move: Told of progress: (steps done, steps in all, words beside).

    Raises:
        UsageError: The configuration, the data or the base model cannot be used, or the output
            folder holds another run, is damaged, or is in use by another training.
        NotFiniteError: Loss or gradient became NaN.
    """
    # One lock for all processes of a launch: the first holds it.
    is_first = os.environ.get("RANK", "0") == "0"
    with only_process(Path(config.output), "training") if is_first else nullcontext():
        return _trained(config, root, move)


def _trained(config: SftConfig, root: Path | None, move: Move | None) -> SftResult:
    out = Path(config.output)
    written = jsonable(config)
    for name, default in (("protocol", MEDVISION.name), ("loss", LossConfig())):
        if getattr(config, name) == default:
            del written[name]  # as in runs of versions that knew of none
    if config.data.crops == CropConfig():
        del written["data"]["crops"]
    resolved, stored = json.dumps(written, indent=1) + "\n", out / CONFIG
    if stored.exists() and read_record(stored, {}, ANOTHER) != json.loads(resolved):
        msg = f"{out}: holds a run of another configuration (see {stored}); {ANOTHER}"
        raise OtherRunError(msg)
    keys: Keys = {"scores": dict, "counts": dict}
    if (manifest := read_manifest(out, keys, "remove it and train again")) is not None:
        scores = {int(step): values for step, values in manifest["scores"].items()}
        counts = manifest["counts"]
        return SftResult(model=out / MODEL, counts=counts, scores=scores, up_to_date=True)
    if "wandb" in config.run.log_to:
        require("wandb", "wandb", item="run.log_to")
    material = prepared_material(config, out, root)
    trainer = _trainer(material, move)
    # From here on the folder is this configuration's: a start that is refused claims nothing.
    if not stored.exists():
        write_text(stored, resolved)
    checkpoints = out / CHECKPOINTS
    if trainer.is_world_process_zero():
        remove_broken_checkpoints(checkpoints)
    trainer.accelerator.wait_for_everyone()
    last = last_whole_checkpoint(checkpoints)
    trainer.args.eval_on_start = trainer.args.eval_on_start and last is None
    start_s = time.monotonic()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    facts, state = material.facts, trainer.state
    facts.train_s = time.monotonic() - start_s
    facts.steps = state.global_step
    facts.rates = trainer.throughput.whole()
    facts.best_step = state.best_global_step or None
    facts.scores.update(scores_by_step(state.log_history))
    return _finished(trainer, material)


def _trainer(material: Material, move: Move | None) -> SampleTrainer:
    config = material.config
    refuse_long_sequences(material.examples, material.chat, material.collator)
    model = load_model(config.model)
    adapter = None
    if config.model.tuning is not Tuning.FULL:
        adapter = lora_config(model, config.adapter)
        adapter.revision = config.model.revision or None  # of the base: who loads it gets the same
    if config.model.tuning is Tuning.QLORA:
        # Freezes, and holds in fp32 what is not packed: norms and embeddings, as QLoRA does.
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=config.run.gradient_checkpointing
        )
    trainer = SampleTrainer(
        model=model,
        args=_arguments(material),
        data_collator=material.collator,
        train_dataset=training_dataset(material),
        eval_dataset=validation_dataset(material),
        processing_class=material.chat.processor,
        peft_config=adapter,
        callbacks=[WholeCheckpoints(), *([ProgressReport(move)] if move else [])],
    )
    if not trainer.is_fsdp_enabled:  # which does the same by itself
        # Steps of a usual learning rate would be lost in bf16's eight bits; the computation stays
        # in bf16, under autocast.
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.float32)
    trainer.remove_callback(PrinterCallback)
    if material.validation:
        trainer.validator = Validator(
            samples=material.validation,
            style=config.data.style,
            family=material.examples.family,
            chat=material.chat,
            system_text=material.examples.system_text,
            max_new_tokens=config.validation.max_new_tokens,
            batch_size=config.validation.batch_size,
            protocol=config.questions,
        )
    if config.loss.numbers is not NumberLossKind.PLAIN:
        vocabulary = material.chat.processor.tokenizer.get_vocab()
        trainer.number_loss = NumberLoss(config.loss, vocabulary)
    trainer.validation_folder = material.out / VALIDATION
    trainer.sample_id = material.examples.sample_id
    trainer.write_card = lambda folder: write_card(config, material.facts, folder)
    return trainer


def _arguments(material: Material) -> SFTConfig:
    """The configuration in TRL's words; nothing may cut, filter or reorder behind our back."""
    config, optimiser, run = material.config, material.config.optimiser, material.config.run
    validates = bool(material.validation)
    checks = "steps" if validates else "no"
    return SFTConfig(
        output_dir=str(material.out / CHECKPOINTS),
        per_device_train_batch_size=optimiser.batch_size,
        per_device_eval_batch_size=optimiser.batch_size,
        gradient_accumulation_steps=optimiser.accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=optimiser.schedule,
        warmup_steps=optimiser.warmup_frac,  # below 1: a share of all steps
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.max_grad_norm,
        num_train_epochs=1,  # the rows of all epochs stand one after another
        max_steps=optimiser.max_steps or -1,
        optim="adamw_torch",
        use_cpu=not has_accelerator(),
        dataloader_pin_memory=has_accelerator(),
        bf16=computes_in_bf16(config.model),
        gradient_checkpointing=run.gradient_checkpointing,
        max_length=None,
        eos_token=material.chat.end_of_turn,
        train_sampling_strategy="sequential",  # shuffled already, few volumes at a time
        remove_unused_columns=False,  # a row's number is a column, and all that the data hold
        dataloader_num_workers=run.workers,
        dataloader_persistent_workers=run.workers > 0,
        logging_steps=run.log_every_steps,
        logging_nan_inf_filter=False,  # which would log the mean of before instead of a NaN
        eval_strategy=checks,
        eval_steps=config.validation.every_steps if validates else None,
        eval_on_start=validates,
        save_strategy="steps",
        save_steps=config.validation.every_steps,
        save_total_limit=run.keep_checkpoints,
        load_best_model_at_end=validates,
        metric_for_best_model=f"eval_{RANK}" if validates else None,
        greater_is_better=True if validates else None,
        report_to=list(run.log_to) or "none",
        run_name=material.out.name,
        seed=run.seed,
        disable_tqdm=True,
    )


def _finished(trainer: SampleTrainer, material: Material) -> SftResult:
    """Save the model with processor and card, then the manifest."""
    folder = material.out / MODEL
    trainer.save_model(str(folder))
    facts = material.facts
    counts = {
        "samples": facts.counts.total(),
        "drawn": len(material.order),
        "steps": facts.steps,
        "validation_samples": len(material.validation),
        "dropped": dict(facts.dropped),
    }
    counts |= {"crops_drawn": facts.n_crops} if material.config.data.crops.share else {}
    result = SftResult(model=folder, counts=counts, scores=facts.scores)
    if trainer.is_world_process_zero():
        material.chat.processor.save_pretrained(folder)
        write_card(material.config, facts, folder)
        write_text(folder / CARRIED, profile_text(trained_profile(material.config)))
        write_manifest(
            material.out,
            {
                "stage": "train",
                "config": material.config,
                "versions": package_versions(),
                "counts": counts,
                "scores": facts.scores,
                "rates": facts.rates,
                "best_step": facts.best_step,
            },
        )
    trainer.accelerator.wait_for_everyone()
    return result
