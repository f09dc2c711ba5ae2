"""A comparison as text: Markdown, CSV, JSON, LaTeX, and the cells and captions that a terminal shows."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import pandas as pd

from textpool.record import is_fraction
from textpool.study.grid import Grid

LEFT = ("run", "status", "verdict", "")  # columns of words; the others hold numbers
# columns that a narrow terminal leaves out, the first one first
LEAST = ["values per filter", "majority guess", "best reachable", "test loss", "p", "seconds", "seeds", "parameters"]
INTERVALS = ("means", "differences")  # left out after them


def cells(comparison: pd.DataFrame, intervals: Sequence[str] = INTERVALS) -> pd.DataFrame:
    """The table as text, with headings for people, without columns that are empty.

    Args:
        comparison: from `textpool.study.compare`.
        intervals: the values behind which their interval stands.
    """
    metric = str(comparison["metric"].iloc[0])
    compared = comparison[comparison["difference"].notna()]
    of = f" from {compared['baseline'].iloc[0]}" if compared["baseline"].nunique() == 1 else ""
    of_accuracy = metric == "test/acc"
    columns: dict[str, Iterable[object]] = {
        "run": comparison["row"],
        "status": comparison["status"],
        "seeds": [seeds or None for seeds in comparison["seeds"].tolist()],
        metric.replace("/", " "): _intervals(comparison, "means" in intervals, "", metric),
        f"difference{of}": _intervals(comparison, "differences" in intervals, "difference", metric, sign="+"),
        "p": [_p(p) for p in comparison["p"].tolist()],
        "verdict": comparison["verdict"],
        "majority guess": [_number(value, metric) for value in comparison["majority_accuracy"] if of_accuracy],
        "best reachable": [_number(value, metric) for value in comparison["bayes_accuracy"] if of_accuracy],
        **({} if metric == "test/loss" else {"test loss": [_number(loss, "loss") for loss in comparison["loss"]]}),
        "parameters": comparison["n_params"],
        "values per filter": comparison["values_per_filter"],
        "seconds": [None if math.isnan(value) else f"{value:.1f}" for value in comparison["seconds"]],
    }
    text = {name: [_cell(value) for value in values] for name, values in columns.items()}
    return pd.DataFrame({name: values for name, values in text.items() if any(values)})


def grid_cells(grid: Grid, panel: pd.DataFrame, intervals: bool = True) -> pd.DataFrame:
    """A panel of the grid as text: strategies, then the best accuracy that can be reached and the majority guess."""
    metric = str(panel["metric"].iloc[0])
    text = [_in_grid(row, intervals) for row in panel.to_dict("records")]
    table = grid.table(panel.assign(text=text), "text").astype(object).fillna("")
    table = table[(table != "").any(axis=1)]
    if metric == "test/acc":
        for name, column in {"best reachable": "bayes_accuracy", "majority guess": "majority_accuracy"}.items():
            known = [_tenths(values.dropna().max()) for _, values in grid.table(panel, column).items()]
            if any(known):
                table.loc[name] = known
    return table.rename_axis("").reset_index()


def title(studies: list[str]) -> str:
    """The studies compared."""
    return f"Stud{'y' if len(studies) == 1 else 'ies'} {', '.join(studies)}"


def caption(comparison: pd.DataFrame) -> str:
    """How to read the table."""
    metric, over = str(comparison["metric"].iloc[0]), set(comparison["over"])
    lines = [f"{metric}{' in %' if is_fraction(metric) else ''}, of the best epoch of each run."]
    if "seeds" in over:
        lines.append(
            "Over seeds: mean and 95 % interval (Student's t); the difference is paired by seed, p is of the paired "
            "t-test."
        )
    if "test set" in over:
        n = " or ".join(f"{size:,}" for size in sorted(set(comparison["n_test"].dropna())))
        lines.append(
            f"One seed: the intervals are over the {n} sentences of the test set (Wilson; difference: bootstrap, p: "
            "McNemar). They say nothing about another training: run several seeds."
        )
    lines += _without_difference(comparison)
    tests = int(comparison["p"].notna().sum())
    if tests:
        lines.append(f"p is corrected for {tests} comparison{'s' if tests > 1 else ''} (Holm).")
    return " ".join(lines)


def _without_difference(comparison: pd.DataFrame) -> list[str]:
    """The rows that have a mean and a baseline but no difference from it, by the reason, as a sentence."""
    rows = comparison[comparison["mean"].notna() & comparison["baseline"].notna() & comparison["difference"].isna()]
    if rows.empty:
        return []
    reasons = rows.groupby("no_difference", sort=False)["row"]
    listed = [f"{_some(names.tolist())} ({reason})" for reason, names in reasons]
    return [f"Without a difference: {'; '.join(listed)}."]


def _some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def grid_caption(comparison: pd.DataFrame) -> str:
    """How to read the grid."""
    over = " and ".join(name for name in dict.fromkeys(comparison["over"]) if name)
    half = f", ± half the 95 % interval over {over}" if over else ""
    metric = comparison["metric"].iloc[0]
    return f"{metric} in %{half}. The strategies are in the order of their mean normalized accuracy, the best first."


def markdown(
    comparison: pd.DataFrame,
    grid: Grid | None,
    heading: str,
    errors: Sequence[str] = (),
    surprises: Sequence[str] | None = None,
) -> str:
    """The table as Markdown, behind the grid where there is one.

    Args:
        comparison: from `textpool.study.compare`.
        grid: of it.
        heading: of the text.
        errors: of runs, listed below the table.
        surprises: rows that theory did not expect, listed below the grid; None: theory was not asked.
    """
    parts = [f"# {heading}"]
    if grid is not None:
        for panel_title, panel in grid.panels.items():
            parts += [f"## {panel_title}"] * bool(panel_title) + [_markdown_table(grid_cells(grid, panel))]
        parts += [grid_caption(comparison)]
    if surprises is not None:
        parts += ["## Against theory", _listed(surprises)]
    if len(parts) > 1:
        parts += ["## Rows"]
    parts += [_markdown_table(cells(comparison)), caption(comparison), _listed(errors)]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(comparison: pd.DataFrame, grid: Grid | None) -> str:
    """The table as LaTeX for the package booktabs, behind the grid where there is one."""
    tables = [] if grid is None else [(title, grid_cells(grid, panel)) for title, panel in grid.panels.items()]
    parts = []
    for heading, table in [*tables, ("", cells(comparison))]:
        sides = "".join("l" if name in LEFT else "r" for name in table)
        parts += [f"% {heading}"] * bool(heading) + [table.to_latex(index=False, escape=True, column_format=sides)]
    return "\n".join([*parts, f"% {caption(comparison)}", ""])


def as_csv(comparison: pd.DataFrame, grid: Grid | None = None) -> str:
    """The comparison as CSV, with the numbers as they are."""
    return comparison.to_csv(index=False, lineterminator="\n")


def as_json(comparison: pd.DataFrame, grid: Grid | None = None) -> str:
    """The comparison as JSON, a list of objects, with the numbers as they are."""
    return str(comparison.to_json(orient="records", indent=2, double_precision=15)) + "\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame, Grid | None], str]] = {
    "md": lambda comparison, grid: markdown(comparison, grid, "Comparison"),
    "csv": as_csv,
    "json": as_json,
    "latex": latex,
}


def _markdown_table(table: pd.DataFrame) -> str:
    sides = ["left" if name in LEFT else "right" for name in table]
    escaped = table.map(lambda text: text.replace("|", r"\|")).rename(columns=lambda text: text.replace("|", r"\|"))
    return escaped.to_markdown(index=False, colalign=sides, disable_numparse=True)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _intervals(comparison: pd.DataFrame, shown: bool, name: str, metric: str, sign: str = "") -> list[str | None]:
    columns = (name or "mean", f"{name}_low".lstrip("_"), f"{name}_high".lstrip("_"))
    found: list[str | None] = []
    for value, low, high in comparison[list(columns)].itertuples(index=False):
        text = _number(value, metric, sign)
        bounds = f" [{_number(low, metric, sign)}, {_number(high, metric, sign)}]"
        found.append(text + bounds if text and shown and not math.isnan(low) else text)
    return found


def _number(value: float | None, metric: str, sign: str = "") -> str | None:
    if value is None or math.isnan(value):
        return None
    return f"{100 * value:{sign}.2f}" if is_fraction(metric) else f"{value:{sign}.4f}"


def _p(p: float) -> str:
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _in_grid(row: Mapping[Any, Any], intervals: bool) -> str:
    if math.isnan(row["mean"]):
        return str(row["status"])
    with_interval = intervals and not math.isnan(row["low"])
    return _tenths(row["mean"]) + (f" ±{50 * (row['high'] - row['low']):.1f}" if with_interval else "")


def _tenths(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}"


def _cell(value: object) -> str:
    if value is None or value is pd.NA:
        return ""
    return f"{value:,}" if isinstance(value, Integral) else str(value)
