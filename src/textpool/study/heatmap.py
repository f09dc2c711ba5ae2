"""The grid of a comparison as a picture."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from textpool.study.compare import Row
from textpool.study.grid import Grid, Panel

COLOURS = "cividis"  # even in grey, and to the colour-blind (Nuñez, Anderton and Renslow 2018)
MARKS = {"wins": "^", "fails": "v"}
ROOM = 20  # columns in all panels together that leave room for numbers in the cells


def heatmap(grid: Grid) -> Figure:
    """Strategies by columns, panel beside panel; colour is the share of the way from chance to the best reachable."""
    widths = [len(panel.columns) for panel in grid.panels]
    numbers = sum(widths) <= ROOM
    size = 3.2 + sum(widths) * (0.6 if numbers else 0.27) + 0.2 * len(widths), 1.9 + 0.26 * len(grid.strategies)
    figure = Figure(figsize=size, layout="constrained")
    every = np.ravel(figure.subplots(1, len(widths), sharey=True, width_ratios=widths))
    images = [_draw(axes, grid, panel, numbers) for axes, panel in zip(every, grid.panels, strict=True)]
    every[0].set_yticks(range(len(grid.strategies)), grid.strategies)
    bar = figure.colorbar(images[0], ax=every.tolist(), shrink=0.6, aspect=30, pad=0.01)
    if grid.metric == "test/acc":
        bar.set_ticks([0, 1], labels=["guess", "best"])
    notes = [f"{grid.metric} in %"] * numbers + ["▲ wins, ▼ fails in theory"] * (grid.surprises() is not None)
    figure.supxlabel(";  ".join(notes), fontsize="small")
    return figure


def _draw(axes: Axes, grid: Grid, panel: Panel, numbers: bool) -> AxesImage:
    came = np.full((len(grid.strategies), len(panel.columns)), np.nan)
    for (down, across), row in _cells(grid, panel):
        share = grid.share(row)
        if row.estimate is None or share is None:
            continue
        came[down, across] = share
        ink = "white" if share < 0.55 else "black"
        if numbers:
            text = f"{100 * row.estimate.value:.0f}"
            axes.text(across - 0.08, down, text, color=ink, ha="center", va="center", fontsize="small")
        expected = grid.expected(grid.strategies[down], row)
        if expected:
            axes.plot(across + (0.34 if numbers else 0), down, marker=MARKS[expected], color=ink, markersize=3.5)
    headings = _headings(grid, panel) if numbers else [column or "as set" for column in panel.columns]
    upright = not numbers and max(map(len, headings)) > 3
    axes.set_xticks(range(len(panel.columns)), headings, fontsize="small", rotation=90 if upright else 0)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(panel.columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(grid.strategies) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.set_title(panel.title, fontsize="medium")
    if grid.across != "data":
        axes.set_xlabel(grid.across.split(".")[-1], fontsize="small")
    return axes.imshow(came, cmap=COLOURS, vmin=0, vmax=1, aspect="auto")


def _cells(grid: Grid, panel: Panel) -> Iterable[tuple[tuple[int, int], Row]]:
    for down, strategy in enumerate(grid.strategies):
        for across, column in enumerate(panel.columns):
            if (strategy, column) in panel.rows:
                yield (down, across), panel.rows[strategy, column]


def _headings(grid: Grid, panel: Panel) -> list[str]:
    """The columns, with the accuracy of a guess and the best that can be reached."""
    headings = []
    for column in panel.columns:
        result = panel.first(column) if grid.metric == "test/acc" and grid.across == "data" else None
        limits = [result.majority_accuracy, result.bayes_accuracy] if result is not None else []
        known = " to ".join(f"{100 * limit:.0f}" for limit in limits if limit is not None)
        headings.append("\n".join(filter(None, (column or "as set", known))))
    return headings
