"""The contract that every pooling keeps."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import integer

Features = Float[Tensor, "batch channels time"]
Mask = Bool[Tensor, "batch time"]
Values = Float[Tensor, "batch channels size"]


class Pooling(nn.Module, ABC):
    """Summarise a feature map of any length as a fixed number of values per channel.

    A strategy derives from this class and writes `pool`. If it keeps more than one value per channel, its
    constructor sets `size`; if the result changes with the order of the sentence, it sets `ordered`.

    `forward` sees to what holds for every strategy, so that `pool` need not: padding arrives in `pool` as
    zeros, whatever stood there; half precision arrives as float32, weights too; a sentence without a real
    position gets zeros, and arrives with one position of zeros taken for real, so that none is ever empty; wrong
    shapes never reach `pool`. What remains for `pool` is not to count the zeros of the padding as values.

    Attributes:
        size: values per channel, known from the constructor on.
        ordered: whether something of the order of the sentence survives.
    """

    size: int = 1
    ordered: bool = False

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = integer("channels", channels, least=1)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool over time.

        Args:
            features: (batch, channels, time), floating point.
            mask: (batch, time), bool, True where the position is real; None if all are.

        Returns:
            (batch, channels, size), in the dtype of `features`.

        Raises:
            ValueError: if `features` or `mask` are not of that form, or `pool` returns another shape.
        """
        self._check(features, mask)
        if features.dtype in (torch.float16, torch.bfloat16):
            kept = [*self.named_parameters(), *self.named_buffers()]
            wide = {name: weight.float() for name, weight in kept if weight.is_floating_point()}
            arguments = (features.float(), mask)
            values = torch.func.functional_call(self, wide, arguments) if wide else self(*arguments)
            return values.to(features.dtype)
        if mask is None:
            mask = features.new_ones(features.shape[0], features.shape[2], dtype=torch.bool)
        if features.shape[-1] == 0:  # nothing to reduce over: one position of padding stands in
            features, mask = F.pad(features, (0, 1)), F.pad(mask, (0, 1))
        # Filling, not multiplying by the mask: 0 * NaN is NaN, in the value and in the gradient.
        real = features.masked_fill(~mask[:, None, :], 0.0)
        empty = ~mask.any(-1, keepdim=True)  # (batch, 1)
        first = torch.arange(mask.shape[-1], device=mask.device) == 0  # (time,)
        with torch.autocast(features.device.type, enabled=False):  # mixed precision would multiply in half again
            values = self.pool(real, mask | (empty & first))
        expected = (features.shape[0], self.channels, self.size)
        if values.shape != expected:
            raise ValueError(
                f"{type(self).__name__}.pool: expected to return (batch, channels, size) = {expected}, "
                f"got {tuple(values.shape)}"
            )
        return values.masked_fill(empty[:, None, :], 0.0)

    @abstractmethod
    def pool(self, features: Features, mask: Mask) -> Values:
        """Summarise the real positions: at least one in every sentence.

        `features` is float32 or float64, and 0 where `mask` is False.
        """

    def _check(self, features: Tensor, mask: Tensor | None) -> None:
        if not isinstance(features, Tensor) or features.ndim != 3 or not features.is_floating_point():
            raise ValueError(
                "features: expected a floating-point tensor (batch, channels, time), got " + _form(features)
            )
        if features.shape[1] != self.channels:
            raise ValueError(f"features: expected {self.channels} channels, got {features.shape[1]}")
        if mask is None:
            return
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            raise ValueError("mask: expected a bool tensor (batch, time), True = real, got " + _form(mask))
        if mask.shape != (features.shape[0], features.shape[2]):
            raise ValueError(
                f"mask: expected shape (batch, time) = {(features.shape[0], features.shape[2])}, "
                f"got {tuple(mask.shape)}"
            )
        if mask.device != features.device:
            raise ValueError(f"mask: expected it on {features.device} like the features, got {mask.device}")


def _form(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
