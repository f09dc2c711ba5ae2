"""Controls: one position, chosen by nothing but its place."""

import torch

from textpool.pooling.base import Features, Mask, Pooling, Values


class First(Pooling):
    r"""Keep the value of the first position.

    $$ x_1 $$

    A control: what it scores above chance, a task gives away at its beginning.
    """

    ordered = True

    def pool(self, features: Features, mask: Mask) -> Values:
        """The earliest real position, wherever it stands."""
        position = mask.to(torch.uint8).argmax(-1)  # (batch,)
        return features.gather(-1, position[:, None, None].expand(-1, self.channels, 1))


class Last(Pooling):
    r"""Keep the value of the last position.

    $$ x_n $$

    A control: what it scores above chance, a task gives away at its end.
    """

    ordered = True

    def pool(self, features: Features, mask: Mask) -> Values:
        """The latest real position, wherever it stands."""
        position = (mask * torch.arange(1, mask.shape[-1] + 1, device=mask.device)).argmax(-1)  # (batch,)
        return features.gather(-1, position[:, None, None].expand(-1, self.channels, 1))
