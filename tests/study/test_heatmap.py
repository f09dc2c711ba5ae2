"""The grid as a picture: the right numbers and colours in the right cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from runs_on_disk import write_run, write_task

from textpool.study.comparison import compare
from textpool.study.grid import grid
from textpool.study.heatmap import heatmap
from textpool.study.runs import read
from textpool.study.theory import expect


def picture(study: Path, metric: str = "test/acc", theory: dict[str, Any] | None = None) -> Figure:
    """The heat map of a study."""
    comparison = compare(read(study), metric)
    found = grid(comparison if theory is None else expect(comparison, theory))
    assert found is not None
    return heatmap(found)


def texts(labels: Any) -> list[str]:
    """The words of labels."""
    return [label.get_text() for label in labels]


def test_colours_are_normalized_and_numbers_are_accuracies(tasks: Path) -> None:
    """Strategies are named once, panels side by side, columns with their guess and their best accuracy."""
    left, right, bar = picture(tasks).axes
    assert texts(left.get_yticklabels()) == ["kmax-k8", "kmax-k3", "max"]
    assert texts(left.get_xticklabels()) == ["order\n50 to 100", "tone\n50 to 90", "position\n25 to 100"]
    assert (left.get_title(), right.get_title()) == ("n_filler 1", "n_filler 16")
    colours = np.asarray(left.images[0].get_array())
    assert colours.tolist() == [
        pytest.approx([0.95, 0.5125, 0.005 / 0.75]),
        pytest.approx([0.37, 0.5125, 0.005 / 0.75]),
        pytest.approx([0.6, 0, 0]),
    ]
    numbers = {text.get_position(): text.get_text() for text in left.texts}
    assert [numbers[0, 2], numbers[1, 2], numbers[2, 2]] == ["80", "50", "25"]
    assert len(numbers) == 9
    assert texts(bar.get_yticklabels()) == ["guess", "best"]


def test_the_colour_scale_is_that_of_all_pictures(tasks: Path) -> None:
    """The scale is from 0, a guess, to 1, the best, whatever the values of the study."""
    for image in [image for axes in picture(tasks).axes[:2] for image in axes.images]:
        assert image.get_clim() == (0, 1)


def test_marks_of_theory(tasks: Path) -> None:
    """A triangle for each expectation, up for wins and down for fails, in the panel where theory holds."""
    theory = {
        "given": {"data.n_filler": 1},
        "wins": {"order": [{"pooling": "kmax", "k": 8}]},
        "fails": {"order": ["max"], "tone": ["max"]},
    }
    figure = picture(tasks, theory=theory)
    left, right, _ = figure.axes
    marks = [(*np.asarray(line.get_xydata()).round().tolist()[0], line.get_marker()) for line in left.lines]
    assert sorted(marks) == [(0, 0, "^"), (0, 2, "v"), (1, 2, "v")]
    assert not right.lines
    assert figure.get_supxlabel() == "test/acc in %;  ▲ wins, ▼ fails in theory"
    assert picture(tasks).get_supxlabel() == "test/acc in %"


def test_another_metric_has_no_limits(tasks: Path) -> None:
    """With another metric, the columns have no limits, and the scale has numbers."""
    left, _, bar = picture(tasks, "test/f1").axes
    assert texts(left.get_xticklabels()) == ["order", "tone", "position"]
    assert "guess" not in texts(bar.get_yticklabels())


def test_only_data_sets_have_limits(tmp_path: Path) -> None:
    """Columns that are not data sets, here numbers of filler words, have their name only."""
    for filler in (1, 4, 16):
        write_task(tmp_path, "order", 0.8, filler=filler)
    assert texts(picture(tmp_path).axes[0].get_xticklabels()) == ["n_filler 1", "n_filler 4", "n_filler 16"]


def test_many_columns_leave_no_room_for_numbers(tmp_path: Path) -> None:
    """Up to 20 columns have numbers in their cells; with more, the names of the columns are rotated."""
    for number in range(20):
        write_run(tmp_path, 0.5, data=f"data{number}")
    axes = picture(tmp_path).axes[0]
    assert len(axes.texts) == 20
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {0}
    write_run(tmp_path, 0.5, data="data20")
    figure = picture(tmp_path)
    assert not figure.axes[0].texts
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {90}
    assert texts(figure.axes[0].get_xticklabels())[0] == "data0"


def test_empty_cells_and_panels(tasks: Path) -> None:
    """A cell without a value has no number and no colour; a panel without any value is left out."""
    write_task(tasks, "tone", 0.7, pooling="avg", filler=1)
    write_task(tasks, "tone", None, pooling="sum", filler=1)
    write_task(tasks, "tone", None, pooling="sum", filler=4)
    figure = picture(tasks)
    left, right, _ = figure.axes
    assert (left.get_title(), right.get_title()) == ("n_filler 1", "n_filler 16")
    assert len(left.texts) == 10
    names = texts(left.get_yticklabels())
    colours = np.ma.filled(np.ma.asarray(left.images[0].get_array()), np.nan)
    assert np.isnan(colours[names.index("avg")]).tolist() == [True, False, True]
    assert np.isnan(colours[names.index("sum")]).all()


def test_numbers_can_be_read_on_every_colour(tasks: Path) -> None:
    """Numbers are white on the dark half of the scale and black on the light half."""
    left = picture(tasks).axes[0]
    inks = {text.get_position(): text.get_color() for text in left.texts}
    assert (inks[0, 0], inks[0, 1], inks[0, 2]) == ("black", "white", "black")  # 0.95, 0.37, 0.6
