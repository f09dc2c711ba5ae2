"""Strategies in which every real position has its share."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import positive
from textpool.pooling.base import Features, Mask, Pooling, Values


class Avg(Pooling):
    r"""Average over the real positions: how much of the sentence is like the pattern?

    $$ \frac{1}{n} \sum_t x_t $$

    One occurrence fades as 1/n in a long sentence. Not the average over the padded length, which is smaller
    the more a sentence is padded; for that one, set the model's `window_mask=none`.

    Shen et al. 2018, "Baseline Needs More Love" (arXiv 1805.09843): SWEM-aver, over words.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        """Divide the sum by the number of real positions."""
        return features.sum(-1, keepdim=True) / count(mask)


class Sum(Pooling):
    r"""Add up the real positions: how often does the pattern occur?

    $$ \sum_t x_t $$

    Grows with the length of the sentence: what every window adds, pattern or not, is a mistake in a sentence
    longer than those of the training.

    Zaheer et al. 2017, "Deep Sets" (arXiv 1703.06114), theorem 2.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        """The padding is 0 and adds nothing."""
        return features.sum(-1, keepdim=True)


class SqrtSum(Pooling):
    r"""Add up the real positions and divide by the square root of their number: between sum and average.

    $$ \frac{1}{\sqrt{n}} \sum_t x_t $$

    Keeps the variance of the result, not its mean, the same for every length: of independent values.

    Cer et al. 2018, "Universal Sentence Encoder" (arXiv 1803.11175).
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        """Divide the sum by the root of the number of real positions."""
        return features.sum(-1, keepdim=True) / count(mask).to(features.dtype).sqrt()


class Stats(Pooling):
    r"""Keep the mean and the standard deviation.

    $$ \mu = \frac{1}{n} \sum_t x_t, \quad \sigma = \sqrt{\frac{1}{n} \sum_t (x_t - \mu)^2} $$

    The mean of another filter can stand for much of what the deviation says: where a filter is either on or
    off, all that it adds is a curve, sigma = sqrt(mu (1 - mu)).

    Snyder et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition", ICASSP: statistics pooling.
    """

    size = 2

    def pool(self, features: Features, mask: Mask) -> Values:
        """The norm, not the root of a sum: its gradient is 0, not NaN, where all values are equal."""
        n = count(mask)
        mean = features.sum(-1, keepdim=True) / n  # (batch, channels, 1)
        centred = (features - mean).masked_fill(~mask[:, None, :], 0.0)
        deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / n.to(features.dtype).sqrt()
        return torch.cat([mean, deviation], dim=-1)


class LogMeanExp(Pooling):
    r"""A smooth maximum: the average for a small sharpness r, the maximum for a large one.

    $$ \frac{1}{r} \log \frac{1}{n} \sum_t e^{r x_t} $$

    Lies below the maximum by at most log(n)/r: one occurrence fades with the length, but only as its logarithm.

    Pinheiro and Collobert 2015, "From Image-level to Pixel-level Labeling with Convolutional Networks"
    (arXiv 1411.6228).

    Args:
        channels: of the feature map.
        sharpness: r, above 0.
        learned: whether r is learned from there, one for all channels, as its logarithm.
    """

    def __init__(self, channels: int, sharpness: float = 5.0, learned: bool = False) -> None:
        super().__init__(channels)
        start = torch.tensor(math.log(positive("sharpness", sharpness)))
        self.log_sharpness = nn.Parameter(start, requires_grad=learned)

    def pool(self, features: Features, mask: Mask) -> Values:
        """As a sum in which the largest exponent is 0."""
        sharpness = self.log_sharpness.exp()
        return log_mean_exp(sharpness * features, mask) / sharpness


class PowerMean(Pooling):
    r"""The power mean: the average for the exponent 1, the maximum for a large one; generalised mean, GeM.

    $$ \Bigl( \frac{1}{n} \sum_t \max(x_t, \varepsilon)^p \Bigr)^{1/p} $$

    Of values that are not negative, as after a ReLU: those below epsilon, 1e-6, count as epsilon.

    Radenović, Tolias and Chum 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation"
    (arXiv 1711.02512), equation 3.

    Args:
        channels: of the feature map.
        exponent: p, above 0.
        learned: whether p is learned from there, one a channel, as its logarithm.
    """

    def __init__(self, channels: int, exponent: float = 3.0, learned: bool = True) -> None:
        super().__init__(channels)
        start = torch.full((channels, 1), math.log(positive("exponent", exponent)))
        self.log_exponent = nn.Parameter(start, requires_grad=learned)

    def pool(self, features: Features, mask: Mask) -> Values:
        """In logarithms, in which no power is too large."""
        exponent = self.log_exponent.exp()  # (channels, 1)
        return (log_mean_exp(exponent * features.clamp(min=1e-6).log(), mask) / exponent).exp()


class SoftCount(Pooling):
    r"""Count the positions above a threshold: how often does the pattern occur, however strongly?

    $$ \sum_t \sigma(s (x_t - \tau)) $$

    Threshold and steepness are learned, one of each a channel. Not robust to length: what lies below the
    threshold adds a little too, in every window.

    The smooth form of counting x_t > tau; of this project.

    Args:
        channels: of the feature map.
        threshold: tau to start from.
        steepness: s to start from, above 0; learned as its logarithm.
    """

    def __init__(self, channels: int, threshold: float = 0.5, steepness: float = 5.0) -> None:
        super().__init__(channels)
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not math.isfinite(threshold):
            raise ValueError(f"threshold: expected a number, got {threshold!r}")
        self.threshold = nn.Parameter(torch.full((channels, 1), float(threshold)))
        self.log_steepness = nn.Parameter(torch.full((channels, 1), math.log(positive("steepness", steepness))))

    def pool(self, features: Features, mask: Mask) -> Values:
        """The padding is 0, which may be above the threshold: it is left out."""
        above = F.sigmoid(self.log_steepness.exp() * (features - self.threshold))  # (batch, channels, time)
        return above.masked_fill(~mask[:, None, :], 0.0).sum(-1, keepdim=True)


def count(mask: Mask) -> Tensor:
    """The number of real positions, (batch, 1, 1)."""
    return mask.sum(-1)[:, None, None]


def log_mean_exp(values: Features, mask: Mask) -> Values:
    """Logarithm of the mean of the exponentials of the real positions, (batch, channels, 1).

    Of differences from the largest value, so that none is too large, and as -1 of each, so that small ones are exact.
    """
    hidden = ~mask[:, None, :]  # (batch, 1, time)
    largest = values.detach().masked_fill(hidden, -math.inf).amax(-1, keepdim=True)  # (batch, channels, 1)
    below = (values - largest).masked_fill(hidden, 0.0).expm1()  # (batch, channels, time)
    return largest + (below.sum(-1, keepdim=True) / count(mask)).log1p()
