"""A study as one HTML page that opens from disk: tables, figures, the curves of all runs, and the runs themselves."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from textpool.record import in_words, is_fraction
from textpool.study import tables
from textpool.study.grid import Grid
from textpool.study.readings import first_runs, read_readings

PAGE = "report.html"
CURVES = ("val/acc", "val/loss")
WIDTH, HEIGHT = 220, 110  # pixels of a panel of curves
MOST_ROWS = 40  # of a table, up to which it stands before the figures
LONG = 100  # rows of a table that scrolls by itself, so that what follows is within reach
MOST_PANELS = 120  # of curves; of more rows, the first ones have one
MOST_EPOCHS = 200  # of a curve; of a longer one, every second, third, … epoch is drawn
FIGURES = {  # in this order, with what they show
    "grid": "All tasks at once",
    "accuracy": "Accuracy of each row, with its interval",
    "learning_curves": "Learning curves: mean over the seeds, from the lowest to the highest",
    "against_parameters": "Accuracy against the number of parameters",
    "profile": "Performance profile: the share of runs above each normalized accuracy",
    "words": "What each word of a test sentence contributes to the class that is predicted",
    "epochs": "What each word of a validation sentence contributes to its class, epoch by epoch",
    "lengths": "Accuracy on test sentences of other lengths",
}

MORE_FIGURES = {  # first part of the name of others, with what they show
    "against": "Accuracy against",
    "by": "Accuracy by",
    "words": "What each word of a test sentence contributes to the class that is predicted:",
}

STYLE = """
:root { --ink: #1c1c1c; --paper: #fff; --soft: #666; --line: #ddd; --shade: #f4f4f4; --mark: #0072b2; --bad: #b00020 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #16181a; --soft: #a0a0a0; --line: #3a3d40; --shade: #202326; --mark: #56b4e9;
          --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 78rem; padding: 1rem; color: var(--ink); background: var(--paper);
       font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem; margin: 1rem 0 .3rem }
