"""Figures of a comparison: readable in grey and by the colour-blind, as PNG, as SVG, and in TensorBoard."""

import io
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from textpool.study.compare import Comparison, Row, is_share
from textpool.study.grid import grid
from textpool.study.heatmap import heatmap
from textpool.study.terminal import LONG

# Okabe and Ito 2008; told apart by marker and line as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")


def draw(comparison: Comparison) -> dict[str, Figure]:
    """The figures that the runs allow, by name."""
    rows = [row for row in comparison.rows if row.estimate is not None]
    overview = grid(comparison)
    figures = {"grid": heatmap(overview) if overview is not None and rows else None}
    if overview is None or len(rows) <= LONG:
        figures |= {
            "accuracy": accuracy(rows, comparison.metric),
            "learning_curves": learning_curves(rows),
            "against_k": against_k(rows, comparison.metric),
            "against_parameters": against_parameters(rows, comparison.metric),
        }
    return {name: figure for name, figure in figures.items() if figure is not None}


def accuracy(rows: Sequence[Row], metric: str) -> Figure | None:
    """The metric of each row with its interval: points, on an axis that need not begin at 0."""
    if not rows:
        return None
    figure = Figure(figsize=(7, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, (row, (colour, marker, _)) in enumerate(zip(rows, _styles(rows), strict=True)):
        _point(axes, row, place, colour, marker, metric)
        if metric == "test/acc" and row.first is not None:
            limits = [row.first.majority_accuracy, row.first.bayes_accuracy]
            known = [100 * limit for limit in limits if limit is not None]
            axes.plot(
                known, [place] * len(known), marker="|", color="#999999", linestyle="none", markersize=12, zorder=1
            )
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.margins(y=0.5 / max(len(rows), 2))
    over = " and ".join(dict.fromkeys(row.over for row in rows if row.over))
    axes.set_xlabel(_label(metric) + (f", 95 % interval over {over}" if over else ""))
    _tidy(axes, "x")
    return figure


def learning_curves(rows: Sequence[Row]) -> Figure | None:
    """Validation accuracy and loss over epochs: mean over the seeds, band from the lowest to the highest."""
    rows = [row for row in rows if row.first is not None and row.first.history]
    if not rows:
        return None
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, metric in zip(np.ravel(figure.subplots(1, 2)), ("val/acc", "val/loss"), strict=True):
        for row, (colour, _, line) in zip(rows, _styles(rows), strict=True):
            curves = [entry.result.history.get(metric, []) for entry in row.finished.values()]
            length = min(map(len, curves))  # runs that stopped early end the mean of all
            stacked = np.array([curve[:length] for curve in curves]) * _scale(metric)
            epochs = np.arange(1, length + 1)
            axes.plot(epochs, stacked.mean(0), color=colour, linestyle=line, label=row.name)
            if len(curves) > 1:
                axes.fill_between(epochs, stacked.min(0), stacked.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(_label(metric))
        _tidy(axes, "both")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def against_k(rows: Sequence[Row], metric: str) -> Figure | None:
    """The metric against k, a line a strategy, where k was swept."""
    found: defaultdict[str, list[tuple[float, Row]]] = defaultdict(list)
    for row in rows:
        result = row.entries[0].result
        k = result.overrides.get("k", result.overrides.get("pooling.k"))
        if isinstance(k, int) and f"-k{k}" in row.name:  # a row without it does not depend on k
            found[row.name.replace(f"-k{k}", "")].append((k, row))
    lines = {name: points for name, points in found.items() if len(points) > 1}
    if not lines:
        return None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, points), (colour, marker, line) in zip(lines.items(), _styles(list(lines)), strict=True):
        points.sort(key=lambda point: point[0])
        for k, row in points:
            _point(axes, row, k, colour, marker, metric, upright=True)
        values = [row.estimate.value * _scale(metric) for _, row in points if row.estimate]
        axes.plot([k for k, _ in points], values, color=colour, linestyle=line, marker=marker, label=name)
    axes.set_xlabel("k")
    axes.set_xticks(sorted({k for points in lines.values() for k, _ in points}))
    axes.set_ylabel(_label(metric))
    axes.legend(frameon=False)
    _tidy(axes, "y")
    return figure


def against_parameters(rows: Sequence[Row], metric: str) -> Figure | None:
    """The metric against the number of parameters, where it differs."""
    sized = [(row, row.first.n_params) for row in rows if row.first is not None and row.first.n_params]
    if len({size for _, size in sized}) < 2:
        return None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (row, size), (colour, marker, _) in zip(sized, _styles(sized), strict=True):
        _point(axes, row, size, colour, marker, metric, upright=True, label=row.name)
    axes.set_xlabel("trainable parameters")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(_label(metric))
    figure.legend(loc="outside right upper", frameon=False)
    _tidy(axes, "both")
    return figure


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the figures to `figures/` in a study's folder, where TensorBoard finds them as images.

    Returns:
        The PNG files.
    """
    figures = draw(comparison)
    target = folder / "figures"
    if not figures:
        return []
    target.mkdir(exist_ok=True)
    for old in [*target.glob("events.out.tfevents.*"), *target.glob("*.png"), *target.glob("*.svg")]:
        old.unlink()  # else a figure that the study has outgrown would stay
    events = EventFileWriter(str(target))
    written = []
    for name, figure in figures.items():
        figure.savefig(target / f"{name}.svg", metadata={"Date": None})
        content = io.BytesIO()
        FigureCanvasAgg(figure).print_png(content)
        width, height = (int(size * figure.dpi) for size in figure.get_size_inches())
        image = Summary.Image(height=height, width=width, encoded_image_string=content.getvalue())
        value = Summary.Value(tag=f"study/{name}", image=image)
        events.add_event(Event(wall_time=time.time(), step=0, summary=Summary(value=[value])))
        figure.savefig(target / f"{name}.png", dpi=150)
        written.append(target / f"{name}.png")
    events.close()
    return written


def _point(
    axes: Axes, row: Row, place: float, colour: str, marker: str, metric: str, upright: bool = False, label: str = ""
) -> None:
    if row.estimate is None:
        return
    value, low, high = (number * _scale(metric) for number in row.estimate)
    bounds = None if np.isnan(low) else [[value - low], [high - value]]
    where = {"x": place, "y": value, "yerr": bounds} if upright else {"x": value, "y": place, "xerr": bounds}
    axes.errorbar(**where, color=colour, marker=marker, capsize=3, linestyle="none", label=label or None)


def _styles(items: Sequence[object]) -> list[tuple[str, str, str]]:
    cycles = zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), itertools.cycle(LINES), strict=False)
    return list(itertools.islice(cycles, len(items)))


def _scale(metric: str) -> float:
    return 100.0 if is_share(metric) else 1.0


def _label(metric: str) -> str:
    return f"{metric} (%)" if is_share(metric) else metric


def _tidy(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
