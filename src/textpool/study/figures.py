"""Figures of a comparison: readable in grey and by the colour-blind, as PNG, as SVG, and in TensorBoard."""

import time
from collections import Counter
from collections.abc import Mapping
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

from textpool.facts import compared_apart, is_own, setting_in_words, short_names
from textpool.record import is_fraction
from textpool.study import lengths
from textpool.study.drawing import COLOURS, DPI, MARKERS, set_title, styled, styles, tidy

LEAST_VALUES = 3  # of a setting that is none of the poolings' own, for a figure of the metric against it
LEGEND_ROWS = 16  # names above each other
MOST_LINES = 28  # with a style of their own, see `styles`
MOST_PANELS = 24
MOST_TICKS = 20  # with a number of each
MOST_PAIRED = 12  # rows up to which lines join the same seed
LIMITS = {"majority_accuracy": "majority guess", "bayes_accuracy": "best that can be reached"}


def draw(
    comparison: pd.DataFrame, runs: pd.DataFrame, heading: str = "", most_rows: int | None = None
) -> dict[str, Figure]:
    """The figures for which there are runs, by name: a line, a colour or a point per row of the comparison.

    Args:
        comparison: from `textpool.study.compare`.
        runs: from `textpool.study.read`.
        heading: name of the study, for the titles.
        most_rows: rows of a figure that names each; of more, the best ones are drawn. None: all.
    """
    rows = comparison[comparison["mean"].notna()]
    if rows.empty:
        return {}
    best = best_rows(rows, most_rows)
    figures = {
        "accuracy": accuracy(best),
        "learning_curves": learning_curves(best, runs),
        "against_parameters": against_parameters(best),
    }
    selected = dict.fromkeys(figures, f"the best {len(best)} of {len(rows):,} rows" if len(best) < len(rows) else "")
    factors = comparison.attrs["factors"]
    for setting, short in short_names(factors).items():
        apart = setting in factors and compared_apart(setting)
        if is_own(setting) or (apart and rows[setting].nunique() >= LEAST_VALUES):
            figures[f"against_{short}"] = against_setting(rows, setting, factors)
        elif apart and setting != "data" and _varies_alone(rows, setting):
            figures[f"by_{short}"] = by_setting(rows, setting)
    of_what = described(rows)
    for name, figure in figures.items():
        if figure is not None:
            set_title(figure, heading, ", ".join(filter(None, (of_what, selected.get(name)))))
    return {name: figure for name, figure in figures.items() if figure is not None}


def best_rows(rows: pd.DataFrame, most: int | None) -> pd.DataFrame:
    """The rows with the best means, the best first, if there are more than `most`; else all in their order."""
    if most is None or len(rows) <= most:
        return rows
    rising = not is_fraction(str(rows["metric"].iloc[0]))
    best = rows.sort_values("mean", ascending=rising, kind="stable").head(most)
    best.attrs = rows.attrs
    return best


def described(rows: pd.DataFrame) -> str:
    """The data and the number of seeds of some rows, in words: `order, 5 seeds`."""
    data = rows["data"].dropna().unique().tolist() if "data" in rows else []
    of_data = [str(data[0]) if len(data) == 1 else f"{len(data)} data sets"] if data else []
    low, high = int(rows["seeds"].min()), int(rows["seeds"].max())
    unit = "run" if rows.attrs["folds"] else "seed"
    n_seeds = f"{high} {unit}{'s' * (high > 1)}" if low == high else f"{low} to {high} {unit}s"
    return ", ".join([*of_data, n_seeds])


def _varies_alone(rows: pd.DataFrame, setting: str) -> bool:
    """Whether some rows differ in a setting and in nothing else."""
    others = [name for name in rows.attrs["factors"] if name != setting]
    return bool((rows.groupby(others, dropna=False)[setting].nunique(dropna=False) > 1).any())


