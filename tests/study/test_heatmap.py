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

pytestmark = pytest.mark.slow


def picture(study: Path, metric: str = "test/acc", **bounds: dict[tuple[str, str], float]) -> Figure:
    """The heat map of a study, with bounds of what strategies can represent, by strategy and data."""
    comparison = compare(read(study), metric)
    for name, known in bounds.items():
        keys = zip(comparison["strategy"], comparison["data"], strict=True)
        comparison[name] = [known.get(key, np.nan) for key in keys]
    found = grid(comparison)
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


def test_cells_that_no_training_can_change_are_grey(tmp_path: Path) -> None:
    """A strategy that cannot represent more than the majority guess has a grey cell; one that can is not grey."""
    for data in ("order", "tone"):
        write_task(tmp_path, data, 0.5)
    upper = {("max", "order"): 0.5, ("max", "tone"): 0.7}
    figure = picture(tmp_path, ceiling_upper=upper, ceiling=upper)
    [grey] = figure.axes[0].patches
    assert grey.get_xy() == (-0.5, -0.5)  # pyright: ignore[reportAttributeAccessIssue]
    assert "grey: the pooling loses what the task asks for" in figure.get_supxlabel()
    assert picture(tmp_path).get_supxlabel() == "test/acc in %"


def test_cells_say_what_was_not_learned(tmp_path: Path) -> None:
    """An accuracy more than two points below what the strategy can represent has a second line."""
    write_task(tmp_path, "order", 0.70)
    write_task(tmp_path, "tone", 0.70)
    bounds = {("max", "order"): 0.95, ("max", "tone"): 0.719}
    figure = picture(tmp_path, ceiling=bounds, ceiling_upper=dict.fromkeys(bounds, 1.0))
    assert sorted(texts(figure.axes[0].texts)) == ["70", "70", "can 95"]
    assert "can 100: it can represent so much or more, but did not learn it" in figure.get_supxlabel()


def test_cells_say_how_many_seeds_solved_a_task(tmp_path: Path) -> None:
    """Where some did and some did not; where all or none did, the mean says it."""
    for seed, accuracy in enumerate((1.0, 0.6, 1.0)):
        write_task(tmp_path, "order", accuracy, seed=seed)
        write_task(tmp_path, "position", 1.0, seed=seed)
    figure = picture(tmp_path)
    assert sorted(texts(figure.axes[0].texts)) == ["100", "2/3", "87"]
    assert "7/10: seeds that solved the task" in figure.get_supxlabel()


def test_groups_are_named_on_the_right(tasks: Path) -> None:
    """Groups stand in their order, each in that of the mean accuracy; what is in none comes last."""
    found = grid(compare(read(tasks)), {"counts": ["kmax-k3", "kmax-k8"], "nothing": ["avg"]})
    assert found is not None
    assert found.strategies == ["kmax-k8", "kmax-k3", "max"]
    assert found.groups == {"counts": 2, "others": 1}
    assert {"counts", "others"} <= set(texts(heatmap(found).axes[1].texts))


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


def test_many_columns_share_the_room_of_some(tmp_path: Path) -> None:
    """With 2,000 of them the picture would have 81,000 pixels, which cannot be written; some of them have a name."""
    for number in range(200):
        write_run(tmp_path, 0.5, settings={"optimizer.lr": number})
    figure = picture(tmp_path)
    assert figure.get_size_inches()[0] < 30
    assert texts(figure.axes[0].get_xticklabels()) == [f"lr {number}" for number in range(0, 200, 3)]
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (1, 200)
