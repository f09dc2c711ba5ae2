"""The text CNN of Kim 2014, with any pooling."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import fraction, integer, number, one_of, positive
from textpool.pooling import Pooling

PADDING_INDEX = 0  # the token number of padding


class TextCNN(nn.Module):
    """Embedding, one convolution per kernel size with ReLU, pooling over time, dropout, linear layer.

    A window is the tokens that a convolution reads at one position. `window_mask` sets which windows are real
    positions for the pooling:

    - `valid`: windows of real tokens only. A sentence shorter than the kernel has one window, filled with zeros.
    - `touching`: windows with at least one real token, including those that extend beyond either end of the
      sentence (the wide convolution of Kalchbrenner et al. 2014).
    - `none`: every window of the padded sentence, as in papers that padded without a mask. Only with this setting
      does the result depend on the padding.

    With the same seed, the embedding and the convolutions start from the same weights for every pooling. The linear
    layer does so too among poolings with the same number of values per channel.

    Kim 2014, "Convolutional Neural Networks for Sentence Classification" (arXiv 1408.5882).

    Args:
        vocab_size: number of tokens in the vocabulary, of which token 0 is the padding.
        n_classes: number of classes.
        pooling: function from a number of channels to a pooling; called once per kernel size.
        embedding_dim: dimension of the embedding of a token.
        kernel_sizes: sizes of the convolution kernels, in tokens.
        n_filters: number of filters (output channels) per kernel size.
        dropout: fraction of the pooled values that are set to 0 in training.
        window_mask: `valid`, `touching` or `none`.
        embedding_range: a, where the embedding is drawn uniformly from -a to a; None: standard normal, as by
            `nn.Embedding`.
        filter_range: the same for the convolutions, whose biases are then 0; None: as by `nn.Conv1d`.
        linear_range: the same for the linear layer; None: as by `nn.Linear`.
        max_norm: the largest length of a class's weights in the linear layer, to which longer ones are scaled after
            each step of the optimiser, see `constrain`; None: no limit.

    Raises:
        ValueError: if an argument is not allowed. The message names it, what is allowed and what was passed.
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
        embedding_range: float | None = None,
        filter_range: float | None = None,
        linear_range: float | None = None,
        max_norm: float | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(kernel_sizes, Sequence) or isinstance(kernel_sizes, str) or not kernel_sizes:
            raise ValueError(f"kernel_sizes: expected at least one kernel size, such as [2,3,4], got {kernel_sizes!r}")
        self.kernel_sizes = [integer("kernel_sizes", size, least=1) for size in kernel_sizes]
        self.embedding = build_embedding(vocab_size, n_classes, embedding_dim)
        integer("n_filters", n_filters, least=1)
        self.window_mask = one_of("window_mask", window_mask, WINDOW_MASKS)

        draw_uniformly("embedding_range", embedding_range, self.embedding)
        convolutions = [nn.Conv1d(embedding_dim, n_filters, size) for size in kernel_sizes]
        draw_uniformly("filter_range", filter_range, *convolutions)
        self.convolutions = nn.ModuleList(convolutions)
        poolings = build_poolings(pooling, [n_filters] * len(kernel_sizes))
        self.poolings = nn.ModuleList(poolings)
        self.values_per_filter = poolings[0].size
        self.dropout = nn.Dropout(fraction("dropout", dropout))
        self.linear = nn.Linear(len(kernel_sizes) * n_filters * self.values_per_filter, n_classes)
        draw_uniformly("linear_range", linear_range, self.linear)
        self.max_norm = None if max_norm is None else positive("max_norm", max_norm)

    @property
    def needs_fixed_length(self) -> bool:
        """Whether all batches must be padded to the same length: True if `window_mask` is `none`.

        The result then depends on the padded length, which must therefore not depend on the rest of the batch.
        """
        return self.window_mask == "none"

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale the weights of each class whose length is above `max_norm` to that length; called after each step.

        Srebro and Shraibman 2005, "Rank, Trace-Norm and Max-Norm"; in a text CNN, Kim 2014, section 2.1.
        """
        if self.max_norm is not None:
            lengths = self.linear.weight.norm(dim=1, keepdim=True)  # (classes, 1)
            self.linear.weight.mul_((self.max_norm / lengths).clamp(max=1))

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch classes"]:
        """Logits of sentences of token numbers, padded with 0 at the end."""
        return self.linear(self.dropout(self.summarise(tokens)))

    def summarise(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch values"]:
        """The pooled values of each sentence, concatenated over the kernel sizes."""
        embedded = self.embedding(tokens).transpose(1, 2)  # (batch, channels, time)
        real = tokens != PADDING_INDEX  # (batch, time)
        values = []
        for kernel_size, convolution, pooling in zip(self.kernel_sizes, self.convolutions, self.poolings, strict=True):
            widths = _pad_widths(self.window_mask, kernel_size, tokens.shape[-1])
            features = F.relu(convolution(F.pad(embedded, widths)))  # (batch, filters, windows)
            mask = WINDOW_MASKS[self.window_mask](F.pad(real, widths), kernel_size)  # (batch, windows)
            values.append(pooling(features, mask).flatten(1))  # (batch, filters * size)
        return torch.cat(values, dim=1)


@torch.no_grad()
def draw_uniformly(name: str, limit: float | None, *layers: nn.Embedding | nn.Conv1d | nn.Linear) -> None:
    """Draw the weights of layers uniformly from -limit to limit, with biases of 0; None leaves them as they are.

    Raises:
        ValueError: if the limit is not a number of at least 0.
    """
    if limit is None:
        return
    if not number(name, limit) >= 0:
        raise ValueError(f"{name}: expected a number of at least 0, got {limit!r}")
    for layer in layers:
        layer.weight.uniform_(-limit, limit)
        if isinstance(layer, nn.Embedding):
            layer.weight[PADDING_INDEX] = 0
        elif layer.bias is not None:
            layer.bias.zero_()


def build_embedding(vocab_size: int, n_classes: int, embedding_dim: int) -> nn.Embedding:
    """The embedding of a model, after a check of the three sizes that every model has.

    Raises:
        ValueError: if one of them is not allowed.
    """
    integer("vocab_size", vocab_size, least=1)
    integer("n_classes", n_classes, least=2)
    integer("embedding_dim", embedding_dim, least=1)
    return nn.Embedding(vocab_size, embedding_dim, padding_idx=PADDING_INDEX)


def build_poolings(pooling: Callable[[int], Pooling], channels: Sequence[int]) -> list[Pooling]:
    """One pooling for each number of channels, whose random weights leave torch's global generator as it was.

    So the layers that are made after them start from the same weights for every pooling.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch.initial_seed() + 1)
        return [pooling(number) for number in channels]


