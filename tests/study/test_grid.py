"""Strategies by data sets: what is across, what is a panel, in which order, and that no row is hidden or doubled."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from runs_on_disk import forget, write_run, write_seeds, write_task

from textpool.study.comparison import compare
from textpool.study.grid import Grid, grid, pivot, read_groups
from textpool.study.runs import read

pytestmark = pytest.mark.slow


def grid_of(*studies: Path, **options: Any) -> Grid:
    """The grid of studies, which has to exist."""
    found = grid(compare(read(studies), **options))
    assert found is not None
    return found


def cells(table: pd.DataFrame, strategy: str) -> list[Any]:
    """The cells of a strategy."""
    return list(table.to_dict("index")[strategy].values())


def rows_in_cells(found: Grid) -> list[str]:
    """The names of the rows in all cells of all panels."""
    tables = [found.table(panel, "row") for panel in found.panels.values()]
    return [row for table in tables for row in table.to_numpy().ravel() if isinstance(row, str)]


def test_the_layout(tasks: Path) -> None:
    """Across is the factor with the most values; each value of the other has a panel, numbers sorted by size."""
    found = grid_of(tasks)
    assert (found.across, found.columns) == ("data", ["order", "tone", "position"])
    assert found.headings == ["order", "tone", "position"]
    assert found.strategies == ["kmax-k8", "kmax-k3", "max"]  # by the mean normalized accuracy, see the fixture
    assert list(found.panels) == ["n_filler 1", "n_filler 16"]
    assert [len(panel) for panel in found.panels.values()] == [9, 9]


def test_the_factor_with_the_most_values_is_across(tmp_path: Path) -> None:
    """A wide table with few panels is easier to read; the data sets are the panels here."""
    for data in ("order", "tone"):
        for filler in (4, 16, 1):
            write_task(tmp_path, data, 0.6, filler=filler)
    found = grid_of(tmp_path)
    assert found.headings == ["n_filler 1", "n_filler 4", "n_filler 16"]
    assert list(found.panels) == ["order", "tone"]


def test_a_table_holds_the_values_of_the_comparison(tasks: Path) -> None:
    """The cells are the means of the comparison, and the normalized accuracies are those computed by hand."""
    found = grid_of(tasks)
    panel = found.panels["n_filler 16"]
    means = found.table(panel, "mean")
    assert means.index.tolist() == ["kmax-k8", "kmax-k3", "max"]
    assert cells(means, "kmax-k8") == pytest.approx([0.975, 0.705, 0.255])
    normalized = found.table(panel, "normalized")
    assert cells(normalized, "kmax-k8") == pytest.approx([0.95, 0.5125, 0.005 / 0.75])
    assert cells(normalized, "kmax-k3") == pytest.approx([0.37, 0.5125, 0.005 / 0.75])
    assert cells(normalized, "max") == pytest.approx([0.6, 0, 0])


def test_the_order_of_strategies_is_of_all_panels(tmp_path: Path) -> None:
    """Best first by the mean over all cells, where a failure counts as a guess; ties stay in the order of the runs.

    Normalized accuracies: a and c 0.2 and 0.2; b 0.8 and 0; d none; e 0.6 and none.
    """
    measured = {"a": (0.6, 0.6), "b": (0.9, 0.5), "c": (0.6, 0.6), "d": (None, None), "e": (0.8, None)}
    for pooling, accuracies in measured.items():
        for data, accuracy in zip(("order", "spread"), accuracies, strict=True):
            write_task(tmp_path, data, accuracy, pooling=pooling)
    assert grid_of(tmp_path).strategies == ["b", "e", "a", "c", "d"]


def test_a_loss_has_no_grid(tasks: Path) -> None:
    """A loss is better when lower, and has no scale from a guess to the best."""
    assert grid(compare(read(tasks), "test/loss")) is None
    assert pivot(compare(read(tasks), "test/loss")) is None


def test_one_data_set_has_no_grid(tmp_path: Path) -> None:
    """Several seeds or several k make no grid, since there is nothing for its columns."""
    for k in (3, 5):
        write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=k)
    assert grid(compare(read(tmp_path))) is None
    assert pivot(compare(read(tmp_path))) is None


def test_a_random_search_has_no_grid(tmp_path: Path) -> None:
    """Where each run has values of its own, most cells would be empty: 12 rows in 144 cells."""
    for number in range(12):
        write_run(tmp_path, settings={"optimizer.lr": number / 100, "model.dropout": number / 50})
    assert grid(compare(read(tmp_path))) is None


def test_a_fifth_of_the_cells_is_enough(tmp_path: Path) -> None:
    """5 rows in 25 cells are shown; a sixth strategy without a column of its own makes it too sparse."""
    for number in range(5):
        write_run(tmp_path, pooling=f"p{number}", settings={"model.dropout": number / 10})
    assert grid(compare(read(tmp_path))) is not None
    write_run(tmp_path, pooling="p5", settings={"model.dropout": 0.9})
    assert grid(compare(read(tmp_path))) is None


def test_a_cell_without_a_run_is_empty(tasks: Path) -> None:
    """A run that failed leaves its cell empty too; the panels stay in the order of their numbers."""
    write_task(tasks, "tone", 0.7, pooling="avg", filler=4)
    write_task(tasks, "tone", None, pooling="sum", filler=4)
    found = grid_of(tasks)
    assert list(found.panels) == ["n_filler 1", "n_filler 4", "n_filler 16"]
    means = found.table(found.panels["n_filler 4"], "mean")
    assert set(means.index) == {"kmax-k8", "kmax-k3", "max", "avg", "sum"}
    assert cells(means, "avg") == [pytest.approx(np.nan, nan_ok=True), 0.7, pytest.approx(np.nan, nan_ok=True)]
    assert np.isnan(cells(means, "sum")).all()
    assert found.table(found.panels["n_filler 4"], "status").loc["sum", "tone"] == "failed"


def test_numbers_across_are_sorted_by_size(tmp_path: Path) -> None:
    """Numbers are not sorted as text or in the order of the runs; a missing value comes first."""
    for length in (100, 20, 3):
        write_run(tmp_path, settings={"data.max_length": length})
    write_run(tmp_path, defaults={"data.max_length": None})
    found = grid_of(tmp_path)
    assert found.columns == [None, 3, 20, 100]
    assert found.headings == ["max_length none", "max_length 3", "max_length 20", "max_length 100"]


def test_words_across_are_in_the_order_of_the_runs(tmp_path: Path) -> None:
    """Where the values are not all numbers, they are not sorted."""
    for length in ("tone", "order", "all"):
        write_run(tmp_path, data=length)
    assert grid_of(tmp_path).columns == ["tone", "order", "all"]


def test_two_studies_are_two_columns(tmp_path: Path) -> None:
    """With one data set, the study is what differs."""
    for study in ("a", "b"):
        for pooling in ("max", "avg"):
            write_run(tmp_path / study, pooling=pooling)
    found = grid_of(tmp_path / "a", tmp_path / "b")
    assert (found.across, found.columns) == ("study", ["a", "b"])
    assert rows_in_cells(found) == ["a/max", "b/max", "a/avg", "b/avg"]


@pytest.mark.parametrize("by", [None, ["data"], ["data.n_filler"], []])
def test_every_row_is_in_exactly_one_cell(tasks: Path, by: list[str] | None) -> None:
    """No row hides another, with two studies, with other blocks, and with k set in two ways."""
    other = tasks / "other"
    for data in ("order", "tone"):
        write_task(other, data, 0.9, pooling="max")
        for k in (2, 4):
            write_task(other, data, k / 10, pooling="kmax", settings={"pooling.k": k})
    comparison = compare(read([tasks, other]), by=by)
    found = grid(comparison)
    assert found is not None
    assert sorted(rows_in_cells(found)) == sorted(comparison["row"])
    assert comparison["row"].is_unique
    assert len(comparison) == 18 + 6
    assert {"kmax-k2", "kmax-k4"} <= set(found.strategies)


def test_a_run_of_which_nothing_is_known_is_not_in_the_grid(tasks: Path) -> None:
    """Such a run would add an empty column and an empty panel."""
    before = grid_of(tasks)
    forget(write_task(tasks, "tone", 0.7, pooling="avg"))
    after = grid_of(tasks)
    assert (after.columns, after.strategies, list(after.panels)) == (
        before.columns,
        before.strategies,
        list(before.panels),
    )


def test_pivot_equals_the_comparison(tasks: Path) -> None:
    """Each value stands where its row's strategy, data set and panel say."""
    comparison = compare(read(tasks))
    for values in ("mean", "normalized", "low"):
        found = pivot(comparison, values)
        assert found is not None
        assert found.shape == (3, 6)
        assert found.index.tolist() == ["kmax-k8", "kmax-k3", "max"]
        by_strategy = found.to_dict("index")
        for row in comparison.to_dict("records"):
            cell = by_strategy[row["strategy"]][f"n_filler {row['data.n_filler']}", row["data"]]
            assert cell == pytest.approx(row[values], nan_ok=True)


