"""What a training run works on: samples in their order, examples, processor, checks."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import transformers
from datasets import Dataset
from trl import SFTConfig

from medvision.errors import ItemError
from medvision.models.in_process.chat import Chat
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import Sample, sample_table, samples_from_table
from medvision.samples.crops import middle_side_px
from medvision.tasks import TASKS, Task
from medvision.train.base_model import check_stated_size, has_accelerator, load_chat, located_base
from medvision.train.card import CardFacts, machine_words, sample_counts
from medvision.train.collate import ROW, Collator, ExampleTransform
from medvision.train.config import SftConfig
from medvision.train.crops import with_crops
from medvision.train.errors import NoSamplesError
from medvision.train.examples import Examples, picture_family, question, system_text
from medvision.train.mixing import Rows, training_order
from medvision.train.selection import TrainingSamples, training_samples

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that training needs beside the weights.

    Attributes:
        out: Output folder.
        examples: Training samples, each once.
        order: Their rows in the order of training.
        validation: The validation questions.
        facts: What the model card states.
    """

    config: SftConfig
    out: Path
    chat: Chat
    collator: Collator
    examples: Examples
    order: Rows
    validation: list[Sample]
    facts: CardFacts


def prepared_material(config: SftConfig, out: Path, root: Path | None) -> Material:
    """Samples, their order, and the base model's processor; every check that needs no weights.

    Raises:
        UsageError: The configuration, the data or the base model cannot be used.
    """
    selected = training_samples(config, root)
    family = picture_family(config.model)
    entries, unwritable = _writable(selected, config, family)
    optimiser, epochs = config.optimiser, config.optimiser.epochs
    if optimiser.max_steps:
        # making the trainer's settings joins the processes as it will join them, and counts them
        joined = SFTConfig(report_to="none", bf16=False, use_cpu=not has_accelerator())
        per_step = optimiser.batch_size * optimiser.accumulation * int(joined.world_size)
        per_epoch = config.data.samples_per_epoch or sum(entry.num_rows for entry in entries)
        epochs = -(-optimiser.max_steps * per_step // per_epoch)
    samples, order = training_order(
        entries,
        temperature=config.data.temperature,
        total=config.data.samples_per_epoch,
        epochs=epochs,
        in_flight=config.data.volumes_in_flight,
        seed=config.data.seed,
    )
    n_samples, crops, crop_px = samples.num_rows, config.data.crops, 0
    counts = sample_counts(samples)
    n_subjects = samples.group_by(["dataset", "subject_id"]).aggregate([]).num_rows
    if crops.share:
        crop_px = crops.picture_px or middle_side_px(samples)
        samples, order = with_crops(samples, order, crops, config.data.seed)
    examples = Examples(
        samples,
        config.data.style,
        family,
        n_volumes=config.data.volumes_in_flight,
        system_text=system_text(config.model),
        facts=config.questions.prompt,
        crop_px=crop_px,
    )
    chat = load_chat(config.model)
    check_stated_size(chat.processor, family, config.model.base)
    own = transformers.AutoConfig.from_pretrained(str(located_base(config.model).model))
    own_length = int(own.get_text_config().max_position_embeddings)
    max_length = min(config.run.max_length or own_length, own_length)
    facts = CardFacts(
        counts=counts,
        n_subjects=n_subjects,
        n_crops=int(np.count_nonzero(order >= n_samples)),
        dropped=selected.dropped | unwritable,
        n_test_subjects=selected.n_test_subjects,
        n_test_volumes=selected.n_test_volumes,
        machine=machine_words(),
    )
    return Material(
        config=config,
        out=out,
        chat=chat,
        collator=Collator(chat, max_length, examples.sample_id),
        examples=examples,
        order=order,
        validation=selected.validation,
        facts=facts,
    )


def _writable(
    selected: TrainingSamples, config: SftConfig, family: PictureFamily
) -> tuple[list[pa.Table], dict[str, int]]:
    """Samples that have a target, by entry; and how many have none, by reason.

    Raises:
        NoSamplesError: None of an entry has.
    """
    style = config.data.style
    dropped: Counter[str] = Counter()
    entries = []
    for mix, entry in zip(config.data.tasks, selected.train, strict=True):
        # Direct answers of hundreds of thousands of samples are judged as arrays; the few that
        # stay open, and all with steps, are written one by one to see.
        is_written = _are_plain(entry) if style is Style.DIRECT else np.zeros(len(entry), bool)
        for place in np.flatnonzero(~is_written).tolist():
            sample = samples_from_table(entry.slice(place, 1))[0]
            if (error := why_no_target(sample, style, family)) is None:
                is_written[place] = True
            else:
                logger.warning("%s: %s", sample.sample_id, error)
                dropped[error.reason] += 1
        if not is_written.any():
            msg = f"{mix.task}: none of {len(entry)} samples has a target that can be written"
            raise NoSamplesError(msg)
        entries.append(entry.filter(pa.array(is_written)))
    return entries, dict(dropped)


def _are_plain(samples: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether the answers of one task's samples are sizes of 0 or more, or boxes on the slice."""
    record = TASKS[Task(samples["task"][0].as_py())]
    values = np.asarray(pc.list_flatten(samples["truth"])).reshape(-1, record.n_values)
    is_fine = (np.isfinite(values) & (values >= 0)).all(axis=1)
    if record.is_box:
        x0, y0, x1, y1 = values.T
        is_fine &= (x0 < x1) & (y0 < y1) & (values <= 1).all(axis=1)
    n_boxes = np.asarray(pc.list_value_length(samples["truth"])) // record.n_values
    is_plain = np.ones(len(samples), dtype=np.bool_)
    np.logical_and.at(is_plain, np.repeat(np.arange(len(samples)), n_boxes), is_fine)
    return is_plain


def why_no_target(sample: Sample, style: Style, family: PictureFamily) -> ItemError | None:
    """Why a sample's target cannot be written; None where it can."""
    try:
        question(sample, style, family)
    except ItemError as error:
        return error
    return None


def training_dataset(material: Material) -> Dataset:
    """Rows in the order of training; each becomes an example when its turn comes."""
    transform = ExampleTransform(material.examples, material.chat)
    return Dataset.from_dict({ROW: material.order}).with_transform(transform)


def validation_dataset(material: Material) -> Dataset | None:
    """Examples for the validation loss."""
    if not material.validation:
        return None
    of_training, style = material.examples, material.config.data.style
    examples = Examples(
        sample_table(material.validation),
        style,
        of_training.family,
        n_volumes=material.config.data.volumes_in_flight,
        system_text=of_training.system_text,
        facts=of_training.facts,
    )
    rows = [
        row
        for row, sample in enumerate(material.validation)
        if why_no_target(sample, style, of_training.family) is None
    ]
    return Dataset.from_dict({ROW: rows}).with_transform(ExampleTransform(examples, material.chat))
