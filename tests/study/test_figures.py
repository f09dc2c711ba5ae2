"""Figures: each exists exactly where its runs allow it, and shows the numbers of the comparison."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from runs_on_disk import write_run, write_seeds
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from textpool.study import figures
from textpool.study.comparison import compare
from textpool.study.drawing import styles
from textpool.study.runs import read

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"


def drawn(study: Path, metric: str = "test/acc") -> dict[str, Figure]:
    """The figures of a study."""
    runs = read(study)
    return figures.draw(compare(runs, metric), runs)


def lines(figure: Figure, axes: int = 0) -> dict[str, tuple[list[float], list[float]]]:
    """The lines of a figure that are named in the legend."""
    found = figure.axes[axes].get_lines()
    named = [line for line in found if not str(line.get_label()).startswith("_")]
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in named
    }


def test_a_figure_for_each_question_that_the_runs_answer(tmp_path: Path) -> None:
    """Accuracy is always drawn, curves where there is a history, sizes and settings where they differ."""
    write_seeds(tmp_path, [0.5, 0.6])
    assert list(drawn(tmp_path)) == ["accuracy", "learning_curves"]
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=1, result={"n_params": 100})
    assert list(drawn(tmp_path)) == ["accuracy", "learning_curves", "against_parameters"]
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=5)
    assert list(drawn(tmp_path)) == ["accuracy", "learning_curves", "against_parameters", "against_k"]


def test_of_many_rows_the_best_are_named(tmp_path: Path) -> None:
    """2,000 rows one below the other gave a picture of 96,000 pixels; the title says how many are left out."""
    for number, value in enumerate([0.5, 0.8, 0.6, 0.7]):
        write_run(tmp_path, value, pooling=f"p{number}")
    runs = read(tmp_path)
    for metric, names in (("test/acc", ["p1", "p3"]), ("test/loss", ["p1", "p3"])):
        found = figures.draw(compare(runs, metric), runs, "Study", 2)
        for name in ("accuracy", "learning_curves"):
            assert found[name].get_suptitle() == "Study: order, 1 seed, the best 2 of 4 rows"
        assert [label.get_text() for label in found["accuracy"].axes[0].get_yticklabels()] == names
        assert list(lines(found["learning_curves"])) == names
    assert figures.draw(compare(runs), runs, "Study", 4)["accuracy"].get_suptitle() == "Study: order, 1 seed"


def test_a_search_by_random_values_is_a_cloud(tmp_path: Path) -> None:
    """Lines would join the few rows that have another setting in common by chance; a point is a row."""
    for number in range(24):
        pooling = ("max", "avg")[number % 2]
        rate = 0.5 if number < 4 else number / 100
        settings = {"optimizer.lr": rate, "model.dropout": number / 50}
        write_run(tmp_path, 0.5 + number / 100, pooling=pooling, settings=settings)
    clouds = lines(drawn(tmp_path)["against_dropout"])
    assert list(clouds) == ["max", "avg"]
    assert clouds["avg"][0] == pytest.approx([number / 50 for number in range(1, 24, 2)])
    assert clouds["avg"][1] == pytest.approx([50 + number for number in range(1, 24, 2)])


def test_runs_without_a_history_have_no_curves(tmp_path: Path) -> None:
    """A run that has trained for no epoch has no history."""
    write_run(tmp_path, 0.5, result={"history": {}})
    assert list(drawn(tmp_path)) == ["accuracy"]


def test_failures_have_no_figures(tmp_path: Path) -> None:
    """There is nothing to draw; beside finished runs, failures are left out."""
    write_run(tmp_path, None)
    assert drawn(tmp_path) == {}
    write_run(tmp_path, 0.5, pooling="avg")
    axes = drawn(tmp_path)["accuracy"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["avg"]


def test_accuracy(tmp_path: Path) -> None:
    """A point per row in percent, with its interval, a guess and the best that can be reached; the first row on top."""
    write_seeds(tmp_path, [0.5, 0.6], result={"majority_accuracy": 0.25, "bayes_accuracy": 0.9})
    write_run(tmp_path, 0.75, pooling="avg")
    axes = drawn(tmp_path)["accuracy"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["max", "avg"]
    assert axes.yaxis_inverted()
    points = [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()]
    assert [pytest.approx(55)] in points
    assert [pytest.approx(75)] in points
    assert {str(line.get_label()): np.asarray(line.get_xdata())[0] for line in axes.get_lines()[-2:]} == {
        "majority guess": pytest.approx(25),
        "best that can be reached": pytest.approx(90),
    }
    assert sorted([60.0, 50.0]) == sorted(next(each for each in points if len(each) == 2))  # a dot for each seed
    half = 12.7062 * 5  # t(0.975, 1) times the standard error in percent
    assert 55 - half < axes.get_xlim()[0] < 0  # the interval of two seeds goes on, the axis ends
    assert axes.get_xlim()[1] > 100
    assert axes.get_xlabel() == "test/acc (%), 95 % interval over seeds"


def test_a_loss_is_no_percentage(tmp_path: Path) -> None:
    """The values and the label of a loss are not in percent, and the loss of a guess is not known."""
    write_run(tmp_path, 0.75, result={"majority_accuracy": 0.25})
    axes = drawn(tmp_path, "test/loss")["accuracy"].axes[0]
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()] == [[0.25]]
    assert axes.get_xlabel() == "test/loss"


def test_learning_curves_are_of_runs_with_equal_factors(tmp_path: Path) -> None:
    """Mean over the seeds with a band from the lowest to the highest; other rows do not mix in."""
    for seed, history in enumerate(([0.5, 0.6, 0.9], [0.7, 0.8])):
        loss = [1 - accuracy for accuracy in history]
        write_run(tmp_path, seed=seed, pooling="kmax", k=3, result={"history": {"val/acc": history, "val/loss": loss}})
    write_run(tmp_path, pooling="kmax", k=5, result={"history": {"val/acc": [0.1, 0.1]}})
    write_run(tmp_path, None, pooling="kmax", k=5, seed=1, result={"history": {"val/acc": [0.9, 0.9]}})
    write_run(tmp_path, result={"history": {}})
    figure = drawn(tmp_path)["learning_curves"]
    found = lines(figure)
    assert list(found) == ["kmax-k3", "kmax-k5"]
    assert found["kmax-k3"] == ([1, 2], pytest.approx([60, 70]))  # the run that stopped early ends the mean
    assert found["kmax-k5"] == ([1, 2], pytest.approx([10, 10]))
    [band] = [area for area in figure.axes[0].collections if isinstance(area, PolyCollection)]
    corners = band.get_paths()[0].vertices
    assert (np.min(corners, axis=0).tolist(), np.max(corners, axis=0).tolist()) == (
        [1, pytest.approx(50)],
        [2, pytest.approx(80)],
    )
    assert lines(figure, axes=1) == {"kmax-k3": ([1, 2], pytest.approx([0.4, 0.3]))}
    assert [axes.get_ylabel() for axes in figure.axes] == ["val/acc (%)", "val/loss"]


def test_the_metric_against_a_setting(tmp_path: Path) -> None:
    """A line per pooling and data set, its points by size; a pooling with a single value has no line."""
    for k, accuracy in ((10, 0.9), (2, 0.5), (4, 0.7)):
        for data in ("order", "tone"):
            write_run(tmp_path, accuracy, pooling="kmax", k=k, data=data)
    write_run(tmp_path, 0.6, pooling="topk_mean", k=2, data="order")
    write_run(tmp_path, 0.6, data="order")
    figure = drawn(tmp_path)["against_k"]
    found = lines(figure)
    assert list(found) == ["kmax-order", "kmax-tone"]
    assert found["kmax-order"] == ([2, 4, 10], pytest.approx([50, 70, 90]))
    assert figure.axes[0].get_xlabel() == "k"


@pytest.mark.parametrize("values", [("valid", "none"), (True, False)])
def test_settings_that_are_no_numbers_have_no_figure(tmp_path: Path, values: tuple[Any, Any]) -> None:
    """Words and switches have no place on an axis."""
    for value in values:
        write_run(tmp_path, pooling="mine", settings={"pooling.kind": value})
    assert "against_kind" not in drawn(tmp_path)


def test_two_settings_of_one_name_have_a_figure_each(tmp_path: Path) -> None:
    """The k of a part of a composition must not replace the figure of the k of another pooling."""
    for k in (2, 4):
        write_run(tmp_path, pooling="kmax", k=k)
    write_run(tmp_path, pooling="max_kmax", k=2)
    assert "against_pooling.k" in drawn(tmp_path)
    write_run(tmp_path, pooling="max_kmax", k=4)
    found = drawn(tmp_path)
    assert list(lines(found["against_pooling.k"])) == ["kmax"]
    assert list(lines(found["against_1.k"])) == ["max_kmax"]


def test_the_metric_against_a_setting_of_the_data(tmp_path: Path) -> None:
    """A line for each pooling where a setting has at least three values; they may ask for a logarithmic axis."""
    for pooling, slope in (("max", 1.0), ("avg", -1.0)):
        for filler in (1, 2):
            write_run(tmp_path, 0.7 + slope * 0.1 / filler, pooling=pooling, settings={"data.n_filler": filler})
    assert "against_n_filler" not in drawn(tmp_path)
    for pooling, slope in (("max", 1.0), ("avg", -1.0)):
        write_run(tmp_path, 0.7 + slope * 0.1 / 16, pooling=pooling, settings={"data.n_filler": 16})
    figure = drawn(tmp_path)["against_n_filler"]
    assert {name: at for name, (at, _) in lines(figure).items()} == {"max": [1, 2, 16], "avg": [1, 2, 16]}
    assert figure.axes[0].get_xscale() == "log"


def test_the_metric_against_the_number_of_parameters(tmp_path: Path) -> None:
    """A named point per row; rows whose number is not known are left out."""
    write_run(tmp_path, 0.5, result={"n_params": 100})
    write_run(tmp_path, 0.6, pooling="avg", result={"n_params": 300})
    write_run(tmp_path, 0.7, pooling="sum", result={"n_params": None})
    figure = drawn(tmp_path)["against_parameters"]
    points = [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in figure.axes[0].lines
    ]
    assert points == [([100], [50]), ([300], [pytest.approx(60)])]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["max", "avg"]


def test_colours_markers_and_lines_tell_many_rows_apart(tmp_path: Path) -> None:
    """27 rows of one pooling, more than there are markers: no two look the same."""
    assert len(set(styles(["kmax"] * 27))) == 27


def test_a_pooling_has_the_same_colour_in_every_study() -> None:
    """Whatever else is compared; and its marker too where it stands in one row."""
    alone, among = styles(["mine"]), styles(["max", "avg", "kmax", "mine", "kmax"])
    assert among[3] == alone[0]
    assert [colour for colour, *_ in among[:3]] == ["#0072b2", "#d55e00", "#009e73"]
    assert among[2][0] == among[4][0]
    assert among[2] != among[4]


def test_rows_of_the_same_seeds_are_joined(tmp_path: Path) -> None:
    """Where each row has the same number of seeds, a line joins the values of each seed, in the order of the rows."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.7, 0.9], pooling="avg")
    axes = drawn(tmp_path)["accuracy"].axes[0]
    joined = [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()[:2]]
    assert joined == [[pytest.approx(50), pytest.approx(70)], [pytest.approx(60), pytest.approx(90)]]