def test_pivot_of_one_panel_has_plain_columns(tmp_path: Path) -> None:
    """Where only one factor differs, there is no second level."""
    for pooling, data in itertools.product(("max", "avg"), ("order", "tone")):
        write_run(tmp_path, 0.75 if pooling == "avg" else 0.5, pooling=pooling, data=data)
    found = pivot(compare(read(tmp_path)))
    assert found is not None
    assert found.to_dict("index") == {"avg": {"order": 0.75, "tone": 0.75}, "max": {"order": 0.5, "tone": 0.5}}


def test_normalized_accuracies_of_seeds_are_between_0_and_1(tmp_path: Path) -> None:
    """(accuracy - shortcut) / (best - shortcut), cut to the range; the mean over tasks is of these."""
    limits = {"shortcut_accuracy": 0.7, "bayes_accuracy": 0.9}
    for data in ("a", "b", "c"):
        write_seeds(tmp_path, [0.8, 0.6, 1.0], data=data, result=limits)
    write_seeds(tmp_path, [0.8], data="a", pooling="avg", result=limits)
    found = grid_of(tmp_path)
    [panel] = found.panels.values()
    assert found.by_seed["max-a"] == pytest.approx([0.5, 0, 1])
    assert found.over_tasks(panel) == {"max": [pytest.approx([0.5, 0, 1])] * 3}  # avg has not seen every task


def test_a_mean_over_tasks_needs_three_of_them(tmp_path: Path) -> None:
    """Neither two tasks nor three values of a setting have one."""
    for data in ("a", "b"):
        write_run(tmp_path, data=data)
    found = grid_of(tmp_path)
    assert found.over_tasks(found.panels[""]) == {}
    for filler in (1, 2, 3):
        write_run(tmp_path / "other", settings={"data.n_filler": filler})
    found = grid_of(tmp_path / "other")
    assert found.over_tasks(found.panels[""]) == {}


def test_groups_of_a_file(tmp_path: Path) -> None:
    """A group may name poolings or strategies; other content is refused, with the name of the file."""
    path = tmp_path / "groups.yaml"
    path.write_text("how often: [kmax-k8, avg]\nat all: [max]\n")
    assert read_groups(path) == {"how often": ["kmax-k8", "avg"], "at all": ["max"]}
    for content, problem in (("- max", "expected names of groups"), ("a: max", "expected names"), ("{", "not YAML")):
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"groups\.yaml: {problem}"):
            read_groups(path)
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read: No such file"):
        read_groups(tmp_path / "none.yaml")
