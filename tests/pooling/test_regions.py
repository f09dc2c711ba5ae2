"""Strategies that cut the sentence in regions, against plain Python, PyTorch's own and values worked by hand."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from textpool.pooling import (
    Avg,
    ChunkAvg,
    ChunkMax,
    Concat,
    Hierarchical,
    LocalAvg,
    LocalMax,
    Max,
    Pooling,
    Pyramid,
)

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=20)


def pool(pooling: Pooling, row: list[float]) -> list[float]:
    return pooling(torch.tensor([[row]], dtype=torch.float64)).flatten().tolist()


def test_chunk_max_by_hand() -> None:
    """Seven values in three parts of three, each sharing one with its neighbour; this is not 3-max."""
    assert pool(ChunkMax(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [2.5, 3.1, 1.9]
    assert pool(ChunkMax(1, k=3), [2.5, 3.1, 1.9, 0.1, 0.0, 0.2, 0.3]) == [3.1, 1.9, 0.3]


@given(row=rows, k=st.integers(1, 6))
def test_chunk_max_against_plain_python(row: list[float], k: int) -> None:
    """Parts run from floor(i n / k) to ceil((i + 1) n / k); fewer positions than parts: the values, then zeros."""
    n = len(row)
    expected = row + [0.0] * (k - n)
    if n >= k:
        expected = [max(row[i * n // k : -(-(i + 1) * n // k)]) for i in range(k)]
    assert pool(ChunkMax(1, k), row) == expected


@given(row=st.lists(st.floats(-5, 5), min_size=6, max_size=20), k=st.integers(1, 6))
def test_chunk_max_is_adaptive_max_pooling_of_the_real_positions(row: list[float], k: int) -> None:
    """PyTorch's own, on the sentence without its padding."""
    features = torch.tensor([[row]])
    padded = F.pad(features, (0, 4), value=9.0)
    mask = torch.arange(len(row) + 4)[None, :] < len(row)
    assert torch.equal(ChunkMax(1, k)(padded, mask), torch.nn.AdaptiveMaxPool1d(k)(features))


def test_one_part_is_the_maximum() -> None:
    """AdaptiveMaxPool1d(1) is global max."""
    features = torch.randn(4, 1, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChunkMax(1, 1)(features), Max(1)(features))


def test_chunk_avg_by_hand() -> None:
    """Seven values in three parts of three: 6 / 3, 6 / 3 and 9 / 3."""
    assert pool(ChunkAvg(1, k=3), [1.0, 3.0, 2.0, 4.0, 0.0, 6.0, 3.0]) == pytest.approx([2.0, 2.0, 3.0])


