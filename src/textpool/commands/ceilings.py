"""Compute what a text CNN can represent with each pooling on each diagnostic task."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textpool.checks import integer, one_of
from textpool.configuration import CONF, composed

OUT = Path("docs/ceilings.csv")
TASK_DEFAULTS = "/common/task@_here_"  # in the defaults list of each diagnostic task


class Strategy(NamedTuple):
    """A pooling with its settings.

    Attributes:
        config: the configuration, with any data.
        described: the columns `strategy`, `pooling` and `settings` of the file.
    """

    config: Mapping[str, Any]
    described: Mapping[str, str]


def main() -> None:
    """Compute the bounds that the file does not have yet, and print the table."""
    parser = argparse.ArgumentParser(
        description="Compute what a text CNN can represent with each pooling on each diagnostic task with one filler "
        "word, whatever is trained: a lower and an upper bound of the test accuracy. Bounds that the file has are kept."
    )
    parser.add_argument("--pooling", metavar="NAMES", help="such as max,avg; default: all of conf/pooling")
    parser.add_argument("--data", metavar="NAMES", help="such as order,twice; default: all diagnostic tasks")
    parser.add_argument("--k", default="3,8,16", metavar="NUMBERS", help="of poolings that take a k; default: 3,8,16")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"default: {OUT}")
    parser.add_argument("--config-dir", type=Path, metavar="FOLDER", help="folder with a pooling/ of your own")
    arguments = parser.parse_args()
    try:
        folders = [CONF, *([arguments.config_dir.resolve()] if arguments.config_dir else [])]
        poolings = choices(
            "pooling", arguments.pooling, [name for each in folders for name in each.glob("pooling/*.yaml")]
        )
        tasks = [file for file in CONF.glob("data/*.yaml") if TASK_DEFAULTS in file.read_text(encoding="utf-8")]
        data = choices("data", arguments.data, tasks)
        numbers = [integer("k", int(k) if k.isdecimal() else k, least=1) for k in arguments.k.split(",")]
        compute(arguments.out, list(strategies(poolings, numbers, folders[1:])), data)
    except ValueError as error:
        sys.exit(f"error: {error}")


def compute(out: Path, compared: Sequence[Strategy], data: Sequence[str]) -> None:
    """Compute the bounds that are missing in a file, and print those of some strategies and tasks.

    Args:
        out: the file; it is written after each strategy and task, so that an interrupted command can continue.
        compared: the strategies.
        data: options of the config group `data`.
    """
    import torch  # late: --help needs none of them
    from rich.console import Console
    from rich.progress import Progress

    from textpool.ceilings import ceiling, draw_task
    from textpool.facts import flatten
    from textpool.study.ceilings import KEY, read_ceilings, task_settings, write_ceilings

    torch.set_num_threads(1)  # more would sum in another order, and the matrices are small
    known: Any = read_ceilings(out).to_dict("records") if out.exists() else []
    rows = {tuple(row[name] for name in KEY): row for row in known}
    asked = []
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(compared) * len(data))
        for name in data:
            task, of_task = None, composed(f"data={name}", "data.n_filler=1")
            for config, described in compared:
                row: dict[str, Any] = {**described, "data": name}
                row["task"] = task_settings(flatten({**config, "data": of_task["data"]}))
                key = tuple(row[column] for column in KEY)
                asked.append(key)
                progress.update(bar, description=f"{name} {row['strategy']}")
                if key not in rows or rows[key]["task"] != row["task"]:
                    task = task or draw_task(of_task["data"])
                    rows[key] = {**row, **ceiling({**config, "data": of_task["data"]}, task)._asdict()}
                    write_ceilings(out, rows.values())
                progress.advance(bar)
    print(table([rows[key] for key in asked]))


def strategies(poolings: Iterable[str], numbers: Iterable[int], searchpath: Sequence[Path] = ()) -> Iterator[Strategy]:
    """Each pooling, once for each `k` if it takes one."""
    from textpool.facts import flatten, label, named
    from textpool.study.ceilings import own_settings

    for pooling in poolings:
        for k in numbers:
            config = composed(f"pooling={pooling}", f"k={k}", searchpath=searchpath)
            factors = {"pooling": pooling, **flatten({"pooling": config["pooling"]})}
            shown = named({"k": k}, factors)
            yield Strategy(
                config, {"strategy": label(factors, shown), "pooling": pooling, "settings": own_settings(factors)}
            )
            if not shown:  # it takes no k
                break


def choices(name: str, given: str | None, files: Iterable[Path]) -> list[str]:
    """Options of a config group: those given, separated by commas, or all.

    Raises:
        ValueError: if one of them does not exist.
    """
    options = sorted({file.stem for file in files})
    return options if given is None else [one_of(name, each, options) for each in given.split(",")]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Strategies by tasks, in %: one number where the bounds agree, else both."""
    data = list(dict.fromkeys(str(row["data"]) for row in rows))
    cells = {(row["strategy"], row["data"]): cell(row) for row in rows}
    names = list(dict.fromkeys(str(row["strategy"]) for row in rows))
    width = max(map(len, ["", *names]))
    lines = [["", *data], *([name, *(cells[name, each] for each in data)] for name in names)]
    return "\n".join("  ".join([line[0].ljust(width), *(cell.rjust(11) for cell in line[1:])]) for line in lines)


def cell(row: Mapping[str, Any]) -> str:
    lower, upper = (f"{100 * row[name]:.1f}".removesuffix(".0") for name in ("lower", "upper"))
    return lower if row["kind"] != "bounds" else f"{lower}-{upper}"
