"""One maximum per part of the sentence."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import ChunkMax, Max


def pool(k: int, row: list[float]) -> list[float]:
    return ChunkMax(1, k)(torch.tensor([[row]], dtype=torch.float64)).flatten().tolist()


def test_chunk_max_by_hand() -> None:
    """Seven values in three parts of three, each sharing one with its neighbour; this is not 3-max."""
    assert pool(3, [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [2.5, 3.1, 1.9]
    assert pool(3, [2.5, 3.1, 1.9, 0.1, 0.0, 0.2, 0.3]) == [3.1, 1.9, 0.3]


@given(row=st.lists(st.floats(-5, 5), min_size=1, max_size=20), k=st.integers(1, 6))
def test_chunk_max_against_plain_python(row: list[float], k: int) -> None:
    """Parts run from floor(i n / k) to ceil((i + 1) n / k); fewer positions than parts: the values, then zeros."""
    n = len(row)
    expected = row + [0.0] * (k - n)
    if n >= k:
        expected = [max(row[i * n // k : -(-(i + 1) * n // k)]) for i in range(k)]
    assert pool(k, row) == expected


@given(row=st.lists(st.floats(-5, 5), min_size=6, max_size=20), k=st.integers(1, 6))
def test_chunk_max_is_adaptive_max_pooling_of_the_real_positions(row: list[float], k: int) -> None:
    """PyTorch's own, on the sentence without its padding."""
    features = torch.tensor([[row]])
    padded = torch.nn.functional.pad(features, (0, 4), value=9.0)
    mask = torch.arange(len(row) + 4)[None, :] < len(row)
    assert torch.equal(ChunkMax(1, k)(padded, mask), torch.nn.AdaptiveMaxPool1d(k)(features))


def test_one_part_is_the_maximum() -> None:
    """AdaptiveMaxPool1d(1) is global max."""
    features = torch.randn(4, 1, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChunkMax(1, 1)(features), Max(1)(features))
