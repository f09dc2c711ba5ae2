"""Strategies that cut the sentence in regions and summarise each."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from textpool.checks import whole_number
from textpool.pooling.base import Pooling


class ChunkMax(Pooling):
    r"""Keep the largest value of each of k equal parts of the sentence: where does the pattern occur?

    $$ \max_{\lfloor in/k \rfloor \le t < \lceil (i+1)n/k \rceil} x_t, \quad i = 0, \dots, k-1 $$

    Not k-max: two peaks in one part give one value. The parts are those of `torch.nn.AdaptiveMaxPool1d(k)` on
    the real positions alone (neighbours share a position where k does not divide n), but for a sentence of
    n < k positions, which gives its n values, then zeros, where AdaptiveMaxPool1d repeats values.

    Johnson and Zhang 2015, "Effective Use of Word Order for Text Categorization with Convolutional Neural
    Networks": several pooling units per sentence.
    """

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)
        self.size = whole_number("k", k, least=1)
        self.ordered = k > 1

    def pool(
        self, features: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels size"]:
        """Take the maximum of each part, of all parts at once."""
        member = parts(mask, self.size)[:, None]  # (batch, 1, size, time)
        values = features[:, :, None, :].masked_fill(~member, -math.inf).max(-1).values  # (batch, channels, size)
        return values.masked_fill(~member.any(-1), 0.0)


def parts(mask: Bool[Tensor, "batch time"], k: int) -> Bool[Tensor, "batch k time"]:
    """Which real positions belong to which of k equal parts; the last k - n parts are empty where n < k."""
    count = mask.sum(-1)[:, None, None]  # (batch, 1, 1)
    position = (mask.cumsum(-1) - 1)[:, None, :]  # (batch, 1, time), counted over real positions only
    part = torch.arange(k, device=mask.device)[None, :, None]  # (1, k, 1)
    n_parts = count.clamp(min=1, max=k)
    start = part * count // n_parts
    end = ((part + 1) * count + n_parts - 1) // n_parts
    return mask[:, None, :] & (position >= start) & (position < end) & (part < n_parts)