def accuracy(rows: pd.DataFrame) -> Figure:
    """The metric of each row with its interval, and that of each seed as a small dot; lines join the same seed.

    The axis need not begin at 0.
    """
    metric = str(rows["metric"].iloc[0])
    names = rows["row"].tolist()
    size = (5.5 + 0.08 * max(20, *map(len, names)), 1.7 + 0.32 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    by_seed = [rows.attrs["by_seed"].get(row, []) for row in rows["row"]]
    paired = len({len(values) for values in by_seed}) == 1 and len(by_seed[0]) > 1 and len(rows) <= MOST_PAIRED
    if paired:
        values = np.array(by_seed) * _scale(metric)  # (rows, seeds)
        axes.plot(values, np.arange(len(rows)), color="#bbbbbb", linewidth=0.7, zorder=1)
    limits: dict[str, list[tuple[float, int]]] = {}
    for place, (row, (colour, marker, _)) in enumerate(styled(rows)):
        _point(axes, row, place, colour, marker)
        seeds = by_seed[place]
        if len(seeds) > 1:
            axes.plot(np.array(seeds) * _scale(metric), [place] * len(seeds), ".", color=colour, alpha=0.35, zorder=1)
        for name, words in LIMITS.items():
            if metric == "test/acc" and pd.notna(row[name]):
                limits.setdefault(words, []).append((100 * row[name], place))
    for (words, points), marker in zip(limits.items(), "|x", strict=False):
        axes.plot(*zip(*points, strict=True), marker=marker, color="#888888", linestyle="none", zorder=1, label=words)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.margins(y=0.5 / max(len(rows), 2))
    over = " and ".join(name for name in dict.fromkeys(rows["over"]) if name)
    axes.set_xlabel(_label(metric) + (f", 95 % interval over {over}" if over else ""))
    if limits:
        figure.legend(loc="outside lower right", frameon=False, ncols=2, fontsize="small")
    _within(axes, "x", metric)
    tidy(axes, "x")
    return figure


def learning_curves(rows: pd.DataFrame, runs: pd.DataFrame) -> Figure | None:
    """Accuracy and loss over epochs: mean over the seeds; of the validation split with a band and the best epoch.

    The band is from the lowest to the highest seed; a dot is at the median of the best epochs. Thin dotted lines are of
    the training split.
    """
    finished = runs[(runs["status"] == "ok") & runs["history"].map(bool)]
    factors = rows.attrs["factors"]
    keys = [tuple(values) for values in finished[factors].itertuples(index=False)]
    grouped: dict[Any, list[tuple[dict[str, list[float]], float]]] = {}
    for key, history, best in zip(keys, finished["history"], finished["best_epoch"], strict=True):
        grouped.setdefault(key, []).append((history, np.nan if pd.isna(best) else float(best)))
    if not grouped:
        return None
    columns = -(-len(rows) // LEGEND_ROWS)
    width = 8 + columns * (0.6 + 0.07 * max(map(len, rows["row"])))
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    for axes, metric in zip(np.ravel(figure.subplots(1, 2)), ("acc", "loss"), strict=True):
        for row, (colour, marker, line) in styled(rows):
            of_row = grouped.get(tuple(row[name] for name in factors), [])
            for split in ("train", "val"):
                curves = [history.get(f"{split}/{metric}", []) for history, _ in of_row]
                length = min(map(len, curves), default=0)  # runs that stopped early end the mean of all
                if not length:
                    continue
                stacked = np.array([curve[:length] for curve in curves]) * _scale(f"{split}/{metric}")
                epochs, mean = np.arange(1, length + 1), stacked.mean(0)
                if split == "train":
                    axes.plot(epochs, mean, color=colour, linestyle=":", linewidth=0.8, alpha=0.7)
                    continue
                axes.plot(epochs, mean, color=colour, linestyle=line, label=row["row"])
                best = float(np.median([number for _, number in of_row]))
                if 1 <= best <= length:
                    axes.plot([best], np.interp([best], epochs, mean), color=colour, marker=marker, markersize=5)
                if len(curves) > 1:
                    axes.fill_between(epochs, stacked.min(0), stacked.max(0), color=colour, alpha=0.12, linewidth=0)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(_label(f"val/{metric}"))
        if metric == "acc":
            _within(axes, "y", "val/acc")
        tidy(axes, "both")
    dotted = any("train/acc" in history for of_row in grouped.values() for history, _ in of_row)
    note = "marker: best epoch (median over the runs)" + "; dotted: training split" * dotted
    figure.supxlabel(note, fontsize="small", color="#555555")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right upper", frameon=False, ncols=columns, fontsize="small")
    return figure


def by_setting(rows: pd.DataFrame, setting: str) -> Figure | None:
    """The metric of each strategy with each value of a setting, such as `window_mask`; a panel for each of the rest.

    None where these are more than `MOST_PANELS`.

    Args:
        rows: with a value.
        setting: factor of two values, or of words.
    """
    metric = str(rows["metric"].iloc[0])
    others = [name for name in rows.attrs["factors"] if name != setting and (name == "study" or compared_apart(name))]
    differing = [name for name in others if rows[name].nunique(dropna=False) > 1]
    panels = list(rows.groupby(differing, sort=False, dropna=False)) if differing else [((), rows)]
    if len(panels) > MOST_PANELS:
        return None
    telling = [name for name in differing if rows[name].nunique(dropna=False) == len(panels)]
    told = [next((name for name in ("data", "study", *telling) if name in telling), "")] if telling else differing
    strategies, values = list(dict.fromkeys(rows["strategy"])), list(dict.fromkeys(rows[setting]))
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    size = (2.2 + 2.6 * across, 1.5 + down * (0.9 + 0.3 * len(strategies)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, (_, panel) in zip(grid.flat, panels, strict=False):
        for number, value in enumerate(values):
            shift = 0.3 * (number / max(1, len(values) - 1) - 0.5) if len(values) > 1 else 0.0
            label = setting_in_words(setting, value, rows.attrs["factors"])
            for row in panel[panel[setting].map(lambda each, value=value: each == value)].to_dict("records"):
                place = strategies.index(row["strategy"]) + shift
                _point(axes, row, place, COLOURS[number % 7], MARKERS[number % 7], label=label)
                label = ""
        first = panel.iloc[0]
        words = [setting_in_words(name, first[name], rows.attrs["factors"], ("data", "study")) for name in told]
        axes.set_title(", ".join(words), fontsize="small")
        axes.set_yticks(range(len(strategies)), strategies)
        axes.set_ylim(len(strategies) - 0.5, -0.5)
        _within(axes, "x", metric)
        tidy(axes, "both")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel(_label(metric) + ", with 95 % intervals", fontsize="medium")
    handles = dict(zip(*reversed(grid.flat[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", frameon=False, ncols=4, fontsize="small")
    return figure


def against_setting(rows: pd.DataFrame, setting: str, factors: list[str]) -> Figure | None:
    """The metric against a setting of numbers, such as k or `data.share`: one line per row that differs in no other."""
    numeric = rows[rows[setting].map(lambda value: isinstance(value, int | float) and not isinstance(value, bool))]
    others = [name for name in factors if name != setting]
    lines = [group for _, group in numeric.groupby(others, sort=False, dropna=False) if len(group) > 1]
    if len(numeric) > MOST_TICKS and 2 * sum(map(len, lines)) < len(numeric):  # a search by random values
        return scattered(numeric, setting)
    if not lines:
        return None
    n_lines = len(lines)
    if n_lines > MOST_LINES:
        metric = str(rows["metric"].iloc[0])
        lines.sort(key=lambda points: -points["mean"].max() if is_fraction(metric) else points["mean"].min())
        lines = lines[:MOST_LINES]
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    short = setting.split(".")[-1]
    for points, (colour, marker, line) in zip(
        lines, styles([group["pooling"].iloc[0] for group in lines]), strict=True
    ):
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
    if len(ticks) <= MOST_TICKS:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.set_ylabel(_label(str(rows["metric"].iloc[0])))
    selected = f"the best {len(lines)} of {n_lines:,}" if len(lines) < n_lines else None
    columns = -(-len(lines) // LEGEND_ROWS)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small", ncols=columns, title=selected)
    _within(axes, "y", str(rows["metric"].iloc[0]))
    tidy(axes, "y")
    return figure


def scattered(rows: pd.DataFrame, setting: str) -> Figure:
    """The metric of each row against a setting of numbers, with the colour of its pooling: rows that differ in more."""
    metric = str(rows["metric"].iloc[0])
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    poolings = list(dict.fromkeys(rows["pooling"].astype(str)))
    for name, (colour, marker, _) in zip(poolings, styles(poolings), strict=True):
        points = rows[rows["pooling"] == name]
        values = points["mean"] * _scale(metric)
        axes.plot(points[setting].tolist(), values, marker, color=colour, markersize=3, alpha=0.5, label=name)
    axes.set_xlabel(setting.split(".")[-1])
    axes.set_ylabel(_label(metric))
    figure.legend(loc="outside right upper", frameon=False, fontsize="small", ncols=-(-len(poolings) // LEGEND_ROWS))
    tidy(axes, "y")
    return figure


def against_parameters(rows: pd.DataFrame) -> Figure | None:
    """The metric against the number of parameters, where it differs; rows of one number stand side by side."""
    sized = rows[rows["n_params"].notna()]
    if sized["n_params"].nunique() < 2:
        return None
    columns = -(-len(sized) // LEGEND_ROWS)
    width = 5.5 + columns * (0.6 + 0.07 * max(map(len, sized["row"])))
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axes = figure.add_subplot()
    step = float(sized["n_params"].max() - sized["n_params"].min()) / 60
    places: Counter[int] = Counter()
    for row, (colour, marker, _) in styled(sized):
        beside = step * places[row["n_params"]]
        places[row["n_params"]] += 1
        _point(axes, row, row["n_params"] + beside, colour, marker, upright=True, label=row["row"])
    beside = ", points of one number side by side" * any(count > 1 for count in places.values())
    axes.set_xlabel(f"trainable parameters{beside}")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(_label(str(rows["metric"].iloc[0])))
    figure.legend(loc="outside right upper", frameon=False, ncols=columns, fontsize="small")
    _within(axes, "y", str(rows["metric"].iloc[0]))
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


def _within(axes: Axes, side: str, metric: str) -> None:
    """End an axis of percentages at 0 and at 100, with room for a marker."""
    if is_fraction(metric):
        low, high = axes.get_xlim() if side == "x" else axes.get_ylim()
        room = 0.02 * (high - low)
        (axes.set_xlim if side == "x" else axes.set_ylim)(max(low, -room), min(high, 100 + room))


def _scale(metric: str) -> float:
    return 100.0 if is_fraction(metric) else 1.0


def _label(metric: str) -> str:
    return f"{metric} (%)" if is_fraction(metric) else metric
