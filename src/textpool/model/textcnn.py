"""The text CNN of Kim 2014, with a pooling to choose."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import fraction, integer, one_of
from textpool.pooling import Pooling

PADDING_INDEX = 0  # the token number of padding


class TextCNN(nn.Module):
    """Embedding, one convolution per kernel size with ReLU, pooling over time, dropout, linear layer.

    Which windows the pooling sees is the model's affair (`window_mask`):

    - `valid`: windows of real tokens only. A sentence shorter than the kernel has one window, filled with zeros.
    - `touching`: windows with at least one real token, also those that reach over either end of the sentence
      (the wide convolution of Kalchbrenner et al. 2014).
    - `none`: every window of the padded sentence, as in papers that padded without a mask. Only here does the
      result depend on the padding.

    With equal seeds, the embedding and the convolutions start from equal weights whatever the pooling, and so
    does the linear layer wherever the pooling keeps equally many values.

    Kim 2014, "Convolutional Neural Networks for Sentence Classification" (arXiv 1408.5882).

    Args:
        vocab_size: number of tokens, with token 0 the padding.
        n_classes: number of classes.
        pooling: makes a pooling for a number of channels; called once per kernel size.
        embedding_dim: values per token.
        kernel_sizes: widths of the convolutions, in tokens.
        n_filters: channels per kernel size.
        dropout: share of the pooled values set to zero in training.
        window_mask: `valid`, `touching` or `none`.

    Raises:
        ValueError: naming the argument, what is allowed, and what came.
    """

    def __init__(
        self,
        vocab_size: int,
        n_classes: int,
        pooling: Callable[[int], Pooling],
        embedding_dim: int = 32,
        kernel_sizes: Sequence[int] = (2, 3, 4),
        n_filters: int = 32,
        dropout: float = 0.3,
        window_mask: str = "valid",
    ) -> None:
        super().__init__()
        if not isinstance(kernel_sizes, Sequence) or isinstance(kernel_sizes, str) or not kernel_sizes:
            raise ValueError(f"kernel_sizes: expected at least one kernel size, such as [2,3,4], got {kernel_sizes!r}")
        self.kernel_sizes = [integer("kernel_sizes", size, least=1) for size in kernel_sizes]
        integer("vocab_size", vocab_size, least=1)
        integer("n_classes", n_classes, least=2)
        integer("embedding_dim", embedding_dim, least=1)
        integer("n_filters", n_filters, least=1)
        self.window_mask = one_of("window_mask", window_mask, WINDOW_MASKS)

        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=PADDING_INDEX)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_dim, n_filters, size) for size in kernel_sizes)
        with torch.random.fork_rng(devices=[]):  # what a pooling draws must not shift what the linear layer draws
            torch.manual_seed(torch.initial_seed() + 1)
            poolings = [pooling(n_filters) for _ in kernel_sizes]
        self.poolings = nn.ModuleList(poolings)
        self.values_per_filter = poolings[0].size
        self.dropout = nn.Dropout(fraction("dropout", dropout))
        self.linear = nn.Linear(len(kernel_sizes) * n_filters * self.values_per_filter, n_classes)

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch classes"]:
        """Logits of sentences of token numbers, padded with 0 at the end."""
        return self.linear(self.dropout(self.summarise(tokens)))

    def summarise(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch values"]:
        """The pooled values of each sentence, kernel sizes side by side."""
        embedded = self.embedding(tokens).transpose(1, 2)  # (batch, channels, time)
        real = tokens != PADDING_INDEX  # (batch, time)
        values = []
        for width, convolution, pooling in zip(self.kernel_sizes, self.convolutions, self.poolings, strict=True):
            sides = _padding(self.window_mask, width, tokens.shape[-1])
            features = F.relu(convolution(F.pad(embedded, sides)))  # (batch, filters, windows)
            mask = WINDOW_MASKS[self.window_mask](F.pad(real, sides), width)  # (batch, windows)
            values.append(pooling(features, mask).flatten(1))  # (batch, filters * size)
        return torch.cat(values, dim=1)


def _padding(window_mask: str, width: int, time: int) -> tuple[int, int]:
    """Tokens to add on either side, so that every window that the mask counts is there."""
    if window_mask == "touching":
        return width - 1, width - 1
    return 0, max(0, width - time)


def valid_windows(real: Bool[Tensor, "batch time"], width: int) -> Bool[Tensor, "batch windows"]:
    """Windows of real tokens only, and the first window of a sentence too short for one."""
    windows = real.unfold(-1, width, 1).all(-1)
    short = real.any(-1) & ~windows.any(-1)  # (batch,)
    first = torch.arange(windows.shape[-1], device=real.device) == 0  # (windows,)
    return windows | (short[:, None] & first)


def touching_windows(real: Bool[Tensor, "batch time"], width: int) -> Bool[Tensor, "batch windows"]:
    """Windows with at least one real token."""
    return real.unfold(-1, width, 1).any(-1)


def all_windows(real: Bool[Tensor, "batch time"], width: int) -> Bool[Tensor, "batch windows"]:
    """Every window, padding or not."""
    return real.new_ones(real.shape[0], real.shape[1] - width + 1)


WINDOW_MASKS = {"valid": valid_windows, "touching": touching_windows, "none": all_windows}
