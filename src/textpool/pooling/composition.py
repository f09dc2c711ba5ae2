"""Strategies made of other strategies."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from textpool.pooling.base import Pooling


class Concat(Pooling):
    r"""Put the values of several strategies side by side.

    $$ (p_1(x), p_2(x), \dots) $$

    The classifier chooses among them, at the price of as many weights as all of them need together.

    Shen et al. 2018, "Baseline Needs More Love": SWEM-concat, max and average.
    """

    def __init__(self, channels: int, poolings: Sequence[Callable[[int], Pooling]]) -> None:
        super().__init__(channels)
        if not poolings:
            raise ValueError("poolings: expected at least one pooling, got none")
        self.poolings = nn.ModuleList(pooling(channels) for pooling in poolings)
        self.size = sum(pooling.size for pooling in self._each())
        self.ordered = any(pooling.ordered for pooling in self._each())

    def _each(self) -> list[Pooling]:
        return [pooling for pooling in self.poolings if isinstance(pooling, Pooling)]

    def pool(
        self, features: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels size"]:
        """Ask each in turn."""
        return torch.cat([pooling(features, mask) for pooling in self.poolings], dim=-1)
