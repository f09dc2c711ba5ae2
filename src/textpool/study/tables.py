"""A comparison as text: Markdown, CSV, JSON, LaTeX, and the cells and captions that a terminal shows."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import pandas as pd

from textpool.record import is_fraction
from textpool.study.comparison import LEAST_SEEDS
from textpool.study.grid import Grid
from textpool.study.statistics import Estimate, clopper_pearson, mean_over_tasks

LEFT = ("run", "chosen", "status", "verdict", "")  # columns of words; the others hold numbers
# columns that a narrow terminal leaves out, the first one first
LEAST = ["values per filter", "majority guess", "strongest shortcut", "best reachable", "test loss", "p", "seconds"]
LEAST += ["seeds", "runs", "solved", "parameters"]
INTERVALS = ("means", "differences")  # left out after them
LIMITS = {"best reachable": "bayes_accuracy", "strongest shortcut": "shortcut_accuracy"}
LIMITS |= {"majority guess": "majority_accuracy"}
BELOW = 0.02  # of a ceiling: from here on, a strategy did not learn what it can represent
OVER = {  # what the intervals are over
    "seeds and sentences": "The intervals are over other seeds and other test sentences.",
    "seeds": "Intervals over other seeds only, not over other test sentences, are Student's t.",
}


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
        "chosen": comparison["chosen"],
        "status": comparison["status"],
        "runs" if comparison.attrs["folds"] else "seeds": [seeds or None for seeds in comparison["seeds"].tolist()],
        metric.replace("/", " "): _intervals(comparison, "means" in intervals, "", metric),
        f"difference{of}": _intervals(comparison, "differences" in intervals, "difference", metric, sign="+"),
        "p": [_p(p) for p in comparison["p"].tolist()],
        "verdict": comparison["verdict"],
        "solved": _solved(comparison),
        "majority guess": [_number(value, metric) for value in comparison["majority_accuracy"] if of_accuracy],
        "strongest shortcut": [_number(value, metric) for value in comparison["shortcut_accuracy"] if of_accuracy],
        "best reachable": [_number(value, metric) for value in comparison["bayes_accuracy"] if of_accuracy],
        **({} if metric == "test/loss" else {"test loss": [_number(loss, "loss") for loss in comparison["loss"]]}),
        "parameters": comparison["n_params"],
        "values per filter": comparison["values_per_filter"],
        "seconds": [None if math.isnan(value) else f"{value:.1f}" for value in comparison["seconds"]],
    }
    text = {name: [_cell(value) for value in values] for name, values in columns.items()}
    return pd.DataFrame({name: values for name, values in text.items() if any(values)})


def first(comparison: pd.DataFrame, n: int) -> pd.DataFrame:
    """The first rows of a comparison, with its `attrs`."""
    rows = comparison.head(n)
    rows.attrs = comparison.attrs
    return rows


def grid_cells(grid: Grid, panel: pd.DataFrame, intervals: bool = True, over_tasks: bool = True) -> pd.DataFrame:
    """A panel of the grid as text: strategies, then the best accuracy that can be reached, and those without skill."""
    metric = str(panel["metric"].iloc[0])
    text = [_in_grid(row, intervals) for row in panel.to_dict("records")]
    table = grid.table(panel.assign(text=text), "text").astype(object).fillna("")
    table = table[(table != "").any(axis=1)]
    by_task = grid.over_tasks(panel) if over_tasks else {}
    means = {name: mean_over_tasks(values) for name, values in by_task.items()}
    if means:
        table["all tasks"] = [_over_tasks(means.get(str(name))) for name in table.index]
    if metric == "test/acc":
        for name, column in LIMITS.items():
            known = [_tenths(values.dropna().max()) for _, values in grid.table(panel, column).items()]
            if any(known):
                table.loc[name] = known + [""] * bool(means)
    return table.rename_axis("").reset_index()


def title(studies: list[str]) -> str:
    """The studies compared."""
    return f"Stud{'y' if len(studies) == 1 else 'ies'} {', '.join(studies)}"


def caption(comparison: pd.DataFrame) -> str:
    """How to read the table."""
    metric, over = str(comparison["metric"].iloc[0]), set(comparison["over"])
    lines = [f"{metric}{' in %' if is_fraction(metric) else ''}, of the best epoch of each run, with 95 % intervals."]
    if comparison.attrs["choose"]:
        lines.append(f"The value of {', '.join(comparison.attrs['choose'])} is the best one on the validation split.")
    lines += [text for name, text in OVER.items() if name in over]
    if folds := comparison.attrs["folds"]:
        lines.append(
            f"Each run was tested on one of {folds} folds. The intervals take into account that the training splits of "
            "the folds overlap (Nadeau and Bengio)."
        )
    if "sentences" in over:
        n = " or ".join(f"{size:,}" for size in sorted(set(comparison["n_test"].dropna())))
        lines.append(
            f"One seed: the intervals are over other test sets of {n} sentences. They say nothing about another "
            "training: run several seeds."
        )
    if any(map(disagreement, comparison.to_dict("records"))):
        lines.append("solved: seeds that reach the best accuracy that can be reached, of all.")
    lines += _without_difference(comparison)
    lines += _verdicts(comparison)
    return " ".join(lines)


def _verdicts(comparison: pd.DataFrame) -> list[str]:
    """What the verdicts mean, and where there is none."""
    found = {verdict.split(",")[0] for verdict in comparison["verdict"]} - {""}
    near = f"{comparison.attrs['equal_within']:g}"
    meanings = {
        "better": "better, worse: the interval of the difference does not contain 0",
        "equal": f"equal: it is within ±{near} point{'' if near == '1' else 's'}",
        "open": "open: neither; more seeds or sentences may tell",
    }
    shown = [text for name, text in meanings.items() if name in found or (name == "better" and "worse" in found)]
    lines = [f"{'; '.join(shown)}."] if shown else []
    tested = comparison[comparison["p"].notna()]
    sizes = tested.groupby("baseline", sort=False).size()
    if len(tested) and sizes.max() > 1:
        several = f"{'up to ' if sizes.nunique() > 1 else ''}{sizes.max()}"
        lines.append(f"p and the interval of each difference are corrected for {several} comparisons (Holm).")
    if (tested["verdict"] == "").any():
        lines.append(f"There is no verdict with fewer than {LEAST_SEEDS} seeds, because several tables are compared.")
    return lines


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
    metric = comparison["metric"].iloc[0]
    over = " or ".join(name for name in dict.fromkeys(comparison["over"]) if name)
    lines = [f"{metric} in %" + (f", with 95 % intervals over other {over}" if over else "") + "."]
    if any(map(disagreement, comparison.to_dict("records"))):
        lines.append("8/10: seeds that solved the task, where they disagree.")
    if metric == "test/acc":
        lines.append(
            "all tasks: mean normalized accuracy, from 0 (the strongest shortcut, or a guess) to 1 (the best that can "
            "be reached), with an interval over other seeds."
        )
    return " ".join(lines)


def below_ceiling(comparison: pd.DataFrame) -> list[str]:
    """The rows more than 2 points below what their pooling can represent; or a line that says that there are none.

    Args:
        comparison: with the columns of `textpool.study.ceilings.with_ceilings`.
    """
    known = comparison[comparison["ceiling"].notna()]
    if known.empty:
        return ["Nothing is known of what these poolings can represent."]
    lines = [
        f"{row['row']}: {_tenths(row['mean'])} %, and its pooling can represent {_tenths(row['ceiling'])} % or more"
        + (f" ({disagreement(row)} seeds reach the best)" if disagreement(row) else "")
        for row in known.to_dict("records")
        if row["mean"] < row["ceiling"] - BELOW
    ]
    return lines or ["Every row is within 2 points of what its pooling can represent."]


def markdown(
    comparison: pd.DataFrame,
    grid: Grid | None,
    heading: str,
    errors: Sequence[str] = (),
    below: Sequence[str] | None = None,
) -> str:
    """The table as Markdown, behind the grid where there is one.

    Args:
        comparison: from `textpool.study.compare`.
        grid: of it.
        heading: of the text.
        errors: of runs, listed below the table.
        below: rows below what their pooling can represent, listed below the grid; None: that is not known.
    """
    parts = [f"# {in_markdown(heading)}"]
    if grid is not None:
        for panel_title, panel in grid.panels.items():
            parts += [f"## {panel_title}"] * bool(panel_title) + [_markdown_table(grid_cells(grid, panel))]
        parts += [grid_caption(comparison)]
    if below is not None:
        parts += ["## Below what the pooling can represent", _listed(below)]
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
        table = table.map(lambda text: " ".join(text.split()))
        parts += [f"% {' '.join(heading.split())}"] * bool(heading) + [
            table.to_latex(index=False, escape=True, column_format=sides)
        ]
    return "\n".join([*parts, f"% {caption(comparison)}", ""])


def as_csv(comparison: pd.DataFrame, grid: Grid | None = None) -> str:
    """The comparison as CSV, with the numbers as they are, and no text that a spreadsheet takes for a formula."""
    return comparison.map(_no_formula).to_csv(index=False, lineterminator="\n")


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


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
    escaped = table.map(in_markdown).rename(columns=in_markdown)
    return escaped.to_markdown(index=False, colalign=sides, disable_numparse=True)


def in_markdown(text: str, in_table: bool = True) -> str:
    """A text as Markdown that shows it: no table cells, code, links or HTML come from a name."""
    text = re.sub(r"([\\|`*])" if in_table else r"([\\`*])", r"\\\1", " ".join(text.split()))
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text).replace("](", "]\\(")


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {in_markdown(line, in_table=False)}" for line in lines)


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
    """A cell such as `97.7 [96.1, 98.8] 8/10`: mean, interval, and the seeds that solved the task if not all did."""
    if math.isnan(row["mean"]):
        return str(row["status"])
    parts = [_tenths(row["mean"])]
    if intervals and not math.isnan(row["low"]):
        parts.append(f"[{_tenths(row['low'])}, {_tenths(row['high'])}]")
    return " ".join([*parts, disagreement(row)]).strip()


def _over_tasks(mean: Estimate | None) -> str:
    """The mean normalized accuracy over all tasks, on a scale from 0 to 1."""
    if mean is None:
        return ""
    return f"{mean.value:.2f}" + ("" if math.isnan(mean.low) else f" [{mean.low:.2f}, {mean.high:.2f}]")


def disagreement(row: Mapping[Any, Any]) -> str:
    """How many seeds solved a task, such as `7/10`, where some did and some did not; else nothing."""
    solved, seeds = row.get("solved"), row["seeds"]
    return f"{solved}/{seeds}" if not pd.isna(solved) and 0 < solved < seeds else ""


def _solved(comparison: pd.DataFrame) -> list[str | None]:
    """The seeds that solved the task where seeds disagree, with the interval of Clopper and Pearson, in %."""
    found: list[str | None] = []
    for row in comparison.to_dict("records"):
        text = disagreement(row)
        bounds = [f"{100 * bound:.0f}" for bound in clopper_pearson(row["solved"], row["seeds"])] if text else []
        found.append(f"{text} [{', '.join(bounds)}]" if text else None)
    return found


def _tenths(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}"


def _cell(value: object) -> str:
    if value is None or value is pd.NA:
        return ""
    return f"{value:,}" if isinstance(value, Integral) else str(value)
