"""Accuracy against the length of the test sentences: the table and the figure of `textpool lengths`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from textpool.facts import compared_apart, setting_in_words
from textpool.record import write_atomic
from textpool.study.comparison import compare
from textpool.study.statistics import over_seeds, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TABLE = "lengths.csv"
FIGURE = "lengths"
# of lengths.csv: what a run is, and what was measured; `started` tells a run from one that replaced it
RUN = {"run": object, "strategy": object, "data": object, "seed": "Int64"}
MEASURED = {"length": "Int64", "accuracy": float, "n_test": "Int64"}
MEASURED |= {"trained_from": "Int64", "trained_to": "Int64", "note": object}
COLUMNS = {**RUN, **MEASURED, "started": object}
MOST_LINES = 8  # that can be told apart in a panel
MOST_ACROSS = 4  # panels side by side
TRAINED, LIMIT = "#e4e4e4", "#999999"  # colours


def finished_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The finished runs of a study, named as its tables name them.

    Args:
        runs: from `textpool.study.read`.

    Returns:
        One row per run. Columns: `run`, `strategy`, `data` (the data, with other settings that differ, such as
        `order, n_filler 16`), `seed`, `pooling`, `folder`, `started`; `guess` and `best`: the accuracies of a majority
        guess and of the best classifier; `drawn_anew`: whether each seed has test sentences of its own.

    Raises:
        ValueError: if no run has finished.
    """
    if not (runs["status"] == "ok").any():
        raise ValueError("no finished run")
    rows = compare(runs, "test/loss")  # not the accuracy, which would read the predictions of all runs
    factors = rows.attrs["factors"]
    apart = [name for name in factors if compared_apart(name) and rows[name].nunique(dropna=False) > 1]
    shown = dict.fromkeys(["data", *apart])
    named = {tuple(row[name] for name in factors): row for row in rows.to_dict("records")}
    finished = []
    for run in runs[runs["status"] == "ok"].to_dict("records"):
        row = named[tuple(run[name] for name in factors)]
        title = ", ".join(setting_in_words(name, row[name], factors) for name in shown)
        limits = {"guess": run["majority_accuracy"], "best": run["bayes_accuracy"]}
        own = {name: run[name] for name in ("run", "seed", "pooling", "folder", "started")}
        own |= {"strategy": row["strategy"], "data": title, "drawn_anew": "data.seed" in run["follows_seed"]}
        finished.append(own | limits)
    return pd.DataFrame(finished).astype({"seed": "Int64", "guess": float, "best": float})


