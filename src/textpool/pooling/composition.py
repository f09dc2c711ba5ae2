"""Strategies that combine other strategies."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from textpool.pooling.base import Features, Mask, Pooling, Values
from textpool.pooling.extremes import Max
from textpool.pooling.means import Avg


class Concat(Pooling):
    r"""Concatenate the values of several strategies.

    $$ (p_1(x), p_2(x), \dots) $$

    The linear layer learns which of them to use. It has as many weights as it would have for all of them together.

    Shen et al. 2018, "Baseline Needs More Love" (arXiv 1805.09843): SWEM-concat, max and average.
    """

    def __init__(self, channels: int, poolings: Sequence[Callable[[int], Pooling]]) -> None:
        super().__init__(channels)
        if not poolings:
            raise ValueError("poolings: expected at least one pooling, got none")
        self.poolings = nn.ModuleList(pooling(channels) for pooling in poolings)
        self.size = sum(pooling.size for pooling in self._children())
        self.ordered = any(pooling.ordered for pooling in self._children())

    def _children(self) -> list[Pooling]:
        return [pooling for pooling in self.poolings if isinstance(pooling, Pooling)]

    def pool(self, features: Features, mask: Mask) -> Values:
        return torch.cat([pooling(features, mask) for pooling in self.poolings], dim=-1)


class Mixed(Pooling):
    r"""Mix maximum and average in a learned proportion.

    $$ a \max_t x_t + (1 - a) \frac{1}{n} \sum_t x_t $$

    The proportion a is the sigmoid of a learned weight that starts at 0, so that a starts at 1/2. Not `Concat`: the
    result is one value per channel. Not `Gated`: a is the same for all channels and all sentences.

    Lee, Gallagher and Tu 2016, "Generalizing Pooling Functions in Convolutional Neural Networks: Mixed, Gated, and
    Tree" (arXiv 1509.08985): mixed max-average pooling.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.maximum, self.average = Max(channels), Avg(channels)
        self.weight = nn.Parameter(torch.zeros(()))

    def pool(self, features: Features, mask: Mask) -> Values:
        return torch.lerp(self.average(features, mask), self.maximum(features, mask), self.weight.sigmoid())


class Gated(Pooling):
    r"""Mix maximum and average in a proportion that depends on the sentence.

    $$ a \max_t x_t + (1 - a) \mu, \quad a = \sigma(w \mu), \quad \mu = \frac{1}{n} \sum_t x_t $$

    In the paper the gate is a weighted sum over a region of fixed size, with one weight per position of the region.
    A sentence can have any length, so here all positions of a channel have the same weight w / n, and the weighted
    sum is w times the average. Each channel has its own w, which starts at 0, so that a starts at 1/2.

    Lee, Gallagher and Tu 2016, "Generalizing Pooling Functions in Convolutional Neural Networks: Mixed, Gated, and
    Tree" (arXiv 1509.08985): gated max-average pooling.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.maximum, self.average = Max(channels), Avg(channels)
        self.weight = nn.Parameter(torch.zeros(channels, 1))

    def pool(self, features: Features, mask: Mask) -> Values:
        average = self.average(features, mask)  # (batch, channels, 1)
        return torch.lerp(average, self.maximum(features, mask), (self.weight * average).sigmoid())
