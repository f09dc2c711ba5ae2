"""A comparison as a table: Markdown, CSV, JSON or LaTeX."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textpool.study.compare import Comparison, Row, is_share
from textpool.study.grid import grid
from textpool.study.record import write_atomic
from textpool.study.statistics import Estimate


class Column(NamedTuple):
    """Heading, and the cells under it, a cell a row.

    `spare` says which columns a narrow terminal goes without: 1 first; 0 never.
    """

    heading: str
    cells: list[str]
    words: bool = False
    spare: int = 0


def columns(comparison: Comparison) -> list[Column]:
    """The table; without columns that nothing stands in."""
    metric, rows = comparison.metric, comparison.rows
    baselines = list(dict.fromkeys(row.baseline for row in rows if row.difference is not None))
    of = f" from {baselines[0]}" if len(baselines) == 1 else ""
    found = [
        Column("run", [row.name for row in rows], words=True),
        Column("status", [row.status for row in rows], words=True),
        Column("seeds", _cells(rows, lambda row: len(row.finished) or None), spare=7),
        Column(_heading(metric), _cells(rows, lambda row: row.estimate and _interval(row.estimate, metric))),
        Column(
            f"difference{of}",
            _cells(rows, lambda row: row.difference and _interval(row.difference.estimate, metric, sign="+")),
        ),
        Column("p", _cells(rows, lambda row: row.difference and _p(row.difference.p)), spare=5),
        Column("verdict", [row.verdict(metric) for row in rows], words=True),
        Column("majority guess", _cells(rows, lambda row: _reference(row, "majority_accuracy", metric)), spare=2),
        Column("best reachable", _cells(rows, lambda row: _reference(row, "bayes_accuracy", metric)), spare=3),
        Column("test loss", [] if metric == "test/loss" else _cells(rows, _loss), spare=4),
        Column("parameters", _cells(rows, lambda row: row.first and row.first.n_params), spare=8),
        Column("values per filter", _cells(rows, lambda row: row.first and row.first.values_per_filter), spare=1),
        Column("seconds", _cells(rows, lambda row: row.seconds and f"{row.seconds:.1f}"), spare=6),
    ]
    return [column for column in found if any(column.cells)]


def caption(comparison: Comparison) -> str:
    """How to read the table."""
    over = {row.over for row in comparison.rows}
    tests = sum(row.difference is not None for row in comparison.rows)
    lines = [f"{comparison.metric}{' in %' if is_share(comparison.metric) else ''}, of the best epoch of each run."]
    if "seeds" in over:
        lines.append(
            "Over seeds: mean and 95 % interval (Student's t); difference paired by seed, p of the paired t-test."
        )
    if "test set" in over:
        sizes = sorted({entry.result.n_test for entry in comparison.entries if entry.result.n_test})
        n = " or ".join(f"{size:,}" for size in sizes)
        lines.append(
            f"One seed: the intervals are those of the test set of {n} sentences (Wilson; difference: bootstrap, p: "
            "McNemar). They say nothing of another training: run several seeds."
        )
    if tests:
        lines.append(f"p is corrected for {tests} comparison{'s' if tests > 1 else ''} (Holm).")
    return " ".join(lines)


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, with the grid of it in front where there is one."""
    shown = columns(comparison)
    lines = [[column.heading for column in shown], *zip(*(column.cells for column in shown), strict=True)]
    table = _piped(lines, ["---" if column.words else "---:" for column in shown])
    errors = _listed(comparison.errors)
    return f"# {title(comparison)}\n\n{_grid(comparison)}{table}\n\n{caption(comparison)}\n{errors}".rstrip() + "\n"


def _grid(comparison: Comparison) -> str:
    overview = grid(comparison)
    if overview is None:
        return ""
    parts = []
    for panel in overview.panels:
        lines = overview.lines(panel)
        parts += [f"## {panel.title}"] * bool(panel.title) + [_piped(lines, ["---", *["---:"] * (len(lines[0]) - 1)])]
    parts.append(grid_caption(comparison))
    surprises = overview.surprises()
    if surprises is not None:
        parts.append(f"## Against theory\n{_listed(surprises)}" if surprises else "All as theory has it.")
    return "\n\n".join([*parts, "## Rows", ""])


def grid_caption(comparison: Comparison) -> str:
    """How to read the grid."""
    over = " and ".join(dict.fromkeys(row.over for row in comparison.rows if row.over))
    half = f", ± half the 95 % interval over {over}" if over else ""
    return f"{comparison.metric} in %{half}; strategies that come furthest first."


