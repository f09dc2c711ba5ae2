"""Several strategies side by side."""

from functools import partial

import pytest
import torch

from textpool.pooling import Avg, Concat, KMax, Max


def test_concat_by_hand() -> None:
    """Values stand in the order of the strategies."""
    pooling = Concat(1, [Max, Avg, partial(KMax, k=2)])
    assert pooling(torch.tensor([[[1.0, 3.0, 2.0]]])).flatten().tolist() == [3.0, 2.0, 3.0, 2.0]


def test_concat_knows_its_size_and_order() -> None:
    """Sizes add up; one ordered part makes the whole ordered."""
    assert (Concat(2, [Max, Avg]).size, Concat(2, [Max, Avg]).ordered) == (2, False)
    assert (Concat(2, [Max, partial(KMax, k=4)]).size, Concat(2, [Max, KMax]).ordered) == (5, True)


def test_concat_of_nothing() -> None:
    """Say that one is needed."""
    with pytest.raises(ValueError, match="poolings: expected at least one"):
        Concat(2, [])
