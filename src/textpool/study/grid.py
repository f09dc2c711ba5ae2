"""A comparison as a grid: strategies down, data or whatever else was swept across."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from textpool.study.compare import Comparison, Row, is_share
from textpool.study.record import Result

WINS, FAILS = 0.9, 0.5  # shares of the way from chance to the best: from which on a strategy wins, up to which it fails


@dataclass(frozen=True)
class Panel:
    """One grid of several: what its rows have in common, and their places.

    Attributes:
        title: such as `n_filler 16`; empty if there is one panel only.
        columns: headings, such as the names of tasks.
        rows: by strategy and column.
    """

    title: str
    columns: list[str]
    rows: Mapping[tuple[str, str], Row]

    def first(self, column: str) -> Result | None:
        """A finished run of a column, for what all of them share."""
        return next((row.first for (_, own), row in self.rows.items() if own == column and row.first), None)


@dataclass(frozen=True)
class Grid:
    """Panels over the same strategies, the ones that come furthest first.

    Attributes:
        across: what the columns differ in, such as `data`.
        strategies: names, with k where it was set, such as `kmax-k3`.
        panels: at least one.
        metric: that of the comparison.
        theory: what was expected: data → `wins` and `fails` → strategies.
    """

    across: str
    strategies: list[str]
    panels: list[Panel]
    metric: str
    theory: Mapping[str, Mapping[str, Sequence[str]]]

    def expected(self, strategy: str, row: Row) -> str:
        """`wins`, `fails`, or nothing."""
        sides = self.theory.get(dict(row.block).get("data", ""), {})
        return next((side for side in ("wins", "fails") if strategy in sides.get(side, ())), "")

    def share(self, row: Row) -> float | None:
        """How far a row has come from a majority guess (0) to the best that can be reached (1)."""
        return share(row, self.metric)

    def lines(self, panel: Panel, intervals: bool = True) -> list[list[str]]:
        """A panel as text: headings, a line a strategy, and what is best and what a guess gives."""
        names = {"best reachable": "bayes_accuracy", "majority guess": "majority_accuracy"}
        below = [
            [name, *(_per_cent(getattr(panel.first(column), field, None)) for column in panel.columns)]
            for name, field in names.items()
            if self.metric == "test/acc"
        ]
        cells = [
            [name, *(_cell(panel.rows.get((name, column)), intervals) for column in panel.columns)]
            for name in self.strategies
        ]
        head = ["", *(said(self.across, column) for column in panel.columns)]
        return [head, *(line for line in cells if any(line[1:])), *(line for line in below if any(line[1:]))]

    def surprises(self) -> list[str]:
        """Where the measurement is not what was expected, a line a place."""
        found = []
        for panel in self.panels:
            for (name, column), row in panel.rows.items():
                came, expected = self.share(row), self.expected(name, row)
                if came is None or not expected or (came >= WINS if expected == "wins" else came <= FAILS):
                    continue
                place = ", ".join(filter(None, (said(self.across, column), panel.title)))
                found.append(f"{place}: {name} {expected} in theory, and came {100 * came:.0f} % of the way")
        return found


def share(row: Row, metric: str) -> float | None:
    """How far a row has come from a majority guess (0) to the best that can be reached (1).

    That is for accuracies; where the best is not known, it is 100 %. Other metrics are shares as they are.
    """
    if row.estimate is None or row.first is None:
        return None
    if metric != "test/acc":
        return row.estimate.value
    chance, best = row.first.majority_accuracy, row.first.bayes_accuracy
    chance, best = chance or 0.0, 1.0 if best is None else best
    return (row.estimate.value - chance) / (best - chance) if best > chance else None


def strategy(row: Row) -> str:
    """The pooling and its own settings, as in the name of the run: what the grid has a line for."""
    result = row.entries[0].result
    own = {name.split(".")[-1]: value for name, value in result.overrides.items() if name.startswith("pooling.")}
    if "k" in result.overrides:
        own["k"] = result.overrides["k"]
    if f"-k{own.get('k')}" not in row.name:  # it takes none
        own.pop("k", None)
    return "-".join([result.pooling, *(f"{name}{value}" for name, value in own.items())])


def grid(comparison: Comparison) -> Grid | None:
    """The grid of a comparison over more than one data set, or whatever else sets comparisons apart.

    Across runs what has the most values; there is a panel for each value of the rest. None where nothing was swept
    but the pooling and the seed.
    """
    rows = [row for row in comparison.rows if row.entries[0].result.pooling]
    swept = list(dict.fromkeys(name for row in rows for name, _ in row.block))
    blocks = [{name: dict(row.block).get(name, "") for name in swept} for row in rows]
    values = {name: in_order([block[name] for block in blocks]) for name in swept}
    values = {name: found for name, found in values.items() if len(found) > 1}
    if not values or not is_share(comparison.metric):
        return None
    across = max(values, key=lambda name: len(values[name]))  # the first of equals
    rest = sorted((name for name in values if name != across), key=lambda name: name != "data")

    panels = []
    for combination in itertools.product(*(values[name] for name in rest)):
        here = dict(zip(rest, combination, strict=True))
        found = [(block[across], row) for block, row in zip(blocks, rows, strict=True) if here.items() <= block.items()]
        if found:
            title = ", ".join(said(name, value) for name, value in here.items())
            panels.append(Panel(title, values[across], {(strategy(row), column): row for column, row in found}))
    reached: dict[str, list[float]] = {}
    for row in rows:
        reached.setdefault(strategy(row), []).append(share(row, comparison.metric) or 0.0)
    names = sorted(reached, key=lambda name: -mean(reached[name]))
    return Grid(across, names, panels, comparison.metric, comparison.theory)


def said(name: str, value: str) -> str:
    """A setting in short: that of data by its value, others with the last part of their names."""
    return value if name == "data" else f"{name.split('.')[-1]} {value or 'as set'}"


def in_order(values: Sequence[str]) -> list[str]:
    """Each value once: numbers by size, words as they came."""
    once = list(dict.fromkeys(values))
    try:
        return sorted(once, key=lambda value: float(value or "-inf"))  # empty: not set in the command
    except ValueError:
        return once


def _cell(row: Row | None, interval: bool) -> str:
    if row is None:
        return ""
    if row.estimate is None:
        return row.status
    value, low, high = row.estimate
    return _per_cent(value) + ("" if math.isnan(low) or not interval else f" ±{50 * (high - low):.1f}")


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
