"""The dynamic convolutional neural network of Kalchbrenner et al. 2014, with any pooling at its top."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import fraction, integer
from textpool.model.textcnn import PADDING_INDEX, build_embedding, build_poolings, touching_windows
from textpool.pooling import Pooling
from textpool.pooling.extremes import ranking


class Dcnn(nn.Module):
    r"""Layers of wide convolution, folding and dynamic k-max pooling, a pooling at the top, linear layer.

    A convolution has filters of their own for each row, that is, for each dimension of the embedding, and reads all
    windows with at least one real token. Folding adds pairs of rows, so that each layer halves their number. Dynamic
    k-max pooling keeps

    $$ k_l = \max(k_{top}, \lceil \tfrac{L - l}{L} s \rceil) $$

    values after layer l of L for a sentence of s tokens, in their order. Bias and tanh follow the pooling. After the
    last layer the pooling of the configuration takes the place of the k-max pooling: with `KMax` and k = k_top it is
    the network of the paper.

    Everything is computed for each sentence alone: its logits do not depend on the rest of the batch.

    Kalchbrenner, Grefenstette and Blunsom 2014, "A Convolutional Neural Network for Modelling Sentences"
    (arXiv 1404.2188), section 3.

    Args:
        vocab_size: number of tokens in the vocabulary, of which token 0 is the padding.
        n_classes: number of classes.
        pooling: function from a number of channels to a pooling; called once.
        embedding_dim: number of rows, divisible by two as often as there are layers.
        kernel_sizes: sizes of the convolution kernels, in tokens, one for each layer.
        n_maps: number of feature maps of each layer.
        k_top: the smallest number of values that a layer keeps.
        dropout: fraction of the pooled values that are set to 0 in training.

    Raises:
        ValueError: if an argument is not allowed. The message names it, what is allowed and what was passed.
    """

    def __init__(
        self,
        vocab_size: int,
        n_classes: int,
        pooling: Callable[[int], Pooling],
        embedding_dim: int = 48,
        kernel_sizes: Sequence[int] = (7, 5),
        n_maps: Sequence[int] = (6, 14),
        k_top: int = 4,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding = build_embedding(vocab_size, n_classes, embedding_dim)
        for name, sizes in (("kernel_sizes", kernel_sizes), ("n_maps", n_maps)):
            if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not sizes:
                raise ValueError(f"{name}: expected one integer for each layer, such as [7,5], got {sizes!r}")
            for size in sizes:
                integer(name, size, least=1)
        if len(kernel_sizes) != len(n_maps):
            raise ValueError(f"n_maps: expected one number for each of {len(kernel_sizes)} layers, got {len(n_maps)}")
        if embedding_dim % 2 ** len(n_maps):
            raise ValueError(
                f"embedding_dim: expected a multiple of {2 ** len(n_maps)}, because each of {len(n_maps)} layers adds "
                f"pairs of rows, got {embedding_dim}"
            )
        self.k_top = integer("k_top", k_top, least=1)
        rows, maps = embedding_dim, 1
        layers, biases = [], []
        for kernel_size, more in zip(kernel_sizes, n_maps, strict=True):
            layers.append(WideConvolution(rows, maps, more, kernel_size))
            rows, maps = rows // 2, more
            biases.append(nn.Parameter(torch.zeros(rows * maps)))
        self.layers, self.biases = nn.ModuleList(layers), nn.ParameterList(biases)
        (self.pooling,) = build_poolings(pooling, [rows * maps])
        self.values_per_filter = self.pooling.size
        self.dropout = nn.Dropout(fraction("dropout", dropout))
        self.linear = nn.Linear(rows * maps * self.values_per_filter, n_classes)

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch classes"]:
        """Logits of sentences of token numbers, padded with 0 at the end."""
        mask = tokens != PADDING_INDEX  # (batch, time)
        lengths, time = mask.sum(-1), tokens.shape[-1]
        features = self.embedding(tokens).transpose(1, 2)  # (batch, channels, time)
        for depth, (layer, bias) in enumerate(zip(self.layers, self.biases, strict=True), start=1):
            features, mask = layer(features, mask)
            if depth < len(self.layers):
                above = len(self.layers) - depth
                k = (-(-above * lengths // len(self.layers))).clamp(min=self.k_top)  # (batch,)
                most = max(self.k_top, -(-above * time // len(self.layers)))
                features, mask = keep_largest(features, mask, k, most)
                features = torch.where(mask[:, None, :], torch.tanh(features + bias[:, None]), 0.0)
        values = self.pooling(features, mask)  # (batch, channels, size)
        return self.linear(self.dropout(torch.tanh(values + self.biases[-1][:, None]).flatten(1)))


class WideConvolution(nn.Module):
    """A convolution for each row over all windows that touch a real position, and the sum of each pair of rows.

    The channels are ordered by row, and within a row by feature map.

    Args:
        rows: number of rows before folding, an even number.
        maps_in: number of feature maps of each row before.
        maps_out: number of feature maps of each row after.
        kernel_size: number of positions in a window.
    """

    def __init__(self, rows: int, maps_in: int, maps_out: int, kernel_size: int) -> None:
        super().__init__()
        self.rows, self.kernel_size = rows, kernel_size
        self.convolution = nn.Conv1d(rows * maps_in, rows * maps_out, kernel_size, groups=rows, bias=False)

    def forward(
        self, features: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch folded windows"], Bool[Tensor, "batch windows"]]:
        """Folded feature map and mask; `features` are 0 where the mask is False."""
        both_ends = (self.kernel_size - 1, self.kernel_size - 1)
        convolved = self.convolution(F.pad(features, both_ends))  # (batch, rows * maps, windows)
        batch, _, windows = convolved.shape
        pairs = convolved.reshape(batch, self.rows // 2, 2, -1, windows)  # (batch, rows / 2, 2, maps, windows)
        return pairs.sum(2).flatten(1, 2), touching_windows(F.pad(mask, both_ends), self.kernel_size)


def keep_largest(
    features: Float[Tensor, "batch channels time"],
    mask: Bool[Tensor, "batch time"],
    k: Int[Tensor, " batch"],
    most: int,
) -> tuple[Float[Tensor, "batch channels kept"], Bool[Tensor, "batch kept"]]:
    """Keep the k largest real values of each channel in their order, with another k for each sentence.

    Args:
        features: the feature map.
        mask: its real positions.
        k: number of values to keep of each sentence; all of them if it has fewer.
        most: a number that no k exceeds.

    Returns:
        The values, left-aligned, and 0 after them; and which of them are real.
    """
    most = min(most, features.shape[-1])
    kept = torch.minimum(k, mask.sum(-1))  # (batch,)
    real = torch.arange(most, device=mask.device) < kept[:, None]  # (batch, kept)
    best = ranking(features, mask)[..., :most]  # (batch, channels, kept), the position of the largest value first
    behind = torch.where(real[:, None, :], best, features.shape[-1])  # what is not kept comes after all positions
    positions = behind.sort(-1).values.clamp(max=features.shape[-1] - 1)  # (batch, channels, kept), earliest first
    return torch.where(real[:, None, :], features.gather(-1, positions), 0.0), real
