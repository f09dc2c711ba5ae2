"""The numbers of docs/real_text.md are those of the runs in docs/runs/."""

import functools
import re
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

from textpool.commands.resemblance import in_words
from textpool.study.comparison import compare
from textpool.study.resemblance import by_strategy, by_task, in_common, table
from textpool.study.runs import read

pytestmark = pytest.mark.slow

RUNS = ROOT / "docs" / "runs"
PAGE = ROOT / "docs" / "real_text.md"
NAMES = {"trec": "TREC", "cr": "CR", "sst2": "SST-2", "mr": "MR"}
MASKED = {name: RUNS / f"masked_{name}.csv" for name in NAMES if (RUNS / f"masked_{name}.csv").exists()}
# the poolings of Zhang and Wallace, and those that most readers ask for
SHOWN = ("max", "kmax-k5", "kmax-k20", "local_max-k20", "sum", "max_avg", "attention", "local_avg-k20", "avg")


def points(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def signed(row: Any) -> str:
    """A difference with its interval, such as `-4.2 [-7.3, -1.1]`."""
    return f"{100 * row.difference:+.1f} [{100 * row.difference_low:+.1f}, {100 * row.difference_high:+.1f}]"


@functools.cache
def measured() -> pd.DataFrame:
    """Means, and differences with intervals over seeds (or folds) and sentences, as the runs on disk gave them."""
    return pd.read_csv(RUNS / "masked_average.csv")


def masked_table(name: str) -> list[str]:
    """The lines of a data set's table: with the mask, without, and the paired difference."""
    rows = measured()[measured()["set"] == name]
    lines = [
        f"| {NAMES[name]} | with mask | from `max` | without | from `max` | without - with |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for strategy in SHOWN:
        cells = []
        own = rows[rows["strategy"] == strategy]
        for mask in ("valid", "none"):
            one = own[(own["mask"] == mask) & (own["against"] == "max")]
            mean = points(one["mean"].iloc[0]) if len(one) else ""
            cells += [mean, signed(next(one.itertuples())) if len(one) and pd.notna(one["difference"].iloc[0]) else ""]
        paired = own[(own["mask"] == "none") & (own["against"] == "valid")]
        cells.append(signed(next(paired.itertuples())) if len(paired) else "")
        if len(own):
            lines.append(f"| `{strategy}` | {' | '.join(cells)} |")
    return lines


def resemblance_table() -> list[str]:
    """Rank correlations of the tasks with the data sets, `*` where they are significant after the correction."""
    tasks = by_task(compare(read(RUNS / "when_which.csv"), choose=["optimizer.lr"]))
    others = {}
    for name, path in MASKED.items():
        runs = read(path)
        runs = runs[runs["model.window_mask"] == "valid"]
        others[NAMES[name]] = by_strategy(compare(in_common(runs)))
    found = table(tasks, others)
    lines = [f"| task | {' | '.join(others)} |", f"|---|{'---:|' * len(others)}"]
    for task, rows in found.groupby("task", sort=False):
        cells = [in_words(row) for row in rows.to_dict("records")]
        lines.append(f"| `{task}` | {' | '.join(cells)} |")
    return lines


@pytest.mark.parametrize("name", MASKED)
def test_the_table_of_a_data_set(name: str) -> None:
    """Each line of it stands on the page as the measured values give it."""
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(masked_table(name)) in text


@pytest.mark.parametrize("name", MASKED)
def test_the_measured_means_are_those_of_the_runs(name: str) -> None:
    """The table with the intervals over sentences, which need the predictions, agrees with the runs that are kept."""
    runs = read(MASKED[name])
    k = runs["pooling.k"].map(lambda value: "" if pd.isna(value) else f"-k{int(value)}")
    means = runs.assign(strategy=runs["pooling"] + k).groupby(["strategy", "model.window_mask"])["test/acc"]
    mean_of, n_of = means.mean().to_dict(), means.size().to_dict()
    for row in measured()[measured()["set"] == name].itertuples():
        key = (row.strategy, row.mask)
        assert (row.mean, row.seeds) == (pytest.approx(mean_of[key], abs=1e-6), n_of[key]), row


def test_the_rank_correlations() -> None:
    """Each line of the table, computed from the kept runs of the tasks and of the data sets."""
    assert "\n".join(resemblance_table()) in PAGE.read_text(encoding="utf-8")


def test_claims_in_the_text() -> None:
    """`avg` on TREC with the mask: 85.5, and so on, in the text of the page and of the README."""
    claim = re.compile(r"`([\w-]+)` on ([\w-]+) (with the mask|without a mask): (\d+\.\d)")
    found = [each for page in (PAGE, ROOT / "README.md") for each in claim.findall(page.read_text(encoding="utf-8"))]
    assert len(found) > 3
    sets = {shown: name for name, shown in NAMES.items()}
    for strategy, shown, mask, mean in found:
        rows = measured()
        chosen = rows[(rows["set"] == sets[shown]) & (rows["strategy"] == strategy)]
        chosen = chosen[chosen["mask"] == ("valid" if mask.startswith("with the") else "none")]
        assert mean == points(chosen["mean"].iloc[0]), (strategy, shown, mask)


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_kim(name: str) -> None:
    """The mean of all runs, and their number, in the first table of the page."""
    runs = read(RUNS / f"kim_{name}.csv")
    line = re.search(rf"^\| {NAMES[name]} \| (\d+) .*? \| (\d+\.\d) ", PAGE.read_text(encoding="utf-8"), re.M)
    assert line is not None
    assert (int(line[1]), line[2]) == (len(runs), points(runs["test/acc"].mean()))
