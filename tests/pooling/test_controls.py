"""First and Last against plain Python and values computed by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import First, Last


def test_first_and_last_by_hand() -> None:
    """The result is the value of one position in every channel; other positions have no influence."""
    features = torch.tensor([[[5.0, 9.0, 2.0], [-1.0, 0.0, -3.0]]])
    assert First(2)(features).flatten().tolist() == [5.0, -1.0]
    assert Last(2)(features).flatten().tolist() == [2.0, -3.0]


def test_each_sentence_has_its_own_ends() -> None:
    """Last reads the end of the sentence, not of the batch; First skips masked positions before the sentence."""
    features = torch.tensor([[[1.0, 2.0, 3.0, 4.0]], [[5.0, 6.0, 7.0, 8.0]]])
    mask = torch.tensor([[True, True, False, False], [False, True, False, True]])
    assert First(1)(features, mask).flatten().tolist() == [1.0, 6.0]
    assert Last(1)(features, mask).flatten().tolist() == [2.0, 8.0]


@given(row=st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_ends_against_plain_python(row: list[float]) -> None:
    """The results are the values at index 0 and index -1."""
    features = torch.tensor([[row]], dtype=torch.float64)
    assert (First(1)(features).item(), Last(1)(features).item()) == (row[0], row[-1])


@pytest.mark.parametrize(("strategy", "gradient"), [(First, [1.0, 0.0, 0.0]), (Last, [0.0, 0.0, 1.0])])
def test_one_position_gets_the_gradient(strategy: type[First | Last], gradient: list[float]) -> None:
    """Only one position gets a gradient, even if all values are equal."""
    features = torch.zeros(1, 1, 3, requires_grad=True)
    strategy(1)(features).sum().backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == gradient


def test_ends_of_a_long_sentence() -> None:
    """The position does not overflow an 8-bit integer."""
    features = torch.arange(1000.0).reshape(1, 1, -1)
    assert (First(1)(features).item(), Last(1)(features).item()) == (0.0, 999.0)
