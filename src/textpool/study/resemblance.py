"""Does one data set order the strategies as another one does? Rank correlations with their uncertainty."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from textpool.study.runs import REPETITION, factor_names
from textpool.study.statistics import holm

LEAST_STRATEGIES = 5  # fewer have too few orders: of four, each order has a probability of 4 %
DRAWS = 2000

ByStrategy = Mapping[str, Sequence[float]]  # strategy → a metric, one value per run


class Resemblance(NamedTuple):
    """How alike two data sets order the strategies.

    Attributes:
        rho: Spearman's rank correlation of the mean metrics, from -1 to 1.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p-value of a permutation test that the orders have nothing to do with each other.
        n: number of strategies.
    """

    rho: float
    low: float
    high: float
    p: float
    n: int


def resemblance(one: ByStrategy, other: ByStrategy, draws: int = DRAWS, seed: int = 0) -> Resemblance:
    """Compare the orders of the strategies that two data sets have in common.

    The interval is a percentile bootstrap that draws the strategies anew, and of each its runs: another study would
    have other runs, and the question is about strategies in general, of which those here are a sample.

    Spearman 1904, "The Proof and Measurement of Association between Two Things"; Efron and Tibshirani 1993, "An
    Introduction to the Bootstrap", chapter 13.

    Raises:
        ValueError: if the data sets have fewer than `LEAST_STRATEGIES` strategies in common.
    """
    names = [name for name in one if name in other]
    if len(names) < LEAST_STRATEGIES:
        raise ValueError(f"expected at least {LEAST_STRATEGIES} strategies in common, got {len(names)}")
    means = np.array([[np.mean(one[name]), np.mean(other[name])] for name in names]).T  # (2, strategies)
    rng = np.random.default_rng(seed)
    n = len(names)
    # means over runs that were drawn anew, (2, strategies, draws), of strategies that are then drawn anew
    runs = np.array([[_drawn_means(side[name], draws, rng) for name in names] for side in (one, other)])
    some = rng.integers(n, size=(draws, n))
    sampled = runs[:, some, np.arange(draws)[:, None]]  # (2, draws, strategies)
    low, high = np.quantile(spearman(*sampled), [0.025, 0.975])
    rho = float(spearman(*means))
    permuted = rng.permuted(np.tile(means[1], (draws, 1)), axis=1)  # (draws, strategies)
    as_far = np.abs(spearman(np.broadcast_to(means[0], permuted.shape), permuted)) >= abs(rho) - 1e-12
    return Resemblance(rho, float(low), float(high), (int(as_far.sum()) + 1) / (draws + 1), n)


def _drawn_means(values: Sequence[float], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Means of bootstrap samples of some values, (draws,)."""
    return rng.choice(np.asarray(values, dtype=float), (draws, len(values))).mean(1)


def spearman(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis; 0 where all values of one side are equal: no order at all."""
    ranks = [stats.rankdata(values, axis=-1) for values in (one, other)]
    left, right = (each - each.mean(-1, keepdims=True) for each in ranks)
    scale = np.sqrt((left**2).sum(-1) * (right**2).sum(-1))
    return (left * right).sum(-1) / np.where(scale > 0, scale, 1.0)


def table(tasks: Mapping[str, ByStrategy], others: Mapping[str, ByStrategy]) -> pd.DataFrame:
    """Each task with each other data set.

    Returns:
        One row per pair, with the columns `task`, `data` and those of `Resemblance`; `p` is corrected for the number of
        pairs (Holm).
    """
    pairs = [(task, data) for task in tasks for data in others]
    found = [resemblance(tasks[task], others[data]) for task, data in pairs]
    corrected, _ = holm([each.p for each in found])
    rows = [
        {"task": task, "data": data, **each._asdict(), "p": p}
        for (task, data), each, p in zip(pairs, found, corrected, strict=True)
    ]
    return pd.DataFrame(rows)


def in_common(runs: pd.DataFrame) -> pd.DataFrame:
    """The finished runs of the seeds or folds that all strategies have.

    With others, the order of two strategies may be that of their folds, of which some are more difficult.

    Args:
        runs: of one data set, from `textpool.study.read`.

    Raises:
        ValueError: if there is no such seed or fold.
    """
    finished = runs[runs["status"] == "ok"]
    of_each = finished.groupby(factor_names(finished), dropna=False)[REPETITION].agg(set)
    common = set.intersection(*of_each) if len(of_each) else set()
    if not common:
        raise ValueError("expected a seed or a fold of which all strategies have a finished run, got none")
    return finished[finished[REPETITION].isin(common)]


def by_task(comparison: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """The values of each strategy on each data set of a comparison."""
    found = {}
    for name, rows in comparison.groupby("data", sort=False):
        rows.attrs = comparison.attrs
        found[str(name)] = by_strategy(rows)
    return found


def by_strategy(comparison: pd.DataFrame) -> dict[str, list[float]]:
    """The values of each strategy of a comparison that has one row for each.

    Raises:
        ValueError: if a strategy has several rows.
    """
    rows = comparison[comparison["seeds"] > 0]
    twice = rows.loc[rows["strategy"].duplicated(), "strategy"]
    if len(twice):
        raise ValueError(
            f"{twice.iloc[0]}: more than one row, "
            f"{', '.join(rows.loc[rows['strategy'] == twice.iloc[0], 'row'])}: choose one with --where SETTING=VALUE"
        )
    by_seed = comparison.attrs["by_seed"]
    return {str(strategy): by_seed[row] for strategy, row in zip(rows["strategy"], rows["row"], strict=True)}
