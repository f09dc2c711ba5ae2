"""The numbers of docs/when_which.md are those of the runs in docs/runs/, as `textpool compare` computes them."""

import functools
import re
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

from textpool.study.comparison import compare
from textpool.study.grid import grid
from textpool.study.runs import read
from textpool.study.statistics import mean_over_tasks
from textpool.study.tables import disagreement

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
PAGES = [DOCS / "when_which.md", ROOT / "README.md"]
NUMBER = r"(\d+(?:\.\d+)?)"
# `kmax-k8` on `order`: 99.8 [99.4, 100.0], 6/10; in brackets behind the task, which study it is
CLAIM = re.compile(
    rf"`([\w-]+)`\s+on\s+`(\w+)`(?:\s+\(([^)]*)\))?:\s+{NUMBER}(?:\s+\[{NUMBER},\s+{NUMBER}\])?(?:,\s+(\d+)/(\d+))?"
)
OVER_TASKS = re.compile(rf"`([\w-]+)`\s+over\s+all\s+tasks:\s+{NUMBER}\s+\[{NUMBER},\s+{NUMBER}\]")
STUDIES = {
    "": ("when_which", "test/acc"),
    "AUROC": ("when_which", "test/auroc"),
    "again": ("second_draw", "test/acc"),
}


@functools.cache
def rows(study: str, metric: str = "test/acc") -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a study in docs/runs/ by strategy and task."""
    table = comparison(study, metric)
    return {(row["strategy"], row["data"]): row for row in map(dict, table.to_dict("records"))}


@functools.cache
def comparison(study: str, metric: str = "test/acc") -> Any:
    runs = read(DOCS / "runs" / f"{study}.csv")
    return compare(runs, metric, choose=["optimizer.lr"] if runs["optimizer.lr"].nunique() > 1 else [])


def shown(value: float) -> str:
    return f"{100 * value:.1f}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_claims(page: Any) -> None:
    """Each accuracy with its interval, and the seeds that solved the task where they disagree."""
    found = CLAIM.findall(page.read_text(encoding="utf-8"))
    assert len(found) > (20 if page.name == "when_which.md" else 2)
    for strategy, task, study, mean, low, high, solved, seeds in found:
        row = rows(*STUDIES[study])[strategy, task]
        claim = f"{strategy} on {task} {study}"
        assert row["seeds"] == 10, claim
        assert mean == shown(row["mean"]), claim
        bounds = [shown(row["low"]), shown(row["high"])]
        assert [low, high] == (bounds if bounds[0] != bounds[1] else ["", ""]), claim
        assert "/".join(filter(None, (solved, seeds))) == disagreement(row), claim


def test_means_over_tasks() -> None:
    """The mean normalized accuracies with their intervals."""
    table = grid(comparison("when_which"))
    assert table is not None
    (panel,) = table.panels.values()
    by_strategy = table.over_tasks(panel)
    found = OVER_TASKS.findall(PAGES[0].read_text(encoding="utf-8"))
    assert len(found) > 1
    for strategy, *numbers in found:
        assert numbers == [f"{value:.2f}" for value in mean_over_tasks(by_strategy[strategy])], strategy


def test_accuracies_at_other_lengths() -> None:
    """Means over ten seeds, from the table that `textpool lengths` wrote."""
    measured = pd.read_csv(DOCS / "runs" / "lengths.csv").groupby(["strategy", "length"])["accuracy"]
    means, counts = measured.mean(), measured.size()
    found = re.findall(rf"`([\w-]+)`\s+at\s+(\d+)\s+words:\s+{NUMBER}", PAGES[0].read_text(encoding="utf-8"))
    assert len(found) > 3
    for strategy, length, mean in found:
        assert counts[strategy, int(length)] == 10
        assert mean == shown(means[strategy, int(length)]), (strategy, length)


def test_accuracies_against_the_share_of_the_cue() -> None:
    """The accuracies of max pooling, as a list in the text, and those of the average, which are all 100."""
    runs = compare(read(DOCS / "runs" / "share_of_cues.csv"))
    means = {pooling: [shown(mean) for mean in rows["mean"]] for pooling, rows in runs.groupby("pooling")}
    assert runs["seeds"].eq(10).all()
    one, two, three, four = means["max"]
    text = " ".join(PAGES[0].read_text(encoding="utf-8").split())
    assert (
        f"`max` has {one} % at 1 %, where one cue is enough, then {two}, {three} and {four} % at 2, 4 and 10 %" in text
    )
    assert set(means["avg"]) == {"100.0"}
    assert "`avg` is right for 100.0 % at every threshold" in text


def test_the_table_of_what_was_learned() -> None:
    """Each cell of the guide's table: the mean, and the seeds that solved the task where they disagree."""
    text = PAGES[0].read_text(encoding="utf-8").partition("## What was learned")[2]
    heading, _, *lines = re.findall(r"^\| \| `needle`.*(?:\n\|.*)+", text, re.M)[0].splitlines()
    tasks = re.findall(r"`(\w+)`", heading)
    assert len(tasks) == 8
    assert len(lines) == 11
    for line in lines:
        strategy, *cells = (cell.strip(" `") for cell in line.strip("|").split("|"))
        for task, cell in zip(tasks, cells, strict=False):
            row = rows("when_which")[strategy, task]
            assert cell == f"{shown(row['mean'])} {disagreement(row)}".strip(), f"{strategy} on {task}"


def test_a_second_draw_is_within_the_intervals() -> None:
    """Ten cells drawn at random, with other seeds and sentences: the means agree within their intervals, but one."""
    outside = [key for key, row in rows("second_draw").items() if not consistent(row, rows("when_which")[key])]
    assert len(rows("second_draw")) == 10
    assert len(outside) <= 1, outside


def consistent(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two means differ by no more than their intervals together allow (as for independent means)."""
    gap = abs(one["mean"] - other["mean"])
    sides = [(row["high"] - row["mean"], row["mean"] - row["low"]) for row in (one, other)]
    (up_one, down_one), (up_other, down_other) = sides
    half = (down_one**2 + up_other**2) ** 0.5 if one["mean"] > other["mean"] else (up_one**2 + down_other**2) ** 0.5
    return gap <= half
