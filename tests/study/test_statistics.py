"""Statistics against published values and values computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from textpool.study.statistics import (
    Mean,
    clopper_pearson,
    difference,
    difference_on_one_test_set,
    holm,
    mean_over_tasks,
    over_seeds,
    share,
    two_way,
)


def test_mean_with_students_interval() -> None:
    """Five values with t(0.975, 4) = 2.776445 of a printed table: 3 ± 2.776445 * sqrt(2.5 / 5)."""
    half = 2.776445 * math.sqrt(0.5)
    assert over_seeds([1, 2, 3, 4, 5]).interval() == pytest.approx((3, 3 - half, 3 + half), abs=1e-5)


def test_one_value_has_no_interval() -> None:
    """It says nothing about another training."""
    value, low, high = over_seeds([0.5]).interval()
    assert (value, math.isnan(low), math.isnan(high)) == (0.5, True, True)
    assert math.isnan(over_seeds([0.5]).p)


def test_paired_difference_of_students_sleep_data() -> None:
    """Ten patients (Student 1908), as R prints `t.test(..., paired = TRUE)`: t = -4.0621, p = 0.002833."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = over_seeds(np.subtract(first, second).tolist())
    assert found.interval() == pytest.approx((-1.58, -2.4598858, -0.7001142), abs=1e-6)
    assert found.p == pytest.approx(0.002833, abs=1e-6)


def test_splits_of_the_same_texts_share_their_training_sentences() -> None:
    """Nadeau and Bengio's variance: (1/n + n_test/n_train) s², here (1/4 + 1/8) * 1."""
    assert over_seeds([1, 2, 3, 2], overlap=1 / 8).variance == pytest.approx((2 / 3) * (1 / 4 + 1 / 8))


def test_two_way_variance_by_hand() -> None:
    """Rows (1, 1, 0) and (1, 0, 0): the mean is 1/2.

    The seeds have the means 2/3 and 1/3, so MS_seed = 3 * 1/18 = 1/6; the sentences 1, 1/2, 0, so MS_sentence
    = 2 * 1/4 = 1/2; the residuals are ±1/6, ±1/3, ±1/6, so MS_residual = 1/3 / 2 = 1/6. The variance is
    (1/6 + 1/2 - 1/6) / 6, with (1/2)² / ((1/6)² / 1 + (1/2)² / 2 + (1/6)² / 2) degrees of freedom.
    """
    found = two_way(np.array([[1.0, 1, 0], [1, 0, 0]]))
    assert found.value == 0.5
    assert found.variance == pytest.approx(0.5 / 6)
    assert found.df == pytest.approx(0.25 / (1 / 36 + 1 / 8 + 1 / 72))
    assert found.units == 3


def test_two_way_variance_is_never_negative() -> None:
    """Mean squares below that of the residual count as that: the variance of rows of opposite errors is MS_res / n."""
    found = two_way(np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]]))
    residual = 8 * 0.25 / 3
    assert found.variance == pytest.approx(residual / 8)


def test_two_way_of_runs_that_agree() -> None:
    """Without any error there is no spread: the variance is 0, and the degrees of freedom are those of the seeds."""
    found = two_way(np.ones((3, 5)))
    assert (found.value, found.variance, found.df) == (1, 0, 2)


@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_two_way_counts_seeds_and_sentences_alike(n_seeds: int, n_sentences: int, seed: int) -> None:
    """The transposed table has the same variance, which is at least that of independent answers of the residual."""
    table = np.random.default_rng(seed).integers(0, 2, (n_seeds, n_sentences)).astype(float)
    found, turned = two_way(table), two_way(table.T)
    assert found.variance == pytest.approx(turned.variance, abs=1e-12)
    if found.variance > 0:
        assert found.df == pytest.approx(turned.df)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684)]
)
def test_clopper_and_pearson(right: int, n: int, low: float, high: float) -> None:
    """The examples in table I of Newcombe 1998, method 5."""
    assert clopper_pearson(right, n) == pytest.approx((low, high), abs=5e-5)


def test_an_interval_of_a_share_uses_the_effective_number_of_sentences() -> None:
    """0.5 with the variance of 100 independent sentences, and a t-quantile like that of the normal distribution."""
    found = share(Mean(0.5, 0.25 / 100, 1e9, units=1000))
    assert found[1:] == pytest.approx(clopper_pearson(50, 100), abs=1e-6)
    few = share(Mean(0.5, 0.25 / 100, 4, units=1000))
    assert few[1:] == pytest.approx(clopper_pearson(50 * 0.49833, 100 * 0.49833), abs=1e-4)  # (1.95996 / 2.77645)²


def test_an_interval_without_spread_is_that_of_the_sentences() -> None:
    """All of 320 sentences right, with all seeds: 1 - 0.025^(1/320) = 0.0115 may be wrong."""
    assert share(Mean(1.0, 0.0, 9, units=320)) == pytest.approx((1, 0.025 ** (1 / 320), 1))


