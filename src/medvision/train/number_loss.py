"""Losses that know how far one digit is from another: switches beside plain cross-entropy.

Cross-entropy counts a 3 in place of a 4 for as wrong as a 9. Two public remedies look at the tokens
of numbers in targets: a term beside it (Zausinger et al. 2025, arXiv 2411.02083: the expected
distance to the digit, which is the Wasserstein-1 distance to it, or the squared error of the
expected digit), and soft labels, shared among digits by distance (Diaz and Marathe, CVPR 2019).
Each digit counts by itself in all of them: tens weigh no more than hundredths.
"""

from collections.abc import Mapping

import torch
from torch.nn import functional

from medvision.train.collate import IGNORED
from medvision.train.config import LossConfig, NumberLossKind

_MARKS = " Ġ▁"
"""What tokenizers put before a token that begins with a space."""


class NumberLoss:
    """The loss of a batch by `LossConfig`, summed over target tokens and divided by their number.

    Attributes:
        config: Which loss, and how it is weighed.
    """

    def __init__(self, config: LossConfig, vocabulary: Mapping[str, int]) -> None:
        """Find the tokens of digits.

        Tokens are compared with those of as many digits, and with a space before them or without,
        since no others could stand in their place; the first digit's unit is 1.

        Args:
            config: Which loss, and how it is weighed.
            vocabulary: Token to its id, of the model's tokenizer.
        """
        self.config = config
        kinds: dict[tuple[bool, int], dict[int, float]] = {}
        for token, token_id in vocabulary.items():
            digits = token.lstrip(_MARKS)
            if digits.isascii() and digits.isdigit():
                kind = kinds.setdefault((digits != token, len(digits)), {})
                kind[token_id] = int(digits) / 10 ** (len(digits) - 1)
        self._kinds = [
            (torch.tensor(list(kind)), torch.tensor(list(kind.values())))
            for kind in kinds.values()
            if len(kind) > 1
        ]

    def __call__(
        self, logits: torch.Tensor, labels: torch.Tensor, n_items: torch.Tensor | int | None
    ) -> torch.Tensor:
        """Loss of a batch.

        Args:
            logits: (batch, length, vocabulary).
            labels: (batch, length) token ids; -100 where a token does not count.
            n_items: Target tokens in the whole optimiser step; None for those of this batch.
        """
        wanted = labels[:, 1:]
        counts = wanted != IGNORED
        # Picked first: in fp32 the logits of prompt and picture would be most of the memory.
        scores, wanted = logits[:, :-1][counts].float(), wanted[counts]
        losses = functional.cross_entropy(scores, wanted, reduction="none")
        for token_ids, values in self._kinds:
            token_ids, values = token_ids.to(wanted.device), values.to(wanted.device)
            places = torch.isin(wanted, token_ids).nonzero().squeeze(1)
            if len(places):
                number = (wanted[places][:, None] == token_ids).int().argmax(dim=1)
                differences = values - values[number][:, None]
                changed = self._changed(losses[places], scores[places], token_ids, differences)
                losses = losses.index_copy(0, places, changed)
        divisor = torch.as_tensor(counts.sum() if n_items is None else n_items).clamp(min=1)
        return losses.sum() / divisor

    def _changed(
        self,
        plain: torch.Tensor,
        scores: torch.Tensor,
        token_ids: torch.Tensor,
        differences: torch.Tensor,
    ) -> torch.Tensor:
        """Losses of n tokens, from (n, vocabulary) scores and (n, digits) differences."""
        weight = self.config.weight
        if self.config.numbers is NumberLossKind.SOFT_DIGITS:
            soft = torch.softmax(-differences.abs() / self.config.softness, dim=1)
            of_digits = torch.log_softmax(scores, dim=1)[:, token_ids]
            return (1 - weight) * plain - weight * (soft * of_digits).sum(dim=1)
        shares = torch.softmax(scores[:, token_ids], dim=1)
        if self.config.numbers is NumberLossKind.WASSERSTEIN:
            return plain + weight * (shares * differences.abs()).sum(dim=1)
        return plain + weight * (shares * differences).sum(dim=1).square()
