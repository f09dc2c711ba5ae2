"""A comparison as a grid: strategies by data sets, or by whatever else differs."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from textpool.facts import compared_apart, setting_in_words
from textpool.record import is_fraction


@dataclass(frozen=True)
class Grid:
    """Strategies by columns, one panel for each combination of the other factors that differ.

    Attributes:
        across: the factor of the columns, the one with the most values.
        columns: its values.
        strategies: in the order of their mean normalized accuracy, the best first.
        panels: rows of the comparison by the title of the panel, such as `n_filler 16`; one without title if alone.
        factors: names of all factors of the comparison.
    """

    across: str
    columns: list[Any]
    strategies: list[str]
    panels: dict[str, pd.DataFrame]
    factors: list[str]

    def table(self, panel: pd.DataFrame, values: str) -> pd.DataFrame:
        """A column of the comparison as strategies by columns; cells without a row are missing."""
        place = [self.columns.index(value) for value in panel[self.across]]
        table = panel.assign(place=place).pivot(index="strategy", columns="place", values=values)
        return table.reindex(index=self.strategies, columns=range(len(self.columns))).set_axis(self.headings, axis=1)

    @property
    def headings(self) -> list[str]:
        """The columns in words."""
        return [setting_in_words(self.across, value, self.factors) for value in self.columns]


def grid(comparison: pd.DataFrame) -> Grid | None:
    """The grid of a comparison over more than one data set, or more than one value of another factor.

    None where nothing but the pooling and the seed differs, and where most cells would be empty, as in a random search.
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
    order = rows["normalized"].fillna(0.0).groupby(rows["strategy"], sort=False).mean()
    strategies = order.sort_values(ascending=False, kind="stable").index.tolist()
    return Grid(across, values[across], strategies, panels, factors)


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
