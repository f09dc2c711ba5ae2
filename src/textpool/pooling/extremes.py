"""Strategies that select values of each channel by their rank: the largest, the k largest, or a quantile."""

import math

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from textpool.checks import integer, proportion
from textpool.pooling.base import Features, Mask, Pooling, Values, count

FEW = 4  # up to this k, k passes over the values take less time than a sort, also for short sentences


class Max(Pooling):
    r"""Keep the largest value: does the pattern of the filter occur at all?

    $$ \max_t x_t $$

    It does not say how often the pattern occurs, nor where. The gradient goes to one position, the earliest of
    equal maxima (`torch.amax` would divide it equally among them).

    Collobert et al. 2011, "Natural Language Processing (Almost) from Scratch", JMLR 12: the max layer of the
    sentence approach.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        scores = lower_padding(features, mask)
        return scores.gather(-1, scores.detach().argmax(-1, keepdim=True))  # (batch, channels, 1)


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
        return values_at(features, positions)  # (batch, channels, k)


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
        return values_at(features, positions)  # (batch, channels, k)


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
        chosen = values_at(features, positions)  # (batch, channels, k)
        return chosen.sum(-1, keepdim=True) / count(mask).clamp(max=self.k)


class TopKShare(Pooling):
    r"""Average the largest values, a fixed share of them: how strong is the pattern in the best part of the sentence?

    $$ \frac{1}{k} \sum_{i=1}^{k} x_{(i)}, \quad k = \max(1, \lceil sn \rceil), \quad x_{(1)} \ge x_{(2)} \ge \dots $$

    With s = 0 it is the maximum, with s = 1 the average. Not `TopKMean`: k grows with the length n of the sentence, so
    a single occurrence has the weight 1/k, which shrinks with the length as in the average.

    Paul, Roy and Roy-Chowdhury 2018, "W-TALC: Weakly-supervised Temporal Activity Localization and Classification"
    (arXiv 1807.10418), for the frames of a video; there k is the floor of n divided by a constant, but at least 1.

    Args:
        channels: number of channels of the feature map.
        share: s, from 0 to 1; at least one value is kept.
    """

    def __init__(self, channels: int, share: float = 0.1) -> None:
        super().__init__(channels)
        self.share = proportion("share", share)

    def pool(self, features: Features, mask: Mask) -> Values:
        # The product of a share and a length can be rounded to slightly more than an integer: 0.07 * 100 is.
        k = (count(mask) * (self.share * (1 - 1e-6))).ceil().clamp(min=1)  # (batch, 1, 1)
        descending = features.gather(-1, ranking(features, mask))  # (batch, channels, time)
        kept = torch.arange(mask.shape[-1], device=mask.device) < k  # (batch, 1, time)
        return torch.where(kept, descending, 0.0).sum(-1, keepdim=True) / k.to(features.dtype)


class Quantile(Pooling):
    r"""Keep a quantile of the values: what level does the filter exceed on a share 1 - q of the positions?

    $$ (1 - a) x^{(i)} + a x^{(i+1)}, \quad i + a = 1 + (n - 1) q, \quad 0 \le a < 1, \quad
    x^{(1)} \le x^{(2)} \le \dots $$

    With q = 0 it is the minimum, with q = 1/2 the median, with q = 1 the maximum. It does not change if a few values
    become very large, and for the same reason it does not show a pattern on less than a share 1 - q of the positions.
    The gradient goes to at most two positions; of equal values, the earlier is ranked as the larger.

    Hyndman and Fan 1996, "Sample Quantiles in Statistical Packages", The American Statistician 50: definition 7, which
    is the default of NumPy.

    Args:
        channels: number of channels of the feature map.
        q: from 0 to 1.
    """

    def __init__(self, channels: int, q: float = 0.9) -> None:
        super().__init__(channels)
        self.q = proportion("q", q)

    def pool(self, features: Features, mask: Mask) -> Values:
        last = count(mask) - 1  # (batch, 1, 1), the rank of the smallest value if that of the largest is 0
        height = last.to(features.dtype) * self.q  # (batch, 1, 1), above the smallest value
        below, above = last - height.floor().long(), last - height.ceil().long()  # (batch, 1, 1), ranks
        positions = ranking(features, mask)  # (batch, channels, time)
        ranks = torch.cat([below, above], dim=-1).expand(-1, self.channels, -1)  # (batch, channels, 2)
        low, high = features.gather(-1, positions.gather(-1, ranks)).split(1, dim=-1)  # (batch, channels, 1)
        return torch.lerp(low, high, height.frac())


def top_k_positions(features: Features, mask: Mask, k: int) -> Int[Tensor, "batch channels k"]:
    """Positions of the k largest real values, sorted by value; of equal values the earlier position comes first.

    If a sentence has fewer than k real positions, the missing ones are `time`, one past the last position.

    Not `torch.topk`, which does not specify which of equal values it returns. After a ReLU many values are equal: its
    choice depends on the device and on the amount of padding.
    """
    scores = comparable(features, mask)
    positions = repeated_argmax(scores, k) if k <= FEW else sorted_positions(scores, k)  # (batch, channels, k)
    exists = torch.arange(k, device=mask.device) < count(mask)  # (batch, 1, k)
    return torch.where(exists, positions, features.shape[-1])


def ranking(features: Features, mask: Mask) -> Int[Tensor, "batch channels time"]:
    """All positions, sorted by value as in `top_k_positions`; those of the padding come last."""
    return comparable(features, mask).sort(dim=-1, descending=True, stable=True).indices


def comparable(features: Features, mask: Mask) -> Features:
    """The features without a gradient, in which every real value is larger than the padding, even one of -inf."""
    return lower_padding(features.detach().clamp(min=torch.finfo(features.dtype).min), mask)


def repeated_argmax(scores: Features, k: int) -> Int[Tensor, "batch channels k"]:
    """Find the largest value, the earliest of equals, and remove it, k times: faster than a sort for a small k."""
    positions = [scores.argmax(-1, keepdim=True)]  # (batch, channels, 1)
    for _ in range(k - 1):
        scores = scores.scatter(-1, positions[-1], -math.inf)  # not in place, for which vmap has no rule
        positions.append(scores.argmax(-1, keepdim=True))
    return torch.cat(positions, dim=-1)


def sorted_positions(scores: Features, k: int) -> Int[Tensor, "batch channels k"]:
    """Positions of the k largest values by a stable sort, whose time hardly depends on k."""
    padded = F.pad(scores, (0, k - 1), value=-math.inf)  # at least k positions, however short the batch is
    return padded.sort(dim=-1, descending=True, stable=True).indices[..., :k]


def values_at(features: Features, positions: Int[Tensor, "batch channels k"]) -> Values:
    """The features at these positions; 0 where the position is `time`, one past the last."""
    time = features.shape[-1]
    return torch.where(positions < time, features.gather(-1, positions.clamp(max=time - 1)), 0.0)


def lower_padding(features: Features, mask: Mask) -> Features:
    """The features with -inf at the padding, where they must be 0.

    An addition, because it is up to 5 times faster than a selection on a CPU and changes no gradient.
    """
    return features + torch.where(mask, 0.0, -math.inf).to(features.dtype)[:, None, :]
