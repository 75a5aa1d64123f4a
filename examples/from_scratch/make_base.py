"""Make the base of a training configuration: random weights, and a tokenizer of its questions.

Run in the repository, with the extra `train`: python -m examples.from_scratch.make_base CONFIG.toml
"""

import argparse
from math import isqrt
from pathlib import Path

import numpy as np
import pyarrow as pa

from examples.from_scratch.tiny_models import Size, qwen
from medvision.models.profiles import CARRIED, profile_text
from medvision.replies import Style
from medvision.samples import samples_from_table
from medvision.train.config import SftConfig, load_sft_config
from medvision.train.examples import picture_family, question, trained_profile
from medvision.train.selection import training_samples

N_TEXTS = 4000
"""Questions that the tokenizer is learnt from; two thousand phrases repeat in them."""


def training_texts(config: SftConfig) -> list[str]:
    """Prompts and answers of training questions, both styles, drawn by the configuration's seed."""
    samples = pa.concat_tables(training_samples(config).train)
    rng = np.random.default_rng(config.data.seed)
    places = rng.choice(len(samples), size=min(N_TEXTS, len(samples)), replace=False)
    drawn = samples_from_table(samples.take(places))
    family = picture_family(config.model)
    asked = [question(sample, config.data.style, family) for sample in drawn]
    asked += [question(sample, style, family) for sample in drawn[:100] for style in Style]
    return [text for one in asked for text in (one.prompt, one.target)]


def make_base(config: SftConfig, size: Size) -> Path:
    """Save a Qwen2.5-VL of the given size where the configuration looks for its base."""
    base = qwen(training_texts(config), config.model.base, size)
    (base / CARRIED).write_text(profile_text(trained_profile(config)), encoding="utf-8")
    return base


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--text", type=int, nargs=2, default=(4, 192), metavar=("LAYERS", "WIDTH"))
    parser.add_argument(
        "--vision", type=int, nargs=2, default=(3, 128), metavar=("LAYERS", "WIDTH")
    )
    parser.add_argument("--vocabulary", type=int, default=1000)
    args = parser.parse_args()
    config = load_sft_config(args.config)
    size = Size(
        text=tuple(args.text),
        vision=tuple(args.vision),
        side_px=isqrt(config.model.limits["max_pixels"]),
        vocabulary=args.vocabulary,
        phrases=True,
    )
    print(make_base(config, size))  # noqa: T201


if __name__ == "__main__":
    main()
