"""TRL's trainer with three additions: benchmark metrics, no step into NaN, whole checkpoints."""

import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from peft import PeftModel
from transformers import TrainerCallback
from trl import SFTTrainer
from trl.models.utils import unwrap_model_for_generation

from medvision.storage import sync
from medvision.table.manifest import read_manifest, write_manifest
from medvision.table.own_files import DamagedFileError
from medvision.train.collate import ROW
from medvision.train.errors import NotFiniteError
from medvision.train.number_loss import NumberLoss
from medvision.train.sharding import make_ready_to_shard
from medvision.train.throughput import (
    PASSES_OF_FULL_TRAINING,
    PASSES_OVER_FROZEN_WEIGHTS,
    Throughput,
)
from medvision.train.validation import SCORE, Shard, Validator, flat_metrics, gathered_scores

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint-"

RANK = "checkpoint_rank"
"""Name of the number whose largest value marks the best checkpoint."""


def checkpoint_rank(score: float, loss: float) -> float:
    """Orders checkpoints by validation score, and equal ones by validation loss.

    The score counts in steps of one reply in at most a million; the loss adds less than one step.

    Example:
        >>> checkpoint_rank(0.5, 2.0) > checkpoint_rank(0.5, 3.0) > checkpoint_rank(0.499999, 0.0)
        True
    """
    return score + 1e-7 / (1 + max(loss, 0.0))


