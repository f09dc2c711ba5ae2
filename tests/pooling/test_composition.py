"""Concat, Mixed and Gated against plain Python and values computed by hand."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import Avg, Concat, Gated, KMax, Max, Mixed

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=20)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def mixed(weight: float, row: list[float]) -> float:
    pooling = Mixed(1).double()
    torch.nn.init.constant_(pooling.weight, weight)
    return pooling(torch.tensor([[row]], dtype=torch.float64)).item()


def gated(weight: float, row: list[float]) -> float:
    pooling = Gated(1).double()
    torch.nn.init.constant_(pooling.weight, weight)
    return pooling(torch.tensor([[row]], dtype=torch.float64)).item()


def test_concat_by_hand() -> None:
    """The values are concatenated in the order of the strategies."""
    pooling = Concat(1, [Max, Avg, partial(KMax, k=2)])
    assert pooling(torch.tensor([[[1.0, 3.0, 2.0]]])).flatten().tolist() == [3.0, 2.0, 3.0, 2.0]


def test_concat_knows_its_size_and_order() -> None:
    """The size is the sum of the sizes; one ordered strategy is enough to be ordered."""
    assert (Concat(2, [Max, Avg]).size, Concat(2, [Max, Avg]).ordered) == (2, False)
    assert (Concat(2, [Max, partial(KMax, k=4)]).size, Concat(2, [Max, KMax]).ordered) == (5, True)


def test_concat_of_nothing() -> None:
    """An empty list of strategies is an error."""
    with pytest.raises(ValueError, match="poolings: expected at least one"):
        Concat(2, [])


def test_mixed_by_hand() -> None:
    """Maximum 3, average 2: weight 0 gives a = 1/2, so 2.5; weight log 3 gives a = sigma(log 3) = 3/4, so 2.75."""
    row = [1.0, 3.0, 2.0, 2.0]
    assert mixed(0.0, row) == 2.5
    assert mixed(math.log(3), row) == pytest.approx(2.75)


def test_mixed_goes_from_average_to_maximum() -> None:
    """A very negative weight gives the average, a very large one the maximum."""
    row = [1.0, 3.0, 2.0, 2.0]
    assert (mixed(-100.0, row), mixed(100.0, row)) == pytest.approx((2.0, 3.0))


@given(row=rows, weight=st.floats(-5, 5))
def test_mixed_against_plain_python(row: list[float], weight: float) -> None:
    """The proportion is the same for every sentence."""
    share = sigmoid(weight)
    expected = share * max(row) + (1 - share) * sum(row) / len(row)
    assert mixed(weight, row) == pytest.approx(expected, abs=1e-9)


def test_gated_by_hand() -> None:
    """Maximum 3, average 2: w = 0 gives a = 1/2, so 2.5; w = log(3) / 2 gives a = sigma(log 3) = 3/4, so 2.75."""
    row = [1.0, 3.0, 2.0, 2.0]
    assert gated(0.0, row) == 2.5
    assert gated(math.log(3) / 2, row) == pytest.approx(2.75)


def test_the_gate_depends_on_the_sentence() -> None:
    """With the same large weight, a positive average gives the maximum, and a negative average the average."""
    assert gated(100.0, [1.0, 3.0, 2.0, 2.0]) == pytest.approx(3.0)
    assert gated(100.0, [-1.0, -3.0, -2.0, -2.0]) == pytest.approx(-2.0)


@given(row=rows, weight=st.floats(-5, 5))
def test_gated_against_plain_python(row: list[float], weight: float) -> None:
    """The proportion is the sigmoid of the weighted average."""
    average = sum(row) / len(row)
    share = sigmoid(weight * average)
    assert gated(weight, row) == pytest.approx(share * max(row) + (1 - share) * average, abs=1e-9)


def test_mixed_has_one_weight_and_gated_one_per_channel() -> None:
    """All weights start at 0, so that both start at a = 1/2."""
    assert Mixed(3).weight.flatten().tolist() == [0.0]
    assert Gated(3).weight.flatten().tolist() == [0.0, 0.0, 0.0]


def test_channels_have_gates_of_their_own() -> None:
    """Average 2 and maximum 3 in both channels: the first gate gives the maximum, the second the average."""
    pooling = Gated(2)
    pooling.load_state_dict({"weight": torch.tensor([[100.0], [-100.0]])})
    features = torch.tensor([1.0, 3.0, 2.0, 2.0]).expand(1, 2, 4)
    assert pooling(features).flatten().tolist() == pytest.approx([3.0, 2.0])
