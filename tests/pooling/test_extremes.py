"""Strategies that select values by rank, against plain Python and NumPy and values computed by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import Avg, KMax, KMaxByValue, Max, Pooling, Quantile, TopKMean, TopKShare
from textpool.pooling.extremes import FEW, top_k_positions

ties = st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf])
values = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0]), min_size=1, max_size=10)


def pool(pooling: torch.nn.Module, row: list[float]) -> list[float]:
    return pooling(torch.tensor(row, dtype=torch.float64).reshape(1, 1, -1)).flatten().tolist()


@pytest.mark.parametrize(
    ("row", "largest"), [([0.1, 0.0, 3.5, 0.2, 0.1], 3.5), ([1.2, 1.5, 1.3, 1.4, 1.1], 1.5), ([2.1, 1.5, 1.8], 2.1)]
)
def test_max_of_the_lesson(row: list[float], largest: float) -> None:
    """The worked examples of the lesson."""
    assert pool(Max(1), row) == [largest]


def test_max_of_negative_values() -> None:
    """Padding arrives as 0, which must not count as larger than negative values."""
    features, mask = torch.tensor([[[-3.0, -2.0, 9.0]]]), torch.tensor([[True, True, False]])
    assert Max(1)(features, mask).item() == -2.0


def test_max_gradient_goes_to_the_earliest_of_equals() -> None:
    """Exactly one position gets a gradient, and the choice does not depend on the length or the device."""
    features = torch.tensor([[[0.0, 1.0, 1.0, 1.0]]], requires_grad=True)
    Max(1)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.0, 1.0, 0.0, 0.0]]]


def test_kmax_of_the_lesson() -> None:
    """The worked example of the lesson: the values keep the order of the sentence."""
    assert pool(KMax(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [2.5, 3.1, 1.9]


def test_kmax_by_value_of_the_lesson() -> None:
    """The same example sorted by value."""
    assert pool(KMaxByValue(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [3.1, 2.5, 1.9]


@given(row=values, k=st.integers(1, 12))
def test_kmax_against_plain_python(row: list[float], k: int) -> None:
    """Of equal values the earlier is selected; a sentence of fewer than k positions gives its values, then zeros."""
    chosen = sorted(range(len(row)), key=lambda position: (-row[position], position))[:k]
    zeros = [0.0] * (k - len(chosen))
    assert pool(KMax(1, k), row) == [row[position] for position in sorted(chosen)] + zeros
    assert pool(KMaxByValue(1, k), row) == [row[position] for position in chosen] + zeros


@given(row=values)
def test_kmax_with_k_1_is_max(row: list[float]) -> None:
    """The values and the gradients are equal."""
    results = []
    for pooling in (Max(1), KMax(1, k=1), KMaxByValue(1, k=1)):
        features = torch.tensor(row).reshape(1, 1, -1).requires_grad_()
        result = pooling(features)
        [gradient] = torch.autograd.grad(result.sum(), [features])
        results.append((result.tolist(), gradient.tolist()))
    assert results[0] == results[1] == results[2]


def test_kmax_gradient_goes_to_the_earliest_of_equals() -> None:
    """After a ReLU many values are equal: the choice among them must depend on the position only."""
    features = torch.tensor([[[0.0, 2.0, 0.0, 0.0, 0.0]]], requires_grad=True)
    KMax(1, k=3)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[1.0, 1.0, 1.0, 0.0, 0.0]]]


@given(row=st.lists(st.tuples(ties, st.booleans()), min_size=1, max_size=12), k=st.integers(1, 2 * FEW))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_positions_against_a_stable_sort(row: list[tuple[float, bool]], k: int, dtype: torch.dtype) -> None:
    """Repeated maxima and a sort find the same positions: with infinite values, zeros of both signs, and any mask."""
    scores, real = zip(*row, strict=True)
    mask = torch.tensor([real])
    features = torch.tensor([[scores]], dtype=dtype).where(mask, torch.zeros((), dtype=dtype))
    positions = sorted((i for i in range(len(row)) if real[i]), key=lambda i: (-scores[i], i))[:k]
    expected = positions + [len(row)] * (k - len(positions))
    assert top_k_positions(features, mask, k).flatten().tolist() == expected


@pytest.mark.parametrize("k", [2, FEW + 1])
def test_nan_counts_as_the_largest_value(k: int) -> None:
    """A filter that gives NaN stays visible, and the other positions are selected once each."""
    features, mask = torch.tensor([[[1.0, math.nan, 3.0, 2.0]]]), torch.ones(1, 4, dtype=torch.bool)
    assert top_k_positions(features, mask, k).flatten().tolist() == [1, 2, 3, 0, 4][:k]
    assert Max(1)(features).isnan().all()


def test_max_of_infinite_values() -> None:
    """A value of -inf is not mistaken for padding."""
    features, mask = torch.full((1, 1, 2), -math.inf), torch.tensor([[False, True]])
    assert Max(1)(features, mask).item() == -math.inf


def test_top_k_mean_by_hand() -> None:
    """The three largest values are 3.1, 2.5 and 1.9; their average is 7.5 / 3."""
    assert pool(TopKMean(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == pytest.approx([2.5])


def test_top_k_mean_excludes_the_padding() -> None:
    """Two real positions and k = 3 give (-1 - 4) / 2, although the zeros of the padding are larger."""
    features, mask = torch.tensor([[[-1.0, -4.0, 0.0, 0.0]]]), torch.tensor([[True, True, False, False]])
    assert TopKMean(1, k=3)(features, mask).item() == -2.5


@given(row=values, k=st.integers(1, 12))
def test_top_k_mean_against_plain_python(row: list[float], k: int) -> None:
    """The result is the average of the first k values in descending order."""
    chosen = sorted(row, reverse=True)[:k]
    assert pool(TopKMean(1, k), row) == pytest.approx([sum(chosen) / len(chosen)])


@given(row=values, more=st.integers(0, 3))
def test_top_k_mean_ranges_from_maximum_to_average(row: list[float], more: int) -> None:
    """It is the maximum for k = 1, and the average if k is at least the number of positions."""
    assert pool(TopKMean(1, k=1), row) == pool(Max(1), row)
    assert pool(TopKMean(1, k=len(row) + more), row) == pytest.approx(pool(Avg(1), row))


def test_top_k_mean_gradient_is_divided_among_the_selected() -> None:
    """Of equal values the earlier are selected, as in k-max."""
    features = torch.tensor([[[0.0, 1.0, 1.0, 2.0, 1.0]]], requires_grad=True)
    TopKMean(1, k=2)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.0, 0.5, 0.0, 0.5, 0.0]]]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("strategy", [KMax, KMaxByValue, TopKMean])
@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True, None])
def test_k_must_be_an_integer(strategy: type[KMax | KMaxByValue | TopKMean], k: int) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=r"k: expected an integer of at least 1, got") as error:
        strategy(1, k)
    assert repr(k) in str(error.value)


def test_top_k_share_by_hand() -> None:
    """A share of 0.25 of 8 positions is 2, of 9 positions 2.25, which is rounded up to 3; of 2 positions it is 1."""
    row = [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2, 0.0]
    assert pool(TopKShare(1, share=0.25), row) == pytest.approx([(3.1 + 2.5) / 2])
    assert pool(TopKShare(1, share=0.25), [*row, 0.0]) == pytest.approx([(3.1 + 2.5 + 1.9) / 3])
    assert pool(TopKShare(1, share=0.25), [-1.0, -4.0]) == [-1.0]


@pytest.mark.parametrize(("n", "share", "k"), [(100, 0.07, 7), (100, 0.29, 29), (3000, 0.1, 300), (1001, 0.001, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_top_k_share_counts_exactly(n: int, share: float, k: int, dtype: torch.dtype) -> None:
    """In floating point 0.07 * 100 and 0.29 * 100 are not integers. The k largest of n are n - k + 1 to n."""
    features = torch.arange(1.0, n + 1, dtype=dtype).reshape(1, 1, n)
    assert TopKShare(1, share)(features).item() == pytest.approx((2 * n - k + 1) / 2)


def test_top_k_share_is_a_share_of_the_real_positions() -> None:
    """Half of 2 real positions is 1: the result is -1, although the zeros of the padding are larger."""
    features, mask = torch.tensor([[[0.0, -1.0, -4.0, 0.0]]]), torch.tensor([[False, True, True, False]])
    assert TopKShare(1, share=0.5)(features, mask).item() == -1.0


@given(row=values, quarters=st.integers(0, 4))
def test_top_k_share_against_plain_python(row: list[float], quarters: int) -> None:
    """The result is the average of the first k values in descending order."""
    chosen = sorted(row, reverse=True)[: max(1, math.ceil(quarters * len(row) / 4))]
    assert pool(TopKShare(1, quarters / 4), row) == pytest.approx([sum(chosen) / len(chosen)])


@given(row=values)
def test_top_k_share_ranges_from_maximum_to_average(row: list[float]) -> None:
    """It is the maximum for a share of 0, and the average for a share of 1."""
    assert pool(TopKShare(1, share=0.0), row) == pool(Max(1), row)
    assert pool(TopKShare(1, share=1.0), row) == pytest.approx(pool(Avg(1), row))


def test_top_k_share_gradient_is_divided_among_the_selected() -> None:
    """Of equal values the earlier are selected, as in k-max."""
    features = torch.tensor([[[0.0, 1.0, 1.0, 2.0, 1.0]]], requires_grad=True)
    TopKShare(1, share=0.4)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.0, 0.5, 0.0, 0.5, 0.0]]]


def test_quantile_by_hand() -> None:
    """The sorted values are 0, 1, 3, 7: the median is 2, and at q = 0.9 the result is 3 + 0.7 * 4, because 3q = 2.7."""
    row = [3.0, 0.0, 7.0, 1.0]
    assert pool(Quantile(1, q=0.5), row) == [2.0]
    assert pool(Quantile(1), row) == pytest.approx([5.8])
    assert pool(Quantile(1, q=0.5), [3.0, 0.0, 7.0]) == [3.0]


def test_quantile_of_the_real_positions() -> None:
    """The median of -1, -4 and -2 is -2; with the zeros of the padding it would be -1."""
    features = torch.tensor([[[0.0, -1.0, -4.0, 0.0, -2.0]]])
    mask = torch.tensor([[False, True, True, False, True]])
    assert Quantile(1, q=0.5)(features, mask).item() == -2.0


@given(row=st.lists(st.floats(-5, 5), min_size=1, max_size=30), q=st.floats(0, 1))
def test_quantile_against_numpy(row: list[float], q: float) -> None:
    """The interpolation is the default of NumPy."""
    assert pool(Quantile(1, q), row) == pytest.approx([np.quantile(row, q)], abs=1e-9)


@given(row=values)
def test_quantile_ranges_from_minimum_to_maximum(row: list[float]) -> None:
    """With q = 1, the gradient is that of the maximum too: it goes to the earliest of equal values."""
    assert pool(Quantile(1, q=0.0), row) == [min(row)]
    gradients = []
    for pooling in (Max(1), Quantile(1, q=1.0)):
        features = torch.tensor(row).reshape(1, 1, -1).requires_grad_()
        result = pooling(features)
        gradients.append((result.item(), torch.autograd.grad(result.sum(), [features])[0].tolist()))
    assert gradients[0] == gradients[1]


def test_quantile_gradient_goes_to_the_two_neighbours() -> None:
    """The median of 0, 1, 3, 7 depends on 1 and 3, by one half each."""
    features = torch.tensor([[[3.0, 0.0, 7.0, 1.0]]], requires_grad=True)
    Quantile(1, q=0.5)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.5, 0.0, 0.0, 0.5]]]


def test_quantile_of_infinite_values() -> None:
    """A value of -inf is not mistaken for padding: the median of -inf, 1 and 2 is 1, and their minimum is -inf."""
    features = torch.tensor([[[0.0, 2.0, -math.inf, 1.0, 0.0]]])
    mask = torch.tensor([[False, True, True, True, False]])
    assert Quantile(1, q=0.5)(features, mask).item() == 1.0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("strategy", "name"), [(TopKShare, "share"), (Quantile, "q")])
@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, "0.5", True, None])
def test_must_be_from_0_to_1(strategy: type[Pooling], name: str, value: float) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"^{name}: expected a number from 0 to 1, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)
