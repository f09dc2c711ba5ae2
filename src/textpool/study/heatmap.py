"""The grid of a comparison as a picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from textpool.study.grid import Grid
from textpool.study.tables import BELOW, disagreement

COLOURS = "cividis"  # even in grey, and for the colour-blind (Nuñez, Anderton and Renslow 2018)
MOST_COLUMNS = 20  # of all panels together, up to which there is room for numbers in the cells
MOST_NAMED = 80  # rows or columns with a name each; more of them share the same room, and some have a name
NO_SKILL = "#e4e4e4"  # of cells that no training can change; no colour of the scale
NOTES = {
    "blind": "grey: the pooling loses what the task asks for, so no training helps",
    "unlearned": "can 100: it can represent so much or more, but did not learn it",
    "seeds": "7/10: seeds that solved the task",
}


def heatmap(grid: Grid) -> Figure:
    """Strategies by columns, panel beside panel; the colour is the normalized accuracy.

    With the ceilings of the strategies (`textpool.study.ceilings.with_ceilings`), cells are grey where the pooling
    cannot represent more than a guess, and say what it can represent where the accuracy is below that.
    """
    panels = {title: panel for title, panel in grid.panels.items() if panel["mean"].notna().any()}
    n_columns = len(grid.columns) * len(panels)
    with_numbers = n_columns <= MOST_COLUMNS
    rows = pd.concat(panels.values())
    notes = _notes(rows) if with_numbers else []
    height = 0.37 if any(note != NOTES["blind"] for note in notes) else 0.26  # of a cell, of two lines or one
    across, down = min(n_columns, MOST_NAMED), min(len(grid.strategies), MOST_NAMED)
    width = 3.2 + across * (0.62 if with_numbers else 0.27) + 0.2 * len(panels) + 1.2 * (len(grid.groups) > 1)
    figure = Figure(figsize=(width, 1.9 + 0.16 * len(notes) + height * down), layout="constrained")
    axes = np.ravel(figure.subplots(1, len(panels), sharey=True))
    images = [_draw(*each, grid, with_numbers) for each in zip(axes, panels.items(), strict=True)]
    step = -(-len(grid.strategies) // MOST_NAMED)
    axes[0].set_yticks(range(0, len(grid.strategies), step), grid.strategies[::step])
    if len(grid.groups) > 1:
        _name_groups(axes[-1], grid)
    bar = figure.colorbar(images[0], ax=axes.tolist(), shrink=0.6, aspect=30, pad=0.01)
    metric = rows["metric"].iloc[0]
    if metric == "test/acc":
        shortcut = rows["shortcut_accuracy"].notna().any()
        bar.set_ticks([0, 1], labels=["shortcut" if shortcut else "guess", "best"])
    figure.supxlabel("\n".join([f"{metric} in %"] * with_numbers + notes), fontsize="small")
    return figure


def _notes(rows: pd.DataFrame) -> list[str]:
    """What the signs in the cells mean, of those that occur."""
    found = [_signs(row) for row in rows[rows["mean"].notna()].to_dict("records")]
    return [text for sign, text in NOTES.items() if any(signs.get(sign) for signs in found)]


def _signs(row: Mapping[Any, Any]) -> dict[str, str]:
    """What a cell shows beside its number: `blind`, what it can represent, and the seeds that solved the task."""
    ceiling, upper = row.get("ceiling", np.nan), row.get("ceiling_upper", np.nan)
    guess = row["majority_accuracy"]
    if not np.isnan(upper) and upper < guess + 0.01:
        return {"blind": "blind"}
    unlearned = not np.isnan(ceiling) and row["mean"] < ceiling - BELOW
    return {"unlearned": f"can {100 * ceiling:.0f}" if unlearned else "", "seeds": disagreement(row)}


def _draw(axes: Axes, panel: tuple[str, pd.DataFrame], grid: Grid, with_numbers: bool) -> AxesImage:
    title, rows = panel
    normalized = grid.table(rows, "normalized").astype(float).to_numpy()
    for row in rows[rows["normalized"].notna()].to_dict("records"):
        across, down = grid.columns.index(row[grid.across]), grid.strategies.index(row["strategy"])
        signs = _signs(row)
        ink = "white" if row["normalized"] < 0.55 else "black"
        if signs.get("blind"):
            ink = "#777777"
            axes.add_patch(Rectangle((across - 0.5, down - 0.5), 1, 1, color=NO_SKILL, linewidth=0, zorder=1))
        if with_numbers:
            second = "  ".join(filter(None, (signs.get("unlearned"), signs.get("seeds"))))
            text = f"{100 * row['mean']:.0f}"
            axes.text(across, down - 0.16 * bool(second), text, color=ink, ha="center", va="center", fontsize="small")
            if second:
                axes.text(across, down + 0.26, second, color=ink, ha="center", va="center", fontsize=5.5)
    headings = _headings(grid, rows) if with_numbers else grid.headings
    upright = not with_numbers and max(map(len, headings)) > 3
    step = -(-len(headings) // MOST_NAMED)
    rotation = 90 if upright else 0
    axes.set_xticks(range(0, len(headings), step), headings[::step], fontsize="small", rotation=rotation)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(headings) <= MOST_NAMED:  # white lines between more cells would leave nothing of them
        axes.set_xticks(np.arange(len(headings) - 1) + 0.5, minor=True)
    if len(grid.strategies) <= MOST_NAMED:
        axes.set_yticks(np.arange(len(grid.strategies) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    for end in np.cumsum(list(grid.groups.values()))[:-1]:
        axes.axhline(end - 0.5, color="white", linewidth=5)
    axes.tick_params(which="minor", length=0)
    axes.set_title(title, fontsize="medium")
    return axes.imshow(normalized, cmap=COLOURS, vmin=0, vmax=1, aspect="auto", zorder=0)


def _name_groups(axes: Axes, grid: Grid) -> None:
    """The names of the groups of strategies, on the right of the last panel."""
    start = 0
    for name, size in grid.groups.items():
        middle, start = start + (size - 1) / 2, start + size
        axes.text(len(grid.columns) - 0.4, middle, name.replace(", ", ",\n"), fontsize="small", va="center")


def _headings(grid: Grid, rows: pd.DataFrame) -> list[str]:
    """The columns, data sets with the accuracy of the strongest shortcut, else a guess, and the best one."""
    if grid.across != "data" or rows["metric"].iloc[0] != "test/acc":
        return grid.headings
    floor = rows["shortcut_accuracy"].fillna(rows["majority_accuracy"])
    limits = [grid.table(rows.assign(floor=floor), name).astype(float).max() for name in ("floor", "bayes_accuracy")]
    known = [[f"{100 * limit:.0f}" for limit in pair if not np.isnan(limit)] for pair in zip(*limits, strict=True)]
    return ["\n".join(filter(None, (name, " to ".join(pair)))) for name, pair in zip(grid.headings, known, strict=True)]
