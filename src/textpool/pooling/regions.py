"""Strategies that divide the sentence into chunks or regions and summarise each.

A chunk is one of k equal shares of the real positions; a region is a fixed number r of consecutive positions.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values, mask_out

Lengths = Int[Tensor, "batch 1"]  # number of real positions of each sentence
Bounds = Int[Tensor, "batch size"]  # starts or ends of `size` slices of each sentence


class ChunkMax(Pooling):
    r"""Keep the largest value of each of k equal chunks of the sentence: where does the pattern occur?

    $$ \max_{t \in C_i} x_t, \quad C_i = \{t : \lfloor in/k \rfloor \le t < \lceil (i+1)n/k \rceil\},
    \quad i = 0, \dots, k-1 $$

    Not k-max: two peaks in one chunk give one value. The chunks are those of `torch.nn.AdaptiveMaxPool1d(k)` on the
    real positions; if k does not divide n, neighbouring chunks can share a position. The exception is a sentence of
    n < k positions: it gives its n values, then zeros, where AdaptiveMaxPool1d repeats values.

    Johnson and Zhang 2015, "Effective Use of Word Order for Text Categorization with Convolutional Neural
    Networks" (arXiv 1412.1058): several pooling units per sentence.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        return chunk_maxima(*left_align(features, mask), self.k)


