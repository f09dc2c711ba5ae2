"""Strategies that cut the sentence in regions and summarise each."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values


class ChunkMax(Pooling):
    r"""Keep the largest value of each of k equal parts of the sentence: where does the pattern occur?

    $$ \max_{\lfloor in/k \rfloor \le t < \lceil (i+1)n/k \rceil} x_t, \quad i = 0, \dots, k-1 $$

    Not k-max: two peaks in one part give one value. The parts are those of `torch.nn.AdaptiveMaxPool1d(k)` on
    the real positions alone (neighbours share a position where k does not divide n), but for a sentence of
    n < k positions, which gives its n values, then zeros, where AdaptiveMaxPool1d repeats values.

    Johnson and Zhang 2015, "Effective Use of Word Order for Text Categorization with Convolutional Neural
    Networks" (arXiv 1412.1058): several pooling units per sentence.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Take the maximum of each part, of all parts at once."""
        return part_maxima(*left_align(features, mask), self.size)


class ChunkAvg(Pooling):
    r"""Average each of k equal parts of the sentence: how does the share of the pattern change?

    $$ \frac{1}{|P_i|} \sum_{t \in P_i} x_t, \quad i = 0, \dots, k-1 $$

    with the parts P_i of `ChunkMax`. Fades less than the average over all: one occurrence is 1 of n/k.

    Johnson and Zhang 2015, "Effective Use of Word Order for Text Categorization with Convolutional Neural
    Networks" (arXiv 1412.1058): average pooling over several units.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Average each part, all parts at once."""
        close, n = left_align(features, mask)
        return averages(close, *parts(n, self.size))


