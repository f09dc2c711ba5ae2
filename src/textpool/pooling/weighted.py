"""Weighted averages over the positions, with weights that add up to 1."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import integer, one_of
from textpool.pooling.base import Features, Mask, Pooling, Values, mask_out
from textpool.pooling.extremes import Max
from textpool.pooling.means import Avg

QUERIES = {"max": Max, "mean": Avg}
FIXED_POINT = 2**40  # the integer for 1; the sum of 2**23 such integers does not overflow


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


class LinearSoftmax(Pooling):
    r"""Weight each position by its own value.

    $$ \sum_t w_t x_t = \frac{\sum_t x_t^2}{\sum_t x_t}, \quad w_t = \frac{x_t}{\sum_u x_u} $$

    It is meant for values that are not negative, as after a ReLU: negative values count as 0, and if all values are 0,
    the result is 0. A value of 0 has no weight, so that, unlike the average, the result does not shrink with the number
    of positions without the pattern. It cannot count: two equal occurrences give the same value as one.

    Wang, Li and Metze 2019, "A Comparison of Five Multiple Instance Learning Pooling Functions for Sound Event
    Detection with Weak Labeling" (arXiv 1810.09050): linear softmax, for probabilities.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        positive = features.clamp(min=0)  # (batch, channels, time)
        total = positive.sum(-1, keepdim=True)  # (batch, channels, 1)
        weights = positive / total.clamp(min=torch.finfo(total.dtype).tiny)  # (batch, channels, time)
        return (weights * positive).sum(-1, keepdim=True)


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
        scores = self.score(features.transpose(1, 2))  # (batch, time, k)
        return weighted_average(features, masked_softmax(scores.transpose(1, 2), mask))


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
        scores = self.score(hidden)  # (batch, time, k)
        return weighted_average(features, masked_softmax(scores.transpose(1, 2), mask))


class SparseAttention(Pooling):
    r"""Attention that ignores positions: the weights of low scores are exactly 0; k heads.

    $$ \sum_t w_t x_t, \quad w = \operatorname{argmin}_{w \in \Delta} \lVert w - s \rVert^2, \quad s_t = v^\top x_t $$

    Delta is the set of all weights that are not negative and add up to 1. A position whose score is at least 1 below
    the largest score has the weight 0. Such a position has no part in the result, nor in the gradient. Not
    `Attention`, whose weights are all above 0.

    Martins and Astudillo 2016, "From Softmax to Sparsemax" (arXiv 1602.02068), equation 2.
    """

    def __init__(self, channels: int, k: int = 1) -> None:
        super().__init__(channels)
        self.k = self.size = integer("k", k, least=1)
        self.score = nn.Linear(channels, k, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        scores = self.score(features.transpose(1, 2))  # (batch, time, k)
        return weighted_average(features, masked_sparsemax(scores.transpose(1, 2), mask))


class QueryAttention(Pooling):
    r"""Attention whose query is the sentence itself: which positions are similar to its maximum, or its average?

    $$ \sum_t w_t x_t, \quad w = \operatorname{softmax}_t(q^\top x_t / \sqrt{c}), \quad q = W \max_u x_u $$

    Here x_t is the vector of all c channels at position t, the maximum is that of each channel, and all channels have
    the same weights. Not `Attention`, whose query v is the same for all sentences.

    Maini et al. 2020, "Why and When Should You Pool? Analyzing Pooling in Recurrent Architectures" (arXiv 2005.00159):
    max-attention, for the states of an LSTM. There q is the maximum itself, without W, and each x_t in the score is
    divided by its norm instead of the square root of c.

    Args:
        channels: number of channels of the feature map.
        query: `max` or `mean`, what the learned W maps to the query.
    """

    def __init__(self, channels: int, query: str = "max") -> None:
        super().__init__(channels)
        self.query = one_of("query", query, QUERIES)
        self.summary = QUERIES[self.query](channels)
        self.projection = nn.Linear(channels, channels, bias=False)

    def pool(self, features: Features, mask: Mask) -> Values:
        query = self.projection(self.summary(features, mask).transpose(1, 2))  # (batch, 1, channels)
        scores = query @ features / math.sqrt(self.channels)  # (batch, 1, time)
        return weighted_average(features, masked_softmax(scores, mask))


def weighted_average(features: Features, weights: Float[Tensor, "batch size time"]) -> Values:
    """The features averaged over time with each set of weights, which all channels share."""
    return features @ weights.transpose(1, 2)  # (batch, channels, size)


def masked_softmax(scores: Float[Tensor, "batch any time"], mask: Mask) -> Float[Tensor, "batch any time"]:
    """Softmax over the real positions; 0 at the padding."""
    return mask_out(scores, mask, -math.inf).softmax(-1)


def masked_sparsemax(scores: Float[Tensor, "batch any time"], mask: Mask) -> Float[Tensor, "batch any time"]:
    """Sparsemax over the real positions; 0 at the padding.

    Algorithm 1 of Martins and Astudillo 2016. Its sort and its sums only find the positions with a weight above 0, in
    integers, because a cumulative sum of floating-point numbers is not deterministic on a GPU.
    """
    largest = mask_out(scores.detach(), mask, -math.inf).amax(-1, keepdim=True)  # (batch, any, 1)
    # A score of 1 below the largest has the weight 0 already, so the limit of -1 changes no weight.
    shifted = mask_out(scores - largest, mask, -1.0).clamp(min=-1.0)  # (batch, any, time)
    fixed = (shifted.detach() * FIXED_POINT).long()  # (batch, any, time)
    descending = fixed.sort(dim=-1, descending=True).values  # (batch, any, time)
    rank = torch.arange(1, scores.shape[-1] + 1, device=scores.device)  # (time,)
    n_chosen = (FIXED_POINT + rank * descending > descending.cumsum(-1)).sum(-1, keepdim=True)  # (batch, any, 1)
    chosen = fixed >= descending.gather(-1, n_chosen - 1)  # (batch, any, time), the positions with a weight above 0
    threshold = (torch.where(chosen, shifted, 0.0).sum(-1, keepdim=True) - 1) / chosen.sum(-1, keepdim=True)
    return mask_out(F.relu(shifted - threshold), mask, 0.0)
