"""Intervals and tests of accuracies and of their differences, over seeds, over test sentences, or over both.

A study can be repeated with other seeds and with other test sentences; both change its numbers. Which of the two an
interval has to cover follows from the runs:

- *Crossed*: all seeds were tested on the same sentences. The variance of the mean is that of a two-way table, seeds by
  sentences (`two_way`).
- *Drawn anew*: each seed has test sentences of its own. Then the spread of the seeds holds both (`over_seeds`).
- *One seed*: the interval is over the sentences alone, and says nothing about another training.

`scripts/simulate.py` measures how often the intervals hold the true value, and how often equal models are told apart.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95


class Estimate(NamedTuple):
    """A value with its interval; NaN bounds where there is none."""

    value: float
    low: float
    high: float


class Mean(NamedTuple):
    """A mean, and what its interval needs.

    Attributes:
        value: the mean.
        variance: of the mean.
        df: degrees of freedom of the variance; infinite where the formula of the interval needs none.
        units: number of different test sentences behind it; 0: not known, or not a share of sentences.
    """

    value: float
    variance: float
    df: float
    units: int = 0

    @property
    def p(self) -> float:
        """p-value of the two-sided t-test that the mean is 0; NaN where nothing is known of its spread."""
        if math.isnan(self.variance) or self.variance == 0:
            return math.nan
        return float(2 * stats.t.sf(abs(self.value) / math.sqrt(self.variance), self.df))

    def interval(self, level: float = LEVEL) -> Estimate:
        """The mean with the interval of Student's t distribution."""
        if math.isnan(self.variance):
            return Estimate(self.value, math.nan, math.nan)
        half = math.sqrt(self.variance) * float(stats.t.ppf((1 + level) / 2, self.df))
        return Estimate(self.value, self.value - half, self.value + half)


def over_seeds(values: Sequence[float], units: int = 0, overlap: float = 0.0) -> Mean:
    """Mean over seeds that are independent of each other, or that split the same texts differently.

    Args:
        values: a metric, one value per seed; or differences, paired by seed.
        units: number of different test sentences of all seeds together, see `Mean`.
        overlap: size of the test split divided by that of the training split, if each seed splits the same texts at
            random. The training splits then share most of their texts, and the variance of the mean is larger by this
            share of the variance of one value (Nadeau and Bengio 2003, "Inference for the Generalization Error",
            Machine Learning 52).
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Mean(mean, math.nan, math.nan, units)
    return Mean(mean, float(np.var(values, ddof=1)) * (1 / n + overlap), n - 1, units)


def two_way(values: NDArray[np.floating]) -> Mean:
    r"""Mean of a table of seeds by sentences, where another study would draw both anew.

    With the mean squares of the seeds, of the sentences and of the residual, the variance of the mean is

    $$ (MS_{seed} + MS_{sentence} - MS_{residual}) / (n_{seed} n_{sentence}) $$

    where a mean square below that of the residual counts as that of the residual, because a variance is not negative.
    The degrees of freedom are Satterthwaite's (1946).

    Searle, Casella and McCulloch 1992, "Variance Components", chapter 4: the two-way random model without replication.

    Args:
        values: (seeds, sentences), at least two of each: 1 where the prediction is right, else 0; or the differences
            of two such tables.
    """
    n_seeds, n_sentences = values.shape
    mean = float(values.mean())
    seeds, sentences = values.mean(1), values.mean(0)
    of_seeds = n_sentences * float(np.var(seeds, ddof=1))
    of_sentences = n_seeds * float(np.var(sentences, ddof=1))
    residuals = values - seeds[:, None] - sentences[None, :] + mean
    df_residual = (n_seeds - 1) * (n_sentences - 1)
    residual = float((residuals**2).sum()) / df_residual
    of_seeds, of_sentences = max(of_seeds, residual), max(of_sentences, residual)
    total = of_seeds + of_sentences - residual
    squares = of_seeds**2 / (n_seeds - 1) + of_sentences**2 / (n_sentences - 1) + residual**2 / df_residual
    df = total**2 / squares if squares > 0 else n_seeds - 1.0
    return Mean(mean, total / values.size, df, n_sentences)


def share(mean: Mean, level: float = LEVEL) -> Estimate:
    """A share of sentences, such as an accuracy, with an interval inside 0 to 1.

    The interval of Clopper and Pearson for as many sentences, drawn independently, as would give the same variance
    (effective sample size), reduced for the degrees of freedom of the variance; never more than there are. Where all
    runs agree, there is no spread to measure, and the sentences decide.

    Korn and Graubard 1998, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts
    Estimated from Survey Data", Survey Methodology 24.
    """
    if math.isnan(mean.variance) or not mean.units:
        return mean.interval(level)
    p, n = min(max(mean.value, 0.0), 1.0), float(mean.units)
    if mean.variance > 0:
        tail = (1 + level) / 2
        reduced = (stats.norm.ppf(tail) / stats.t.ppf(tail, mean.df)) ** 2
        n = min(n, float(reduced) * p * (1 - p) / mean.variance)
    return Estimate(p, *clopper_pearson(p * n, n, level))


def clopper_pearson(right: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a share of which `right` of `n` were seen (Clopper and Pearson 1934); `n` need not be an integer."""
    tail, wrong = (1 - level) / 2, max(n - right, 0.0)
    low = float(stats.beta.ppf(tail, right, wrong + 1)) if right > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, right + 1, wrong)) if wrong > 0 else 1.0
    return low, high


