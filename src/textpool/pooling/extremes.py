"""Strategies that keep the largest values: where a feature fires most."""

import math

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values
from textpool.pooling.means import count


class Max(Pooling):
    r"""Keep the largest value: does the pattern occur at all?

    $$ \max_t x_t $$

    Blind to how often the pattern occurs, and where. The gradient reaches one position, the earliest of
    equals (`amax` would share it among them).

    Collobert et al. 2011, "Natural Language Processing (Almost) from Scratch", JMLR 12: the max layer of the
    sentence approach.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        """Take the maximum over the real positions."""
        return features.masked_fill(~mask[:, None, :], -math.inf).max(-1, keepdim=True).values


class KMax(Pooling):
    r"""Keep the k largest values, in the order of the sentence.

    $$ (x_{t_1}, \dots, x_{t_k}), \quad t_1 < \dots < t_k, \quad \{x_{t_i}\} = \text{the } k \text{ largest} $$

    Tells two occurrences from one, and which came first, but not how far apart they are. A sentence of
    n < k positions gives its n values, then zeros. Makes the classifier behind it k times as wide.

    Kalchbrenner, Grefenstette and Blunsom 2014, "A Convolutional Neural Network for Modelling Sentences",
    section 3.2.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Choose by value, then sort what was chosen by position."""
        positions = largest(features, mask, self.size).sort(-1).values
        return F.pad(features, (0, 1)).gather(-1, positions)  # (batch, channels, size)


class KMaxByValue(Pooling):
    r"""Keep the k largest values, the largest first: k-max without the order of the sentence.

    $$ (x_{(1)}, \dots, x_{(k)}), \quad x_{(1)} \ge x_{(2)} \ge \dots $$

    Not the k-max of Kalchbrenner et al. 2014 but what `torch.topk` gives, often taken for it. Beside `KMax` it
    measures what the order alone is worth.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)

    def pool(self, features: Features, mask: Mask) -> Values:
        """Choose by value, and leave it at that."""
        positions = largest(features, mask, self.size)
        return F.pad(features, (0, 1)).gather(-1, positions)  # (batch, channels, size)


class TopKMean(Pooling):
    r"""Average the k largest values: a maximum that one stray value cannot make.

    $$ \frac{1}{\min(k, n)} \sum_{i=1}^{\min(k, n)} x_{(i)}, \quad x_{(1)} \ge x_{(2)} \ge \dots $$

    Counts up to k in one value, without the order; a sentence of n < k positions gives its average.

    Multiple-instance learning, where it ranks bags by their k most suspicious members: Li and Vasconcelos 2015,
    "Multiple Instance Learning for Soft Bags via Top Instances", CVPR.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = integer("k", k, least=1)

    def pool(self, features: Features, mask: Mask) -> Values:
        """Choose by value, and average what was chosen."""
        chosen = F.pad(features, (0, 1)).gather(-1, largest(features, mask, self.k))  # (batch, channels, k)
        return chosen.sum(-1, keepdim=True) / count(mask).clamp(max=self.k)


def largest(features: Features, mask: Mask, k: int) -> Int[Tensor, "batch channels k"]:
    """Positions of the k largest real values, the largest first and the earlier of equals first.

    Where fewer than k positions are real, the rest is `time`, one past the last position: features with one
    zero more at the end can be gathered by them.

    A stable sort, not `torch.topk`: topk does not say which of equal values it takes, and after a ReLU equal
    values are the rule. What it takes then depends on the device and on how much the sentence is padded.
    """
    time = features.shape[-1]
    # k - 1 positions more, so that there are k to choose from in a sentence of any length
    masked = F.pad(features.masked_fill(~mask[:, None, :], -math.inf), (0, k - 1), value=-math.inf)
    positions = masked.sort(dim=-1, descending=True, stable=True).indices[..., :k]  # (batch, channels, k)
    real = F.pad(mask, (0, k - 1))[:, None, :].expand_as(masked).gather(-1, positions)
    return torch.where(real, positions, time)
