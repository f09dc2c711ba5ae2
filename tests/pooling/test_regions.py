"""Strategies over chunks and regions against plain Python, PyTorch's poolings and values computed by hand."""

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
    """Seven values in three chunks of three: neighbours share one position. The result differs from 3-max."""
    assert pool(ChunkMax(1, k=3), [0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]) == [2.5, 3.1, 1.9]
    assert pool(ChunkMax(1, k=3), [2.5, 3.1, 1.9, 0.1, 0.0, 0.2, 0.3]) == [3.1, 1.9, 0.3]


@given(row=rows, k=st.integers(1, 6))
def test_chunk_max_against_plain_python(row: list[float], k: int) -> None:
    """Chunk i is floor(i n / k) to ceil((i + 1) n / k); fewer positions than chunks give the values, then zeros."""
    n = len(row)
    expected = row + [0.0] * (k - n)
    if n >= k:
        expected = [max(row[i * n // k : -(-(i + 1) * n // k)]) for i in range(k)]
    assert pool(ChunkMax(1, k), row) == expected


@given(row=st.lists(st.floats(-5, 5), min_size=6, max_size=20), k=st.integers(1, 6))
def test_chunk_max_is_adaptive_max_pooling_of_the_real_positions(row: list[float], k: int) -> None:
    """The result equals AdaptiveMaxPool1d on the sentence without its padding."""
    features = torch.tensor([[row]])
    padded = F.pad(features, (0, 4), value=9.0)
    mask = torch.arange(len(row) + 4)[None, :] < len(row)
    assert torch.equal(ChunkMax(1, k)(padded, mask), torch.nn.AdaptiveMaxPool1d(k)(features))


def test_one_chunk_gives_the_maximum() -> None:
    """With k = 1, ChunkMax is Max."""
    features = torch.randn(4, 1, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChunkMax(1, 1)(features), Max(1)(features))


def test_chunk_avg_by_hand() -> None:
    """Seven values in three chunks of three give 6 / 3, 6 / 3 and 9 / 3."""
    assert pool(ChunkAvg(1, k=3), [1.0, 3.0, 2.0, 4.0, 0.0, 6.0, 3.0]) == pytest.approx([2.0, 2.0, 3.0])


@given(row=rows, k=st.integers(1, 6))
def test_chunk_avg_against_plain_python(row: list[float], k: int) -> None:
    """The chunks are those of ChunkMax; fewer positions than chunks give the values, then zeros."""
    n = len(row)
    expected = row + [0.0] * (k - n)
    if n >= k:
        slices = [row[i * n // k : -(-(i + 1) * n // k)] for i in range(k)]
        expected = [sum(chunk) / len(chunk) for chunk in slices]
    assert pool(ChunkAvg(1, k), row) == pytest.approx(expected, abs=1e-12)


@given(row=st.lists(st.floats(-5, 5), min_size=6, max_size=20), k=st.integers(1, 6))
def test_chunk_avg_is_adaptive_average_pooling_of_the_real_positions(row: list[float], k: int) -> None:
    """The result equals AdaptiveAvgPool1d on the sentence without its padding."""
    features = torch.tensor([[row]], dtype=torch.float64)
    mask = torch.arange(len(row) + 4)[None, :] < len(row)
    result = ChunkAvg(1, k)(F.pad(features, (0, 4), value=9.0), mask)
    torch.testing.assert_close(result, torch.nn.AdaptiveAvgPool1d(k)(features))


def test_local_max_by_hand() -> None:
    """Each region has two positions, but the last extends to the end; a region after the end gives 0."""
    assert pool(LocalMax(1, k=2, region=2), [1.0, 3.0, 2.0, 5.0, 7.0]) == [3.0, 7.0]
    assert pool(LocalMax(1, k=3, region=2), [1.0, 3.0, 2.0]) == [3.0, 2.0, 0.0]
    assert pool(LocalMax(1, k=3, region=2), [-1.0, -3.0]) == [-1.0, 0.0, 0.0]


def test_local_avg_by_hand() -> None:
    """Averages 4 / 2 and (2 + 5 + 8) / 3; if only one position of a region is real, it alone counts."""
    assert pool(LocalAvg(1, k=2, region=2), [1.0, 3.0, 2.0, 5.0, 8.0]) == pytest.approx([2.0, 5.0])
    assert pool(LocalAvg(1, k=3, region=2), [1.0, 3.0, 2.0]) == pytest.approx([2.0, 2.0, 0.0])


@given(row=rows, k=st.integers(1, 5), region=st.integers(1, 6))
def test_local_against_plain_python(row: list[float], k: int, region: int) -> None:
    """Regions are slices of equal length, except that the last extends to the end."""
    slices = [row[i * region : (i + 1) * region] for i in range(k - 1)] + [row[(k - 1) * region :]]
    assert pool(LocalMax(1, k, region), row) == [max(values, default=0.0) for values in slices]
    averages = [sum(values) / max(len(values), 1) for values in slices]
    assert pool(LocalAvg(1, k, region), row) == pytest.approx(averages, abs=1e-12)


@given(row=rows, region=st.integers(1, 6), more=st.integers(0, 2))
def test_local_max_is_max_pooling_if_regions_cover_the_sentence(row: list[float], region: int, more: int) -> None:
    """The result equals F.max_pool1d, followed by zeros."""
    features = torch.tensor([[row]])
    expected = F.max_pool1d(features, region, ceil_mode=True)
    result = LocalMax(1, expected.shape[-1] + more, region)(features)
    assert torch.equal(result, F.pad(expected, (0, more)))


@given(row=rows, region=st.integers(1, 6))
def test_one_region_is_the_whole_sentence(row: list[float], region: int) -> None:
    """With k = 1 the only region extends to the end, for every r."""
    assert pool(LocalMax(1, 1, region), row) == pool(Max(1), row)
    assert pool(LocalAvg(1, 1, region), row) == pytest.approx(pool(Avg(1), row))


def test_a_region_is_as_long_in_a_short_sentence_as_in_a_long_one() -> None:
    """More positions at the end do not change the first region; they do change the first chunk of ChunkMax."""
    short, long = [1.0, 0.0, 2.0, 0.0], [1.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert pool(LocalMax(1, k=2, region=2), short) == pool(LocalMax(1, k=2, region=2), long) == [1.0, 2.0]
    assert (pool(ChunkMax(1, k=2), short), pool(ChunkMax(1, k=2), long)) == ([1.0, 2.0], [2.0, 0.0])


def test_pyramid_by_hand() -> None:
    """The maximum of the whole sentence comes first, then those of its halves, then those of its quarters."""
    assert pool(Pyramid(1), [1.0, 3.0, 2.0, 5.0, 4.0, 0.0, 7.0, 6.0]) == [7.0, 5.0, 7.0, 3.0, 5.0, 4.0, 7.0]


@given(row=rows)
def test_pyramid_is_chunk_max_on_every_level(row: list[float]) -> None:
    """This holds also for a sentence with fewer positions than the finest level has chunks."""
    levels = Concat(1, [partial(ChunkMax, k=level) for level in (1, 2, 4)])
    assert pool(Pyramid(1, levels=(1, 2, 4)), row) == pool(levels, row)


def test_pyramid_knows_its_size_and_order() -> None:
    """The size is the number of chunks on all levels; one level of one chunk is Max, which is not ordered."""
    assert (Pyramid(2).size, Pyramid(2).ordered) == (7, True)
    assert (Pyramid(2, levels=[3, 5]).size, Pyramid(2, levels=[1]).ordered) == (8, False)


def test_hierarchical_by_hand() -> None:
    """The averages of two neighbours are 2, 2.5, 3.5 and 4.5; of three neighbours 2, 10/3 and 11/3."""
    row = [1.0, 3.0, 2.0, 5.0, 4.0]
    assert pool(Hierarchical(1, region=2), row) == [4.5]
    assert pool(Hierarchical(1, region=3), row) == pytest.approx([11 / 3])


def test_hierarchical_slides_over_real_positions_only() -> None:
    """The regions of -4, -2, -6 give -3 and -4; if -2 is masked, -4 and -6 are neighbours and give -5."""
    features = torch.tensor([[[-4.0, -2.0, -6.0, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert Hierarchical(1, region=2)(features, mask).item() == -3.0
    gap = torch.tensor([[True, False, True, False, False]])
    assert Hierarchical(1, region=2)(features, gap).item() == -5.0


@given(row=rows, region=st.integers(1, 8))
def test_hierarchical_against_plain_python(row: list[float], region: int) -> None:
    """A sentence shorter than a region is one region."""
    length = min(region, len(row))
    expected = max(sum(row[s : s + length]) / length for s in range(len(row) - length + 1))
    assert pool(Hierarchical(1, region), row) == pytest.approx([expected], abs=1e-12)


@given(row=rows, more=st.integers(0, 3))
def test_hierarchical_ranges_from_maximum_to_average(row: list[float], more: int) -> None:
    """It is the maximum for r = 1, and the average if a region is at least as long as the sentence."""
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
def test_must_be_an_integer(strategy: type[Pooling], name: str, value: int) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"^{name}: expected an integer of at least 1, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("levels", [(), [], "124", 4, None, {1, 2}])
def test_levels_must_be_a_list_of_numbers(levels: list[int]) -> None:
    """The message says what a level is and gives an example."""
    with pytest.raises(ValueError, match=r"^levels: expected at least one number of chunks, such as \[1,2,4\], got"):
        Pyramid(1, levels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("level", [0, -1, 2.5, "3", True, None])
def test_each_level_must_be_an_integer(level: int) -> None:
    """The message names the setting and the wrong level."""
    with pytest.raises(ValueError, match=r"^levels: expected an integer of at least 1, got") as error:
        Pyramid(1, levels=[1, level])
    assert repr(level) in str(error.value)
