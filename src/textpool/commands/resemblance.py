"""Which diagnostic task does a data set resemble?"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIGNIFICANT = 0.05


def main() -> None:
    """Print the rank correlation of the strategies on each task with those on each data set."""
    parser = argparse.ArgumentParser(
        description="Spearman's rank correlation: does a diagnostic task order the strategies as a data set does?"
    )
    parser.add_argument("tasks", type=Path, help="study of diagnostic tasks, or its runs.csv")
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="study of one data set, or its runs.csv")
    parser.add_argument(
        "--where", action="append", default=[], metavar="SETTING=VALUE", help="only runs of the studies with this value"
    )
    parser.add_argument("--choose", metavar="SETTINGS", help="of the tasks: as in compare.py, such as optimizer.lr")
    parser.add_argument("--csv", action="store_true", help="print all columns as CSV")
    arguments = parser.parse_args()
    import pandas as pd  # late: --help needs none of them

    from textpool.study.comparison import compare
    from textpool.study.resemblance import by_strategy, by_task, in_common, table
    from textpool.study.runs import read

    def chosen(study: Path) -> pd.DataFrame:
        runs = read(study)
        for setting, _, value in (given.partition("=") for given in arguments.where):
            if setting not in runs:
                raise ValueError(f"--where: {study} has no {setting}")
            runs = runs[runs[setting].astype(str) == value]
            if not len(runs):
                raise ValueError(f"--where: {study} has no run with {setting}={value}")
        return in_common(runs)

    try:
        choose = arguments.choose.split(",") if arguments.choose else ()
        tasks = by_task(compare(read(arguments.tasks), choose=choose))
        others = {
            study.stem if study.is_file() else study.name: by_strategy(compare(chosen(study)))
            for study in arguments.studies
        }
        found = table(tasks, others)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if arguments.csv:
        print(found.to_csv(index=False, lineterminator="\n"), end="")
        return
    grid = found.assign(cell=[in_words(row) for row in found.to_dict("records")]).pivot(
        index="task", columns="data", values="cell"
    )
    print(grid.reindex(index=list(tasks), columns=list(others)).rename_axis(None, axis=1).to_string())
    n = sorted(set(found["n"]))
    print(
        f"\nSpearman's rank correlation of {' to '.join(map(str, n))} strategies, over the seeds or folds that all "
        "have, with 95 % intervals. "
        f"*: p <= 0.05 after the correction for {len(found)} pairs (Holm)."
    )


def in_words(pair: Mapping[Any, float]) -> str:
    """A correlation with its interval, and a star where it is significant after the correction."""
    star = "*" if pair["p"] <= SIGNIFICANT else ""
    return f"{pair['rho']:+.2f} [{pair['low']:+.2f}, {pair['high']:+.2f}]{star}"
