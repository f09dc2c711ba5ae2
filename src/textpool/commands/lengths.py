"""Measure the runs of a study on test sentences of other lengths."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def main() -> None:
    """Write `lengths.csv` and the figure to the folder of the study, and say where they are."""
    parser = argparse.ArgumentParser(
        description="Measure the finished runs of a study on test sentences of exact lengths: lengths.csv, and the "
        "figure of accuracy against length, in the folder of the study. What was measured before is not measured again."
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder such as logs/my_study, of diagnostic tasks")
    parser.add_argument("lengths", type=int, nargs="+", metavar="LENGTH", help="number of words in a test sentence")
    parser.add_argument("--pooling", help="only these poolings or strategies, such as max,avg,kmax-k8; default: all")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoints may use"
    )
    arguments = parser.parse_intermixed_args()
    try:
        errors = measure(arguments.study, arguments.lengths, (arguments.pooling or "").split(","), arguments.allow)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if errors:
        sys.exit("\n".join(f"error: {error}" for error in errors))


def measure(study: Path, lengths: Sequence[int], poolings: Sequence[str], allow: Sequence[str]) -> list[str]:
    """Measure what is missing, write table and figure, and return the errors of runs that could not be measured."""
    from textpool.checks import integer  # late: --help needs no library
    from textpool.record import short
    from textpool.study import lengths as of_lengths
    from textpool.study.runs import read

    lengths = sorted({integer("length", length, least=1) for length in lengths})
    finished = of_lengths.finished_runs(read(study))
    chosen = of_lengths.choose(finished, filter(None, poolings))
    table = of_lengths.read_table(study, finished)
    no_figure = of_lengths.too_many_lines(chosen)
    if no_figure:
        print(no_figure, file=sys.stderr)
    todo = of_lengths.missing(chosen, table, lengths)
    errors = []
    if todo:
        from textpool.lengths import LengthTest  # late: torch takes seconds

        test = LengthTest(allow)
        same_data_together = chosen[chosen["run"].isin(todo)].sort_values(["data", "seed"], kind="stable")
        for run in progress(same_data_together.to_dict("records")):
            try:
                table = of_lengths.add(table, run, test.measure(run["folder"], todo[run["run"]]))
            except ValueError as error:
                errors.append(f"{run['run']}: {error}")
                continue
            of_lengths.write_table(study, table, finished)  # after each run: an interruption loses nothing
    shown = table[table["run"].isin(chosen["run"]) & table["length"].isin(lengths)]
    for line in of_lengths.left_out(shown):
        print(line)
    if shown["accuracy"].isna().all():
        raise ValueError("; ".join(errors) or f"{study}: nothing could be measured: choose other lengths")
    print(f"table:  {short(study.absolute())}/{of_lengths.TABLE}")
    if not no_figure:
        picture = of_lengths.write_figure(study, of_lengths.draw(shown, finished))
        print(f"figure: {short(picture.absolute())}")
    return errors


def progress(runs: Sequence[dict]) -> Iterator[dict]:
    """Give the runs one by one, with a bar on a terminal and about ten lines elsewhere, on standard error."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(runs, "measuring the runs", console=Console(stderr=True))
        return
    for number, run in enumerate(runs, start=1):
        yield run
        if number % max(1, len(runs) // 10) == 0 or number == len(runs):
            print(f"measured {number} of {len(runs)} runs", file=sys.stderr, flush=True)
