"""Figures of a comparison: readable in grey and by the colour-blind, as PNG, as SVG, and in TensorBoard."""

import itertools
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from textpool.facts import compared_apart, is_own, short_names
from textpool.record import is_fraction
from textpool.study import lengths

# Okabe and Ito 2008; told apart by marker and line as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
LEAST_VALUES = 3  # of a setting that is none of the poolings' own, for a figure of the metric against it
DPI = 150  # of the PNG files and of TensorBoard's images

Style = tuple[str, str, str]  # colour, marker, line


def draw(comparison: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Figure]:
    """The figures for which there are runs, by name: a line, a colour or a point per row of the comparison."""
    rows = comparison[comparison["mean"].notna()]
    if rows.empty:
        return {}
    figures = {
        "accuracy": accuracy(rows),
        "learning_curves": learning_curves(rows, runs),
        "against_parameters": against_parameters(rows),
    }
    factors = comparison.attrs["factors"]
    for setting, short in short_names(factors).items():
        many = setting in factors and compared_apart(setting) and rows[setting].nunique() >= LEAST_VALUES
        if is_own(setting) or many:
            figures[f"against_{short}"] = against_setting(rows, setting, factors)
    return {name: figure for name, figure in figures.items() if figure is not None}


def accuracy(rows: pd.DataFrame) -> Figure:
    """The metric of each row with its interval: points, on an axis that need not begin at 0."""
    metric = str(rows["metric"].iloc[0])
    figure = Figure(figsize=(7, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, (row, (colour, marker, _)) in enumerate(_styled(rows)):
        _point(axes, row, place, colour, marker)
        if metric == "test/acc":
            known = [100 * row[limit] for limit in ("majority_accuracy", "bayes_accuracy") if pd.notna(row[limit])]
            at = [place] * len(known)
            axes.plot(known, at, marker="|", color="#999999", linestyle="none", markersize=12, zorder=1)
    axes.set_yticks(range(len(rows)), rows["row"].tolist())
    axes.invert_yaxis()
    axes.margins(y=0.5 / max(len(rows), 2))
    over = " and ".join(name for name in dict.fromkeys(rows["over"]) if name)
    axes.set_xlabel(_label(metric) + (f", 95 % interval over {over}" if over else ""))
    tidy(axes, "x")
    return figure


def learning_curves(rows: pd.DataFrame, runs: pd.DataFrame) -> Figure | None:
    """Validation accuracy and loss over epochs: mean over the seeds, band from the lowest to the highest."""
    finished = runs[(runs["status"] == "ok") & runs["history"].map(bool)]
    factors = rows.attrs["factors"]
    keys = [tuple(values) for values in finished[factors].itertuples(index=False)]
    histories: dict[Any, list[dict[str, list[float]]]] = {}
    for key, history in zip(keys, finished["history"], strict=True):
        histories.setdefault(key, []).append(history)
    if not histories:
        return None
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, metric in zip(np.ravel(figure.subplots(1, 2)), ("val/acc", "val/loss"), strict=True):
        for row, (colour, _, line) in _styled(rows):
            curves = [history.get(metric, []) for history in histories.get(tuple(row[name] for name in factors), [])]
            length = min(map(len, curves), default=0)  # runs that stopped early end the mean of all
            if not length:
                continue
            stacked = np.array([curve[:length] for curve in curves]) * _scale(metric)
            epochs = np.arange(1, length + 1)
            axes.plot(epochs, stacked.mean(0), color=colour, linestyle=line, label=row["row"])
            if len(curves) > 1:
                axes.fill_between(epochs, stacked.min(0), stacked.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(_label(metric))
        tidy(axes, "both")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def against_setting(rows: pd.DataFrame, setting: str, factors: list[str]) -> Figure | None:
    """The metric against a setting of numbers, such as k or `data.share`: one line per row that differs in no other."""
    numeric = rows[rows[setting].map(lambda value: isinstance(value, int | float) and not isinstance(value, bool))]
    others = [name for name in factors if name != setting]
    lines = [group for _, group in numeric.groupby(others, sort=False, dropna=False) if len(group) > 1]
    if not lines:
        return None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    short = setting.split(".")[-1]
    for points, (colour, marker, line) in zip(lines, styles(), strict=False):
        points = points.sort_values(setting)
        for row in points.to_dict("records"):
            _point(axes, row, row[setting], colour, marker, upright=True)
        values = points["mean"] * _scale(str(points["metric"].iloc[0]))
        name = str(points["row"].iloc[0]).replace(f"-{short}{points[setting].iloc[0]}", "")
        axes.plot(points[setting].tolist(), values, color=colour, linestyle=line, marker=marker, label=name)
    axes.set_xlabel(short)
    ticks = sorted({value for points in lines for value in points[setting]})
    if not is_own(setting) and ticks[0] > 0 and ticks[-1] >= 10 * ticks[0]:
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_ylabel(_label(str(rows["metric"].iloc[0])))
    axes.legend(frameon=False)
    tidy(axes, "y")
    return figure


def against_parameters(rows: pd.DataFrame) -> Figure | None:
    """The metric against the number of parameters, where it differs."""
    sized = rows[rows["n_params"].notna()]
    if sized["n_params"].nunique() < 2:
        return None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for row, (colour, marker, _) in _styled(sized):
        _point(axes, row, row["n_params"], colour, marker, upright=True, label=row["row"])
    axes.set_xlabel("trainable parameters")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(_label(str(rows["metric"].iloc[0])))
    figure.legend(loc="outside right upper", frameon=False)
    tidy(axes, "both")
    return figure


def write(figures: Mapping[str, Figure], target: Path) -> list[Path]:
    """Write figures to a folder as PNG and SVG, and where TensorBoard finds them as images.

    Returns:
        The PNG files.
    """
    if not figures:
        return []
    target.mkdir(exist_ok=True)
    for old in [*target.glob("events.out.tfevents.*"), *target.glob("*.png"), *target.glob("*.svg")]:
        if old.stem != lengths.FIGURE:  # which `textpool lengths` draws beside those of this module
            old.unlink()  # figures that the runs no longer call for
    events = EventFileWriter(str(target))
    written = []
    for name, figure in figures.items():
        figure.savefig(target / f"{name}.svg", metadata={"Date": None})
        picture = target / f"{name}.png"
        figure.savefig(picture, dpi=DPI)
        width, height = (int(size * DPI) for size in figure.get_size_inches())
        image = Summary.Image(height=height, width=width, encoded_image_string=picture.read_bytes())
        value = Summary.Value(tag=f"study/{name}", image=image)
        events.add_event(Event(wall_time=time.time(), step=0, summary=Summary(value=[value])))
        written.append(picture)
    events.close()
    return written


def _point(
    axes: Axes, row: Mapping[Any, Any], place: float, colour: str, marker: str, upright: bool = False, label: str = ""
) -> None:
    value, low, high = (row[name] * _scale(row["metric"]) for name in ("mean", "low", "high"))
    bounds = None if np.isnan(low) else [[value - low], [high - value]]
    where = {"x": place, "y": value, "yerr": bounds} if upright else {"x": value, "y": place, "xerr": bounds}
    axes.errorbar(**where, color=colour, marker=marker, capsize=3, linestyle="none", label=label or None)


def styles() -> Iterable[Style]:
    return zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), itertools.cycle(LINES), strict=False)


def _styled(rows: pd.DataFrame) -> Iterable[tuple[dict[Any, Any], Style]]:
    return zip(rows.to_dict("records"), styles(), strict=False)


def _scale(metric: str) -> float:
    return 100.0 if is_fraction(metric) else 1.0


def _label(metric: str) -> str:
    return f"{metric} (%)" if is_fraction(metric) else metric


def tidy(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
