"""What the runs of a study say together: a table on the terminal, as Markdown and as CSV."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from textpool.study.record import RESULT, Result, write_whole


@dataclass(frozen=True)
class Comparison:
    """The runs of a study, in the order in which they were started.

    Statistics over seeds belong here: grouped rows instead of one row a run.
    """

    study: str
    results: list[Result]

    def columns(self) -> list[tuple[str, list[str]]]:
        """Headings of the table with the cells under them, a cell a run; without columns that nothing stands in."""
        columns = [(heading, [cell(result) for result in self.results]) for heading, cell in COLUMNS]
        return [(heading, cells) for heading, cells in columns if any(cells)]

    def caption(self) -> str:
        """How to read the table."""
        sizes = {result.n_test for result in self.results if result.n_test}
        step = "".join(f" One of {n:,} test sentences is {100 / n:.2f} points of accuracy." for n in sorted(sizes))
        return "All metrics are of the best epoch; acc and f1 in %." + step

    def errors(self) -> list[str]:
        """Why runs failed, a line a run."""
        return [f"{result.run} failed: {result.error}" for result in self.results if result.error]

    def show(self) -> None:
        """Print the table, without the least of its columns where the terminal is too narrow for all."""
        console = Console(width=None if sys.stdout.isatty() else 120)
        unbounded = Console(width=1000)
        columns = self.columns()
        for name in ("test auroc", "test f1", "best epoch", "val acc", "test loss", "values per filter", "parameters"):
            if unbounded.measure(self._table(columns)).maximum <= console.width:
                break
            columns = [column for column in columns if column[0] != name]
        console.print(self._table(columns))
        console.print(Text(self.caption()), *(Text(line, style="red") for line in self.errors()), sep="\n")

    def _table(self, columns: list[tuple[str, list[str]]]) -> Table:
        table = Table(title=f"Study {self.study}", box=box.SIMPLE_HEAD, title_justify="left")
        for heading, _ in columns:
            side = "left" if heading in WORDS else "right"
            table.add_column(heading.replace(" ", "\n", 1), justify=side, no_wrap=True)
        for index, result in enumerate(self.results):
            cells = (Text(column[index]) for _, column in columns)
            table.add_row(*cells, style="" if result.status == "ok" else "red")
        return table

    def markdown(self) -> str:
        """The table as Markdown."""
        columns = self.columns()
        headings = [heading for heading, _ in columns]
        ruler = ["---" if heading in WORDS else "---:" for heading in headings]
        rows = zip(*(cells for _, cells in columns), strict=True)
        table = "\n".join(f"| {' | '.join(line)} |" for line in (headings, ruler, *rows))
        errors = "".join(f"\n- {line}" for line in self.errors())
        return f"# Study {self.study}\n\n{table}\n\n{self.caption()}\n{errors}".rstrip() + "\n"

    def csv(self) -> str:
        """Every value of every run, as it stands in `result.json`."""
        overrides = _names(result.overrides for result in self.results)
        metrics = _names(result.metrics for result in self.results)
        fields = ("run", "status", "error", "pooling", "seed")
        counts = (
            "best_epoch",
            "n_test",
            "n_params",
            "values_per_filter",
            "seconds",
            "config_hash",
            "started",
        )
        overrides = [name for name in overrides if name not in fields]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*fields, *overrides, *metrics, *counts])
        for result in self.results:
            writer.writerow(
                [getattr(result, name) for name in fields]
                + [result.overrides.get(name) for name in overrides]
                + [result.metrics.get(name) for name in metrics]
                + [getattr(result, name) for name in counts]
            )
        return text.getvalue()

    def write(self, folder: Path) -> None:
        """Write `comparison.md` and `comparison.csv`."""
        write_whole(folder / "comparison.md", self.markdown())
        write_whole(folder / "comparison.csv", self.csv())


def compare(study: Path) -> Comparison:
    """Read what the runs in a study's folder left there.

    Raises:
        ValueError: if there is no run to be found.
    """
    results = [_read(path.parent) for path in study.glob(f"*/{RESULT}")]
    if not results:
        raise ValueError(f"{study}: no finished run in this folder: expected folders with a {RESULT}")
    return Comparison(study.resolve().name, sorted(results, key=lambda result: (result.started, result.run)))


def _read(folder: Path) -> Result:
    """The result, or what is wrong with it as a failed one: one bad file must not cost the table."""
    try:
        return Result.read(folder)
    except (ValueError, OSError) as error:
        return Result(folder.name, "failed", "?", None, None, "", 0.0, error=str(error), commit=None, versions={})


def _names(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _percent(name: str) -> Callable[[Result], str]:
    return lambda result: f"{100 * result.metrics[name]:.2f}" if name in result.metrics else ""


def _number(name: str) -> Callable[[Result], str]:
    return lambda result: f"{result.metrics[name]:.4f}" if name in result.metrics else ""


def _count(name: str) -> Callable[[Result], str]:
    return lambda result: "" if getattr(result, name) is None else f"{getattr(result, name):,}"


COLUMNS: list[tuple[str, Callable[[Result], str]]] = [
    ("run", lambda result: result.run),
    ("status", lambda result: "" if result.status == "ok" else result.status),
    ("test acc", _percent("test/acc")),
    ("test f1", _percent("test/f1")),
    ("test auroc", _percent("test/auroc")),
    ("test loss", _number("test/loss")),
    ("val acc", _percent("val/acc")),
    ("best epoch", _count("best_epoch")),
    ("parameters", _count("n_params")),
    ("values per filter", _count("values_per_filter")),
    ("seconds", lambda result: f"{result.seconds:.1f}"),
]
WORDS = ("run", "status")
