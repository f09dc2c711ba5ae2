"""A comparison as a grid: strategies down, data or whatever else was swept across."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from textpool.study.compare import Comparison, Row, is_share, sets_apart
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
        theory: see `Comparison`.
    """

    across: str
    strategies: list[str]
    panels: list[Panel]
    metric: str
    theory: Mapping[str, Any]

    def expected(self, name: str, row: Row) -> str:
        """Whether theory says that a strategy `wins` or `fails`; empty where it says nothing."""
        overrides = row.entries[0].result.overrides
        given = self.theory.get("given") or {}
        if self.metric != "test/acc" or any(str(overrides.get(key)) != str(value) for key, value in given.items()):
            return ""
        data = str(overrides.get("data"))
        return next((side for side in ("wins", "fails") if name in ((self.theory.get(side) or {}).get(data) or ())), "")

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

    def surprises(self) -> list[str] | None:
        """Where the measurement is not what was expected, a line a place; None where nothing was expected."""
        found, expectations = [], 0
        for panel in self.panels:
            for (name, column), row in panel.rows.items():
                came, expected = self.share(row), self.expected(name, row)
                if came is None or not expected:
                    continue
                expectations += 1
                if not (came >= WINS if expected == "wins" else came <= FAILS):
                    place = ", ".join(filter(None, (said(self.across, column), panel.title)))
                    found.append(f"{place}: {name} {expected} in theory, and came {100 * came:.0f} % of the way")
        return found if expectations else None


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
        own.setdefault("k", result.overrides["k"])
    if f"-k{own.get('k')}" not in row.name:  # it takes none
        own.pop("k", None)
    return "-".join([result.pooling, *(f"{name}{value}" for name, value in own.items())])


def grid(comparison: Comparison) -> Grid | None:
    """The grid of a comparison over more than one data set, or whatever else sets comparisons apart.

    Across runs what has the most values; there is a panel for each value of the rest. None where nothing was swept
    but the pooling and the seed, or where all but a few places would be empty, as in a random search.
    """
    rows = [row for row in comparison.rows if row.entries[0].result.pooling]
    blocks = [sets_apart(row.entries[0].result) for row in rows]
    if len(comparison.studies) > 1:
        studies = [row.entries[0].folder.resolve().parent.name for row in rows]
        blocks = [{"study": study, **block} for study, block in zip(studies, blocks, strict=True)]
    swept = dict.fromkeys(name for block in blocks for name in block)
    values = {name: in_order([block.get(name, "") for block in blocks]) for name in swept}
    values = {name: found for name, found in values.items() if len(found) > 1}
    strategies = {strategy(row) for row in rows}
    places = len(strategies) * math.prod(map(len, values.values()))
    if not values or not is_share(comparison.metric) or 5 * len(rows) < places:
        return None
    across = max(values, key=lambda name: len(values[name]))  # the first of equals
    rest = sorted((name for name in values if name != across), key=lambda name: name != "data")

    panels = []
    for combination in itertools.product(*(values[name] for name in rest)):
        here = dict(zip(rest, combination, strict=True))
        found = {
            (strategy(row), block.get(across, "")): row
            for row, block in zip(rows, blocks, strict=True)
            if all(block.get(name, "") == value for name, value in here.items())
        }
        if found:
            panels.append(Panel(", ".join(said(*setting) for setting in here.items()), values[across], found))
    reached: dict[str, list[float]] = {}
    for row in rows:
        reached.setdefault(strategy(row), []).append(share(row, comparison.metric) or 0.0)
    names = sorted(reached, key=lambda name: -mean(reached[name]))
    return Grid(across, names, panels, comparison.metric, comparison.theory)


def said(name: str, value: str) -> str:
    """A setting in short: that of data by its value, others with the last part of their names."""
    shown = value or "as set"  # by the configuration, not by the command
    return shown if name == "data" else f"{name.split('.')[-1]} {shown}"


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
