"""The grid of a comparison as a picture."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from textpool.study.grid import Grid

COLOURS = "cividis"  # even in grey, and for the colour-blind (Nuñez, Anderton and Renslow 2018)
MARKS = {"wins": "^", "fails": "v"}
MOST_COLUMNS = 20  # of all panels together, up to which there is room for numbers in the cells


def heatmap(grid: Grid) -> Figure:
    """Strategies by columns, panel beside panel; the colour is the normalized accuracy."""
    panels = {title: panel for title, panel in grid.panels.items() if panel["mean"].notna().any()}
    n_columns = len(grid.columns) * len(panels)
    with_numbers = n_columns <= MOST_COLUMNS
    width = 3.2 + n_columns * (0.6 if with_numbers else 0.27) + 0.2 * len(panels)
    figure = Figure(figsize=(width, 1.9 + 0.26 * len(grid.strategies)), layout="constrained")
    axes = np.ravel(figure.subplots(1, len(panels), sharey=True))
    images = [_draw(*each, grid, with_numbers) for each in zip(axes, panels.items(), strict=True)]
    axes[0].set_yticks(range(len(grid.strategies)), grid.strategies)
    bar = figure.colorbar(images[0], ax=axes.tolist(), shrink=0.6, aspect=30, pad=0.01)
    rows = pd.concat(panels.values())
    metric = rows["metric"].iloc[0]
    if metric == "test/acc":
        bar.set_ticks([0, 1], labels=["guess", "best"])
    expected = "expected" in rows and rows["expected"].any()
    notes = [f"{metric} in %"] * with_numbers + ["▲ wins, ▼ fails in theory"] * bool(expected)
    figure.supxlabel(";  ".join(notes), fontsize="small")
    return figure


def _draw(axes: Axes, panel: tuple[str, pd.DataFrame], grid: Grid, with_numbers: bool) -> AxesImage:
    title, rows = panel
    normalized = grid.table(rows, "normalized").astype(float).to_numpy()
    for row in rows[rows["normalized"].notna()].to_dict("records"):
        across, down = grid.columns.index(row[grid.across]), grid.strategies.index(row["strategy"])
        ink = "white" if row["normalized"] < 0.55 else "black"
        if with_numbers:
            text, place = f"{100 * row['mean']:.0f}", across - (0.08 if row.get("expected") else 0)
            axes.text(place, down, text, color=ink, ha="center", va="center", fontsize="small")
        if row.get("expected"):
            place = across + (0.34 if with_numbers else 0)
            axes.plot(place, down, marker=MARKS[row["expected"]], color=ink, markersize=3.5)
    headings = _headings(grid, rows) if with_numbers else grid.headings
    upright = not with_numbers and max(map(len, headings)) > 3
    axes.set_xticks(range(len(headings)), headings, fontsize="small", rotation=90 if upright else 0)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(headings) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(grid.strategies) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.set_title(title, fontsize="medium")
    return axes.imshow(normalized, cmap=COLOURS, vmin=0, vmax=1, aspect="auto")


def _headings(grid: Grid, rows: pd.DataFrame) -> list[str]:
    """The columns, data sets with the accuracy of a majority guess and the best one that can be reached."""
    if grid.across != "data" or rows["metric"].iloc[0] != "test/acc":
        return grid.headings
    limits = [grid.table(rows, name).astype(float).max() for name in ("majority_accuracy", "bayes_accuracy")]
    known = [[f"{100 * limit:.0f}" for limit in pair if not np.isnan(limit)] for pair in zip(*limits, strict=True)]
    return ["\n".join(filter(None, (name, " to ".join(pair)))) for name, pair in zip(grid.headings, known, strict=True)]
