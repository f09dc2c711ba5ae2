"""What the runs of a study say together: grouped over seeds, with intervals, each compared with a baseline."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from textpool.facts import compared_apart, is_own, label, named
from textpool.record import is_fraction, read_predictions
from textpool.study.runs import factor_names
from textpool.study.statistics import (
    accuracy_on_test_set,
    difference_on_test_set,
    difference_over_seeds,
    holm,
    mean_over_seeds,
)

ALPHA = 0.05
# what is measured of each row, and what all of its runs share, with the types of the columns
MEASURED = {"metric": object, "mean": float, "low": float, "high": float, "over": object, "baseline": object}
MEASURED |= dict.fromkeys(("difference", "difference_low", "difference_high", "p"), float)
SHARED = {"n_params": "Int64", "values_per_filter": "Int64", "n_test": "Int64"}  # integers, some of them missing
SHARED |= {"majority_accuracy": float, "bayes_accuracy": float}
TYPES = {**MEASURED, **SHARED, "seeds": int, "loss": float, "seconds": float}
# the better, the higher; rows are sorted by other columns from the lowest to the highest
HIGHER_IS_BETTER = ("difference", "difference_low", "difference_high", "normalized", "mean", "low", "high")
IS_BASELINE = "baseline"  # why a row has no difference


def compare(
    runs: pd.DataFrame, metric: str = "test/acc", baseline: str = "max", by: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare the configurations of a table of runs by one metric.

    Args:
        runs: from `textpool.study.read`.
        metric: name of a metric.
        baseline: name of the row or of the pooling from which differences are taken; where neither exists, the first
            row that has a finished run.
        by: factors whose values set comparisons apart, such as `["data"]`: each value has a baseline of its own. None:
            all factors that differ, except the pooling and its own settings.

    Returns:
        One row per configuration, that is, per set of equal factors. `row`: its name; `strategy`: the pooling with
        the settings that tell it apart, empty where nothing is known of the run but its folder; the factors; `seeds`:
        number of seeds with a finished run; `status`: what did not finish; `metric`, `mean`, `low`, `high`: the mean
        with its 95 % interval; `over`: what the interval is over, `seeds` or `test set`; `baseline`, `difference`,
        `difference_low`, `difference_high`, `p`: the paired difference from the baseline, with a p-value corrected for
        the number of comparisons (Holm); `verdict`; `no_difference`: why there is none, empty where there is one;
        `normalized`: the mean on a scale from a majority guess (0) to the best accuracy that can be reached (1);
        `loss`: mean test loss; `seconds`: median duration; then what all runs of the configuration share.

    Raises:
        ValueError: if no run has the metric, or no run the factor that `by` names.
    """
    factors = factor_names(runs)
    if runs["study"].nunique() > 1:
        factors = ["study", *factors]
    metrics = sorted(name for name in runs.columns if "/" in name)
    for name, given, allowed in [("metric", [metric], metrics), ("by", by or (), factors)]:
        unknown = [value for value in given if allowed and value not in allowed]
        if unknown:
            raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {unknown[0]!r}")
    groups = [group for _, group in runs.groupby(factors, sort=False, dropna=False)]
    described = pd.DataFrame([_described(group, factors, metric) for group in groups], dtype=object)
    rows = described.astype({name: kind for name, kind in TYPES.items() if name in described})
    rows["strategy"], rows["row"] = _names(rows, factors, groups)

    finished = [_finished(group, metric) for group in groups]
    read = functools.cache(read_predictions)  # every row asks for the predictions of the baseline
    apart = list(by) if by is not None else [name for name in factors if compared_apart(name)]
    for _, block in rows.groupby(apart, sort=False, dropna=False) if apart else [((), rows)]:
        base = _baseline(block, baseline)
        for number in block.index:
            reference = finished[base] if number != base else None
            for name, value in _measured(finished[number], reference, metric, read).items():
                rows.loc[number, name] = value
            if number != base:
                rows.loc[number, "baseline"] = rows.loc[base, "row"]
            reason = _no_difference(finished[number], reference, metric, read)
            rows.loc[number, "no_difference"] = reason if np.isnan(rows.loc[number, "difference"]) else ""
    tested = rows["p"].notna()
    rows.loc[tested, "p"] = holm(rows.loc[tested, "p"].tolist())
    rows["verdict"] = [_verdict(row, metric) for row in rows.to_dict("records")]
    rows["normalized"] = _normalized(rows) if metric == "test/acc" else rows["mean"]
    first = ["row", "strategy", *factors, "seeds", "status", *MEASURED, "verdict", "no_difference", "normalized"]
    rows = rows[[*first, *(name for name in rows.columns if name not in first)]]
    rows.attrs["factors"] = factors
    return rows