class SampleTrainer(SFTTrainer):  # type: ignore[misc]
    """Supervised fine-tuning on `Examples`.

    Attributes:
        validator: Asks the validation questions; None for none.
        validation_folder: Where its run folders go.
        sample_id: Names a row of the training examples in messages.
        write_card: Writes the model card into a folder.
        throughput: Measures how fast it goes.
        number_loss: The training loss in place of cross-entropy; None for this.
    """

    number_loss: NumberLoss | None = None
    validator: Validator | None = None
    validation_folder: Path
    sample_id: Callable[[int], str]
    write_card: Callable[[Path], None]
    throughput: Throughput

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As the base class."""
        super().__init__(*args, **kwargs)
        # TRL divides by the tokens of the whole step, over processes and accumulated batches alike,
        # but is told their number only for models that would divide by it themselves.
        self.model_accepts_loss_kwargs = True
        self._rows_in_step: list[int] = []
        if self.is_fsdp_enabled:
            make_ready_to_shard(self.model, self.accelerator.state.fsdp_plugin)
        n_frozen = sum(not parameter.requires_grad for parameter in self.model.parameters())
        self.throughput = Throughput(
            n_processes=self.args.world_size,
            passes=PASSES_OVER_FROZEN_WEIGHTS if n_frozen else PASSES_OF_FULL_TRAINING,
        )
        self.add_callback(_StepEnds(self.throughput))

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of a step, with the time that they took."""
        with self.throughput.waiting():
            batches, n_items = super().get_batch_samples(*args, **kwargs)
        for batch in batches:
            n_tokens = int(batch["attention_mask"].sum())
            self.throughput.add(samples=len(batch[ROW]), tokens=n_tokens)
        return batches, n_items

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As the base class, with rates beside the training loss."""
        rates = self.throughput.since_log() if "loss" in logs else {}
        super().log(logs | rates, *args, **kwargs)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch.

        Raises:
            NotFiniteError: It is NaN or infinite in training.
        """
        rows = inputs.pop(ROW).tolist()
        with self.throughput.counting_flops(int(inputs["attention_mask"].sum())):
            if self.number_loss is None or not self.model.training:
                result = super().compute_loss(model, inputs, *args, **kwargs)
            else:
                result = self._number_aware_loss(model, inputs, *args, **kwargs)
        loss = result[0] if isinstance(result, tuple) else result
        if self.model.training:
            self._rows_in_step += rows
            if not bool(torch.isfinite(loss.detach()).all()):
                self._refuse_step("loss", float(loss.detach()), rows)
        return result

    def _number_aware_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the base class's signature
        num_items_in_batch: Any = None,
    ) -> Any:
        labels = inputs.pop("labels")
        # Without labels TRL's forward pass gives the logits instead of a loss.
        outputs = model(**inputs, use_cache=False)
        loss = self.number_loss(outputs.logits, labels, num_items_in_batch)  # type: ignore[misc]
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
        return (loss, outputs) if return_outputs else loss

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip; a gradient that is not finite never reaches the weights."""
        norm = super()._clip_grad_norm(model)
        rows, self._rows_in_step = self._rows_in_step, []
        if norm is not None and not math.isfinite(float(norm)):
            self._refuse_step("gradient norm", float(norm), rows)
        return norm

    def _refuse_step(self, what: str, value: float, rows: list[int]) -> NoReturn:
        names = ", ".join(self.sample_id(row) for row in rows)
        kept = last_whole_checkpoint(Path(self.args.output_dir))
        msg = (
            f"step {self.state.global_step + 1}: expected a finite {what}, found {value}; batch: "
            f"{names}. Training stopped before this step changed the weights; last good "
            f"checkpoint: {kept or 'none'}. Lower the learning rate or leave these samples out"
        )
        raise NotFiniteError(msg)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validation loss, then the benchmark's metrics on generated replies."""
        metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        if self.validator is None:
            return metrics
        measured = {f"eval_{name}": value for name, value in self._measured().items()}
        self.log(dict(measured))
        rank = checkpoint_rank(measured[f"eval_{SCORE}"], metrics["eval_loss"])
        return metrics | measured | {f"eval_{RANK}": rank}

    def _measured(self) -> dict[str, float]:
        step = self.state.global_step
        run = self.validation_folder / f"step-{step}"
        # with sharded weights every process must make the same calls, so each asks everything
        if self.is_fsdp_enabled:
            shard = Shard()
            run = run if self.is_world_process_zero() else run / f"rank-{self.args.process_index}"
        else:
            shard = Shard(rank=self.args.process_index, n_ranks=self.args.world_size)
        was_training = self.model.training
        # as in training: what is trained is held in fp32, beside frozen weights in bf16
        with (
            unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model,
            self.accelerator.autocast(),
        ):
            model.eval()
            self.validator.ask(model, run, model_id=f"step {step}", shard=shard)  # type: ignore[union-attr]
        self.model.train(was_training)
        self.accelerator.wait_for_everyone()
        return flat_metrics(gathered_scores(run, shard))

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        # A run that is resumed after its last step would take one more before it looks.
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return
        super()._run_epoch(*args, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self._has_all_weights_in_checkpoints():
            load_all_weights(self.model if model is None else model, resume_from_checkpoint)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if self._has_all_weights_in_checkpoints():
            load_all_weights(self.model, self.state.best_model_checkpoint)
        else:
            super()._load_best_model()

    def _has_all_weights_in_checkpoints(self) -> bool:
        return not isinstance(self.model, PeftModel) and not self.is_fsdp_enabled

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Our card instead of the library's."""
        if self.is_world_process_zero():
            self.write_card(Path(self.args.output_dir))


def load_all_weights(model: Any, folder: str) -> None:
    """Put the stored weights of a model of the same architecture in place of its own.

    Transformers stores them under other names than those in memory. Its trainer looks for the
    latter, finds none, and would go on from whatever the model holds.
    """
    stored = type(model).from_pretrained(folder, dtype=model.dtype)
    model.load_state_dict(stored.state_dict())


class _StepEnds(TrainerCallback):  # type: ignore[misc]
    """Tells the throughput when a step is over."""

    def __init__(self, throughput: Throughput) -> None:
        self._throughput = throughput

    def on_step_end(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        """After an optimiser step."""
        self._throughput.end_step()


class WholeCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint as whole once everything of it is on disk: manifest last."""

    def on_save(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        """After a checkpoint was written."""
        folder = Path(args.output_dir) / f"{CHECKPOINT}{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            files = [path for path in folder.rglob("*") if path.is_file()]
            for path in files:
                sync(path)
            sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
            content = {"stage": "checkpoint", "step": state.global_step, "bytes": sizes}
            write_manifest(folder, content)


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is as it was written, or None."""
    whole = [path for path in folder.glob(f"{CHECKPOINT}*") if checkpoint_step(path) >= 0]
    return max(whole, key=checkpoint_step, default=None)


def checkpoint_step(path: Path) -> int:
    """Optimiser steps taken at a checkpoint; -1 of one that is not whole."""
    try:
        manifest = read_manifest(path, {"step": int}, "it is not used")
    except DamagedFileError:
        return -1
    if manifest is None:
        return -1
    for name, n_bytes in manifest.get("bytes", {}).items():
        if not (path / name).is_file() or (path / name).stat().st_size != n_bytes:
            return -1
    return int(manifest["step"])


def remove_broken_checkpoints(folder: Path) -> None:
    """Remove what an interrupted save or a damaged disk left behind."""
    for path in folder.glob(f"{CHECKPOINT}*"):
        if checkpoint_step(path) < 0:
            logger.warning("%s: removed: it is not whole", path)
            shutil.rmtree(path)


class ProgressReport(TrainerCallback):  # type: ignore[misc]
    """Hands each step and each log line to a function."""

    def __init__(self, move: Callable[[int, int, str], None]) -> None:
        """Report to `move`: (steps done, steps in all, words beside)."""
        self._move = move
        self._words = ""

    def on_step_end(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        """After an optimiser step."""
        if state.is_local_process_zero:
            self._move(state.global_step, state.max_steps, self._words)

    def on_log(
        self,
        args: Any,  # noqa: ARG002
        state: Any,
        control: Any,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_kwargs: Any,
    ) -> None:
        """After a log line."""
        shown = [name for name in ("loss", "eval_validation_score") if name in (logs or {})]
        if shown and state.is_local_process_zero:
            self._words = ", ".join(f"{name} {float((logs or {})[name]):.4g}" for name in shown)
            self._move(state.global_step, state.max_steps, self._words)