def _piped(lines: Sequence[Sequence[str]], ruler: Sequence[str]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], ruler, *lines[1:]))


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"\n- {line}" for line in lines)


def latex(comparison: Comparison) -> str:
    """The table as a LaTeX tabular, for the package booktabs."""

    def escape(text: str) -> str:
        return "".join("\\" + letter if letter in "&%$#_{}" else letter for letter in text)

    shown = columns(comparison)
    lines = [" & ".join(map(escape, line)) + r" \\" for line in zip(*(column.cells for column in shown), strict=True)]
    head = " & ".join(escape(column.heading) for column in shown) + r" \\"
    sides = "".join("l" if column.words else "r" for column in shown)
    begin, end = rf"\begin{{tabular}}{{{sides}}}", r"\end{tabular}"
    return "\n".join(
        [f"% {caption(comparison)}", begin, r"\toprule", head, r"\midrule", *lines, r"\bottomrule", end, ""]
    )


def records(comparison: Comparison) -> list[dict[str, Any]]:
    """The rows with their numbers as they are."""
    found = []
    for row in comparison.rows:
        estimate = row.estimate or Estimate(math.nan, math.nan, math.nan)
        difference = row.difference.estimate if row.difference else Estimate(math.nan, math.nan, math.nan)
        numbers = {
            comparison.metric: estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p_holm": row.difference.p if row.difference else math.nan,
        }
        found.append(
            {
                "run": row.name,
                "status": row.status or "ok",
                "pooling": row.entries[0].result.pooling,
                "seeds": len(row.finished),
                **{name: None if math.isnan(value) else value for name, value in numbers.items()},
                "intervals_over": row.over,
                "baseline": row.baseline,
                "verdict": row.verdict(comparison.metric) or None,
                "n_params": row.first and row.first.n_params,
                "values_per_filter": row.first and row.first.values_per_filter,
                "seconds": row.seconds,
            }
        )
    return found


def as_json(comparison: Comparison) -> str:
    """The rows as JSON."""
    return json.dumps(records(comparison), indent=2) + "\n"


def as_csv(comparison: Comparison) -> str:
    """The rows as CSV."""
    return _csv(records(comparison))


def runs_csv(comparison: Comparison) -> str:
    """Every run with all of its numbers, as CSV."""
    names = ("run", "status", "error", "pooling", "seed", "best_epoch", "n_test", "n_params", "values_per_filter")
    found = []
    for result, _ in comparison.entries:
        more = {name: value for name, value in result.overrides.items() if name not in names}
        times = {"seconds": result.seconds, "started": result.started, "config_hash": result.config_hash}
        found.append({name: getattr(result, name) for name in names} | times | more | result.metrics)
    return _csv(found)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "md": markdown,
    "csv": as_csv,
    "json": as_json,
    "latex": latex,
}


def write(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.md`, `comparison.csv` (rows) and `runs.csv` (every run) to a study's folder."""
    write_atomic(folder / "comparison.md", markdown(comparison))
    write_atomic(folder / "comparison.csv", as_csv(comparison))
    write_atomic(folder / "runs.csv", runs_csv(comparison))


def title(comparison: Comparison) -> str:
    """The studies compared."""
    return f"Stud{'y' if len(comparison.studies) == 1 else 'ies'} {', '.join(comparison.studies)}"


def _heading(metric: str) -> str:
    return metric.replace("/", " ")


def _plain(value: float | None, metric: str, sign: str = "") -> str | None:
    if value is None:
        return None
    return f"{100 * value:{sign}.2f}" if is_share(metric) else f"{value:{sign}.4f}"


def _loss(row: Row) -> str | None:
    return _plain(row.mean("test/loss"), "test/loss")


def _reference(row: Row, name: str, metric: str) -> str | None:
    return _plain(getattr(row.first, name, None), metric) if metric == "test/acc" else None


def _interval(estimate: Estimate, metric: str, sign: str = "") -> str:
    value, low, high = (_plain(number, metric, sign) for number in estimate)
    return str(value) if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cells(rows: Iterable[Row], cell: Callable[[Row], object]) -> list[str]:
    values = (cell(row) for row in rows)
    return ["" if value is None else f"{value:,}" if isinstance(value, int) else str(value) for value in values]
