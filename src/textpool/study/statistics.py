"""Intervals and tests of a mean or a difference, over seeds or over the sentences of one test set.

The formulas are SciPy's; this module chooses the one that answers each question.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Estimate(NamedTuple):
    """A value with its 95 % interval; NaN bounds where there is none."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference from the baseline with its 95 % interval, and its p-value."""

    estimate: Estimate
    p: float


def mean_over_seeds(values: Sequence[float]) -> Estimate:
    """Mean with the interval of Student's t distribution; a single value has no interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, math.nan, math.nan)
    error = float(stats.sem(values))
    if error == 0:
        return Estimate(mean, mean, mean)
    low, high = stats.t.interval(LEVEL, len(values) - 1, loc=mean, scale=error)
    return Estimate(mean, float(low), float(high))


def difference_over_seeds(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """Mean of paired differences with Student's t interval and the p-value of the paired t-test.

    Args:
        values: a metric, one value per seed.
        baseline: the metric of the baseline, for the same seeds in the same order; at least two.
    """
    differences = np.subtract(values, baseline)
    estimate = mean_over_seeds(differences.tolist())
    if np.ptp(differences) == 0:  # without spread, the t-test is not defined
        return Difference(estimate, 1.0 if estimate.value == 0 else 0.0)
    return Difference(estimate, float(stats.ttest_rel(values, baseline).pvalue))


def accuracy_on_test_set(correct: Sequence[bool]) -> Estimate:
    """Accuracy with Wilson's interval: the range for this one model on other test sets from the same distribution."""
    result = stats.binomtest(sum(correct), len(correct))
    interval = result.proportion_ci(LEVEL, method="wilson")
    return Estimate(float(result.statistic), float(interval.low), float(interval.high))


def difference_on_test_set(correct: Sequence[bool], baseline: Sequence[bool]) -> Difference:
    """Difference of two accuracies on the same sentences: bootstrap interval, exact McNemar test.

    Args:
        correct: whether each sentence was classified correctly.
        baseline: the same for the baseline, on the same sentences in the same order.
    """
    paired = np.subtract(np.asarray(correct, dtype=float), np.asarray(baseline, dtype=float))
    better, worse = int((paired > 0).sum()), int((paired < 0).sum())
    mean = float(paired.mean())
    if better + worse == 0:
        return Difference(Estimate(mean, mean, mean), 1.0)
    n = len(paired)
    # The difference on a resampled test set depends only on how many of its sentences favour either side, and these
    # numbers are a multinomial draw: the same distribution as resampling sentences, much faster.
    drawn = np.random.default_rng(0).multinomial(n, [better / n, worse / n, (n - better - worse) / n], size=10_000)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / n, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p = stats.binomtest(better, better + worse).pvalue
    return Difference(Estimate(mean, float(low), float(high)), float(p))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given (Holm 1979, step-down procedure)."""
    order = np.argsort(p_values)
    stepped = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected.tolist()
