import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace

from medvision.train.config import LossConfig, NumberLossKind
from medvision.train.number_loss import NumberLoss
from medvision.train.sft import train_sft
from tests.train.conftest import losses

DIGITS = {str(digit): 10 + digit for digit in range(10)}
VOCABULARY = {"a": 0, ".": 1, "Ġ3": 2, "Ġ7": 3, "12": 4, "87": 5, "x4": 6, "²": 7} | DIGITS
N = max(VOCABULARY.values()) + 1


def loss_of(kind, wanted, scores, n_items=None, **settings):
    """Loss of one row: a prompt token, then the wanted ones with their scores."""
    labels = torch.tensor([[-100, *(VOCABULARY[token] for token in wanted)]])
    logits = torch.zeros(1, len(wanted) + 1, N)
    logits[0, :-1] = torch.tensor(scores, dtype=torch.float32)
    return float(
        NumberLoss(LossConfig(numbers=kind, **settings), VOCABULARY)(logits, labels, n_items)
    )


def softmax(values):
    powers = np.exp(np.asarray(values) - np.max(values))
    return powers / powers.sum()


def scored(rng, n):
    return rng.normal(size=(n, N)) * 3


def test_wasserstein_adds_the_expected_distance():
    scores = scored(np.random.default_rng(0), 1)
    shares = softmax(scores[0, 10:20])
    expected = -math.log(softmax(scores[0])[14]) + 0.3 * sum(
        share * abs(digit - 4) for digit, share in enumerate(shares)
    )
    assert loss_of(NumberLossKind.WASSERSTEIN, ["4"], scores) == pytest.approx(expected, rel=1e-5)


def test_squared_adds_the_squared_error_of_the_expected_digit():
    scores = scored(np.random.default_rng(1), 1)
    expected_digit = softmax(scores[0, 10:20]) @ np.arange(10)
    expected = -math.log(softmax(scores[0])[18]) + 0.5 * (expected_digit - 8) ** 2
    found = loss_of(NumberLossKind.SQUARED, ["8"], scores, weight=0.5)
    assert found == pytest.approx(expected, rel=1e-5)


def test_soft_digits_share_the_label_by_distance():
    scores = scored(np.random.default_rng(2), 1)
    labels = softmax(-np.abs(np.arange(10) - 9) / 0.5)
    labels = 0.4 * labels + 0.6 * np.eye(10)[9]
    expected = -(labels * np.log(softmax(scores[0]))[10:20]).sum()
    found = loss_of(NumberLossKind.SOFT_DIGITS, ["9"], scores, weight=0.4, softness=0.5)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", list(NumberLossKind)[1:])
def test_nearer_digits_cost_less(kind):
    costs = []
    for digit in range(4, 10):
        scores = np.zeros((1, N))
        scores[0, 10 + digit] = 6.0
        costs.append(loss_of(kind, ["3"], scores, weight=0.9))
    assert costs == sorted(costs)
    assert len({round(cost, 4) for cost in costs}) == len(costs)


@pytest.mark.parametrize("kind", NumberLossKind)
def test_a_weight_of_nothing_is_cross_entropy(kind):
    wanted = ["a", "1", ".", "12", "Ġ7", "x4"]
    scores = scored(np.random.default_rng(3), len(wanted))
    ids = [VOCABULARY[token] for token in wanted]
    expected = np.mean([-math.log(softmax(row)[one]) for row, one in zip(scores, ids, strict=True)])
    assert loss_of(kind, wanted, scores, weight=0.0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("wanted", ["a", ".", "x4", "²"])
def test_tokens_that_are_no_digits_are_left_alone(wanted):
    scores = scored(np.random.default_rng(4), 1)
    plain = loss_of(NumberLossKind.PLAIN, [wanted], scores)
    assert loss_of(NumberLossKind.WASSERSTEIN, [wanted], scores, weight=9.0) == plain


def test_digits_are_compared_with_those_that_could_stand_in_their_place():
    scores = np.zeros((1, N))
    of_pair = loss_of(NumberLossKind.WASSERSTEIN, ["12"], scores, weight=1.0) - math.log(N)
    assert of_pair == pytest.approx((8.7 - 1.2) / 2, rel=1e-5)
    spaced = loss_of(NumberLossKind.WASSERSTEIN, ["Ġ3"], scores, weight=1.0) - math.log(N)
    assert spaced == pytest.approx((7 - 3) / 2, rel=1e-5)


def test_batches_of_a_step_are_divided_by_the_tokens_of_the_step():
    scores = scored(np.random.default_rng(5), 3)
    together = loss_of(NumberLossKind.SQUARED, ["1", "2", "a"], scores)
    parts = [
        loss_of(NumberLossKind.SQUARED, [token], scores[place : place + 1], n_items=3)
        for place, token in enumerate(["1", "2", "a"])
    ]
    assert sum(parts) == pytest.approx(together, rel=1e-5)


def test_prompts_and_batches_without_targets_count_nothing():
    count = NumberLoss(LossConfig(numbers=NumberLossKind.WASSERSTEIN), VOCABULARY)
    assert float(count(torch.zeros(1, 3, N), torch.full((1, 3), -100), None)) == 0.0


@pytest.mark.parametrize("kind", list(NumberLossKind)[1:])
def test_training_with_it_starts_from_another_loss_and_validates_by_the_same(
    tiny_base, sft_config, kind
):
    plain = sft_config(tiny_base("qwen"))
    other = replace(plain, output=plain.output + "-other", loss=LossConfig(numbers=kind))
    results = [train_sft(config) for config in (plain, other)]
    first, second = (losses(config.output)[1] for config in (plain, other))
    assert first != pytest.approx(second, rel=1e-4)
    card = (results[1].model / "README.md").read_text(encoding="utf-8")
    assert f"digits of numbers: {kind}" in card


def test_without_weight_a_training_goes_as_by_trls_own_loss(tiny_base, sft_config):
    plain = sft_config(tiny_base("qwen"))
    weightless = LossConfig(numbers=NumberLossKind.WASSERSTEIN, weight=0.0)
    ours = replace(plain, output=plain.output + "-ours", loss=weightless)
    for config in (plain, ours):
        train_sft(config)
    assert losses(ours.output)[1] == pytest.approx(losses(plain.output)[1], rel=1e-5)
