"""Statistics against published values and values computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.study.statistics import (
    accuracy_on_test_set,
    difference_on_test_set,
    difference_over_seeds,
    holm,
    mean_over_seeds,
)


def test_mean_with_students_interval() -> None:
    """Five values with t(0.975, 4) = 2.776445 of a printed table: 3 ± 2.776445 * sqrt(2.5 / 5)."""
    half = 2.776445 * math.sqrt(0.5)
    assert mean_over_seeds([1, 2, 3, 4, 5]) == pytest.approx((3, 3 - half, 3 + half), abs=1e-5)


def test_one_value_has_no_interval() -> None:
    """It says nothing about another training; several equal values have an interval of width 0."""
    value, low, high = mean_over_seeds([0.5])
    assert (value, math.isnan(low), math.isnan(high)) == (0.5, True, True)
    assert mean_over_seeds([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_paired_difference_of_students_sleep_data() -> None:
    """Ten patients (Student 1908), as R prints `t.test(..., paired = TRUE)`: t = -4.0621, p = 0.002833."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    difference = difference_over_seeds(first, second)
    assert difference.estimate == pytest.approx((-1.58, -2.4598858, -0.7001142), abs=1e-6)
    assert difference.p == pytest.approx(0.002833, abs=1e-6)


def test_differences_without_spread() -> None:
    """Equal runs have the difference 0 and p = 1; a constant difference without spread has p = 0."""
    assert difference_over_seeds([1, 2, 3], [1, 2, 3]) == ((0, 0, 0), 1.0)
    assert difference_over_seeds([2, 3, 4], [1, 2, 3]) == ((1, 1, 1), 0.0)


def test_wilsons_interval() -> None:
    """81 of 263, an example in table I of Newcombe 1998: from 0.2553 to 0.3662."""
    value, low, high = accuracy_on_test_set([True] * 81 + [False] * 182)
    assert (value, low, high) == pytest.approx((81 / 263, 0.2553, 0.3662), abs=5e-5)


def test_mcnemars_exact_test() -> None:
    """Of ten sentences on which the two differ, one is right on nine: p = 2 * (1 + 10) / 2^10."""
    correct = [True] * 9 + [False] + [True] * 90
    baseline = [False] * 9 + [True] + [True] * 90
    difference = difference_on_test_set(correct, baseline)
    assert difference.p == pytest.approx(22 / 1024)
    value, low, high = difference.estimate
    assert value == pytest.approx(0.08)
    assert (low, high) == pytest.approx((0.02, 0.14), abs=0.011)  # about 0.08 ± 1.96 * sqrt(0.1 - 0.08^2) / 10


def test_equal_predictions() -> None:
    """The difference is 0 with an interval of width 0, and p = 1."""
    assert difference_on_test_set([True, False], [True, False]) == ((0, 0, 0), 1.0)


def test_holm_by_hand() -> None:
    """0.01 * 3, 0.02 * 2 and 0.04 * 1; corrected values never decrease, and never exceed 1."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    """Each p-value grows, at most by the factor of Bonferroni's correction, and the order is kept."""
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, len(p_values) * p) + 1e-12
    ranked = [corrected[index] for index in sorted(range(len(p_values)), key=p_values.__getitem__)]
    assert ranked == sorted(ranked)