def choose(finished: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The runs of some poolings, such as `kmax`, or strategies, such as `kmax-k8`; all runs if none is named.

    Raises:
        ValueError: if a name is neither.
    """
    known = dict.fromkeys([*finished["pooling"], *finished["strategy"]])
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise ValueError(f"pooling: expected some of {', '.join(known)}, got {name!r}")
    if not wanted:
        return finished
    return finished[finished["pooling"].isin(wanted) | finished["strategy"].isin(wanted)]


def read_table(study: Path, finished: pd.DataFrame) -> pd.DataFrame:
    """What was measured of these runs before; a run that was trained again since has not been measured.

    Raises:
        ValueError: if the file in the folder of the study is not such a table.
    """
    path = study / TABLE
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    try:
        before = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in MEASURED})
        measured = before[["run", "started", *MEASURED]].astype({**MEASURED, "note": object})
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a table of lengths, remove it: {error}") from error
    measured["note"] = measured["note"].fillna("")
    # names are those of today: they depend on what else is in the study
    return finished[[*RUN, "started"]].merge(measured, on=["run", "started"])[list(COLUMNS)].astype(COLUMNS)


def missing(finished: pd.DataFrame, table: pd.DataFrame, lengths: Sequence[int]) -> dict[str, list[int]]:
    """The lengths that are not yet measured of each run, without runs that lack none."""
    known = set(zip(table["run"], table["length"], strict=True))
    lacking = {run: [length for length in lengths if (run, length) not in known] for run in finished["run"]}
    return {run: some for run, some in lacking.items() if some}


def add(table: pd.DataFrame, run: Mapping[Any, Any], measured: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table with what was measured of one run."""
    named = {name: run[name] for name in (*RUN, "started")}
    rows = pd.DataFrame([named | dict(each) for each in measured])[list(COLUMNS)].astype(COLUMNS)
    return pd.concat([table, rows], ignore_index=True) if len(table) else rows


def write_table(study: Path, table: pd.DataFrame, finished: pd.DataFrame) -> None:
    """Write `lengths.csv`, the runs in the order of their starts."""
    place = {run: number for number, run in enumerate(finished["run"])}
    ordered = table.assign(place=table["run"].map(place)).sort_values(["place", "length"]).drop(columns="place")
    write_atomic(study / TABLE, ordered.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def left_out(table: pd.DataFrame) -> list[str]:
    """What could not be measured, and why, in lines for people."""
    without = table[table["accuracy"].isna()]
    return [
        f"{data}: {', '.join(map(str, sorted(set(rows['length']))))} words left out: {note}"
        for (data, note), rows in without.groupby(["data", "note"], sort=False)
    ]


def too_many_lines(finished: pd.DataFrame) -> str | None:
    """Why there can be no figure of these runs; None if there can be one."""
    strategies = list(dict.fromkeys(finished["strategy"]))
    if len(strategies) <= MOST_LINES:
        return None
    few = ",".join(dict.fromkeys(finished["pooling"].tolist()[:1] + finished["pooling"].tolist()[-1:]))
    return (
        f"no figure: it has one line per strategy, of which at most {MOST_LINES} can be told apart, and there are "
        f"{len(strategies)} ({', '.join(strategies)}): choose some, such as --pooling {few}"
    )


def draw(table: pd.DataFrame, finished: pd.DataFrame) -> "Figure":
    """Accuracy against the number of words: one panel per task, one line per strategy.

    A line is the mean over seeds, its band the 95 % interval; with one seed there is no band. The grey area shows the
    lengths of the training sentences, the grey lines the accuracies of a guess and of the best classifier.

    Args:
        table: of the runs to draw.
        finished: from `finished_runs`.
    """
    from matplotlib.figure import Figure  # late: matplotlib takes a second
    from matplotlib.patches import Patch

    measured = table[table["accuracy"].notna()].merge(finished[["run", "guess", "best", "drawn_anew"]], on="run")
    panels = {str(data): rows for data, rows in measured.groupby("data", sort=False)}
    strategies = list(dict.fromkeys(measured["strategy"]))
    down = -(-len(panels) // MOST_ACROSS)
    across = -(-len(panels) // down)
    beside = len(panels) == 1  # the legend, for which there is no room below
    width = 8.0 if beside else 1.2 + 3.1 * across
    figure = Figure(figsize=(width, 3.8 if beside else 1.1 + 2.7 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    lengths = sorted(set(measured["length"]))
    lowest = 100 * min(measured["accuracy"].min(), measured["guess"].min())
    first, last = min(lengths[0], measured["trained_from"].min()), max(lengths[-1], measured["trained_to"].max())
    for number, (axes, (title, rows)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        _panel(axes, rows, strategies)
        axes.set_title(title, fontsize="medium")
        axes.set_xscale("log")
        axes.set_xlim(0.85 * first, 1.18 * last)
        axes.set_ylim(max(0, 10 * (lowest // 10) - 5), 103)
        axes.set_xticks(lengths, [str(length) for length in lengths], fontsize="small")
        axes.set_xticks([], minor=True)
        if number + across >= len(panels):  # no panel below
            axes.set_xlabel("words in a test sentence")
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    lines = {line.get_label(): line for axes in grid.flat[: len(panels)] for line in axes.get_lines()}
    handles = [*(lines[name] for name in strategies), Patch(color=TRAINED, label="lengths of the training")]
    widest = 0.7 + 0.09 * max(len(str(handle.get_label())) for handle in handles)  # inches
    where = "outside right center" if beside else "outside lower center"
    columns = 1 if beside else min(len(handles), int(width / widest))
    figure.legend(handles=handles, loc=where, ncols=columns, frameon=False)
    seeds = measured.groupby(["data", "strategy"])["seed"].nunique().max() > 1
    figure.supylabel("test accuracy (%)" + ", 95 % interval over seeds" * bool(seeds), fontsize="medium")
    return figure


def write_figure(study: Path, figure: "Figure") -> Path:
    """Write the figure to `figures/` in the folder of the study, as PNG and SVG; the path of the PNG file."""
    from textpool.study.drawing import DPI  # late: matplotlib takes a second

    folder = study / "figures"
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / f"{FIGURE}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{FIGURE}.png", dpi=DPI)
    return folder / f"{FIGURE}.png"


def _panel(axes: "Axes", rows: pd.DataFrame, strategies: Sequence[str]) -> None:
    from textpool.study import drawing  # late: matplotlib takes a second

    for first, last in set(zip(rows["trained_from"], rows["trained_to"], strict=True)):
        axes.axvspan(first / 1.02, last * 1.02, color=TRAINED, linewidth=0, zorder=0)
    for limit in {100 * value for name in ("guess", "best") for value in rows[name].dropna()}:
        axes.axhline(limit, color=LIMIT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    lengths = sorted(set(rows["length"]))
    poolings = [strategy.split("-")[0] for strategy in strategies]
    styles = dict(zip(strategies, drawing.styles(poolings), strict=True))
    for number, (strategy, (colour, marker, line)) in enumerate(styles.items()):
        of_one = rows[rows["strategy"] == strategy]
        points = {length: _interval(of_one[of_one["length"] == length]) for length in lengths}
        at = [length for length, point in points.items() if point is not None]
        mean, low, high = ([100 * point[each] for point in points.values() if point is not None] for each in range(3))
        # lines that coincide lie beside each other, and the larger marker behind
        shift = 1.02 ** (number - (len(styles) - 1) / 2)
        at = [length * shift for length in at]
        size = 9 - 0.7 * number
        axes.plot(at, mean, color=colour, linestyle=line, marker=marker, markersize=size, linewidth=1.3, label=strategy)
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    drawing.tidy(axes, "y")


def _interval(rows: pd.DataFrame) -> Sequence[float] | None:
    """Mean over seeds with its 95 % interval; None without runs."""
    one_per_seed = rows.drop_duplicates("seed")
    if not len(one_per_seed):
        return None
    units = one_per_seed["n_test"]
    different = int(units.sum() if one_per_seed["drawn_anew"].all() else units.max())
    return share(over_seeds(one_per_seed["accuracy"].tolist(), different))
