"""Report a study: on the terminal, and as tables and figures in its folder."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pandas as pd
from filelock import FileLock
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from textpool.checks import cut
from textpool.record import RESULT, remove_drafts, short, write_atomic
from textpool.study import tables
from textpool.study.ceilings import with_ceilings
from textpool.study.comparison import EQUAL_WITHIN, compare, sort
from textpool.study.grid import Grid, grid
from textpool.study.page import PAGE, page
from textpool.study.runs import read, run_folders, write_csv

DRAWN = "drawn.json"  # in the folder of the figures: of what they were drawn
MOST_ROWS = 40  # up to which rows are shown on a terminal beside a grid, and drawn as lines or points
MOST_LISTED = 200  # rows on a terminal


def report(
    studies: Sequence[Path],
    metric: str = "test/acc",
    baseline: str = "max",
    by: Sequence[str] | None = None,
    ceilings: pd.DataFrame | None = None,
    form: str = "table",
    order: str | None = None,
    require_baseline: bool = False,
    choose: Sequence[str] = (),
    equal_within: float = EQUAL_WITHIN,
    groups: Mapping[str, Sequence[str]] | None = None,
    out: Path | None = None,
) -> pd.DataFrame:
    """Compare the runs of studies; show the table, and write tables and figures to the folder of a single study.

    Args:
        studies: folders of studies.
        metric: see `compare`.
        baseline: see `compare`.
        by: see `compare`.
        ceilings: what each pooling can represent, from `textpool.study.ceilings.read_ceilings`.
        form: `table`, or one of `tables.FORMATS`: then only this text is printed, and nothing is written.
        order: column of the comparison by which its rows are sorted; None: in the order of their first runs.
        require_baseline: whether a baseline that is neither a row nor a pooling is an error.
        choose: see `compare`.
        equal_within: see `compare`.
        groups: see `textpool.study.grid.grid`.
        out: folder for the tables and figures; None: that of the study, if there is a single one.

    Returns:
        All runs, from `read`.

    Raises:
        ValueError: see `read` and `compare`.
    """
    if out is None and len(studies) == 1 and run_folders(studies[0]):
        out = studies[0]
    with alone(out if form == "table" else None):
        runs = read(studies, choose if ceilings is None else [*choose, "data.n_filler"])
        comparison = compare(runs, metric, baseline, by, choose, equal_within)
        names = list(dict.fromkeys([*comparison["pooling"], *comparison["row"]]))
        if require_baseline and baseline not in names:
            raise ValueError(f"baseline: expected one of {cut(', '.join(names))}, got {baseline!r}")
        if ceilings is not None:
            comparison = with_ceilings(comparison, ceilings)
        overview = grid(comparison, groups)  # before the rows are sorted, which would change the order of its columns
        if order is not None:
            comparison = sort(comparison, order)
        if form != "table":
            print(tables.FORMATS[form](comparison, overview), end="")
            return runs
        heading = tables.title([study.resolve().name.removesuffix(".csv") for study in studies])
        errors = [f"{run} {status}: {error}" for run, status, error in _failures(runs)]
        show(comparison, overview, heading, errors)  # first: a full disk must not prevent it
        if out is not None:
            lines = tables.below_ceiling(comparison) if ceilings is not None else None
            write(out, runs, comparison, overview, heading, errors, lines)
        return runs


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """Keep other reports from a folder: one would remove the figures of the other, or write older numbers last.

    A folder that cannot be written raises its error when the report is written to it.
    """
    with ExitStack() as stack:
        if folder is not None and folder.is_dir():
            with suppress(OSError):
                stack.enter_context(FileLock(folder / ".report.lock"))
        yield


def write(
    study: Path,
    runs: pd.DataFrame,
    comparison: pd.DataFrame,
    overview: Grid | None,
    heading: str,
    errors: Sequence[str],
    below: Sequence[str] | None,
) -> None:
    """Write the tables (rows, and every run), `figures/` and the page that has them all, and say where they are.

    Args:
        study: folder for the files.
        runs: of the study.
        comparison: of the runs.
        overview: the grid of the comparison, if there is one.
        heading: of table and page.
        errors: of runs.
        below: rows below what their pooling can represent; None: that is not known.
    """
    study.mkdir(parents=True, exist_ok=True)
    remove_drafts(study)
    write_atomic(study / "comparison.md", tables.markdown(comparison, overview, heading, errors, below))
    write_atomic(study / "comparison.csv", tables.as_csv(comparison))
    write_csv(runs, study / "runs.csv")
    shown = short(study)
    print(f"\ntable:   {shown}/comparison.md")
    content = fingerprint(runs, comparison)
    if not drawn_before(study / "figures", content):
        draw(study / "figures", runs, comparison, overview, content, heading)
    if (study / "figures").exists():
        print(f"figures: {shown}/figures")
    write_atomic(study / PAGE, page(comparison, runs, overview, heading, study / "figures", errors, below))
    print(f"page:    {shown}/{PAGE}")
    if any(study.glob(f"*/{RESULT}")):
        print(f"curves:  tensorboard --logdir {shown}")


def draw(
    folder: Path, runs: pd.DataFrame, comparison: pd.DataFrame, overview: Grid | None, content: str, heading: str = ""
) -> None:
    """Draw the figures into a folder, and note there of what they were drawn."""
    from textpool.study import figures, heatmap, profile, words  # late: matplotlib takes a second
    from textpool.study.drawing import set_title

    rows = comparison[comparison["mean"].notna()]
    pictures = {}
    if overview is not None and len(rows):
        pictures["grid"] = heatmap.heatmap(overview)
        set_title(pictures["grid"], heading, figures.described(rows))
    if overview is None or len(comparison) <= MOST_ROWS:
        pictures |= figures.draw(comparison, runs, heading, MOST_ROWS)
    if overview is not None:
        pictures |= profile.draw(overview)
    of_words = words.draw(rows, runs)
    for name, figure in of_words.items():
        set_title(figure, heading, name.removeprefix("words_"))
    over_epochs = words.draw_over_epochs(rows, runs)
    if over_epochs is not None:
        set_title(over_epochs, heading)
        of_words["epochs"] = over_epochs
    pictures |= of_words
    written = figures.write(pictures, folder)
    if written:
        note = {"content": content, "files": [file.name for png in written for file in (png, png.with_suffix(".svg"))]}
        write_atomic(folder / DRAWN, json.dumps(note))


def drawn_before(folder: Path, content: str) -> bool:
    """Whether a folder holds the figures of this content."""
    try:
        note = json.loads((folder / DRAWN).read_text(encoding="utf-8"))
        return note["content"] == content and all((folder / name).exists() for name in note["files"])
    except (OSError, ValueError, TypeError, KeyError):  # never drawn, or damaged: draw
        return False


def fingerprint(runs: pd.DataFrame, comparison: pd.DataFrame) -> str:
    """A hash of everything that the figures show, and of the code of this package, which draws them."""
    code = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    shown = [str(MOST_ROWS), comparison.to_json(), repr(comparison.attrs), runs.to_json(default_handler=str)]
    return sha256(b"\n".join([*code, *(text.encode() for text in shown)])).hexdigest()


def show(comparison: pd.DataFrame, overview: Grid | None, heading: str, errors: Sequence[str] = ()) -> None:
    """Print the grid where there is one, then the rows; of many, none where there is a grid, and else the first."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    few = len(comparison) <= MOST_ROWS
    if overview is not None:
        console.print(Text(heading + "\n" * ("" not in overview.panels)))
        for title, panel in overview.panels.items():
            forms = ((True, True), (False, True), (False, False))  # with intervals, with the mean over all tasks
            texts = (tables.grid_cells(overview, panel, *form) for form in forms)
            fitting = (table for table in (_rich(text, title) for text in texts) if _fits(table, console))
            console.print(next(fitting, Text(f"{title or 'The grid'}: too wide for this terminal\n")))
        end = "" if few else f" All {len(comparison):,} rows: comparison.md."
        console.print(Text(f"{tables.grid_caption(comparison)}{end}\n"))
    if overview is None or few:
        _show_rows(comparison, heading if overview is None else "Rows", console)
    if overview is None and len(comparison) > MOST_LISTED:
        all_rows = f"{len(comparison):,} rows, --sort mean: the best first; --format csv: all of them"
        console.print(Text(f"The first {MOST_LISTED} of {all_rows}."))
    for error in errors:
        console.print(Text(error, style="red"))


