"""Configuration of supervised fine-tuning: every value, its default and its meaning."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from medvision.declarations import decoded, read_toml
from medvision.frames import Plane
from medvision.protocols import MEDVISION, Protocol, load_protocol
from medvision.replies import Style
from medvision.tasks import Task
from medvision.train.errors import ConfigError


class Tuning(StrEnum):
    """Which weights change, and how the others are held."""

    LORA = "lora"
    QLORA = "qlora"
    """As LoRA, over a base in 4-bit NF4."""
    FULL = "full"


class Schedule(StrEnum):
    """How the learning rate goes after its warm-up; those of transformers that need no more."""

    LINEAR = "linear"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    POLYNOMIAL = "polynomial"
    INVERSE_SQRT = "inverse_sqrt"
    CONSTANT = "constant"
    CONSTANT_WITH_WARMUP = "constant_with_warmup"


class Precision(StrEnum):
    """Number format of the computation."""

    AUTO = "auto"
    """bf16 where the device supports it, else fp32."""
    BF16 = "bf16"
    FP32 = "fp32"


class NumberLossKind(StrEnum):
    """What the loss does at the tokens of digits in targets; see `medvision.train.number_loss`."""

    PLAIN = "plain"
    """Cross-entropy, as at every other token."""
    WASSERSTEIN = "wasserstein"
    """And the expected distance to the digit."""
    SQUARED = "squared"
    """And the squared error of the expected digit."""
    SOFT_DIGITS = "soft_digits"
    """A part of the label is shared among digits by their distance."""


DEFAULT_LEARNING_RATE = {Tuning.LORA: 2e-4, Tuning.QLORA: 2e-4, Tuning.FULL: 1e-5}


def _refuse(condition: bool, message: str) -> None:  # noqa: FBT001
    if condition:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The base model.

    Attributes:
        base: Hugging Face id or folder.
        family: How it sees pictures: a family of `medvision.pictures.perceived`, or "HxW"; "" for
            the one of the base's profile. Its sizes stand in every prompt, as in evaluation.
        revision: Commit, tag or branch of the base; "" for the newest.
        limits: Caps of this model within its family (as `max_pixels`); with "" as family, those
            of the profile. They are set on the image processor too, so that the model sees what
            the prompt states.
        square: Slices are resampled to square pixels first.
        shape_hw: Slices are stretched to this height and width first; empty for as they are.
        system_text: System message; "" for the profile's.
        tuning: LoRA, QLoRA or all weights.
        precision: bf16 where supported, by default.
        attention: Attention kernel of transformers.
    """

    base: str
    family: str = ""
    revision: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    square: bool = False
    shape_hw: tuple[int, ...] = ()
    system_text: str = ""
    tuning: Tuning = Tuning.LORA
    precision: Precision = Precision.AUTO
    attention: str = "sdpa"

    def __post_init__(self) -> None:
        _refuse(len(self.shape_hw) not in {0, 2}, f"shape_hw wants two: {self.shape_hw}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """LoRA, as the paper sets it.

    Attributes:
        r: Rank.
        alpha: Scale.
        dropout: Of the adapter's input.
        embeddings_and_head: Whether embedding layer and LM head are trained and saved whole.
        vision_tower: Whether the vision tower's linear projections get adapters too.
        projector: Whether the projector between the two does; one without linear layers is
            trained and saved whole.
    """

    r: int = 16
    alpha: int = 16
    dropout: float = 0.05
    embeddings_and_head: bool = True
    vision_tower: bool = False
    projector: bool = False

    def __post_init__(self) -> None:
        _refuse(self.r < 1, f"r must be at least 1, found {self.r}")
        _refuse(self.alpha < 1, f"alpha must be at least 1, found {self.alpha}")
        _refuse(not 0 <= self.dropout < 1, f"dropout must be in [0, 1): {self.dropout}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMix:
    """One entry of the mixture.

    Attributes:
        task: What is asked.
        dataset: Of this dataset only; "" for all tables.
        labels: These labels only; empty for all.
        planes: These planes; empty for those of `DataConfig`.
        cap: At most so many samples, drawn by seed; 0 for all.
        vertex_angles: Angles at a shared landmark, [0, 180] degrees, instead of acute ones.
    """

    task: Task
    dataset: str = ""
    labels: tuple[str, ...] = ()
    planes: tuple[Plane, ...] = ()
    cap: int = 0
    vertex_angles: bool = False

    def __post_init__(self) -> None:
        _refuse(self.cap < 0, f"cap must be at least 0, found {self.cap}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CropConfig:
    """Examples that show a crop around their structure, as the second look of `eval --refine` does.

    Attributes:
        share: Of examples that are shown so; 0 for none. Angles and distances stay whole.
        margin: Around the box, on each end of a side, as a share of it.
        jitter: The crop is moved by up to so much of the box's sides, at random; the structure
            stays in it.
        picture_px: Longer side that smaller crops are enlarged to; 0 for that of the middle one of
            the training slices. `model.square` and `model.shape_hw` go before it.
    """

    share: float = 0.0
    margin: float = 0.5
    jitter: float = 0.25
    picture_px: int = 0

    def __post_init__(self) -> None:
        _refuse(not 0 <= self.share <= 1, f"share must be in [0, 1], found {self.share}")
        _refuse(not 0 <= self.margin < math.inf, f"margin must be at least 0: {self.margin}")
        _refuse(not 0 <= self.jitter < math.inf, f"jitter must be at least 0: {self.jitter}")
        _refuse(self.picture_px < 0, f"picture_px must be at least 0, found {self.picture_px}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """What is trained on.

    Attributes:
        tables: Table folders; only their train split is used.
        tasks: The mixture.
        style: Direct answers, or steps before the answer.
        planes: Axial only, as in the paper, or more; empty for all. 2D images are always in.
        temperature: T of p ∝ n^(1/T) over the mixture's entries: 1 keeps their sizes, larger
            values even them out.
        samples_per_epoch: Examples in one epoch; 0 for as many as there are samples.
        seed: Of caps, mixing and order.
        volumes_in_flight: Volumes whose slices are mixed at any time; each worker process keeps
            as many in memory, so that no volume is read more than once per pass and worker.
        crops: Examples that show a crop; off by default.
    """

    tables: tuple[str, ...]
    tasks: tuple[TaskMix, ...]
    style: Style = Style.DIRECT
    planes: tuple[Plane, ...] = (Plane.AXIAL,)
    temperature: float = 1.0
    samples_per_epoch: int = 0
    seed: int = 1024
    volumes_in_flight: int = 8
    crops: CropConfig = CropConfig()

    def __post_init__(self) -> None:
        _refuse(not self.tables, "tables must name at least one folder")
        _refuse(not self.tasks, "tasks must have at least one entry")
        _refuse(self.temperature <= 0, f"temperature must be positive: {self.temperature}")
        _refuse(self.samples_per_epoch < 0, "samples_per_epoch must be at least 0")
        _refuse(self.volumes_in_flight < 1, "volumes_in_flight must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutConfig:
    """What must not be trained on, beside the test split of the training tables.

    Attributes:
        tables: Folders whose test subjects and volumes stay out.
        suites: Suites to be evaluated later; the tables of their datasets must be among those
            named here or in `data`, else nothing could be checked.
    """

    tables: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW and its schedule. What the paper leaves unstated has its default here.

    Attributes:
        learning_rate: Peak; 0 for the default: 2e-4 with adapters, 1e-5 for all weights.
        schedule: Linear decay to 0, by default.
        warmup_frac: Share of the steps over which the rate rises from 0.
        weight_decay: Of AdamW.
        max_grad_norm: Gradients are scaled down to this norm.
        epochs: Passes; ignored where `max_steps` is set.
        max_steps: Optimiser steps; 0 to go by epochs.
        batch_size: Examples per process and forward pass.
        accumulation: Forward passes per optimiser step.
    """

    learning_rate: float = 0.0
    schedule: Schedule = Schedule.LINEAR
    warmup_frac: float = 0.03
    weight_decay: float = 0.0
    max_grad_norm: float = 0.3
    epochs: int = 1
    max_steps: int = 0
    batch_size: int = 4
    accumulation: int = 4

    def __post_init__(self) -> None:
        _refuse(
            self.batch_size < 1 or self.accumulation < 1,
            "batch_size and accumulation must be at least 1",
        )
        _refuse(self.epochs < 1, f"epochs must be at least 1, found {self.epochs}")
        _refuse(self.max_steps < 0, f"max_steps must be at least 0, found {self.max_steps}")
        _refuse(not 0 <= self.warmup_frac <= 1, "warmup_frac must be in [0, 1]")
        rate, decay = self.learning_rate, self.weight_decay
        _refuse(not 0 <= rate < 1, f"learning_rate must be in [0, 1), found {rate}")
        _refuse(not 0 <= decay < 1, f"weight_decay must be in [0, 1), found {decay}")
        _refuse(self.max_grad_norm <= 0, "max_grad_norm must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The training loss; validation loss is cross-entropy whatever stands here.

    Attributes:
        numbers: What is done at the tokens of digits.
        weight: Of the term beside cross-entropy (0.3 in its paper); of soft labels, their share.
        softness: Distance between digits at which a soft label falls to 1/e.
    """

    numbers: NumberLossKind = NumberLossKind.PLAIN
    weight: float = 0.3
    softness: float = 1.0

    def __post_init__(self) -> None:
        _refuse(self.softness <= 0, f"softness must be positive: {self.softness}")
        is_share = self.numbers is NumberLossKind.SOFT_DIGITS
        most = 1 if is_share else math.inf
        _refuse(not 0 <= self.weight <= most, f"weight must be in [0, {most}], found {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """The benchmark's own metrics on subjects held out of the train split.

    Attributes:
        subject_frac: Share of each dataset's training subjects that is held out; at least one
            subject where it is positive. 0 trains on all and validates on none.
        samples: At most so many questions, drawn by seed over the mixture's entries.
        every_steps: Steps between validations, which are also the checkpoints.
        max_new_tokens: Of a reply.
        batch_size: Replies generated at a time.
    """

    subject_frac: float = 0.1
    samples: int = 200
    every_steps: int = 200
    max_new_tokens: int = 512
    batch_size: int = 8

    def __post_init__(self) -> None:
        _refuse(not 0 <= self.subject_frac < 1, "subject_frac must be in [0, 1)")
        _refuse(self.every_steps < 1, "every_steps must be at least 1")
        _refuse(
            self.samples < 1 or self.batch_size < 1, "samples and batch_size must be at least 1"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How the run goes; only `seed` changes the result.

    Attributes:
        seed: Of initial adapter weights and dropout.
        max_length: Most tokens of a sequence, image tokens included; 0 for the model's own
            limit. A longer one is an error: nothing is cut.
        gradient_checkpointing: Trade time for memory.
        workers: Processes that render pictures and tokenize, for each training process.
        log_every_steps: Steps between lines of the log.
        keep_checkpoints: The newest ones; the best by validation is always among them.
        log_to: "tensorboard", "wandb" (extra), or nothing.
    """

    seed: int = 1024
    max_length: int = 0
    gradient_checkpointing: bool = True
    workers: int = 2
    log_every_steps: int = 10
    keep_checkpoints: int = 2
    log_to: tuple[str, ...] = ("tensorboard",)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.log_to) - {"tensorboard", "wandb"})
        _refuse(bool(unknown), f"log_to takes tensorboard and wandb, found {unknown}")
        _refuse(self.keep_checkpoints < 1, "keep_checkpoints must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SftConfig:
    """A supervised fine-tuning run.

    Attributes:
        output: Folder for checkpoints, the trained model, its card and the resolved config.
        protocol: "medvision", "paper", or a TOML file: view, facts in prompts, filters, and how
            replies are read in validation. The style of answers is that of `data`.
    """

    output: str
    model: ModelConfig
    data: DataConfig
    adapter: AdapterConfig = AdapterConfig()
    held_out: HeldOutConfig = HeldOutConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    loss: LossConfig = LossConfig()
    validation: ValidationConfig = ValidationConfig()
    run: RunConfig = RunConfig()
    protocol: str = MEDVISION.name

    @property
    def questions(self) -> Protocol:
        """The protocol by its name.

        Raises:
            UsageError: There is none.
        """
        return load_protocol(self.protocol)

    @property
    def learning_rate(self) -> float:
        """Peak learning rate in force."""
        return self.optimiser.learning_rate or DEFAULT_LEARNING_RATE[self.model.tuning]


def load_sft_config(path: Path) -> SftConfig:
    """The configuration in a TOML file.

    Raises:
        ConfigError: The file is missing or no TOML, a key is unknown or missing, or a value is
            not one that can be used.
    """
    return decoded(SftConfig, read_toml(path, ConfigError), str(path), ConfigError)
