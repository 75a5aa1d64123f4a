"""A sample as a training example: the evaluation's own prompt and picture, and the target."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from medvision.models.profiles import ModelProfile, declared_family, profile_for
from medvision.pictures.perceived import resolved_limits
from medvision.pictures.render import SlicePictures
from medvision.pictures.view import PictureFamily
from medvision.prompts.messages import prompt_text
from medvision.prompts.targets import target_text
from medvision.protocols import MEDVISION, PromptFacts
from medvision.replies import Style
from medvision.samples import Sample, samples_from_table
from medvision.samples.crops import as_shown, is_part
from medvision.train.config import ModelConfig, SftConfig
from medvision.train.errors import ConfigError

logger = logging.getLogger(__name__)


def picture_family(config: ModelConfig) -> PictureFamily:
    """How the base model sees pictures: as configured, else by its profile.

    Raises:
        ConfigError: Neither says.
        UsageError: No such family, or limits that are not its own.
    """
    profile = profile_for(config.base)
    if not config.family and profile is None:
        msg = (
            f"model: no profile is known for {config.base!r}: set model.family to how it resizes "
            "pictures (a family, or HxW), so that prompts state the pixel size it sees"
        )
        raise ConfigError(msg)
    if config.limits:
        name = config.family or (profile.family if profile else "")
        resolved_limits(name, config.limits)
        known = PictureFamily(name=name, limits=dict(config.limits))
    else:
        known = declared_family(config.family or None, profile)
    return replace(
        known,
        square=config.square or known.square,
        shape_hw=config.shape_hw or known.shape_hw,
    )


def system_text(config: ModelConfig) -> str:
    """The system message: as configured, else the profile's."""
    profile = profile_for(config.base)
    return config.system_text or (profile.system_text if profile else "")


def trained_profile(config: SftConfig) -> ModelProfile:
    """How the model that comes out is to be asked: as it was trained and validated."""
    family = picture_family(config.model)
    return ModelProfile(
        ids=(Path(config.output).name,),
        family=family.name,
        limits=family.limits or {},
        style=config.data.style,
        max_tokens=config.validation.max_new_tokens,
        system_text=system_text(config.model),
        square=family.square,
        shape_hw=tuple(family.shape_hw or ()),
        protocol=config.questions.name,
        source="medvision train sft",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is said to and by the model about one picture."""

    prompt: str
    target: str


def question(
    sample: Sample,
    style: Style,
    family: PictureFamily,
    facts: PromptFacts = MEDVISION.prompt,
) -> Question:
    """Prompt and target of a sample, as text.

    Raises:
        ItemError: The sample has no target that can be written.
    """
    view = family.view(sample.geometry)
    target = target_text(sample, style, view, facts)
    return Question(prompt=prompt_text(sample, style, view.stated, facts), target=target)


def picture(sample: Sample, family: PictureFamily, pictures: SlicePictures) -> Image.Image:
    """The RGB picture that a model of this family gets, as in evaluation."""
    return Image.fromarray(family.sent_pixels(pictures.image(sample))).convert("RGB")


class Examples:
    """Samples by row number, rendered and written on demand; each process reads for itself.

    Attributes:
        table: The samples; worker processes share it without a copy.
        style: Of prompt and target.
        family: How the model sees pictures.
        system_text: The system message; none when empty.
        facts: Which facts prompts state.
        crop_px: Longer side that smaller crops are enlarged to; 0 for as they are.
    """

    def __init__(
        self,
        samples: pa.Table,
        style: Style,
        family: PictureFamily,
        *,
        n_volumes: int,
        system_text: str = "",
        facts: PromptFacts = MEDVISION.prompt,
        crop_px: int = 0,
    ) -> None:
        """Keep the samples.

        Args:
            samples: In the order of their row numbers; columns as in `SAMPLE_SCHEMA`.
            style: Of prompt and target.
            family: How the model sees pictures.
            n_volumes: Volumes each process keeps.
            system_text: The system message; none when empty.
            facts: Which facts prompts state.
            crop_px: Longer side that smaller crops are enlarged to; 0 for as they are.
        """
        self.crop_px = crop_px
        self.style = style
        self.family = family
        self.table = samples
        self.system_text = system_text
        self.facts = facts
        self._n_volumes = n_volumes
        self._pictures: SlicePictures | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return int(self.table.num_rows)

    def __getstate__(self) -> dict[str, Any]:
        """Without what has been read."""
        return self.__dict__ | {"_pictures": None}

    def sample(self, row: int) -> Sample:
        """The sample of a row, in the frame of what it shows: its slice, or a crop of it."""
        return as_shown(samples_from_table(self.table.slice(row, 1))[0])

    def family_of(self, sample: Sample) -> PictureFamily:
        """How the model sees a sample's picture: a crop is enlarged first."""
        is_enlarged = self.crop_px and is_part(sample)
        return self.family.enlarging(self.crop_px) if is_enlarged else self.family

    def question(self, sample: Sample) -> Question:
        """Its prompt and target.

        Raises:
            ItemError: The sample has no target that can be written.
        """
        return question(sample, self.style, self.family_of(sample), self.facts)

    def sample_id(self, row: int) -> str:
        """Its id."""
        return str(self.table["sample_id"][row].as_py())

    def picture(self, sample: Sample) -> Image.Image:
        """Its picture; volumes of this process are kept for the next samples."""
        if self._pictures is None:
            self._pictures = SlicePictures(n_volumes=self._n_volumes)
        return picture(sample, self.family_of(sample), self._pictures)