class LocalMax(Pooling):
    r"""Keep the largest value of each region of r positions: the sentence with its time axis made coarser.

    $$ \max_{ir \le t < (i+1)r} x_t, \quad i = 0, \dots, k-1 $$

    In Zhang and Wallace 2015 (arXiv 1510.03820), section 4.5, all maps are as long as the longest sentence, T, and
    the number of regions is the ceiling of T/r. Here the number k is given, so that it need not be known how long
    sentences will be: the last region has all that is left, and a region behind the end of a sentence gives 0. With
    k regions of r at least as long as every sentence these are their regions, without what their padding adds.

    Not `ChunkMax`: a region is as long in a short sentence as in a long one.

    Args:
        channels: of the feature map.
        k: number of regions.
        region: r, positions in a region; 3, 10, 20 and 30 in the paper.
    """

    def __init__(self, channels: int, k: int = 3, region: int = 10) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.region = integer("region", region, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Take the maximum of each region: the last one, which may be longer, apart."""
        close, n = left_align(features, mask)
        start, end = regions(n, self.size, self.region)  # (batch, size)
        longest: int = torch.sym_min(self.region, close.shape[-1])  # pyright: ignore[reportAssignmentType]
        regular = maxima(close, start[:, :-1], end[:, :-1], longest)
        return torch.cat([regular, maxima(close, start[:, -1:], end[:, -1:], close.shape[-1])], dim=-1)


class LocalAvg(Pooling):
    r"""Average each region of r positions.

    $$ \frac{1}{|R_i|} \sum_{t \in R_i} x_t, \quad i = 0, \dots, k-1 $$

    with the regions R_i of `LocalMax`, over the real positions in them; 0 for a region behind the end.

    Zhang and Wallace 2015 (arXiv 1510.03820), section 4.5, who average over the padding too.

    Args:
        channels: of the feature map.
        k: number of regions.
        region: r, positions in a region; 3, 10, 20 and 30 in the paper.
    """

    def __init__(self, channels: int, k: int = 3, region: int = 10) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.region = integer("region", region, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Average each region, all at once."""
        close, n = left_align(features, mask)
        return averages(close, *regions(n, self.size, self.region))


class Pyramid(Pooling):
    r"""Keep the largest value of the whole sentence, of its halves, of its quarters.

    $$ \max_{t \in P^l_i} x_t, \quad l = 1, 2, 4, \quad i = 0, \dots, l - 1 $$

    with the parts of `ChunkMax`, P^l_i being part i of l. Whether and where, at 7 times the weights of `Max`.

    He et al. 2014, "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition"
    (arXiv 1406.4729).

    Args:
        channels: of the feature map.
        levels: number of parts on each level.
    """

    def __init__(self, channels: int, levels: Sequence[int] = (1, 2, 4)) -> None:
        super().__init__(channels)
        if not isinstance(levels, Sequence) or isinstance(levels, str) or not levels:
            raise ValueError(f"levels: expected at least one number of parts, such as [1,2,4], got {levels!r}")
        self.levels = [integer("levels", level, least=1) for level in levels]
        self.size = sum(self.levels)
        self.ordered = max(self.levels) > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Take the maxima level by level."""
        close, n = left_align(features, mask)
        return torch.cat([part_maxima(close, n, level) for level in self.levels], dim=-1)


class Hierarchical(Pooling):
    r"""Average over every stretch of r positions, then keep the largest average: is there a dense passage?

    $$ \max_s \frac{1}{r} \sum_{t = s}^{s + r - 1} x_t $$

    Sees what stands within r positions, not the order of the sentence. A sentence of n < r positions gives the
    average over all of them.

    Shen et al. 2018, "Baseline Needs More Love" (arXiv 1805.09843): SWEM-hier, over words.

    Args:
        channels: of the feature map.
        region: r, positions in a stretch; 5 in the paper.
    """

    def __init__(self, channels: int, region: int = 5) -> None:
        super().__init__(channels)
        self.region = integer("region", region, least=1)
        self.ordered = region > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        """Slide over the real positions."""
        close, n = left_align(features, mask)
        sums = F.pad(close, (0, self.region - 1)).unfold(-1, self.region, 1).sum(-1)  # (batch, channels, time)
        means = sums / n.clamp(max=self.region)[:, None, :]
        start = torch.arange(mask.shape[-1], device=mask.device)
        whole = start <= (n - self.region).clamp(min=0)  # (batch, time), stretches that end within the sentence
        return means.masked_fill(~whole[:, None, :], -math.inf).max(-1, keepdim=True).values


def left_align(features: Features, mask: Mask) -> tuple[Features, Tensor]:
    """Features with the real positions in front, in their order, and how many there are, (batch, 1)."""
    real_first = torch.sort((~mask).to(torch.uint8), dim=-1, stable=True).indices  # (batch, time)
    return features.gather(-1, real_first[:, None, :].expand_as(features)), mask.sum(-1, keepdim=True)


def parts(n: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Starts and ends of k equal parts of n positions, (batch, k); the last k - n parts are empty where n < k."""
    part = torch.arange(k, device=n.device)  # (k,)
    n_parts = n.clamp(max=k)  # (batch, 1)
    start, end = part * n // n_parts, ((part + 1) * n + n_parts - 1) // n_parts
    return start, torch.where(part < n_parts, end, start)


def regions(n: Tensor, k: int, region: int) -> tuple[Tensor, Tensor]:
    """Starts and ends of k regions of equal length, (batch, k); the last has all that is left of n positions."""
    number = torch.arange(k, device=n.device)  # (k,)
    start = (number * region).minimum(n)
    return start, torch.where(number < k - 1, (start + region).minimum(n), n)


def maxima(features: Features, start: Tensor, end: Tensor, longest: int) -> Values:
    """The largest value of each region (batch, size) of at most `longest` positions; 0 for one without any."""
    at = start[..., None] + torch.arange(longest, device=start.device)  # (batch, size, longest)
    inside = (at < end[..., None])[:, None]  # (batch, 1, size, longest)
    where = at.clamp(max=features.shape[-1] - 1)[:, None].expand(-1, features.shape[1], -1, -1)
    rows = features[:, :, None, :].expand(-1, -1, at.shape[1], -1)  # (batch, channels, size, time), no copy
    values = rows.gather(-1, where)  # (batch, channels, size, longest)
    return values.masked_fill(~inside, -math.inf).max(-1).values.masked_fill(~inside.any(-1), 0.0)


def part_maxima(features: Features, n: Tensor, k: int) -> Values:
    """The largest value of each of k equal parts of the first n positions."""
    return maxima(features, *parts(n, k), longest=features.shape[-1] // k + 2)  # neighbours share a position


def averages(features: Features, start: Tensor, end: Tensor) -> Values:
    """The average of each region (batch, size); 0 for one without a position."""
    position = torch.arange(features.shape[-1], device=start.device)  # (time,)
    inside = (position >= start[..., None]) & (position < end[..., None])  # (batch, size, time)
    sums = features @ inside.to(features.dtype).transpose(1, 2)  # (batch, channels, size)
    return sums / (end - start).clamp(min=1)[:, None, :]