def difference(mean: Mean) -> Mean:
    r"""The mean of paired differences of right answers, with a variance that is never 0.

    Models that agree on every sentence of a test set may differ on others. The variance is therefore at least that of
    two sentences added to the test set, of which each favours one of the models: 2 / (n + 2)². Where the number of
    sentences is not known and the seeds have no spread, nothing is known of the variance, and it is NaN.

    Bonett and Price 2012, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired
    Data", Journal of Educational and Behavioral Statistics 37, add these two sentences.
    """
    if mean.units:
        return mean._replace(variance=max(mean.variance, 2 / (mean.units + 2) ** 2))
    return mean._replace(variance=mean.variance or math.nan)


def difference_on_one_test_set(correct: NDArray[np.floating], baseline: NDArray[np.floating]) -> Mean:
    """The difference of the accuracies of two models on the same sentences.

    The variance is that of Bonett and Price 2012, see `difference`: one sentence is added on which only the first is
    right, and one on which only the second is.

    Args:
        correct: (sentences,), 1 where the prediction is right, else 0.
        baseline: the same for the baseline, on the same sentences in the same order.
    """
    paired, n = correct - baseline, len(correct)
    better, worse = ((side.sum() + 1) / (n + 2) for side in (paired > 0, paired < 0))
    variance = float(better + worse - (better - worse) ** 2) / (n + 2)
    return Mean(float(paired.mean()), variance, math.inf, n)


def holm(p_values: Sequence[float], level: float = LEVEL) -> tuple[list[float], list[float]]:
    """Correct p-values for their number, with the level of an interval for each that agrees with its test.

    Holm's procedure (1979) compares the smallest of m p-values with alpha/m, the next one with alpha/(m - 1), and so
    on, until one is larger; the rest is not tested. The interval of a comparison has the level 1 - alpha/m, … at which
    the procedure tested it, and that of the first that was not significant where it did not come to test it. An
    interval then leaves out 0 if and only if the corrected p-value is at most alpha.

    Returns:
        The corrected p-values, and the levels, both in the order given.
    """
    n, alpha = len(p_values), 1 - level
    order = np.argsort(p_values)
    factors = np.arange(n, 0, -1)
    stepped = np.asarray(p_values, dtype=float)[order] * factors
    corrected, levels = np.empty(n), np.empty(n)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    stop = next((step for step, p in enumerate(stepped) if p > alpha), n - 1)
    levels[order] = 1 - alpha / np.maximum(factors, factors[stop] if n else 1)
    return corrected.tolist(), levels.tolist()


def mean_over_tasks(
    by_task: Sequence[Sequence[float]], level: float = LEVEL, draws: int = 2000, seed: int = 0
) -> Estimate:
    """Mean over tasks of the means over seeds, with a bootstrap interval in which each task keeps its seeds.

    The tasks are those of the study, not a sample of tasks: the interval is over other seeds on the same tasks.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264),
    section 4: stratified bootstrap.

    Args:
        by_task: for each task its values, one per seed; the tasks may have different numbers of seeds.
        level: of the interval.
        draws: number of bootstrap samples.
        seed: of the samples.
    """
    value = float(np.mean([np.mean(task) for task in by_task]))
    if any(len(task) < 2 for task in by_task):
        return Estimate(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    means = [rng.choice(np.asarray(task), (draws, len(task))).mean(1) for task in by_task]  # (draws,) each
    low, high = np.quantile(np.mean(means, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