def _show_rows(comparison: pd.DataFrame, heading: str, console: Console) -> None:
    """Print the rows, without the least important columns where the terminal is too narrow for all."""
    note, comparison = tables.caption(comparison), tables.first(comparison, MOST_LISTED)
    text, bad = tables.cells(comparison), [not seeds for seeds in comparison["seeds"]]
    left_out: list[str] = []
    for least in (name for name in tables.LEAST if name in text):
        if _fits(_rich(text.drop(columns=left_out), heading), console):
            break
        left_out.append(least)
    text = text.drop(columns=left_out)
    for number, name in enumerate(tables.INTERVALS, start=1):
        if _fits(_rich(text, heading), console):
            break
        text = tables.cells(comparison, tables.INTERVALS[number:])
        text = text.drop(columns=[column for column in left_out if column in text])
        left_out.append(f"intervals of the {name}")
    console.print(_rich(text, heading, bad))
    if left_out:
        console.print(Text(f"Too narrow here for {', '.join(left_out)}: see comparison.md."))
    console.print(Text(note))


def _rich(text: pd.DataFrame, title: str, bad: Sequence[bool] = ()) -> Table:
    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
    for name in text:
        side = "left" if name in tables.LEFT else "right"
        table.add_column(str(name).replace(" ", "\n", 1), justify=side, no_wrap=True)
    for number, row in enumerate(text.itertuples(index=False)):
        table.add_row(*map(Text, row), style="red" if number < len(bad) and bad[number] else "")
    return table


def _fits(table: Table, console: Console) -> bool:
    return Console(width=1000).measure(table).maximum <= console.width


def _failures(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    failed = runs[runs["error"].notna()]
    return list(failed[["run", "status", "error"]].itertuples(index=False, name=None))
