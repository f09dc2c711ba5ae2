"""The performance profile against values computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from runs_on_disk import write_task

from textpool.study import profile
from textpool.study.comparison import compare
from textpool.study.grid import grid
from textpool.study.runs import read


def test_a_profile_by_hand() -> None:
    """Two tasks of two seeds, 0.2 and 0.6, 1 and 1: above 0.1 all, 0.5 three, 0.8 half, 1 none."""
    axes = profile.profile({"max": [[0.2, 0.6], [1.0, 1.0]], "avg": [[0.0] * 2] * 2}).axes[0]
    heights, shares = np.asarray(axes.lines[0].get_xydata()).T
    found = dict(zip(heights.round(3).tolist(), shares.tolist(), strict=True))
    assert [found[height] for height in (0.1, 0.5, 0.8, 1.0)] == [100, 75, 50, 0]
    assert np.asarray(axes.lines[1].get_xydata())[:, 1].max() == 0


def test_tasks_have_the_same_weight() -> None:
    """A task with more seeds does not count more."""
    axes = profile.profile({"max": [[0.0], [1.0] * 9]}).axes[0]
    assert np.asarray(axes.lines[0].get_xydata())[100, 1] == pytest.approx(50)


def test_only_the_best_are_drawn() -> None:
    """Seven lines can be told apart; the title says how many there are."""
    figure = profile.profile({f"mine{number}": [[0.5] * 2] * 3 for number in range(9)})
    assert len(figure.axes[0].lines) == 7
    assert figure.axes[0].get_title() == "(the best 7 of 9)"


def test_each_panel_has_a_profile(tasks: Path, tmp_path: Path) -> None:
    """A panel with at least three tasks and two strategies; others have none."""
    found = grid(compare(read(tasks)))
    assert found is not None
    assert list(profile.draw(found)) == ["profile", "profile_2"]
    for data in ("a", "b"):
        write_task(tmp_path / "two", data, 0.5)
    found = grid(compare(read(tmp_path / "two")))
    assert found is not None
    assert profile.draw(found) == {}
