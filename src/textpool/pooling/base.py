"""The base class of all strategies, and the helpers that several of them use."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.checks import integer

Features = Float[Tensor, "batch channels time"]
Mask = Bool[Tensor, "batch time"]
Values = Float[Tensor, "batch channels size"]
PLAIN = int | float | Sequence  # bool is an int; str, list, tuple and OmegaConf's ListConfig are sequences


class Pooling(nn.Module, ABC):
    """Summarise a feature map of any length as a fixed number of values per channel.

    A strategy is a subclass that implements `pool`. If it keeps more than one value per channel, its constructor
    sets `size`. If its result depends on the order of the sentence, it sets `ordered`. If its constructor has
    settings, it keeps each as an attribute of the same name (`self.k = k`), so that `repr` shows them.

    `forward` does what every strategy needs, so that `pool` does not have to:

    - It checks shapes and dtypes.
    - It sets the padding to 0, whatever values were there, NaN included.
    - It converts features and weights from half precision to float32, and the result back.
    - It returns zeros for a sentence without a real position. `pool` receives such a sentence with one real
      position of value 0, so that no sentence in `pool` is empty.

    What remains for `pool` is to exclude the zeros of the padding from the result.

    Attributes:
        size: number of values per channel, known once the strategy is constructed.
        ordered: whether the result depends on the order of the real positions.
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
            mask: (batch, time), bool, True where the position is real; None if all are. Masks of numbers are not
                converted, because they have no common meaning; the message of the error says how to convert one.

        Returns:
            (batch, channels, size), in the dtype of `features`.

        Raises:
            ValueError: if `features` or `mask` has another shape, dtype or device, or `pool` returns another shape.
        """
        self._check(features, mask)
        if features.dtype in (torch.float16, torch.bfloat16):
            weights = [*self.named_parameters(), *self.named_buffers()]
            float32 = {name: weight.float() for name, weight in weights if weight.is_floating_point()}
            arguments = (features.float(), mask)
            values = torch.func.functional_call(self, float32, arguments) if float32 else self(*arguments)
            return values.to(features.dtype)
        if mask is None:
            mask = features.new_ones(features.shape[0], features.shape[2], dtype=torch.bool)
        if features.shape[-1] == 0:  # max and argmax fail on an empty axis, so it gets one position of padding
            features, mask = F.pad(features, (0, 1)), F.pad(mask, (0, 1))
        empty = ~mask.any(-1, keepdim=True)  # (batch, 1)
        first = torch.arange(mask.shape[-1], device=mask.device) == 0  # (time,)
        with torch.autocast(features.device.type, enabled=False):  # it would run matrix products in half precision
            values = self.pool(mask_out(features, mask, 0.0), mask | (empty & first))
        self._check_values(values, features)
        return torch.where(empty[:, None, :], 0.0, values)

    @abstractmethod
    def pool(self, features: Features, mask: Mask) -> Values:
        """Summarise the real positions, of which every sentence has at least one.

        `features` is float32 or float64, and 0 where `mask` is False.
        """

    def extra_repr(self) -> str:
        """The constructor's settings, such as `k=3`: those kept as plain attributes of the same names."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "channels"]
        # vars() holds plain attributes only: no weights, no child modules, no properties, which could raise.
        kept = {name: vars(self).get(name) for name in names}
        return ", ".join(f"{name}={value!r}" for name, value in kept.items() if isinstance(value, PLAIN))

    def _check_values(self, values: Tensor, features: Tensor) -> None:
        expected = (features.shape[0], self.channels, self.size)
        what = f"{type(self).__name__}.pool: expected to return (batch, channels, size) = {expected}"
        if not isinstance(values, Tensor) or values.dtype != features.dtype:
            dtype = str(features.dtype).removeprefix("torch.")
            raise ValueError(f"{what} in {dtype}, got {_describe(values)}: return a tensor such as values.to(features)")
        if values.shape != expected:
            advice = ""
            if values.shape == expected[:2]:
                advice = ": keep the last axis, as with keepdim=True"
            elif values.ndim == 3 and values.shape[:2] == expected[:2]:
                advice = f": write self.size = {values.shape[2]} in its constructor"
            raise ValueError(f"{what}, got {tuple(values.shape)}{advice}")

    def _check(self, features: Tensor, mask: Tensor | None) -> None:
        if not isinstance(features, Tensor) or features.ndim != 3 or not features.is_floating_point():
            raise ValueError(
                "features: expected a floating-point tensor (batch, channels, time), got " + _describe(features)
            )
        if features.shape[1] != self.channels:
            raise ValueError(f"features: expected {self.channels} channels, got {features.shape[1]}")
        if mask is None:
            return
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            raise ValueError(
                f"mask: expected a bool tensor (batch, time), True = real, got {_describe(mask)}{_conversion(mask)}"
            )
        if mask.shape != (features.shape[0], features.shape[2]):
            raise ValueError(
                f"mask: expected shape (batch, time) = {(features.shape[0], features.shape[2])}, "
                f"got {tuple(mask.shape)}"
            )
        if mask.device != features.device:
            raise ValueError(f"mask: expected it on {features.device} like the features, got {mask.device}")


def count(mask: Mask) -> Int[Tensor, "batch 1 1"]:
    """Number of real positions of each sentence."""
    return mask.sum(-1)[:, None, None]


def mask_out(values: Float[Tensor, "batch any time"], mask: Mask, fill: float) -> Float[Tensor, "batch any time"]:
    """Replace the values at the padding by `fill`.

    Not a product with the mask: 0 * NaN is NaN, in the value and in the gradient. Not `masked_fill`, which takes up to
    twice the time of `where` on a CPU.
    """
    return torch.where(mask[:, None, :], values, fill)


def _conversion(mask: object) -> str:
    """How to convert the masks of numbers that other libraries make, as the end of an error message."""
    if not isinstance(mask, Tensor):
        return ""
    if mask.is_floating_point():
        return ": pass mask == 0 if it is added to scores (0 = real, -inf = padding), mask.bool() if 1 = real"
    return ": pass mask.bool() if 1 = real and 0 = padding"


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
