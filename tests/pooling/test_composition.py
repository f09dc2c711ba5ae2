"""Concat, PNA, Mixed and Gated against plain Python and values computed by hand."""

import math
import statistics
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import PNA, Avg, Concat, Gated, KMax, Max, Mixed

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


def test_pna_by_hand() -> None:
    """3 positions and length 1: s = log(4) / log(2) = 2. The values 1, 3, 5 have the variance (4 + 0 + 4) / 3."""
    deviation = math.sqrt(8 / 3)
    values = PNA(1, length=1).double()(torch.tensor([[[1.0, 3.0, 5.0]]], dtype=torch.float64)).flatten().tolist()
    assert values == pytest.approx(
        [3.0, 5.0, 1.0, deviation, 6.0, 10.0, 2.0, 2 * deviation, 1.5, 2.5, 0.5, deviation / 2]
    )


def test_pna_excludes_the_padding() -> None:
    """Of 1 and 3 the minimum is 1, of -1 and -3 the maximum is -1; s = log(3) / log(3) for 2 positions and length 2."""
    features = torch.tensor([[[0.0, 1.0, 3.0, 0.0], [0.0, -1.0, -3.0, 0.0]]])
    mask = torch.tensor([[False, True, True, False]])
    values = PNA(2, length=2)(features, mask)
    torch.testing.assert_close(values[0], torch.tensor([[2.0, 3.0, 1.0, 1.0] * 3, [-2.0, -1.0, -3.0, 1.0] * 3]))


@given(row=rows, length=st.integers(1, 50))
def test_pna_against_plain_python(row: list[float], length: int) -> None:
    """Four statistics, then the same times s, then the same divided by s."""
    plain = [statistics.fmean(row), max(row), min(row), statistics.pstdev(row)]
    scale = math.log(len(row) + 1) / math.log(length + 1)
    expected = [*plain, *(scale * value for value in plain), *(value / scale for value in plain)]
    values = PNA(1, length)(torch.tensor([[row]], dtype=torch.float64)).flatten().tolist()
    assert values == pytest.approx(expected, abs=1e-9)


def test_pna_gradients_of_equal_extremes_go_to_the_earliest() -> None:
    """The maximum 2 is at positions 1 and 2, the minimum 0 at positions 0 and 3."""
    for index, expected in ((1, [0.0, 1.0, 0.0, 0.0]), (2, [1.0, 0.0, 0.0, 0.0])):
        features = torch.tensor([[[0.0, 2.0, 2.0, 0.0]]], requires_grad=True)
        [gradient] = torch.autograd.grad(PNA(1)(features)[0, 0, index], [features])
        assert gradient.flatten().tolist() == expected


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("length", [0, -1, 2.5, "3", True, None])
def test_length_must_be_an_integer(length: int) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=r"^length: expected an integer of at least 1, got") as error:
        PNA(1, length)
    assert repr(length) in str(error.value)
