"""Strategies that select the largest values of each channel."""

import math

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values, count, mask_out


class Max(Pooling):
    r"""Keep the largest value: does the pattern of the filter occur at all?

    $$ \max_t x_t $$

    It does not say how often the pattern occurs, nor where. The gradient goes to one position, the earliest of
    equal maxima (`torch.amax` would divide it equally among them).

    Collobert et al. 2011, "Natural Language Processing (Almost) from Scratch", JMLR 12: the max layer of the
    sentence approach.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        return mask_out(features, mask, -math.inf).max(-1, keepdim=True).values


class KMax(Pooling):
    r"""Keep the k largest values, in the order of the sentence.

    $$ (x_{t_1}, \dots, x_{t_k}), \quad t_1 < \dots < t_k, \quad \{x_{t_i}\} = \text{the } k \text{ largest} $$

    It distinguishes two occurrences of a pattern from one and keeps their order, but not the distance between them.
    A sentence of n < k positions gives its n values, then zeros. The linear layer has k times as many weights as
    with `Max`.

    Kalchbrenner, Grefenstette and Blunsom 2014, "A Convolutional Neural Network for Modelling Sentences",
    section 3.2.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        positions = top_k_positions(features, mask, self.k).sort(-1).values  # (batch, channels, k), earliest first
        return F.pad(features, (0, 1)).gather(-1, positions)  # (batch, channels, k)


class KMaxByValue(Pooling):
    r"""Keep the k largest values, the largest first: k-max without the order of the sentence.

    $$ (x_{(1)}, \dots, x_{(k)}), \quad x_{(1)} \ge x_{(2)} \ge \dots $$

    This is not the k-max of Kalchbrenner et al. 2014 but what `torch.topk` returns, with which k-max is often
    confused. The difference between the scores of `KMax` and this strategy measures the value of the order alone.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)

    def pool(self, features: Features, mask: Mask) -> Values:
        positions = top_k_positions(features, mask, self.k)  # (batch, channels, k), largest value first
        return F.pad(features, (0, 1)).gather(-1, positions)  # (batch, channels, k)


class TopKMean(Pooling):
    r"""Average the k largest values: a maximum that is robust to a single outlier.

    $$ \frac{1}{\min(k, n)} \sum_{i=1}^{\min(k, n)} x_{(i)}, \quad x_{(1)} \ge x_{(2)} \ge \dots $$

    The result grows with the number of occurrences of the pattern, up to k of them, and does not depend on their
    order. A sentence of n < k positions gives its average.

    Li and Vasconcelos 2015, "Multiple Instance Learning for Soft Bags via Top Instances", CVPR: there it scores a
    bag by its k highest-scoring instances.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = integer("k", k, least=1)

    def pool(self, features: Features, mask: Mask) -> Values:
        positions = top_k_positions(features, mask, self.k)  # (batch, channels, k)
        chosen = F.pad(features, (0, 1)).gather(-1, positions)  # (batch, channels, k)
        return chosen.sum(-1, keepdim=True) / count(mask).clamp(max=self.k)


def top_k_positions(features: Features, mask: Mask, k: int) -> Int[Tensor, "batch channels k"]:
    """Positions of the k largest real values, sorted by value; of equal values the earlier position comes first.

    If a sentence has fewer than k real positions, the missing ones are `time`, one past the last position. Callers
    therefore pad the features with one zero at the end before they gather.

    A stable sort, because `torch.topk` does not specify which of equal values it returns, and after a ReLU many
    values are equal: its choice depends on the device and on the amount of padding.
    """
    time = features.shape[-1]
    # Pad by k - 1 positions, so that there are at least k to select from, however short the batch is.
    padded = F.pad(mask_out(features, mask, -math.inf), (0, k - 1), value=-math.inf)  # (batch, channels, time + k - 1)
    positions = padded.sort(dim=-1, descending=True, stable=True).indices[..., :k]  # (batch, channels, k)
    real = F.pad(mask, (0, k - 1))[:, None, :].expand_as(padded).gather(-1, positions)  # (batch, channels, k)
    return torch.where(real, positions, time)