def _pad_widths(window_mask: str, kernel_size: int, time: int) -> tuple[int, int]:
    """Number of padding tokens to add before and after the sentence, so that no window of the mask is missing."""
    if window_mask == "touching":
        return kernel_size - 1, kernel_size - 1
    return 0, max(0, kernel_size - time)


def valid_windows(real: Bool[Tensor, "batch time"], kernel_size: int) -> Bool[Tensor, "batch windows"]:
    """Windows of real tokens only; for a non-empty sentence shorter than the kernel, its first window."""
    windows = real.unfold(-1, kernel_size, 1).all(-1)  # (batch, windows)
    short = real.any(-1) & ~windows.any(-1)  # (batch,)
    first = torch.arange(windows.shape[-1], device=real.device) == 0  # (windows,)
    return windows | (short[:, None] & first)


def touching_windows(real: Bool[Tensor, "batch time"], kernel_size: int) -> Bool[Tensor, "batch windows"]:
    """Windows with at least one real token."""
    return real.unfold(-1, kernel_size, 1).any(-1)


def all_windows(real: Bool[Tensor, "batch time"], kernel_size: int) -> Bool[Tensor, "batch windows"]:
    """All windows, including those of padding only."""
    return real.new_ones(real.shape[0], real.shape[1] - kernel_size + 1)


WINDOW_MASKS = {"valid": valid_windows, "touching": touching_windows, "none": all_windows}