def _described(group: pd.DataFrame, factors: Sequence[str], metric: str) -> dict[str, Any]:
    """The values of a row that need no comparison."""
    finished = group[group["status"] == "ok"].drop_duplicates("seed")
    bad = group.loc[group["status"] != "ok", "status"].value_counts(sort=False)
    first = finished.iloc[0] if len(finished) else None
    return {
        **{name: group.iloc[0][name] for name in factors},
        "seeds": len(finished),
        "status": ", ".join(str(state) if len(group) == 1 else f"{count} {state}" for state, count in bad.items()),
        **{name: None if kind is object else np.nan for name, kind in MEASURED.items()},
        "metric": metric,
        "loss": finished["test/loss"].mean() if "test/loss" in finished else np.nan,
        "seconds": finished["seconds"].median(),
        **{name: None if first is None else first[name] for name in SHARED},
    }


def _names(rows: pd.DataFrame, factors: Sequence[str], groups: Sequence[pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Names of the strategies, with settings that were set or differ; names of the rows, with all that differs."""
    strategies, names = [], []
    # a failed run with other settings does not lengthen the names of the finished ones
    among = {"finished": rows[rows["seeds"] > 0], "all": rows}
    others = {
        which: [name for name in factors if compared_apart(name) and some[name].nunique(dropna=False) > 1]
        for which, some in among.items()
    }
    own: dict[str, set[str]] = {}
    for pooling, same in rows.groupby("pooling"):
        differ = {name for name in factors if is_own(name) and same[name].nunique(dropna=False) > 1}
        overrides = [each for number in same.index for each in groups[number]["overrides"]]
        own[str(pooling)] = differ.union(*(named(each, factors) for each in overrides))
    for values, group in zip(rows[factors].to_dict("records"), groups, strict=True):
        known = group["group_hash"].notna().any()  # otherwise the row has the name of the run's folder
        pooling, choices = str(values["pooling"]), group["choices"].iloc[0]
        has = {str(name): value for name, value in values.items() if value is not None or not is_own(str(name))}
        shown = own[pooling] & set(has)
        strategies.append(label(has, shown, choices) if known else "")
        study = f"{values['study']}/" if "study" in values else ""
        differing = others["finished" if (group["status"] == "ok").any() else "all"]
        names.append(study + (label(has, [*shown, *differing], choices) if known else pooling))
    return strategies, names


def _finished(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The finished runs of a row that have the metric, one per seed."""
    if metric not in group:
        return group.iloc[:0]
    return group[(group["status"] == "ok") & group[metric].notna()].drop_duplicates("seed").set_index("seed")


def _baseline(block: pd.DataFrame, name: str) -> Any:
    """The index of the row that the others of a block are compared with."""
    usable = block[block["seeds"] > 0] if (block["seeds"] > 0).any() else block
    exact, same_pooling = usable[usable["row"] == name], usable[usable["pooling"] == name]
    return next(rows.index[0] for rows in (exact, same_pooling, usable) if len(rows))


def _measured(
    runs: pd.DataFrame,
    reference: pd.DataFrame | None,
    metric: str,
    read: Callable[[Path], tuple[list[str], list[bool]] | None],
) -> dict[str, Any]:
    """Mean and difference from the baseline: over seeds, or of one seed over the sentences of the test set."""
    if not len(runs):
        return {}
    shared = [] if reference is None else [seed for seed in runs.index if seed in reference.index]
    if len(runs) > 1:
        measured = _interval("", mean_over_seeds(runs[metric].tolist())) | {"over": "seeds"}
        if reference is None or len(shared) < 2:
            return measured
        difference, p = difference_over_seeds(runs.loc[shared, metric].tolist(), reference.loc[shared, metric].tolist())
        return measured | _interval("difference", difference) | {"p": p}
    own = read(runs["folder"].iloc[0]) if metric == "test/acc" else None
    if own is None:
        return {"mean": runs[metric].iloc[0]}
    measured = _interval("", accuracy_on_test_set(own[1])) | {"over": "test set"}
    other = read(reference["folder"][shared[0]]) if reference is not None and shared else None
    if other is None or other[0] != own[0]:
        return measured
    difference, p = difference_on_test_set(own[1], other[1])
    return measured | _interval("difference", difference) | {"p": p}


def _no_difference(
    runs: pd.DataFrame,
    reference: pd.DataFrame | None,
    metric: str,
    read: Callable[[Path], tuple[list[str], list[bool]] | None],
) -> str:
    """Why a row that has no difference from the baseline has none."""
    if not len(runs):
        return f"no finished run with {metric}"
    if reference is None:
        return IS_BASELINE
    if not len(reference):
        return f"the baseline has no finished run with {metric}"
    shared = [seed for seed in runs.index if seed in reference.index]
    if not shared:
        return "no seed in common with the baseline"
    if len(runs) > 1:
        return "only one seed in common with the baseline"
    if metric != "test/acc":
        return f"only one seed, which is not enough for {metric}"
    if read(runs["folder"].iloc[0]) is None:
        return "no readable predictions.csv"
    if read(reference["folder"][shared[0]]) is None:
        return "the baseline has no readable predictions.csv"
    return "predictions.csv is of other sentences than that of the baseline"


def sort(comparison: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of a comparison sorted by a column: the best first for what is measured, else the lowest first.

    Args:
        comparison: from `compare`.
        column: name of one of its columns, such as `mean`, `difference`, `n_params`, `seconds` or `row`.

    Raises:
        ValueError: if there is no such column.
    """
    if column not in comparison:
        raise ValueError(f"sort: expected one of {', '.join(comparison.columns)}, got {column!r}")
    falling = column in HIGHER_IS_BETTER and is_fraction(str(comparison["metric"].iloc[0]))
    key = _as_text if comparison[column].dtype == object else None
    return comparison.sort_values(column, ascending=not falling, kind="stable", ignore_index=True, key=key)


def _as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers as they are, else words: a factor may hold both."""
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers.astype(float) if numbers.notna().equals(values.notna()) else values.astype(str)


def _interval(name: str, estimate: Sequence[float]) -> dict[str, float]:
    names = (name or "mean", f"{name}_low".lstrip("_"), f"{name}_high".lstrip("_"))
    return dict(zip(names, estimate, strict=True))


def _verdict(row: Mapping[Any, Any], metric: str) -> str:
    """Whether the difference can be told from chance, and its direction; of one seed, the verdict says so."""
    if np.isnan(row["p"]):
        return ""
    if row["difference_low"] <= 0 <= row["difference_high"] or row["p"] >= ALPHA:
        return "not separable"
    word = "better" if (row["difference_low"] > 0) == is_fraction(metric) else "worse"
    return word if row["over"] == "seeds" else f"{word}, one seed"


def _normalized(rows: pd.DataFrame) -> "pd.Series[float]":
    """Normalized accuracy: (mean - majority guess) / (best reachable - majority guess)."""
    majority = rows["majority_accuracy"].astype(float).fillna(0.0)
    best = rows["bayes_accuracy"].astype(float).fillna(1.0)
    return (rows["mean"] - majority) / (best - majority).where(best > majority)
