"""A comparison as a grid: strategies by data sets, or by whatever else differs."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from textpool.facts import compared_apart, setting_in_words
from textpool.record import is_fraction
from textpool.study.comparison import limits


@dataclass(frozen=True)
class Grid:
    """Strategies by columns, one panel for each combination of the other factors that differ.

    Attributes:
        across: the factor of the columns, the one with the most values.
        columns: its values.
        strategies: in the order of their mean normalized accuracy, the best first.
        panels: rows of the comparison by the title of the panel, such as `n_filler 16`; one without title if alone.
        factors: names of all factors of the comparison.
        by_seed: normalized accuracies of each seed by the name of the row, cut to the range from 0 to 1; empty for
            another metric.
        groups: names of groups of strategies with their numbers of strategies, in the order of `strategies`.
    """

    across: str
    columns: list[Any]
    strategies: list[str]
    panels: dict[str, pd.DataFrame]
    factors: list[str]
    by_seed: dict[str, list[float]]
    groups: dict[str, int]

    def table(self, panel: pd.DataFrame, values: str) -> pd.DataFrame:
        """A column of the comparison as strategies by columns; cells without a row are missing."""
        place = [self.columns.index(value) for value in panel[self.across]]
        table = panel.assign(place=place).pivot(index="strategy", columns="place", values=values)
        return table.reindex(index=self.strategies, columns=range(len(self.columns))).set_axis(self.headings, axis=1)

    def over_tasks(self, panel: pd.DataFrame) -> dict[str, list[list[float]]]:
        """Normalized accuracies by seed, for each task, of the strategies that have a value on every task of a panel.

        Empty unless there are at least three tasks, because a mean over fewer says little.
        """
        by_task = self.table(panel, "row").dropna(axis="columns", how="all")
        if self.across != "data" or by_task.shape[1] < 3:
            return {}
        values = {name: [self.by_seed.get(row, []) for row in rows] for name, rows in by_task.T.items()}
        return {str(name): tasks for name, tasks in values.items() if all(tasks)}

    @property
    def headings(self) -> list[str]:
        """The columns in words."""
        return [setting_in_words(self.across, value, self.factors) for value in self.columns]


def grid(comparison: pd.DataFrame, groups: Mapping[str, Sequence[str]] | None = None) -> Grid | None:
    """The grid of a comparison over more than one data set, or more than one value of another factor.

    None where nothing but the pooling and the seed differs, and where most cells would be empty, as in a random search.

    Args:
        comparison: from `textpool.study.compare`.
        groups: poolings or strategies in groups, in which the rows of the grid then stand; what is in no group comes
            last.
    """
    rows = comparison[comparison["strategy"] != ""]
    factors = comparison.attrs["factors"]
    values = {name: _ordered(rows[name]) for name in factors if name == "study" or compared_apart(name)}
    values = {name: found for name, found in values.items() if len(found) > 1}
    cells = rows["strategy"].nunique() * math.prod(map(len, values.values()))
    if not values or not is_fraction(rows["metric"].iloc[0]) or 5 * len(rows) < cells:
        return None
    across = max(values, key=lambda name: len(values[name]))  # the first of equals
    rest = sorted((name for name in values if name != across), key=lambda name: name != "data")
    panels = {}
    for combination in itertools.product(*(values[name] for name in rest)):
        chosen = dict(zip(rest, combination, strict=True))
        alike = [all(row[name] == value for name, value in chosen.items()) for row in rows.to_dict("records")]
        if any(alike):
            title = ", ".join(setting_in_words(name, value, factors) for name, value in chosen.items())
            panels[title] = rows[alike]
    order = rows["normalized"].fillna(0.0).clip(lower=0).groupby(rows["strategy"], sort=False).mean()
    ranked = order.sort_values(ascending=False, kind="stable").index.tolist()
    poolings = dict(zip(rows["strategy"], rows["pooling"], strict=True))
    grouped = {
        name: [one for one in ranked if {one, poolings[one]} & set(members)] for name, members in (groups or {}).items()
    }
    known = [one for members in grouped.values() for one in members]
    grouped["others" if known else ""] = [one for one in ranked if one not in known]
    strategies = [one for members in grouped.values() for one in members]
    sizes = {name: len(members) for name, members in grouped.items() if members}
    return Grid(across, values[across], strategies, panels, factors, by_seed(comparison), sizes)


def read_groups(path: str | Path) -> dict[str, list[str]]:
    """Read groups of poolings: a YAML file with the name of each group and a list of poolings or strategies.

    Raises:
        ValueError: if the file cannot be read, or is not of that form.
    """
    try:
        groups = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(groups, dict) or not all(isinstance(members, list) for members in groups.values()):
        raise ValueError(f"{path}: expected names of groups, each with a list such as [max, kmax-k8]")
    return {str(name): [str(member) for member in members] for name, members in groups.items()}


def by_seed(comparison: pd.DataFrame) -> dict[str, list[float]]:
    """Normalized accuracies of each seed by the name of the row, where a value outside of 0 to 1 counts as 0 or 1."""
    if comparison["metric"].iloc[0] != "test/acc":
        return {}
    floors, bests = limits(comparison)
    values = comparison.attrs["by_seed"]
    return {
        row: np.clip((np.asarray(values[row]) - floor) / (best - floor), 0, 1).tolist()
        for row, floor, best in zip(comparison["row"], floors, bests, strict=True)
        if row in values and best > floor
    }


def pivot(comparison: pd.DataFrame, values: str = "mean") -> pd.DataFrame | None:
    """Strategies by data sets, or by another factor that differs, the best strategies first.

    Args:
        comparison: from `textpool.study.compare`.
        values: the column of it to show.

    Returns:
        One row per strategy; where several factors differ, the columns have the panel as their first level. None where
        there is no grid: see `grid`.
    """
    found = grid(comparison)
    if found is None:
        return None
    tables = {title: found.table(panel, values) for title, panel in found.panels.items()}
    return pd.concat(tables, axis=1) if len(tables) > 1 else next(iter(tables.values()))


def _ordered(values: "pd.Series[Any]") -> list[Any]:
    """Each value once: numbers by size, other values in the order of their first occurrence."""
    once = list(dict.fromkeys(values))
    numbers = all(value is None or isinstance(value, int | float) for value in once)
    return sorted(once, key=lambda value: -math.inf if value is None else value) if numbers else once
