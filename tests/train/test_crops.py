"""Crops as training examples: made as the second look of an evaluation, in their share."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medvision.models.evaluate import EvalRequest, evaluate
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import sample_table, samples_from_table
from medvision.scoring.zoomed import Refine, Zoom, holds, zoom_request
from medvision.train.config import CropConfig
from medvision.train.crops import with_crops
from medvision.train.errors import ConfigError
from medvision.train.examples import Examples
from medvision.train.mixing import training_order
from tests.train.test_examples import Listener

SEED = 7


@pytest.fixture(scope="module")
def table(study_samples):
    return sample_table(study_samples)


def crops_of(table):
    return [sample.crop_px for sample in samples_from_table(table)]


@pytest.mark.parametrize("style", Style)
def test_a_crop_is_shown_and_asked_about_as_in_evaluation(table, tmp_path, style):
    samples = table.take(list(range(0, table.num_rows, 60)))
    listener = Listener()
    request = EvalRequest(
        samples=samples, model=listener, family=PictureFamily(name="qwen2_5_vl"), style=style
    )
    zoom = Zoom(boxes=Refine.ORACLE, margin_frac=0.3, picture_px=112)
    evaluate(zoom_request(request, zoom, tmp_path / "run"), tmp_path / "run")
    n = samples.num_rows
    config = CropConfig(share=1, margin=0.3, jitter=0)
    both, order = with_crops(samples, np.arange(n), config, SEED)
    examples = Examples(both, style, request.family, n_volumes=2, crop_px=112)
    n_crops = 0
    for row in order.tolist():
        sample = examples.sample(row)
        if not sample.crop_px:
            continue
        n_crops += 1
        prompt, png = listener.heard[sample.sample_id]
        assert examples.question(sample).prompt == prompt
        sent = Image.open(io.BytesIO(png)).convert("RGB")
        assert np.array_equal(np.asarray(examples.picture(sample)), np.asarray(sent))
    assert n_crops > 3


def test_a_share_is_shown_as_crops_and_the_order_stays(table):
    samples, order = training_order(
        [table], temperature=1, total=0, epochs=6, in_flight=2, seed=SEED
    )
    n = samples.num_rows
    both, mixed = with_crops(samples, order, CropConfig(share=0.3), SEED)
    assert np.array_equal(mixed % n, order)
    assert both.slice(0, n).equals(samples)
    assert both["sample_id"].slice(n).equals(samples["sample_id"])
    has_crop = np.array([bool(crop) for crop in crops_of(both.slice(n))])
    is_crop = mixed >= n
    assert is_crop[has_crop[order]].mean() == pytest.approx(0.3, abs=0.05)
    assert not is_crop[~has_crop[order]].any()
    # Over the epochs the same sample is shown both ways.
    of_each = [is_crop[order == row].mean() for row in np.flatnonzero(has_crop)]
    assert np.mean([0 < share < 1 for share in of_each]) > 0.7
    again, same = with_crops(samples, order, CropConfig(share=0.3), SEED)
    assert again.equals(both)
    assert np.array_equal(same, mixed)
    assert crops_of(with_crops(samples, order, CropConfig(share=0.3), 8)[0]) != crops_of(both)


def test_jitter_moves_the_crop_and_the_structure_stays_in_it(table):
    order = np.arange(table.num_rows)
    n = table.num_rows
    still, moved = (
        samples_from_table(
            with_crops(table, order, CropConfig(share=1, jitter=jitter), SEED)[0].slice(n)
        )
        for jitter in (0, 2.0)
    )
    pairs = [(a, b) for a, b in zip(still, moved, strict=True) if a.crop_px]
    assert np.mean([a.crop_px != b.crop_px for a, b in pairs]) > 0.5
    for a, b in pairs:
        assert holds(b.crop_px, b.box_px)
        assert np.subtract(a.crop_px[2:], a.crop_px[:2]).tolist() == (
            np.subtract(b.crop_px[2:], b.crop_px[:2]).tolist()
        )


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"margin": -1}, {"jitter": -0.1}])
def test_a_crop_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CropConfig(**wrong)


@pytest.mark.train
def test_a_model_is_trained_on_crops(tiny_base, sft_config):
    import dataclasses
    import json

    from medvision.train.sft import train_sft

    config = sft_config(tiny_base("qwen"))
    data = dataclasses.replace(config.data, crops=CropConfig(share=0.5, picture_px=56))
    optimiser = dataclasses.replace(config.optimiser, max_steps=4)
    validation = dataclasses.replace(config.validation, every_steps=4, samples=2)
    result = train_sft(
        dataclasses.replace(config, data=data, optimiser=optimiser, validation=validation)
    )
    assert 0 < result.counts["crops_drawn"] < result.counts["drawn"]
    assert "showed a crop" in (result.model / "README.md").read_text(encoding="utf-8")
    stored = json.loads((Path(config.output) / "config.json").read_text(encoding="utf-8"))
    assert stored["data"]["crops"]["share"] == 0.5
