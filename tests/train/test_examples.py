import io

import numpy as np
import pytest
from PIL import Image

from medvision.models.base import ALL_TASKS, Reply, ResponseStatus
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import sample_table
from medvision.train.config import ModelConfig
from medvision.train.errors import ConfigError
from medvision.train.examples import Examples, picture_family, question, system_text


class Listener:
    """A model that keeps what it is asked."""

    model_id = "test/listener"
    revision = ""
    settings = {}  # noqa: RUF012
    tasks = ALL_TASKS
    batch_size = 8
    window_size = 8

    def __init__(self):
        self.heard = {}

    def key_inputs(self, question):
        return {}

    def replies(self, questions):
        for one in questions:
            self.heard[one.sample.sample_id] = (one.prompt_text, one.image_png())
        return [Reply(status=ResponseStatus.OK, text="1", attempts=1) for _ in questions]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(
    "family",
    [
        PictureFamily(name="qwen2_5_vl"),
        PictureFamily(name="llava_onevision"),
        PictureFamily(name="clip336_pad"),
        PictureFamily(name="gemma3", square=True),
    ],
    ids=lambda family: family.name,
)
def test_training_gets_the_prompt_and_the_picture_of_evaluation(
    study_samples, tmp_path, style, family
):
    samples = study_samples[::60]
    listener = Listener()
    request = EvalRequest(samples=sample_table(samples), model=listener, family=family, style=style)
    evaluate(request, tmp_path / "run")
    examples = Examples(sample_table(samples), style, family, n_volumes=2)
    assert len(listener.heard) == len(samples) > 3
    for row, sample in enumerate(samples):
        assert examples.sample(row) == sample
        prompt, png = listener.heard[sample.sample_id]
        assert question(sample, style, family).prompt == prompt
        sent = Image.open(io.BytesIO(png)).convert("RGB")
        assert np.array_equal(np.asarray(examples.picture(sample)), np.asarray(sent))


def test_family_comes_from_the_profile_unless_stated():
    assert picture_family(ModelConfig(base="Qwen/Qwen2.5-VL-7B-Instruct")).name == "qwen2_5_vl"
    assert picture_family(ModelConfig(base="google/medgemma-4b-it")).name == "gemma3"
    declared = picture_family(ModelConfig(base="Qwen/Qwen2.5-VL-7B-Instruct", family="448x448"))
    assert declared == PictureFamily(name="448x448")
    limits = {"max_pixels": 501760}
    capped = picture_family(ModelConfig(base="Qwen/Qwen2.5-VL-7B-Instruct", limits=limits))
    assert capped.limits == limits
    assert system_text(ModelConfig(base="x/y", system_text="Be exact.")) == "Be exact."


def test_an_unknown_model_must_say_how_it_sees():
    with pytest.raises(ConfigError, match=r"set model\.family"):
        picture_family(ModelConfig(base="somebody/new-model"))
