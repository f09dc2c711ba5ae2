"""Control strategies, which read one fixed position and ignore the rest of the sentence."""

import torch

from textpool.pooling.base import Features, Mask, Pooling, Values


class First(Pooling):
    r"""Keep the value of the first position.

    $$ x_1 $$

    A control: if it scores above chance on a task, the beginning of the sentence alone predicts the class.
    """

    ordered = True

    def pool(self, features: Features, mask: Mask) -> Values:
        position = mask.to(torch.uint8).argmax(-1)  # (batch,), the first real position
        return features.gather(-1, position[:, None, None].expand(-1, self.channels, 1))


class Last(Pooling):
    r"""Keep the value of the last position.

    $$ x_n $$

    A control: if it scores above chance on a task, the end of the sentence alone predicts the class.
    """

    ordered = True

    def pool(self, features: Features, mask: Mask) -> Values:
        position = (mask * torch.arange(1, mask.shape[-1] + 1, device=mask.device)).argmax(-1)  # (batch,), the last
        return features.gather(-1, position[:, None, None].expand(-1, self.channels, 1))
