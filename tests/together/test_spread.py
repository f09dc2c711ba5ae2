"""Which jobs of a sweep are trained at once, and how they are spread over worker processes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.together.launch import groups_of, spread

SWEEP = [
    [f"pooling={pooling}", "data.seed=${seed}", f"seed={seed}"] for pooling in ("max", "avg") for seed in (0, 1, 2)
]


def test_groups_differ_in_the_seed_alone() -> None:
    """Settings that follow the seed by an interpolation are written the same way in all of their overrides."""
    assert groups_of(SWEEP) == [[0, 1, 2], [3, 4, 5]]
    assert groups_of([["seed=1", "k=3"], ["k=5", "seed=1"], ["k=3", "seed=2"]]) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("sizes", "n_workers", "overhead", "parts"),
    [
        ((10, 10, 10), 1, 0.5, [10, 10, 10]),  # nothing to divide
        ((10, 10, 10), 2, 0.5, [5, 5, 5, 5, 5, 5]),  # three groups on two workers: one of them would be idle
        ((10, 10, 10), 2, 20, [10, 10, 10]),  # a step of ten models costs little more than one of five
        ((10,), 4, 0.5, [3, 3, 2, 2]),
        ((1, 1), 8, 0.5, [1, 1]),
    ],
)
def test_parts_of_groups(sizes: tuple[int, ...], n_workers: int, overhead: float, parts: list[int]) -> None:
    """No worker is idle for long, and parts are no smaller than that takes."""
    numbers = itertools.count()
    groups = [[next(numbers) for _ in range(size)] for size in sizes]
    assert [len(part) for part in spread(groups, n_workers, overhead)] == parts


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 16), st.floats(0, 30))
def test_every_job_is_in_one_part(sizes: list[int], n_workers: int, overhead: float) -> None:
    """No job is lost or done twice, and no part has jobs of two groups."""
    numbers = itertools.count()
    groups = [[next(numbers) for _ in range(size)] for size in sizes]
    parts = spread(groups, n_workers, overhead)
    assert sorted(itertools.chain(*parts)) == list(range(sum(sizes)))
    assert all(any(set(part) <= set(group) for group in groups) for part in parts)
