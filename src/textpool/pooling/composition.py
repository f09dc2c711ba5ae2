"""Strategies that combine other strategies."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values, count
from textpool.pooling.extremes import Max
from textpool.pooling.means import Avg, Stats


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


class PNA(Pooling):
    r"""Keep the mean, maximum, minimum and standard deviation, each as it is, amplified and attenuated by the length.

    $$ (z, \; s z, \; z / s), \quad z = (\mu, \max_t x_t, \min_t x_t, \sigma), \quad
    s = \frac{\log(n + 1)}{\log(\text{length} + 1)} $$

    12 values per channel, so the linear layer has 12 times as many weights as with `Max`. From the mean as it is and
    amplified, the classifier can learn a function between the average and the sum.

    Corso et al. 2020, "Principal Neighbourhood Aggregation for Graph Nets" (arXiv 2004.05718), there for the neighbours
    of a node of a graph. The denominator of s is there the average of log(n + 1) over the training set. A pooling sees
    no data set, so here it is a setting.

    Args:
        channels: number of channels of the feature map.
        length: number of real positions for which s is 1, such as the typical length of a sentence.
    """

    size = 12

    def __init__(self, channels: int, length: int = 20) -> None:
        super().__init__(channels)
        self.length = integer("length", length, least=1)
        self.maximum, self.stats = Max(channels), Stats(channels)

    def pool(self, features: Features, mask: Mask) -> Values:
        mean, deviation = self.stats(features, mask).split(1, dim=-1)  # (batch, channels, 1)
        maximum, minimum = self.maximum(features, mask), -self.maximum(-features, mask)  # (batch, channels, 1)
        plain = torch.cat([mean, maximum, minimum, deviation], dim=-1)  # (batch, channels, 4)
        scale = count(mask).to(features.dtype).log1p() / math.log1p(self.length)  # (batch, 1, 1)
        return torch.cat([plain, plain * scale, plain / scale], dim=-1)  # (batch, channels, 12)


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
