"""A comparison on the terminal."""

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from textpool.study.compare import Comparison
from textpool.study.grid import Grid, Panel, grid
from textpool.study.table import Column, caption, columns, grid_caption, title

LONG = 40  # rows; beyond, the grid is shown, and figures that need a line or a colour a row are not drawn


def show(comparison: Comparison) -> None:
    """Print the table, or where that is too long the grid of it."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    overview = grid(comparison)
    if overview is None or len(comparison.rows) <= LONG:
        _show_rows(comparison, console)
        return
    for panel in overview.panels:
        tables = (_rich_grid(overview, panel, comparison, intervals) for intervals in (True, False))
        fitting = next((each for each in tables if _width(each) <= console.width), None)
        console.print(fitting or Text(f"{panel.title or title(comparison)}: too wide for this terminal"))
    end = f"The {len(comparison.rows):,} rows behind it: comparison.md."
    console.print(Text(f"{grid_caption(comparison)} {end}"), *_errors(comparison), sep="\n")


def _width(table: Table) -> int:
    return Console(width=1000).measure(table).maximum


def _errors(comparison: Comparison) -> list[Text]:
    return [Text(line, style="red") for line in comparison.errors]


def _rich_grid(overview: Grid, panel: Panel, comparison: Comparison, intervals: bool) -> Table:
    head, *lines = overview.lines(panel, intervals)
    table = Table(title=panel.title or title(comparison), box=box.SIMPLE_HEAD, title_justify="left")
    for column in head:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def _show_rows(comparison: Comparison, console: Console) -> None:
    """Print the rows, without the least of the columns where the terminal is too narrow for all."""
    every = shown = columns(comparison)
    for least in sorted((column for column in every if column.spare), key=lambda column: column.spare):
        if _width(_rich(comparison, shown)) <= console.width:
            break
        shown = [column for column in shown if column is not least]
    console.print(_rich(comparison, shown))
    left_out = [column.heading for column in every if column not in shown]
    if left_out:
        console.print(Text(f"Too narrow here for {', '.join(left_out)}: see comparison.md."))
    console.print(Text(caption(comparison)), *_errors(comparison), sep="\n")


def _rich(comparison: Comparison, shown: Iterable[Column]) -> Table:
    table = Table(title=title(comparison), box=box.SIMPLE_HEAD, title_justify="left")
    for column in shown:
        side = "left" if column.words else "right"
        table.add_column(column.heading.replace(" ", "\n", 1), justify=side, no_wrap=True)
    for index, row in enumerate(comparison.rows):
        cells = (Text(column.cells[index]) for column in shown)
        table.add_row(*cells, style="" if row.finished else "red")
    return table