@given(row=rows, k=st.integers(1, 6))
def test_chunk_avg_against_plain_python(row: list[float], k: int) -> None:
    """The parts of chunk-max; fewer positions than parts: the values, then zeros."""
    n = len(row)
    expected = row + [0.0] * (k - n)
    if n >= k:
        slices = [row[i * n // k : -(-(i + 1) * n // k)] for i in range(k)]
        expected = [sum(part) / len(part) for part in slices]
    assert pool(ChunkAvg(1, k), row) == pytest.approx(expected, abs=1e-12)


@given(row=st.lists(st.floats(-5, 5), min_size=6, max_size=20), k=st.integers(1, 6))
def test_chunk_avg_is_adaptive_average_pooling_of_the_real_positions(row: list[float], k: int) -> None:
    """PyTorch's own, on the sentence without its padding."""
    features = torch.tensor([[row]], dtype=torch.float64)
    mask = torch.arange(len(row) + 4)[None, :] < len(row)
    result = ChunkAvg(1, k)(F.pad(features, (0, 4), value=9.0), mask)
    torch.testing.assert_close(result, torch.nn.AdaptiveAvgPool1d(k)(features))


def test_local_max_by_hand() -> None:
    """Regions of two; the last has all that is left, and one behind the end gives 0, even below zero."""
    assert pool(LocalMax(1, k=2, region=2), [1.0, 3.0, 2.0, 5.0, 7.0]) == [3.0, 7.0]
    assert pool(LocalMax(1, k=3, region=2), [1.0, 3.0, 2.0]) == [3.0, 2.0, 0.0]
    assert pool(LocalMax(1, k=3, region=2), [-1.0, -3.0]) == [-1.0, 0.0, 0.0]


def test_local_avg_by_hand() -> None:
    """4 / 2 and (2 + 5 + 8) / 3; of a region that the sentence leaves half empty only what is there counts."""
    assert pool(LocalAvg(1, k=2, region=2), [1.0, 3.0, 2.0, 5.0, 8.0]) == pytest.approx([2.0, 5.0])
    assert pool(LocalAvg(1, k=3, region=2), [1.0, 3.0, 2.0]) == pytest.approx([2.0, 2.0, 0.0])


@given(row=rows, k=st.integers(1, 5), region=st.integers(1, 6))
def test_local_against_plain_python(row: list[float], k: int, region: int) -> None:
    """Slices of equal length, the last to the end."""
    slices = [row[i * region : (i + 1) * region] for i in range(k - 1)] + [row[(k - 1) * region :]]
    assert pool(LocalMax(1, k, region), row) == [max(part, default=0.0) for part in slices]
    averages = [sum(part) / max(len(part), 1) for part in slices]
    assert pool(LocalAvg(1, k, region), row) == pytest.approx(averages, abs=1e-12)


@given(row=rows, region=st.integers(1, 6), more=st.integers(0, 2))
def test_local_max_is_max_pooling_where_regions_cover_the_sentence(row: list[float], region: int, more: int) -> None:
    """PyTorch's own, followed by zeros."""
    features = torch.tensor([[row]])
    expected = F.max_pool1d(features, region, ceil_mode=True)
    result = LocalMax(1, expected.shape[-1] + more, region)(features)
    assert torch.equal(result, F.pad(expected, (0, more)))


@given(row=rows, region=st.integers(1, 6))
def test_one_region_is_the_whole_sentence(row: list[float], region: int) -> None:
    """However short it is said to be."""
    assert pool(LocalMax(1, 1, region), row) == pool(Max(1), row)
    assert pool(LocalAvg(1, 1, region), row) == pytest.approx(pool(Avg(1), row))


def test_a_region_is_as_long_in_a_short_sentence_as_in_a_long_one() -> None:
    """What stands behind the first region does not move it; in chunk-max it does."""
    short, long = [1.0, 0.0, 2.0, 0.0], [1.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert pool(LocalMax(1, k=2, region=2), short) == pool(LocalMax(1, k=2, region=2), long) == [1.0, 2.0]
    assert (pool(ChunkMax(1, k=2), short), pool(ChunkMax(1, k=2), long)) == ([1.0, 2.0], [2.0, 0.0])


def test_pyramid_by_hand() -> None:
    """The whole, then its halves, then its quarters."""
    assert pool(Pyramid(1), [1.0, 3.0, 2.0, 5.0, 4.0, 0.0, 7.0, 6.0]) == [7.0, 5.0, 7.0, 3.0, 5.0, 4.0, 7.0]


@given(row=rows)
def test_pyramid_is_chunk_max_on_every_level(row: list[float]) -> None:
    """Also in a sentence shorter than the finest level."""
    levels = Concat(1, [partial(ChunkMax, k=level) for level in (1, 2, 4)])
    assert pool(Pyramid(1, levels=(1, 2, 4)), row) == pool(levels, row)


def test_pyramid_knows_its_size_and_order() -> None:
    """A value a part; one level of one part is the maximum, blind to order."""
    assert (Pyramid(2).size, Pyramid(2).ordered) == (7, True)
    assert (Pyramid(2, levels=[3, 5]).size, Pyramid(2, levels=[1]).ordered) == (8, False)


def test_hierarchical_by_hand() -> None:
    """Averages of two neighbours are 2, 2.5, 3.5 and 4.5; of three 2, 10/3 and 11/3."""
    row = [1.0, 3.0, 2.0, 5.0, 4.0]
    assert pool(Hierarchical(1, region=2), row) == [4.5]
    assert pool(Hierarchical(1, region=3), row) == pytest.approx([11 / 3])


def test_hierarchical_slides_over_real_positions_only() -> None:
    """Stretches of two within -4, -2, -6: -3 and -4; a stretch over the end would give -3 with a zero in it."""
    features = torch.tensor([[[-4.0, -2.0, -6.0, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert Hierarchical(1, region=2)(features, mask).item() == -3.0
    gap = torch.tensor([[True, False, True, False, False]])
    assert Hierarchical(1, region=2)(features, gap).item() == -5.0


@given(row=rows, region=st.integers(1, 8))
def test_hierarchical_against_plain_python(row: list[float], region: int) -> None:
    """A sentence shorter than a stretch is one stretch."""
    length = min(region, len(row))
    expected = max(sum(row[s : s + length]) / length for s in range(len(row) - length + 1))
    assert pool(Hierarchical(1, region), row) == pytest.approx([expected], abs=1e-12)


@given(row=rows, more=st.integers(0, 3))
def test_hierarchical_goes_from_maximum_to_average(row: list[float], more: int) -> None:
    """The maximum for stretches of one, the average where a stretch is at least as long as the sentence."""
    assert pool(Hierarchical(1, region=1), row) == pool(Max(1), row)
    assert pool(Hierarchical(1, region=len(row) + more), row) == pytest.approx(pool(Avg(1), row), abs=1e-12)
    assert (Hierarchical(1, region=1).ordered, Hierarchical(1, region=2).ordered) == (False, True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (ChunkMax, "k"),
        (ChunkAvg, "k"),
        (LocalMax, "k"),
        (LocalMax, "region"),
        (LocalAvg, "k"),
        (LocalAvg, "region"),
        (Hierarchical, "region"),
    ],
)
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True, None])
def test_must_be_a_whole_number(strategy: type[Pooling], name: str, value: int) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(ValueError, match=f"^{name}: expected an integer of at least 1, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("levels", [(), [], "124", 4, None, {1, 2}])
def test_levels_must_be_several_numbers(levels: list[int]) -> None:
    """Say what a level is, with an example."""
    with pytest.raises(ValueError, match=r"^levels: expected at least one number of parts, such as \[1,2,4\], got"):
        Pyramid(1, levels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("level", [0, -1, 2.5, "3", True, None])
def test_each_level_must_be_a_whole_number(level: int) -> None:
    """The message names the setting, and the level that is wrong."""
    with pytest.raises(ValueError, match=r"^levels: expected an integer of at least 1, got") as error:
        Pyramid(1, levels=[1, level])
    assert repr(level) in str(error.value)
