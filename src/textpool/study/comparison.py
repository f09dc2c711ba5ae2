"""What the runs of a study say together: grouped over seeds, with intervals, each compared with a baseline."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from textpool.facts import compared_apart, is_own, label, named, short_names
from textpool.record import is_fraction, read_predictions
from textpool.study import statistics
from textpool.study.runs import REPETITION, factor_names, same_sentences
from textpool.study.statistics import Mean

ALPHA = 1 - statistics.LEVEL
EQUAL_WITHIN = 1.0  # points
LEAST_SEEDS = 5  # for a verdict, where several data sets or settings are compared at once
# what is measured of each row, and what all of its runs share, with the types of the columns
MEASURED = {"metric": object, "mean": float, "low": float, "high": float, "over": object, "baseline": object}
MEASURED |= dict.fromkeys(("difference", "difference_low", "difference_high", "p"), float)
SHARED = {"n_params": "Int64", "values_per_filter": "Int64", "n_test": "Int64"}  # integers, some of them missing
SHARED |= {"majority_accuracy": float, "shortcut_accuracy": float, "bayes_accuracy": float, "shortcut": object}
TYPES = {**MEASURED, **SHARED, "seeds": int, "solved": "Int64", "loss": float, "seconds": float}
# the better, the higher; rows are sorted by other columns from the lowest to the highest
HIGHER_IS_BETTER = ("difference", "difference_low", "difference_high", "normalized", "mean", "low", "high", "solved")
IS_BASELINE = "baseline"  # why a row has no difference

Read = Callable[[Path], tuple[list[str], list[bool]] | None]
Run = dict[str, Any]  # a row of the table of runs: thousands of small tables would take thousands of times as long
Repetitions = dict[str, Run]  # by the seed, with the fold of a cross-validation


def compare(
    runs: pd.DataFrame,
    metric: str = "test/acc",
    baseline: str = "max",
    by: Sequence[str] | None = None,
    choose: Sequence[str] = (),
    equal_within: float = EQUAL_WITHIN,
) -> pd.DataFrame:
    """Compare the configurations of a table of runs by one metric.

    Args:
        runs: from `textpool.study.read`.
        metric: name of a metric.
        baseline: name of the row or of the pooling from which differences are taken; where neither exists, the first
            row that has a finished run.
        by: factors whose values set comparisons apart, such as `["data"]`: each value has a baseline of its own. None:
            all factors that differ, except the pooling and its own settings.
        choose: factors, such as `["optimizer.lr"]`, of which each row has the value that is best on the validation
            split: the highest mean accuracy over the seeds, and among equals the lowest mean loss.
        equal_within: two accuracies are equal if the whole interval of their difference is within so many points; 0:
            no verdict says so.

    Returns:
        One row per configuration, that is, per set of equal factors. `row`: its name; `strategy`: the pooling with
        the settings that tell it apart, empty where nothing is known of the run but its folder; the factors; `chosen`:
        the values of the factors of `choose`; `seeds`: number of seeds with a finished run, of
        seeds and folds in a cross-validation; `status`: what did not
        finish; `metric`, `mean`, `low`, `high`: the mean with its 95 % interval; `over`: what the interval is over,
        `seeds and sentences`, `seeds` or `sentences`; `baseline`, `difference`, `difference_low`, `difference_high`,
        `p`: the paired difference from the baseline, with a p-value and an interval that are corrected for the number
        of comparisons with the same baseline (Holm); `verdict`: better, worse, equal or open; `no_difference`: why
        there is none, empty where there is one; `normalized`: the mean on a scale from the strongest shortcut, or a
        majority guess where none is known (0), to the best accuracy that can be reached (1); `solved`: number of seeds
        that reach it, see `is_solved`; `loss`: mean test loss; `seconds`: median duration; then what all runs of the
        configuration share. `attrs["by_seed"]` has the values of each row by its name.

    Raises:
        ValueError: if no run has the metric, or no run the factor that `by` or `choose` names.
    """
    factors = factor_names(runs)
    if runs["study"].nunique() > 1:
        factors = ["study", *factors]
    metrics = sorted(name for name in runs.columns if "/" in name)
    for name, given, allowed in [
        ("metric", [metric], metrics),
        ("by", by or (), factors),
        ("choose", choose, [name for name in factors if name != "pooling"]),
    ]:
        unknown = [value for value in given if allowed and value not in allowed]
        if unknown:
            raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {unknown[0]!r}")
    if equal_within < 0:
        raise ValueError(f"equal_within: expected a number of points of at least 0, got {equal_within}")
    chosen = {name: short for name, short in short_names(factors).items() if name in choose}
    factors = [name for name in factors if name not in choose]
    groups = _groups(runs, factors, list(choose))
    described = pd.DataFrame([_described(group, factors, chosen, metric) for group in groups], dtype=object)
    rows = described.astype({name: kind for name, kind in TYPES.items() if name in described})
    rows["strategy"], rows["row"] = _names(rows, factors, groups)

    finished = [_finished(group, metric) for group in groups]
    read = functools.cache(read_predictions)  # every row asks for the predictions of the baseline
    apart = list(by) if by is not None else [name for name in factors if compared_apart(name)]
    blocks: dict[int, list[int]] = {}  # the numbers of the rows that are compared with each other
    in_block = rows.groupby(apart, sort=False, dropna=False).ngroup() if apart else [0] * len(rows)
    for number, block in enumerate(in_block):
        blocks.setdefault(block, []).append(number)
    known = list(_records(rows))
    found: list[dict[str, Any]] = [{} for _ in groups]  # what is measured of each row
    for numbers in blocks.values():
        base = numbers[_baseline([known[number] for number in numbers], baseline)]
        differences: dict[int, Mean] = {}
        for number in numbers:
            is_base = number == base
            difference = IS_BASELINE if is_base else _difference(finished[number], finished[base], metric, read)
            found[number] = _measured(finished[number], metric, read)
            found[number] |= {} if is_base else {"baseline": known[base]["row"]}
            if isinstance(difference, Mean):
                found[number] |= {"no_difference": "", "difference": difference.value}
                differences |= {} if np.isnan(difference.p) else {number: difference}
            else:
                found[number]["no_difference"] = difference
        corrected, levels = statistics.holm([difference.p for difference in differences.values()])
        for (number, difference), p, level in zip(differences.items(), corrected, levels, strict=True):
            found[number] |= {**_interval("difference", difference.interval(level)), "p": p}
    for name, kind in {**MEASURED, "no_difference": object}.items():
        missing = metric if name == "metric" else np.nan if kind is float else None
        rows[name] = pd.Series([each.get(name, missing) for each in found], dtype=kind)
    rows["verdict"] = [
        "" if len(blocks) > 1 and row["seeds"] < LEAST_SEEDS else _verdict(row, metric, equal_within / 100)
        for row in rows.to_dict("records")
    ]
    rows["normalized"] = _normalized(rows) if metric == "test/acc" else rows["mean"]
    if metric == "test/acc":
        known = rows["bayes_accuracy"].notna() & (rows["seeds"] > 0)
        solved = [
            sum(bool(is_solved(run[metric], row)) for run in each.values()) if each else None
            for each, row in zip(finished, _records(rows), strict=True)
        ]
        rows["solved"] = pd.Series(solved, dtype="Int64").where(known)
    first = ["row", "strategy", *factors, "chosen", "seeds", "status", *MEASURED, "verdict", "no_difference"]
    first += ["normalized", "solved"]
    rows = rows[[*first, *(name for name in rows.columns if name not in first)]]
    rows.attrs |= {
        "factors": factors,
        "equal_within": equal_within,
        "folds": max(len({run["fold"] for run in each.values() if pd.notna(run["fold"])}) for each in finished),
        "choose": list(choose),
        "by_seed": {
            row: [each[repetition][metric] for repetition in sorted(each)]
            for row, each in zip(rows["row"], finished, strict=True)
            if each
        },
    }
    return rows


def is_solved(accuracy: Any, row: Mapping[str, Any]) -> Any:
    """Whether an accuracy is the best one that can be reached, but for chance.

    Args:
        accuracy: of one run, or of several.
        row: with the best accuracy that can be reached and the size of the test set. An accuracy may be below the best
            by a point, or by two standard errors of a test set of this size if that is more.
    """
    best, n = row["bayes_accuracy"], row["n_test"]
    error = 0.0 if pd.isna(n) else (best * (1 - best) / n) ** 0.5
    return accuracy >= best - max(0.01, 2 * error)


def _groups(runs: pd.DataFrame, factors: list[str], choose: list[str]) -> list[list[Run]]:
    """The runs of each row, in the order of their first ones."""
    by_row = runs.groupby(factors, sort=False, dropna=False)
    groups: list[list[Run]] = [[] for _ in range(by_row.ngroups)]
    for number, run in zip(by_row.ngroup(), _records(runs), strict=True):
        groups[number].append(run)
    return [_best(group, choose) for group in groups] if choose else groups


def _best(group: list[Run], choose: list[str]) -> list[Run]:
    """The runs with the values of some factors that are best on the validation split; all, where none has finished."""
    done = pd.DataFrame([run for run in group if run["status"] == "ok"])
    if "val/acc" not in done or done["val/acc"].isna().all():
        return group
    means = done.groupby(choose, sort=False, dropna=False)[["val/acc", "val/loss"]].mean()
    best = means.sort_values(["val/acc", "val/loss"], ascending=[False, True], kind="stable").index[0]
    values = best if isinstance(best, tuple) else (best,)
    return [run for run in group if all(run[name] == value for name, value in zip(choose, values, strict=True))]


def _described(group: list[Run], factors: Sequence[str], chosen: Mapping[str, str], metric: str) -> dict[str, Any]:
    """The values of a row that need no comparison."""
    finished = list(_one_each(run for run in group if run["status"] == "ok").values())
    bad = Counter(run["status"] for run in group if run["status"] != "ok")
    losses = [run["test/loss"] for run in finished if pd.notna(run.get("test/loss"))]
    return {
        **{name: group[0][name] for name in factors},
        "chosen": ", ".join(f"{short} {group[0][name]}" for name, short in chosen.items()),
        "seeds": len(finished),
        "status": ", ".join(str(state) if len(group) == 1 else f"{count} {state}" for state, count in bad.items()),
        **{name: None if kind is object else np.nan for name, kind in MEASURED.items()},
        "metric": metric,
        "solved": None,
        "loss": np.mean(losses) if losses else np.nan,
        "seconds": np.median([run["seconds"] for run in finished]) if finished else np.nan,
        **{name: finished[0].get(name) if finished else None for name in SHARED},
    }


def _names(rows: pd.DataFrame, factors: Sequence[str], groups: Sequence[list[Run]]) -> tuple[list[str], list[str]]:
    """Names of the strategies, with settings that were set or differ; names of the rows, with all that differs."""
    strategies, names = [], []
    # a failed run with other settings does not lengthen the names of the finished ones
    among = {"finished": rows[rows["seeds"] > 0], "all": rows}
    # what is the same in all rows of a study is said by the study's name
    by_study = rows.groupby("study", sort=False)[list(factors)].nunique(dropna=False) if "study" in factors else None
    told = [name for name in factors if by_study is not None and (by_study[name] <= 1).all()]
    others = {
        which: [
            name
            for name in factors
            if compared_apart(name) and name not in told and some[name].nunique(dropna=False) > 1
        ]
        for which, some in among.items()
    }
    own: dict[str, set[str]] = {}
    for pooling, same in rows.groupby("pooling"):
        differ = {name for name in factors if is_own(name) and same[name].nunique(dropna=False) > 1}
        overrides = [run["overrides"] for number in same.index for run in groups[number]]
        own[str(pooling)] = differ.union(*(named(each, factors) for each in overrides))
    for values, group in zip(rows[factors].to_dict("records"), groups, strict=True):
        known = any(pd.notna(run["group_hash"]) for run in group)  # otherwise the row has the name of the run's folder
        pooling, choices = str(values["pooling"]), group[0]["choices"]
        has = {str(name): value for name, value in values.items() if value is not None or not is_own(str(name))}
        shown = own[pooling] & set(has)
        strategies.append(label(has, shown, choices) if known else "")
        study = f"{values['study']}/" if "study" in values else ""
        differing = others["finished" if any(run["status"] == "ok" for run in group) else "all"]
        names.append(study + (label(has, [*shown, *differing], choices) if known else pooling))
    return strategies, names


def _finished(group: list[Run], metric: str) -> Repetitions:
    """The finished runs of a row that have the metric, one per seed and fold."""
    return _one_each(run for run in group if run["status"] == "ok" and pd.notna(run.get(metric)))


def _one_each(runs: Iterable[Run]) -> Repetitions:
    """The first run of each seed and fold."""
    found: Repetitions = {}
    for run in runs:
        found.setdefault(run[REPETITION], run)
    return found


def _baseline(block: Iterable[Mapping[str, Any]], name: str) -> int:
    """The place in a block of the row that its others are compared with."""
    rows = list(enumerate(block))
    usable = [(place, row) for place, row in rows if row["seeds"] > 0] or rows
    exact = [place for place, row in usable if row["row"] == name]
    same_pooling = [place for place, row in usable if row["pooling"] == name]
    return [*exact, *same_pooling, usable[0][0]][0]


def _measured(runs: Repetitions, metric: str, read: Read) -> dict[str, Any]:
    """The mean with its interval, and what the interval is over."""
    if not runs:
        return {}
    table = _table(list(runs.values()), metric, read)
    values = [run[metric] for run in runs.values()]
    if len(runs) > 1:
        mean = _over_seeds(values, list(runs.values()), metric) if table is None else statistics.two_way(table)
        over = "seeds and sentences" if mean.units else "seeds"
        return _interval("", statistics.share(mean) if mean.units else mean.interval()) | {"over": over}
    if table is None:
        return {"mean": values[0]}
    right, n = int(table.sum()), table.size
    return _interval("", (right / n, *statistics.clopper_pearson(right, n))) | {"over": "sentences"}


def _difference(runs: Repetitions, reference: Repetitions, metric: str, read: Read) -> Mean | str:
    """The difference from the baseline, paired by seed and, where that is known, by sentence; or why there is none."""
    if not runs:
        return f"no finished run with {metric}"
    if not reference:
        return f"the baseline has no finished run with {metric}"
    shared = [seed for seed in runs if seed in reference]
    if not shared:
        return "no seed in common with the baseline"
    if len(shared) < 2 <= len(runs):
        return "only one seed in common with the baseline"
    own, other = ([side[seed] for seed in shared] for side in (runs, reference))
    one, two = _table(own, metric, read), _table(other, metric, read)
    alike = _labels(own, read) == _labels(other, read)
    if len(shared) > 1:
        if alike and one is not None and two is not None:
            return statistics.difference(statistics.two_way(one - two))
        paired = [run[metric] - base[metric] for run, base in zip(own, other, strict=True)]
        return statistics.difference(_over_seeds(paired, own, metric))
    if metric != "test/acc":
        return f"only one seed, which is not enough for {metric}"
    if one is None or two is None:
        return "no whole predictions.csv" if one is None else "the baseline has no whole predictions.csv"
    if not alike:
        return "predictions.csv is of other sentences than that of the baseline"
    return statistics.difference_on_one_test_set(one[0], two[0])


def _over_seeds(values: Sequence[float], runs: Sequence[Run], metric: str) -> Mean:
    """The mean over seeds; where each has test sentences of its own, its spread holds those too."""
    if metric != "test/acc" or same_sentences(runs) or any(pd.isna(run["n_test"]) for run in runs):
        return statistics.over_seeds(values)
    n_test = np.array([run["n_test"] for run in runs], dtype=float)
    if not all(run["natural_text"] is True for run in runs):
        return statistics.over_seeds(values, int(n_test.sum()))
    n_train = np.array([np.nan if pd.isna(run["n_train"]) else run["n_train"] for run in runs], dtype=float)
    units = min(n_test.sum(), (n_train + n_test).min())  # random splits of one collection of texts
    return statistics.over_seeds(values, int(units), overlap=float((n_test / n_train).mean()))


def _table(runs: Sequence[Run], metric: str, read: Read) -> "np.ndarray[Any, Any] | None":
    """Whether each prediction is right, (seeds, sentences); None unless all seeds have the same sentences."""
    if metric != "test/acc" or any(pd.isna(run["folder"]) for run in runs) or not same_sentences(runs):
        return None
    found = [read(run["folder"]) for run in runs]
    labels = [None if each is None else each[0] for each in found]
    if None in labels or any(each != labels[0] for each in labels):
        return None
    if any(pd.notna(run["n_test"]) and run["n_test"] != len(labels[0] or ()) for run in runs):  # a file that was cut
        return None
    return np.array([each[1] for each in found if each is not None], dtype=float)


def _labels(runs: Sequence[Run], read: Read) -> Any:
    found = None if any(pd.isna(run["folder"]) for run in runs) else read(runs[0]["folder"])
    return None if found is None else found[0]


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


def _verdict(row: Mapping[Any, Any], metric: str, equal_within: float) -> str:
    """What the interval of the difference says: it lies on one side of 0, it is near 0, or the question is open."""
    low, high = row["difference_low"], row["difference_high"]
    if np.isnan(row["p"]):
        return ""
    if is_fraction(metric) and -equal_within <= low and high <= equal_within:
        word = "equal"
    elif low > 0 or high < 0:
        word = "better" if (low > 0) == is_fraction(metric) else "worse"
    else:
        return "open"
    return f"{word}, one seed" if row["over"] == "sentences" else word


def _normalized(rows: pd.DataFrame) -> "pd.Series[float]":
    """Normalized accuracy: (mean - floor) / (best reachable - floor); the floor is the strongest shortcut."""
    floor, best = limits(rows)
    return (rows["mean"] - floor) / (best - floor).where(best > floor)


def limits(rows: pd.DataFrame) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """The accuracies that count as 0 and as 1: of the strongest shortcut, else of a majority guess; the best one."""
    floor = rows["shortcut_accuracy"].astype(float).fillna(rows["majority_accuracy"].astype(float)).fillna(0.0)
    return floor, rows["bayes_accuracy"].astype(float).fillna(1.0)


def _records(rows: pd.DataFrame) -> Iterable[Run]:
    return ({str(name): value for name, value in row.items()} for row in rows.to_dict("records"))
