"""The average over real positions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import Avg


@pytest.mark.parametrize(
    ("row", "mean"), [([0.1, 0.0, 3.5, 0.2, 0.1], 0.78), ([1.2, 1.5, 1.3, 1.4, 1.1], 1.30), ([2.1, 1.5, 1.8], 1.80)]
)
def test_average_of_the_lesson(row: list[float], mean: float) -> None:
    """The lesson's worked values."""
    assert Avg(1)(torch.tensor([[row]])).item() == pytest.approx(mean)


def test_average_leaves_the_padding_out() -> None:
    """The lesson's example: 1.80 over the 3 real positions, not 1.08 over all 5."""
    features = torch.tensor([[[2.1, 1.5, 1.8, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert Avg(1)(features, mask).item() == pytest.approx(1.80)
    assert Avg(1)(features).item() == pytest.approx(1.08)


@given(row=st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_average_against_plain_python(row: list[float]) -> None:
    """Sum over number."""
    result = Avg(1)(torch.tensor([[row]], dtype=torch.float64)).item()
    assert result == pytest.approx(sum(row) / len(row), abs=1e-12)
