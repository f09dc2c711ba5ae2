"""Strategies that weigh the positions: the weights are learned, and add up to 1."""

import math

import torch
from torch import Tensor, nn

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values


class Softmax(Pooling):
    r"""Weigh each position by the softmax of its own value, with a sharpness alpha that each channel learns.

    $$ \sum_t w_t x_t, \quad w_t = \frac{e^{\alpha x_t}}{\sum_u e^{\alpha x_u}} $$

    The average for alpha = 0, the maximum for a large alpha, the minimum for a very negative one. Starts at 1.

    McFee, Salamon and Bello 2018, "Adaptive Pooling Operators for Weakly Labeled Sound Event Detection"
    (arXiv 1804.10070): AutoPool.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.sharpness = nn.Parameter(torch.ones(channels, 1))

    def pool(self, features: Features, mask: Mask) -> Values:
        """Channels weigh apart from each other."""
        weights = masked_softmax(self.sharpness * features, mask)  # (batch, channels, time)
        return (weights * features).sum(-1, keepdim=True)


class Attention(Pooling):
    r"""Weigh each position by the softmax of a score that is learned, linear in all channels; k heads.

    $$ \sum_t w_t x_t, \quad w = \operatorname{softmax}_t(v^\top x_t) $$

    Here x_t are all channels at a position, and all are weighed alike. A weighted average: it finds the
    pattern in a long sentence, but cannot count it.

    Lin et al. 2017, "A Structured Self-Attentive Sentence Embedding" (arXiv 1703.03130), equation 6 without its
    hidden layer, which the convolution takes the place of. Several heads: k.
    """

    def __init__(self, channels: int, k: int = 1) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        self.score = nn.Linear(channels, k, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        """Score, then weigh."""
        scores = self.score(features.transpose(1, 2)).transpose(1, 2)  # (batch, size, time)
        return features @ masked_softmax(scores, mask).transpose(1, 2)  # (batch, channels, size)


class GatedAttention(Pooling):
    r"""Attention whose score has a hidden layer with a gate: what one feature is worth may hang on another.

    $$ \sum_t w_t x_t, \quad w = \operatorname{softmax}_t(v^\top (\tanh(V x_t + b) \odot \sigma(U x_t + c))) $$

    Ilse, Tomczak and Welling 2018, "Attention-based Deep Multiple Instance Learning" (arXiv 1802.04712),
    equation 9, with biases b and c.

    Args:
        channels: of the feature map.
        k: heads.
        hidden: width of the hidden layer.
    """

    def __init__(self, channels: int, k: int = 1, hidden: int = 16) -> None:
        super().__init__(channels)
        self.size = integer("k", k, least=1)
        integer("hidden", hidden, least=1)
        self.content = nn.Linear(channels, hidden)
        self.gate = nn.Linear(channels, hidden)
        self.score = nn.Linear(hidden, k, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        """Score, then weigh."""
        positions = features.transpose(1, 2)  # (batch, time, channels)
        hidden = self.content(positions).tanh() * self.gate(positions).sigmoid()  # (batch, time, hidden)
        scores = self.score(hidden).transpose(1, 2)  # (batch, size, time)
        return features @ masked_softmax(scores, mask).transpose(1, 2)  # (batch, channels, size)


def masked_softmax(scores: Tensor, mask: Mask) -> Tensor:
    """Softmax over the real positions of scores (batch, any, time); 0 at the others."""
    return scores.masked_fill(~mask[:, None, :], -math.inf).softmax(-1)
