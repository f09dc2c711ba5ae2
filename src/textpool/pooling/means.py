"""Strategies in which every real position has its share."""

from jaxtyping import Bool, Float
from torch import Tensor

from textpool.pooling.base import Pooling


class Avg(Pooling):
    r"""Average over the real positions: how much of the sentence is like the pattern?

    $$ \frac{1}{n} \sum_t x_t $$

    One occurrence fades as 1/n in a long sentence. Not the average over the padded length, which is smaller
    the more a sentence is padded; for that one, set the model's `window_mask=none`.
    """

    def pool(
        self, features: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels 1"]:
        """Divide the sum by the number of real positions."""
        count = mask.sum(-1).clamp(min=1)  # (batch,)
        return features.sum(-1, keepdim=True) / count[:, None, None]
