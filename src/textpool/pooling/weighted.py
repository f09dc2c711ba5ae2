"""Weighted averages over the positions, with learned weights that add up to 1."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from textpool.checks import integer
from textpool.pooling.base import Features, Mask, Pooling, Values, mask_out


class Softmax(Pooling):
    r"""Weight each position by the softmax of its own value, with a learned sharpness alpha per channel.

    $$ \sum_t w_t x_t, \quad w_t = \frac{e^{\alpha x_t}}{\sum_u e^{\alpha x_u}} $$

    It is the average for alpha = 0, close to the maximum for a large alpha, and close to the minimum for a very
    negative alpha. Training starts at alpha = 1.

    McFee, Salamon and Bello 2018, "Adaptive Pooling Operators for Weakly Labeled Sound Event Detection"
    (arXiv 1804.10070): AutoPool.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.sharpness = nn.Parameter(torch.ones(channels, 1))

    def pool(self, features: Features, mask: Mask) -> Values:
        weights = masked_softmax(self.sharpness * features, mask)  # (batch, channels, time)
        return (weights * features).sum(-1, keepdim=True)


class Attention(Pooling):
    r"""Weight each position by the softmax of a learned score that is linear in all channels; k heads.

    $$ \sum_t w_t x_t, \quad w = \operatorname{softmax}_t(v^\top x_t) $$

    Here x_t is the vector of all channels at position t, and all channels have the same weights. Each head has its
    own v and gives one value per channel. The result is an average: it can find the pattern in a long sentence, but
    it cannot count how often the pattern occurs.

    Lin et al. 2017, "A Structured Self-Attentive Sentence Embedding" (arXiv 1703.03130), equation 6 without its
    hidden layer, whose role the convolution has here.
    """

    def __init__(self, channels: int, k: int = 1) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.score = nn.Linear(channels, k, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        scores = self.score(features.transpose(1, 2)).transpose(1, 2)  # (batch, k, time)
        return features @ masked_softmax(scores, mask).transpose(1, 2)  # (batch, channels, k)


class GatedAttention(Pooling):
    r"""Attention whose score has a gated hidden layer: the importance of one feature can depend on another feature.

    $$ \sum_t w_t x_t, \quad w = \operatorname{softmax}_t(v^\top (\tanh(V x_t + b) \odot \sigma(U x_t + c))) $$

    Ilse, Tomczak and Welling 2018, "Attention-based Deep Multiple Instance Learning" (arXiv 1802.04712),
    equation 9, with additional biases b and c.

    Args:
        channels: number of channels of the feature map.
        k: number of heads, which share the hidden layer.
        hidden: number of units of the hidden layer.
    """

    def __init__(self, channels: int, k: int = 1, hidden: int = 16) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.hidden = integer("hidden", hidden, least=1)
        self.content = nn.Linear(channels, hidden)
        self.gate = nn.Linear(channels, hidden)
        self.score = nn.Linear(hidden, k, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        positions = features.transpose(1, 2)  # (batch, time, channels)
        hidden = self.content(positions).tanh() * self.gate(positions).sigmoid()  # (batch, time, hidden)
        scores = self.score(hidden).transpose(1, 2)  # (batch, k, time)
        return features @ masked_softmax(scores, mask).transpose(1, 2)  # (batch, channels, k)


def masked_softmax(scores: Float[Tensor, "batch any time"], mask: Mask) -> Float[Tensor, "batch any time"]:
    """Softmax over the real positions; 0 at the padding."""
    return mask_out(scores, mask, -math.inf).softmax(-1)
