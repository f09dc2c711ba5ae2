"""Averages, sums, smooth maxima and a soft count: strategies to which every real position contributes."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from textpool.checks import number, positive, switch
from textpool.pooling.base import Features, Mask, Pooling, Values, count, mask_out


class Avg(Pooling):
    r"""Average over the real positions: how much of the sentence matches the pattern of the filter?

    $$ \frac{1}{n} \sum_t x_t $$

    The effect of one occurrence shrinks as 1/n with the length n of the sentence. Not the average over the padded
    length, which shrinks with every position of padding; for that one, set the model's `window_mask=none`.

    Shen et al. 2018, "Baseline Needs More Love" (arXiv 1805.09843): SWEM-aver, over words.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        return features.sum(-1, keepdim=True) / count(mask)


class Sum(Pooling):
    r"""Add up the values of the real positions: how often does the pattern of the filter occur?

    $$ \sum_t x_t $$

    It grows with the length of the sentence: windows without the pattern add something too. This fails on sentences
    longer than those of the training split.

    Zaheer et al. 2017, "Deep Sets" (arXiv 1703.06114), theorem 2.
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        return features.sum(-1, keepdim=True)  # the padding is 0


class SqrtSum(Pooling):
    r"""Divide the sum over the real positions by the square root of their number: between sum and average.

    $$ \frac{1}{\sqrt{n}} \sum_t x_t $$

    For independent values of equal variance, the variance of the result is the same for every length n. Its mean is
    not: it is the square root of n times the mean of one value.

    Cer et al. 2018, "Universal Sentence Encoder" (arXiv 1803.11175).
    """

    def pool(self, features: Features, mask: Mask) -> Values:
        return features.sum(-1, keepdim=True) / count(mask).to(features.dtype).sqrt()


class Stats(Pooling):
    r"""Keep the mean and the standard deviation.

    $$ \mu = \frac{1}{n} \sum_t x_t, \quad \sigma = \sqrt{\frac{1}{n} \sum_t (x_t - \mu)^2} $$

    The standard deviation often adds little: if a filter takes only the values 0 and 1, it is a function of the
    mean, sigma = sqrt(mu (1 - mu)), and otherwise the mean of a second filter can give similar information.

    Snyder et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition", ICASSP: statistics pooling.
    """

    size = 2

    def pool(self, features: Features, mask: Mask) -> Values:
        n = count(mask)  # (batch, 1, 1)
        mean = features.sum(-1, keepdim=True) / n  # (batch, channels, 1)
        centred = mask_out(features - mean, mask, 0.0)  # (batch, channels, time)
        # Where all values are equal, the gradient of vector_norm is 0; that of the root of a sum would be NaN.
        deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / n.to(features.dtype).sqrt()
        return torch.cat([mean, deviation], dim=-1)  # (batch, channels, 2)


class LogMeanExp(Pooling):
    r"""Smooth maximum: close to the average for a small sharpness r, close to the maximum for a large one.

    $$ \frac{1}{r} \log \frac{1}{n} \sum_t e^{r x_t} $$

    It is at most log(n)/r below the maximum: the effect of one occurrence shrinks with the length n of the sentence,
    but only with its logarithm.

    Pinheiro and Collobert 2015, "From Image-level to Pixel-level Labeling with Convolutional Networks"
    (arXiv 1411.6228).

    Args:
        channels: number of channels of the feature map.
        sharpness: r at the start of training, above 0.
        learned: whether r is learned, one for all channels. The learned weight is its logarithm.
    """

    def __init__(self, channels: int, sharpness: float = 5.0, learned: bool = False) -> None:
        super().__init__(channels)
        self.sharpness, self.learned = positive("sharpness", sharpness), switch("learned", learned)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(self.sharpness)), requires_grad=learned)

    def pool(self, features: Features, mask: Mask) -> Values:
        sharpness = self.log_sharpness.exp()  # ()
        return log_mean_exp(sharpness * features, mask) / sharpness


class PowerMean(Pooling):
    r"""Power mean (generalised mean, GeM): the average for exponent 1, close to the maximum for a large exponent.

    $$ \Bigl( \frac{1}{n} \sum_t \max(x_t, \varepsilon)^p \Bigr)^{1/p} $$

    It is meant for values that are not negative, as after a ReLU: all values below epsilon = 1e-6 count as epsilon.

    Radenović, Tolias and Chum 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation"
    (arXiv 1711.02512), equation 3.

    Args:
        channels: number of channels of the feature map.
        exponent: p at the start of training, above 0.
        learned: whether p is learned, one per channel. The learned weight is its logarithm.
    """

    def __init__(self, channels: int, exponent: float = 3.0, learned: bool = True) -> None:
        super().__init__(channels)
        self.exponent, self.learned = positive("exponent", exponent), switch("learned", learned)
        start = torch.full((channels, 1), math.log(self.exponent))
        self.log_exponent = nn.Parameter(start, requires_grad=learned)

    def pool(self, features: Features, mask: Mask) -> Values:
        exponent = self.log_exponent.exp()  # (channels, 1)
        # In log space, where no power can overflow.
        return (log_mean_exp(exponent * features.clamp(min=1e-6).log(), mask) / exponent).exp()


class PNorm(Pooling):
    r"""Norm with a learned exponent and a learned normalizer: the sum, the average, the maximum, and what is between.

    $$ \Bigl( n^{-q} \sum_t \max(x_t, \varepsilon)^p \Bigr)^{1/p} $$

    It is the sum for p = 1 and q = 0, the power mean of `PowerMean` for q = 1, the p-norm for q = 0, and close to the
    maximum for a large p. Training learns how the result depends on the length n of the sentence. All values below
    epsilon = 1e-6 count as epsilon. For p far below 1 and q < 1 the result becomes very large, because it grows as the
    power (1 - q) / p of n.

    Ko, Kwon, Shin and Lee 2021, "Learning to Pool in Graph Neural Networks for Extrapolation" (arXiv 2106.06210): GNP,
    a norm with a learned p and a learned power of n. A power n^{-r} outside of the root is the same with q = r p.

    Args:
        channels: number of channels of the feature map.
        exponent: p at the start of training, above 0; one per channel is learned, as its logarithm.
        normalizer: q at the start of training; one per channel is learned. With p = 1 and q = 1/2 it is `SqrtSum`.
    """

    def __init__(self, channels: int, exponent: float = 1.0, normalizer: float = 0.5) -> None:
        super().__init__(channels)
        self.exponent = positive("exponent", exponent)
        self.log_exponent = nn.Parameter(torch.full((channels, 1), math.log(self.exponent)))
        self.normalizer = nn.Parameter(torch.full((channels, 1), number("normalizer", normalizer)))

    def pool(self, features: Features, mask: Mask) -> Values:
        exponent = self.log_exponent.exp()  # (channels, 1)
        mean = log_mean_exp(exponent * features.clamp(min=1e-6).log(), mask)  # (batch, channels, 1)
        length = count(mask).to(features.dtype).log()  # (batch, 1, 1)
        return ((mean + (1 - self.normalizer) * length) / exponent).exp()


class SoftCount(Pooling):
    r"""Count the positions above a threshold: how often does the pattern of the filter occur, at any strength?

    $$ \sum_t \sigma(s (x_t - \tau)) $$

    A smooth version of counting x_t > tau, written for this project and taken from no paper. It is not robust to
    length: positions below the threshold add a little too, so a long sentence has a larger value.

    Args:
        channels: number of channels of the feature map.
        threshold: tau at the start of training; one per channel is learned.
        steepness: s at the start of training, above 0; one per channel is learned, as its logarithm.
    """

    def __init__(self, channels: int, threshold: float = 0.5, steepness: float = 5.0) -> None:
        super().__init__(channels)
        self.steepness = positive("steepness", steepness)
        self.threshold = nn.Parameter(torch.full((channels, 1), number("threshold", threshold)))
        self.log_steepness = nn.Parameter(torch.full((channels, 1), math.log(self.steepness)))

    def pool(self, features: Features, mask: Mask) -> Values:
        above = F.sigmoid(self.log_steepness.exp() * (features - self.threshold))  # (batch, channels, time)
        return mask_out(above, mask, 0.0).sum(-1, keepdim=True)  # the sigmoid is not 0 at the padding


def log_mean_exp(values: Features, mask: Mask) -> Values:
    """Logarithm of the mean of the exponentials over the real positions, (batch, channels, 1).

    Shifted by the maximum so that exp cannot overflow (log-sum-exp trick). expm1 and log1p stay exact for small
    differences.
    """
    maximum = mask_out(values.detach(), mask, -math.inf).amax(-1, keepdim=True)  # (batch, channels, 1)
    shifted = mask_out(values - maximum, mask, 0.0).expm1()  # (batch, channels, time)
    return maximum + (shifted.sum(-1, keepdim=True) / count(mask)).log1p()