class ChunkAvg(Pooling):
    r"""Average each of k equal chunks of the sentence: how does the frequency of the pattern change?

    $$ \frac{1}{|C_i|} \sum_{t \in C_i} x_t, \quad i = 0, \dots, k-1 $$

    with the chunks C_i of `ChunkMax`. The effect of one occurrence shrinks less than in the average over the whole
    sentence: a chunk has about n/k positions, not n.

    Johnson and Zhang 2015, "Effective Use of Word Order for Text Categorization with Convolutional Neural
    Networks" (arXiv 1412.1058): average pooling over several units.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        aligned, n = left_align(features, mask)
        return slice_averages(aligned, *chunk_bounds(n, self.k))


class LocalMax(Pooling):
    r"""Keep the largest value of each region of r positions: the sentence at a lower resolution in time.

    $$ \max_{ir \le t < (i+1)r} x_t, \quad i = 0, \dots, k-1 $$

    In Zhang and Wallace 2015 (arXiv 1510.03820), section 4.5, every feature map has the length T of the longest
    sentence, and the number of regions is the ceiling of T/r. Here the number k is a setting, so that T need not be
    known: the last region extends to the end of the sentence, and a region after the end gives 0. If k r is at least
    the length of every sentence, the regions are those of the paper without their padding.

    Not `ChunkMax`: the length of a region does not depend on the length of the sentence.

    Args:
        channels: number of channels of the feature map.
        k: number of regions.
        region: r, the number of positions per region; 3, 10, 20 and 30 in the paper.
    """

    def __init__(self, channels: int, k: int = 3, region: int = 10) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.region = integer("region", region, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        aligned, n = left_align(features, mask)
        start, end = region_bounds(n, self.k, self.region)  # (batch, k)
        # The last region can be as long as the sentence. All others are short, which saves memory in slice_maxima.
        longest: int = torch.sym_min(self.region, aligned.shape[-1])  # pyright: ignore[reportAssignmentType]
        regular = slice_maxima(aligned, start[:, :-1], end[:, :-1], longest)  # (batch, channels, k - 1)
        return torch.cat([regular, slice_maxima(aligned, start[:, -1:], end[:, -1:], aligned.shape[-1])], dim=-1)


class LocalAvg(Pooling):
    r"""Average each region of r positions.

    $$ \frac{1}{|R_i|} \sum_{t \in R_i} x_t, \quad i = 0, \dots, k-1 $$

    with the regions R_i of `LocalMax`, over the real positions in them; 0 for a region after the end.

    Zhang and Wallace 2015 (arXiv 1510.03820), section 4.5, who also average over the padding.

    Args:
        channels: number of channels of the feature map.
        k: number of regions.
        region: r, the number of positions per region; 3, 10, 20 and 30 in the paper.
    """

    def __init__(self, channels: int, k: int = 3, region: int = 10) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.region = integer("region", region, least=1)
        self.ordered = k > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        aligned, n = left_align(features, mask)
        return slice_averages(aligned, *region_bounds(n, self.k, self.region))


class Pyramid(Pooling):
    r"""Keep the largest values of the whole sentence, of its halves and of its quarters.

    $$ \max_{t \in C^l_i} x_t, \quad l = 1, 2, 4, \quad i = 0, \dots, l - 1 $$

    with the chunks of `ChunkMax`, C^l_i being chunk i of l. It says whether and where the pattern occurs; with the
    default levels, the linear layer has 7 times as many weights as with `Max`.

    He et al. 2014, "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition"
    (arXiv 1406.4729).

    Args:
        channels: number of channels of the feature map.
        levels: number of chunks on each level.
    """

    def __init__(self, channels: int, levels: Sequence[int] = (1, 2, 4)) -> None:
        super().__init__(channels)
        if not isinstance(levels, Sequence) or isinstance(levels, str) or not levels:
            raise ValueError(f"levels: expected at least one number of chunks, such as [1,2,4], got {levels!r}")
        self.levels = [integer("levels", level, least=1) for level in levels]
        self.size = sum(self.levels)
        self.ordered = max(self.levels) > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        aligned, n = left_align(features, mask)
        return torch.cat([chunk_maxima(aligned, n, level) for level in self.levels], dim=-1)


class Hierarchical(Pooling):
    r"""Average every region of r positions, then keep the largest average: is the pattern frequent anywhere?

    $$ \max_s \frac{1}{r} \sum_{t = s}^{s + r - 1} x_t $$

    The regions overlap: one starts at every position s. It depends on which values stand within r positions of each
    other, but not on where in the sentence they stand. A sentence of n < r positions gives its average.

    Shen et al. 2018, "Baseline Needs More Love" (arXiv 1805.09843): SWEM-hier, over words.

    Args:
        channels: number of channels of the feature map.
        region: r, the number of positions per region; 5 in the paper.
    """

    def __init__(self, channels: int, region: int = 5) -> None:
        super().__init__(channels)
        self.region = integer("region", region, least=1)
        self.ordered = region > 1

    def pool(self, features: Features, mask: Mask) -> Values:
        aligned, n = left_align(features, mask)
        sums = F.pad(aligned, (0, self.region - 1)).unfold(-1, self.region, 1).sum(-1)  # (batch, channels, time)
        averages = sums / n.clamp(max=self.region)[:, None, :]  # (batch, channels, time)
        start = torch.arange(mask.shape[-1], device=mask.device)  # (time,)
        inside = start <= (n - self.region).clamp(min=0)  # (batch, time), regions that end within the sentence
        return mask_out(averages, inside, -math.inf).max(-1, keepdim=True).values


def left_align(features: Features, mask: Mask) -> tuple[Features, Lengths]:
    """Features with the real positions first, in their order, and the number of real positions."""
    real_first = torch.sort((~mask).to(torch.uint8), dim=-1, stable=True).indices  # (batch, time)
    return features.gather(-1, real_first[:, None, :].expand_as(features)), mask.sum(-1, keepdim=True)


def chunk_bounds(n: Lengths, k: int) -> tuple[Bounds, Bounds]:
    """Starts and ends of k equal chunks of n positions; if n < k, the last k - n chunks are empty."""
    chunk = torch.arange(k, device=n.device)  # (k,)
    n_chunks = n.clamp(max=k)  # (batch, 1)
    start, end = chunk * n // n_chunks, ((chunk + 1) * n + n_chunks - 1) // n_chunks  # (batch, k)
    return start, torch.where(chunk < n_chunks, end, start)


def region_bounds(n: Lengths, k: int, region: int) -> tuple[Bounds, Bounds]:
    """Starts and ends of k regions of equal length; the last region extends to the end of the n positions."""
    number = torch.arange(k, device=n.device)  # (k,)
    start = (number * region).minimum(n)  # (batch, k)
    return start, torch.where(number < k - 1, (start + region).minimum(n), n)


def slice_maxima(features: Features, start: Bounds, end: Bounds, longest: int) -> Values:
    """The largest value of each slice from `start` to before `end`; 0 for an empty slice.

    Args:
        features: (batch, channels, time).
        start: (batch, size), the first position of each slice.
        end: (batch, size), one past the last position of each slice.
        longest: an upper bound of the lengths of all slices.
    """
    position = start[..., None] + torch.arange(longest, device=start.device)  # (batch, size, longest)
    inside = (position < end[..., None])[:, None]  # (batch, 1, size, longest)
    index = position.clamp(max=features.shape[-1] - 1)[:, None].expand(-1, features.shape[1], -1, -1)
    rows = features[:, :, None, :].expand(-1, -1, position.shape[1], -1)  # (batch, channels, size, time), no copy
    values = rows.gather(-1, index)  # (batch, channels, size, longest)
    return values.masked_fill(~inside, -math.inf).max(-1).values.masked_fill(~inside.any(-1), 0.0)


def slice_averages(features: Features, start: Bounds, end: Bounds) -> Values:
    """The average of each slice from `start` to before `end`; 0 for an empty slice."""
    position = torch.arange(features.shape[-1], device=start.device)  # (time,)
    inside = (position >= start[..., None]) & (position < end[..., None])  # (batch, size, time)
    sums = features @ inside.to(features.dtype).transpose(1, 2)  # (batch, channels, size)
    return sums / (end - start).clamp(min=1)[:, None, :]


def chunk_maxima(features: Features, n: Lengths, k: int) -> Values:
    """The largest value of each of k equal chunks of the first n positions."""
    # A chunk has at most ceil(n / k) + 1 positions. The export of torch 2.8 has to be told that this is at least 1.
    longest: int = torch.sym_max(1, features.shape[-1] // k + 2)  # pyright: ignore[reportAssignmentType]
    return slice_maxima(features, *chunk_bounds(n, k), longest)