p.note { color: var(--soft); font-size: .9rem; max-width: 60rem }
nav a { margin-right: 1rem; white-space: nowrap } a { color: var(--mark) }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px }
.long { max-height: 44rem; overflow-y: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line) }
th { background: var(--shade); vertical-align: bottom; position: sticky; top: 0 }
th button { all: unset; cursor: pointer; font-weight: 600 } th button:focus-visible { outline: 2px solid var(--mark) }
th[aria-sort=ascending] button::after { content: " ▲" } th[aria-sort=descending] button::after { content: " ▼" }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper) } th:first-child { z-index: 1 }
th:first-child { background: var(--shade) } .left { text-align: left } td.left:first-child { font-weight: 600 }
.bad { color: var(--bad) }
figure { margin: 0 0 1.5rem } figure img { max-width: 100%; background: #fff; border-radius: 6px; padding: .5rem }
figcaption { color: var(--soft); font-size: .9rem }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .8rem }
.curves svg { width: 100%; height: auto; background: var(--shade); border-radius: 6px }
.curves path { fill: none; stroke: var(--mark); stroke-width: 1.2; opacity: .55 }
.curves path:hover { stroke: #d55e00; stroke-width: 3; opacity: 1 }
.curves text { fill: var(--soft); font-size: 10px }
.curves b { font-size: .85rem; overflow-wrap: anywhere }
summary { cursor: pointer; margin: .6rem 0 }
.read { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.2rem }
.read select { font: inherit; max-width: 100%; color: var(--ink); background: var(--shade);
  border: 1px solid var(--line); border-radius: 4px; padding: .2rem .4rem }
.read p { margin: .5rem 0; line-height: 1.9 } .read h3 { margin-bottom: 0 }
.read span { padding: .15rem .2rem; border-radius: 3px } .read small { color: var(--soft) }
"""

SORT = """
document.querySelectorAll("th button").forEach(button => button.onclick = () => {
  const head = button.parentElement, table = head.closest("table"), place = head.cellIndex;
  const down = head.getAttribute("aria-sort") !== "descending";
  table.querySelectorAll("th").forEach(each => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => { const text = row.cells[place].textContent.trim().replace(/,/g, "").replace("< ", "");
    const number = parseFloat(text); return text === "" ? null : isNaN(number) ? text : number };
  const rows = [...table.tBodies[0].rows].map(row => [key(row), row]);
  rows.sort(([a], [b]) => a === null ? 1 : b === null ? -1 :
    typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1) : typeof a === "number" ? -1 : 1);
  table.tBodies[0].append(...rows.map(([, row]) => row));
});
"""

READ = """
const readings = JSON.parse(document.getElementById("readings").textContent), names = Object.keys(readings);
document.querySelectorAll(".read > div").forEach((side, number) => {
  const choice = document.createElement("select"), place = document.createElement("div");
  choice.setAttribute("aria-label", "run");
  names.forEach(name => choice.add(new Option(name)));
  choice.selectedIndex = Math.min(number, names.length - 1);
  const tell = (parent, kind, text, colour) => { const part = document.createElement(kind); part.textContent = text;
    if (colour) part.style.background = colour; parent.append(part, " "); return part };
  const show = () => { place.replaceChildren();
    for (const [title, kind] of [["Test sentences", "examples"], ["Most confident mistakes", "mistakes"]]) {
      const some = readings[choice.value][kind];
      if (some.length) tell(place, "h3", title);
      for (const each of some) {
        const line = document.createElement("p"), total = each.contributions.reduce((a, b) => a + Math.abs(b), 0) || 1;
        const scale = Math.max(.25, ...each.contributions.map(part => Math.abs(part) / total));
        each.words.forEach((word, at) => { const part = (each.contributions[at] || 0) / total / scale;
          const colour = part >= 0 ? `rgba(0,114,178,${.75 * part})` : `rgba(213,94,0,${-.75 * part})`;
          tell(line, "span", word, colour).title = (each.contributions[at] || 0).toFixed(3) });
        const right = each.label === each.predicted ? "" : `, but the label is ${each.label}`;
        tell(line, "small", `→ ${each.predicted} ${Math.round(100 * each.probability)} %${right}`);
        place.append(line) } } };
  choice.onchange = show; side.append(choice, place); show() });
"""
MOST_READ = 60  # runs whose explained sentences can be chosen


def page(
    comparison: pd.DataFrame,
    runs: pd.DataFrame,
    overview: Grid | None,
    heading: str,
    figures: Path,
    errors: Sequence[str] = (),
    below: Sequence[str] | None = None,
) -> str:
    """The page, with nothing that is loaded from elsewhere.

    Args:
        comparison: from `textpool.study.compare`.
        runs: from `textpool.study.read`.
        overview: the grid of the comparison, if there is one.
        heading: of the page.
        figures: the folder of the figures, of which those of `FIGURES` and `against_…` are shown as SVG.
        errors: of runs.
        below: rows below what their pooling can represent; None: that is not known.
    """
    figures_section = [("figures", "Figures", "".join(_pictures(figures)))]
    figures_first = overview is not None or len(comparison) > MOST_ROWS
    sections = [
        ("tasks", "At a glance", "" if overview is None else _grid(overview, comparison)),
        *(figures_section if figures_first else []),
        ("rows", "Rows", _table(tables.cells(comparison)) + _note(tables.caption(comparison))),
        ("below", "Below what the pooling can represent", _list(below or [])),
        ("errors", "What failed", _list(errors, "bad")),
        *([] if figures_first else figures_section),
        ("curves", "Curves of the runs", _curves(comparison, runs)),
        ("words", "What two runs read", _read(comparison, runs)),
        ("runs", "Runs", _runs(runs)),
    ]
    shown = [(name, title, content) for name, title, content in sections if content]
    named = [(name, title) for name, title, _ in shown]
    links = "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title in named)
    body = "".join(f'<h2 id="{name}">{escape(title)}</h2>{content}' for name, title, content in shown)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{STYLE}</style></head><body><h1>{escape(heading)}</h1>"
        f"<nav>{links}</nav>{body}<script>{SORT}{READ if 'words' in dict(named) else ''}</script></body></html>\n"
    )


def _grid(overview: Grid, comparison: pd.DataFrame) -> str:
    parts = []
    for title, panel in overview.panels.items():
        parts += [f"<h3>{escape(title)}</h3>"] * bool(title)
        parts.append(_table(tables.grid_cells(overview, panel), titles=_behind(overview, panel, comparison)))
    note = f"{tables.grid_caption(comparison)} The runs behind a cell show under the pointer."
    return "".join(parts) + _note(note)


def _behind(overview: Grid, panel: pd.DataFrame, comparison: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Strategy and heading of each cell → the name of its row and the value of each of its runs."""
    found = {}
    for row in panel.to_dict("records"):
        heading = overview.headings[overview.columns.index(row[overview.across])]
        values = [
            in_words(row["metric"], value).split(" ", 1)[1] for value in comparison.attrs["by_seed"].get(row["row"], [])
        ]
        found[str(row["strategy"]), heading] = f"{row['row']}: {', '.join(values)}"
    return found


def _table(text: pd.DataFrame, bad: Iterable[int] = (), titles: Mapping[tuple[str, str], str] | None = None) -> str:
    """A table that can be sorted by a click on a heading; titles by the first cell and the heading of a cell."""
    names = [str(name) for name in text]
    left = [name in tables.LEFT or not name for name in names]
    kinds = [' class="left"' if each else "" for each in left]
    head = "".join(
        f'<th{kind} scope="col"><button type="button">{escape(name) or "&nbsp;"}</button></th>'
        for name, kind in zip(names, kinds, strict=True)
    )
    failed = set(bad)
    rows = []
    for number, row in enumerate(text.itertuples(index=False)):
        told = [(titles or {}).get((str(row[0]), name), "") for name in names]
        hints = [f' title="{escape(each)}"' if each else "" for each in told]
        cells = "".join(
            f"<td{kind}{hint}>{escape(str(cell))}</td>" for cell, kind, hint in zip(row, kinds, hints, strict=True)
        )
        rows.append(f"<tr{' class=bad' if number in failed else ''}>{cells}</tr>")
    kind = "wide long" if len(rows) > LONG else "wide"
    return f'<div class="{kind}"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _list(lines: Sequence[str], kind: str = "") -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>' if items else ""


def _pictures(folder: Path) -> Iterable[str]:
    """The figures as images, which keep their own fonts and colours, also on a dark page."""
    others = (path.stem for kind in MORE_FIGURES for path in folder.glob(f"{kind}_*.svg"))
    names = dict.fromkeys([*FIGURES, *sorted(others)])
    for name in names:
        path = folder / f"{name}.svg"
        if path.is_file():
            kind, _, rest = name.partition("_")
            text = FIGURES.get(name) or f"{MORE_FIGURES[kind]} {rest.replace('_', ' ')}"
            content = base64.b64encode(path.read_bytes()).decode()
            image = f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{content}">'
            yield f"<figure>{image}<figcaption>{escape(text)}</figcaption></figure>"


def _curves(comparison: pd.DataFrame, runs: pd.DataFrame) -> str:
    """A panel for each row and metric with the curve of each of its runs, whose name shows under the pointer."""
    finished = runs[(runs["status"] == "ok") & runs["history"].map(bool)]
    factors = comparison.attrs["factors"]
    names = {tuple(row[name] for name in factors): row["row"] for row in comparison.to_dict("records")}
    keyed = [
        (names[key], run)
        for run in finished.to_dict("records")
        if (key := tuple(run[name] for name in factors)) in names  # not those of values that were not chosen
    ]
    order = {name: place for place, name in enumerate(comparison["row"])}
    keyed = sorted(
        (pair for pair in keyed if order[pair[0]] < MOST_PANELS),
        key=lambda pair: order[pair[0]],
    )
    some = f", of the first {MOST_PANELS} of {len(order):,} rows" if len(order) > MOST_PANELS else ""
    parts = []
    for metric in CURVES:
        of_metric = [(name, run) for name, run in keyed if run["history"].get(metric)]
        if not of_metric:
            continue
        values = [value for _, run in of_metric for value in run["history"][metric]]
        low, high = min(values), max(values)
        longest = max(len(run["history"][metric]) for _, run in of_metric)
        panels = [
            _panel(name, [run for _, run in pairs], metric, (low, high), longest)
            for name, pairs in groupby(of_metric, key=lambda pair: pair[0])
        ]
        label = f"{metric}{' in %' if is_fraction(metric) else ''} over {longest} epochs, one line per run{some}"
        opened = " open" if metric == CURVES[0] else ""
        parts.append(
            f'<details{opened}><summary>{label}</summary><div class="curves">{"".join(panels)}</div></details>'
        )
    return "".join(parts)


def _panel(name: str, runs: Sequence[Mapping[Any, Any]], metric: str, limits: tuple[float, float], longest: int) -> str:
    low, high = limits
    step = -(-longest // MOST_EPOCHS)
    lines = []
    for run in runs:
        points = [
            f"{WIDTH * epoch / max(1, longest - 1):.1f} {(HEIGHT - 24) * (high - value) / ((high - low) or 1) + 12:.1f}"
            for epoch, value in enumerate(run["history"][metric])
            if epoch % step == 0
        ]
        last = escape(f"{run['run']}: {in_words(metric, run['history'][metric][-1])}")
        lines.append(f'<path d="M{"L".join(points if len(points) > 1 else points * 2)}"><title>{last}</title></path>')
    scale = 100 if is_fraction(metric) else 1
    text = f'<text x="2" y="10">{scale * high:.4g}</text><text x="2" y="{HEIGHT - 2}">{scale * low:.4g}</text>'
    return (
        f'<div><b>{escape(name)}</b><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">'
        f"{text}{''.join(lines)}</svg></div>"
    )


def _read(comparison: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Two columns with a choice of run, in which the words of its explained sentences are coloured."""
    found = {}
    for row, run in first_runs(comparison[comparison["mean"].notna()], runs):
        readings = read_readings(run["folder"]) if len(found) < MOST_READ else None
        if readings is not None:
            found[f"{row['row']}"] = readings
    if not found:
        return ""
    content = json.dumps(found, separators=(",", ":")).replace("<", "\\u003c")
    note = (
        "What each word contributes to the logit of the predicted class: blue for the class, orange against it. "
        "Of each row, its first run."
    )
    data = f'<script type="application/json" id="readings">{content}</script>'
    return f'{_note(note)}<div class="read"><div></div><div></div></div>{data}'


def _runs(runs: pd.DataFrame) -> str:
    """Every run with its state and its metrics, folded in."""
    columns: dict[str, Iterable[Any]] = {
        "run": runs["run"],
        "study": runs["study"],
        "status": runs["status"],
        "seed": runs["seed"],
    }
    columns |= {"fold": runs["fold"], "best epoch": runs["best_epoch"]}
    for name in ("val/acc", "test/acc", "test/loss"):
        if name in runs:
            scale, digits = (100, 2) if is_fraction(name) else (1, 4)
            columns[name] = ["" if pd.isna(value) else f"{scale * value:.{digits}f}" for value in runs[name]]
    columns["seconds"] = [None if pd.isna(value) else f"{value:.1f}" for value in runs["seconds"]]
    columns["started"] = [str(value)[:19].replace("T", " ") for value in runs["started"]]
    text = pd.DataFrame(
        {name: ["" if pd.isna(value) else str(value) for value in values] for name, values in columns.items()}
    )
    told = [name for name in text if (text[name] != "").any() and (name != "study" or text[name].nunique() > 1)]
    text = text[told]
    bad = [number for number, status in enumerate(runs["status"]) if status != "ok"]
    return f"<details><summary>{len(runs):,} runs</summary>{_table(text, bad)}</details>"