@given(st.integers(0, 1000), st.floats(0, 0.3), st.floats(1, 50), st.integers(1, 5000))
def test_an_interval_of_a_share_is_inside_0_to_1(thousandths: int, variance: float, df: float, units: int) -> None:
    """Also at the ends, where an interval of Student's t goes beyond them; it holds the share."""
    p, low, high = share(Mean(thousandths / 1000, variance, df, units))
    assert 0 <= low <= p <= high <= 1
    assert high > low


def test_differences_without_spread_are_not_certain() -> None:
    """Two seeds that differ by one of 100 sentences each: no p-value of 0, and an interval with a width."""
    found = difference(over_seeds([0.01, 0.01], units=200))
    assert found.variance == pytest.approx(2 / 202**2)
    assert found.p == pytest.approx(2 * float(stats.t.sf(0.01 / (math.sqrt(2) / 202), 1)))
    assert found.p > 0.3
    none = difference(over_seeds([0.0, 0.0, 0.0], units=200))
    assert none.p == 1
    assert none.interval().high > 0


def test_a_spread_that_was_measured_stays() -> None:
    """The two added sentences are the least, not an addition."""
    measured = over_seeds([0.1, 0.3], units=100)
    assert difference(measured) == measured
    assert difference(over_seeds([0.5, 0.6])) == over_seeds([0.5, 0.6])  # no share of sentences, such as a loss


def test_nothing_is_known_without_spread_and_without_sentences() -> None:
    """Equal losses of two seeds have no interval and no p-value."""
    found = difference(over_seeds([0.5, 0.5]))
    assert (found.value, math.isnan(found.p), math.isnan(found.interval().low)) == (0.5, True, True)


def test_difference_of_two_models_on_one_test_set() -> None:
    """9 of 100 for one, 1 for the other: (10 + 2 - 64 / 102) / 102² (Bonett and Price 2012)."""
    correct = np.array([1.0] * 9 + [0] + [1] * 90)
    baseline = np.array([0.0] * 9 + [1] + [1] * 90)
    found = difference_on_one_test_set(correct, baseline)
    assert found.value == pytest.approx(0.08)
    assert found.variance == pytest.approx((12 - 64 / 102) / 102**2)
    assert 0 < found.p < 0.05
    same = difference_on_one_test_set(correct, correct)
    assert same.p == 1
    assert same.interval() == pytest.approx((0, -1.959964 * math.sqrt(2) / 102, 1.959964 * math.sqrt(2) / 102))


def test_holm_by_hand() -> None:
    """0.01 * 3, 0.02 * 2 and 0.04 * 1; corrected values never decrease, and never exceed 1."""
    corrected, levels = holm([0.04, 0.01, 0.02])
    assert corrected == pytest.approx([0.04, 0.03, 0.04])
    assert levels == pytest.approx([0.95, 1 - 0.05 / 3, 0.975])
    assert holm([0.9, 0.8])[0] == [1.0, 1.0]
    assert holm([]) == ([], [])


def test_holm_stops_at_the_first_that_is_not_significant() -> None:
    """0.03 is above 0.05 / 2, so 0.04 is not tested: its interval has the level of 0.03, and both hold 0."""
    corrected, levels = holm([0.04, 0.01, 0.03])
    assert corrected == pytest.approx([0.06, 0.03, 0.06])
    assert levels == pytest.approx([0.975, 1 - 0.05 / 3, 0.975])


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=1, max_size=8))
def test_intervals_agree_with_corrected_p_values(pairs: list[tuple[float, float]]) -> None:
    """An interval leaves out 0 if and only if the corrected p-value is below 0.05, for every number of comparisons."""
    means = [Mean(value, error**2, 9) for value, error in pairs]
    for mean, p, level in zip(means, *holm([mean.p for mean in means]), strict=True):
        _, low, high = mean.interval(level)
        if abs(p - 0.05) > 1e-9:
            assert (low > 0 or high < 0) == (p < 0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    """Each p-value grows, at most by the factor of Bonferroni's correction, and the order is kept."""
    corrected, _ = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, len(p_values) * p) + 1e-12
    ranked = [corrected[index] for index in sorted(range(len(p_values)), key=p_values.__getitem__)]
    assert ranked == sorted(ranked)


def test_mean_over_tasks_weighs_tasks_alike() -> None:
    """A task with more seeds does not count more; seeds without spread give no width, one seed gives no interval."""
    assert mean_over_tasks([[0.5] * 3, [1.0] * 9]) == pytest.approx((0.75, 0.75, 0.75))
    assert math.isnan(mean_over_tasks([[0.5], [1.0, 1.0]]).low)


def test_mean_over_tasks_resamples_the_seeds_of_each_task() -> None:
    """Two tasks of ten seeds, half of which fail on the first: its mean has a standard error of 0.5 / sqrt(10)."""
    value, low, high = mean_over_tasks([[0.0, 1.0] * 5, [1.0] * 10], draws=20_000)
    assert value == 0.75
    assert (high - low) / 2 == pytest.approx(1.96 * 0.5 / math.sqrt(10) / 2, rel=0.1)
