"""Max, k-max, k-max by value and the mean of the k largest against plain Python and values worked by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import Avg, KMax, KMaxByValue, Max, TopKMean

values = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0]), min_size=1, max_size=10)


def pool(pooling: torch.nn.Module, row: list[float]) -> list[float]:
    return pooling(torch.tensor(row, dtype=torch.float64).reshape(1, 1, -1)).flatten().tolist()


@pytest.mark.parametrize(
    ("row", "largest"), [([0.1, 0.0, 3.5, 0.2, 0.1], 3.5), ([1.2, 1.5, 1.3, 1.4, 1.1], 1.5), ([2.1, 1.5, 1.8], 2.1)]
)
def test_max_of_the_lesson(row: list[float], largest: float) -> None:
    """The lesson's worked values."""
    assert pool(Max(1), row) == [largest]


def test_max_of_negative_values() -> None:
    """Padding stands as 0 and must not win over what is smaller."""
    features, mask = torch.tensor([[[-3.0, -2.0, 9.0]]]), torch.tensor([[True, True, False]])
    assert Max(1)(features, mask).item() == -2.0


def test_max_gradient_goes_to_the_earliest_of_equals() -> None:
    """One position learns, and it is the same at every length and on every device."""
    features = torch.tensor([[[0.0, 1.0, 1.0, 1.0]]], requires_grad=True)
    Max(1)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.0, 1.0, 0.0, 0.0]]]


def test_kmax_of_the_lesson() -> None:
    """The order of the sentence is kept."""
    assert pool(KMax(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [2.5, 3.1, 1.9]


def test_kmax_by_value_of_the_lesson() -> None:
    """The order of the sentence is lost."""
    assert pool(KMaxByValue(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [3.1, 2.5, 1.9]


@given(row=values, k=st.integers(1, 12))
def test_kmax_against_plain_python(row: list[float], k: int) -> None:
    """Of equals the earlier is kept; fewer positions than k give the values in order, then zeros."""
    chosen = sorted(range(len(row)), key=lambda position: (-row[position], position))[:k]
    zeros = [0.0] * (k - len(chosen))
    assert pool(KMax(1, k), row) == [row[position] for position in sorted(chosen)] + zeros
    assert pool(KMaxByValue(1, k), row) == [row[position] for position in chosen] + zeros


@given(row=values)
def test_kmax_with_k_1_is_max(row: list[float]) -> None:
    """In the value and in the gradient."""
    results = []
    for pooling in (Max(1), KMax(1, k=1), KMaxByValue(1, k=1)):
        features = torch.tensor(row).reshape(1, 1, -1).requires_grad_()
        result = pooling(features)
        [gradient] = torch.autograd.grad(result.sum(), [features])
        results.append((result.tolist(), gradient.tolist()))
    assert results[0] == results[1] == results[2]


def test_kmax_gradient_goes_to_the_earliest_of_equals() -> None:
    """After a ReLU most values are equal: the choice must not depend on anything else."""
    features = torch.tensor([[[0.0, 2.0, 0.0, 0.0, 0.0]]], requires_grad=True)
    KMax(1, k=3)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[1.0, 1.0, 1.0, 0.0, 0.0]]]


def test_top_k_mean_by_hand() -> None:
    """The three largest are 3.1, 2.5 and 1.9: 7.5 / 3."""
    assert pool(TopKMean(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == pytest.approx([2.5])


def test_top_k_mean_leaves_the_padding_out() -> None:
    """Two real positions, k = 3: (-1 - 4) / 2, though the zeros of the padding are larger."""
    features, mask = torch.tensor([[[-1.0, -4.0, 0.0, 0.0]]]), torch.tensor([[True, True, False, False]])
    assert TopKMean(1, k=3)(features, mask).item() == -2.5


@given(row=values, k=st.integers(1, 12))
def test_top_k_mean_against_plain_python(row: list[float], k: int) -> None:
    """Sort, cut, average."""
    chosen = sorted(row, reverse=True)[:k]
    assert pool(TopKMean(1, k), row) == pytest.approx([sum(chosen) / len(chosen)])


@given(row=values, more=st.integers(0, 3))
def test_top_k_mean_goes_from_maximum_to_average(row: list[float], more: int) -> None:
    """The maximum for k = 1, the average where k is at least the number of positions."""
    assert pool(TopKMean(1, k=1), row) == pool(Max(1), row)
    assert pool(TopKMean(1, k=len(row) + more), row) == pytest.approx(pool(Avg(1), row))


def test_top_k_mean_gradient_is_shared_by_the_chosen() -> None:
    """Of equals the earlier are chosen, as in k-max."""
    features = torch.tensor([[[0.0, 1.0, 1.0, 2.0, 1.0]]], requires_grad=True)
    TopKMean(1, k=2)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[0.0, 0.5, 0.0, 0.5, 0.0]]]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("strategy", [KMax, KMaxByValue, TopKMean])
@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True, None])
def test_k_must_be_a_whole_number(strategy: type[KMax | KMaxByValue | TopKMean], k: int) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(ValueError, match=r"k: expected an integer of at least 1, got") as error:
        strategy(1, k)
    assert repr(k) in str(error.value)