def test_no_axis_goes_beyond_100_percent(tmp_path: Path) -> None:
    """An accuracy has no more; a margin of the size of a marker is left."""
    write_seeds(tmp_path, [0.99, 1.0], result={"n_params": 100})
    write_seeds(tmp_path, [1.0, 1.0], pooling="avg", result={"n_params": 200})
    found = drawn(tmp_path)
    assert found["accuracy"].axes[0].get_xlim()[1] < 103
    assert found["against_parameters"].axes[0].get_ylim()[1] < 103


def test_a_setting_of_two_values_side_by_side(tmp_path: Path) -> None:
    """A panel for each data set, a place for each strategy, a colour for each value."""
    for data in ("order", "tone"):
        for mask, better in (("valid", 0.1), ("none", 0.0)):
            for pooling in ("max", "avg"):
                write_run(tmp_path, 0.5 + better, pooling=pooling, data=data, settings={"model.window_mask": mask})
    figure = drawn(tmp_path)["by_window_mask"]
    assert [axes.get_title() for axes in figure.axes] == ["order", "tone"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["max", "avg"]
    at = [(np.asarray(line.get_xdata())[0], np.asarray(line.get_ydata())[0]) for line in figure.axes[0].get_lines()]
    points = [(float(x), round(float(y), 2)) for x, y in at]
    assert sorted(points) == [(50, 0.15), (50, 1.15), (60, -0.15), (60, 0.85)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["window_mask valid", "window_mask none"]


def test_titles_say_what_is_shown(tmp_path: Path) -> None:
    """A picture on a slide is not alone: study, data and number of seeds stand above it."""
    write_seeds(tmp_path, [0.5, 0.6])
    runs = read(tmp_path)
    figure = figures.draw(compare(runs), runs, "Study first")["accuracy"]
    assert figure.get_suptitle() == "Study first: order, 2 seeds"


@pytest.mark.slow
def test_written_as_png_as_svg_and_for_tensorboard(tmp_path: Path) -> None:
    """Each figure has all three forms; writing again replaces them, and deletes figures that no longer exist.

    The figure of the command `lengths` stays.
    """
    for k in (1, 3):
        write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=k, result={"n_params": 100 * k})
    target = tmp_path / "figures"
    names = ["accuracy", "learning_curves", "against_parameters", "against_k"]
    assert figures.write(drawn(tmp_path), target) == [target / f"{name}.png" for name in names]
    (target / "against_region.png").touch()
    (target / "against_region.svg").touch()
    (target / "lengths.svg").touch()
    written = figures.write(drawn(tmp_path), target)
    assert {path.name for path in target.glob("*.png")} == {f"{name}.png" for name in names}
    assert {path.name for path in target.glob("*.svg")} == {f"{name}.svg" for name in [*names, "lengths"]}
    for path in written:
        assert path.read_bytes().startswith(PNG)
        assert path.stat().st_size > 5_000
        assert "<svg" in path.with_suffix(".svg").read_text()
    [events] = target.glob("events.out.tfevents.*")
    images = {v.tag: v for event in EventFileLoader(str(events)).Load() for v in event.summary.value}
    assert list(images) == [f"study/{name}" for name in names]
    assert all(value.tensor.string_val[2].startswith(PNG) for value in images.values())


def test_svg_files_do_not_change_without_reason(tmp_path: Path) -> None:
    """An SVG file has no date, so that equal figures are equal files."""
    write_run(tmp_path, 0.5)
    only = {"accuracy": drawn(tmp_path)["accuracy"]}
    figures.write(only, tmp_path / "figures")
    assert "<dc:date>" not in (tmp_path / "figures" / "accuracy.svg").read_text()


def test_no_figures_leave_no_folder(tmp_path: Path) -> None:
    """Without figures, no empty folder is made."""
    assert figures.write({}, tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_curves_of_one_run_have_no_band(tmp_path: Path) -> None:
    """A band of one run would be a line."""
    write_run(tmp_path, 0.5)
    axes = drawn(tmp_path)["learning_curves"].axes[0]
    assert not axes.collections
    assert lines(drawn(tmp_path)["learning_curves"])["max"] == ([1, 2], pytest.approx([50, 60]))


def test_missing_factors_do_not_lose_curves(tmp_path: Path) -> None:
    """A factor that a run lacks is missing in its row too; the two must be found to be equal."""
    write_run(tmp_path)
    write_run(tmp_path, pooling="kmax", k=5)
    runs = read(tmp_path)
    assert pd.isna(runs["pooling.k"][0])
    assert list(lines(drawn(tmp_path)["learning_curves"])) == ["max", "kmax-k5"]


def test_settings_that_only_come_with_another_data_set_have_no_figure(tmp_path: Path) -> None:
    """A maximum length that each data set has for itself is not a comparison of lengths."""
    for data, longest in (("order", 10), ("tone", 20)):
        write_run(tmp_path, 0.5, data=data, settings={"data.max_length": longest})
    assert "by_max_length" not in drawn(tmp_path)
