"""The pictures of an evaluation, and the numbers in them by hand."""

from pathlib import Path

import numpy as np
import pytest

from textpool.study.evaluation import (
    MOST_CLASSES,
    Bin,
    bins_of,
    by_length,
    calibration_error,
    confusion,
    draw,
    equal_groups,
    reliability,
    write,
)
from textpool.study.statistics import clopper_pearson


def test_the_calibration_error_by_hand() -> None:
    """Two bins: 2 of 4 correct at 0.75 on average, 1 of 1 at 0.95: (4 * 0.25 + 1 * 0.05) / 5."""
    correct = np.array([True, False, True, False, True])
    sure = np.array([0.71, 0.79, 0.74, 0.76, 0.95])
    assert calibration_error(correct, sure) == pytest.approx((4 * 0.25 + 0.05) / 5)


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    assert calibration_error(np.array([True, True]), np.array([1.0, 0.9])) == pytest.approx(0.05)


def test_groups_with_their_intervals() -> None:
    """3 of 4 sentences of 2 to 5 words, and none of 1."""
    correct = np.array([True, True, False, True, False])
    found = bins_of(correct, np.array([2, 3, 5, 4, 9]), np.array([0, 0, 0, 0, 7]))
    assert found == [
        Bin(4, 0.75, *clopper_pearson(3, 4), 3.5, 2.0, 5.0),
        Bin(1, 0.0, *clopper_pearson(0, 1), 9.0, 9.0, 9.0),
    ]
    assert found[1].high == pytest.approx(0.975)


def test_lengths_are_grouped_evenly() -> None:
    """At most eight groups; one length is never in two of them; few lengths have a group each."""
    lengths = np.random.default_rng(0).poisson(20, 1000)
    groups = equal_groups(lengths)
    assert np.bincount(groups).max() < 250
    assert len(np.unique(groups)) == 8
    assert all(len({*groups[lengths == length].tolist()}) == 1 for length in np.unique(lengths))
    assert equal_groups(np.array([5, 9, 5, 7])).tolist() == [0, 2, 0, 1]
    assert len({*equal_groups(np.array([3] * 90 + list(range(4, 14)))).tolist()}) == 2


def test_the_confusion_matrix_has_the_numbers_and_the_shares() -> None:
    figure = confusion(["neg", "pos"], np.array([0, 0, 0, 0, 1]), np.array([0, 1, 1, 1, 1]))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "3", "0", "1"]
    shares = axes.images[0].get_array()
    assert shares is not None
    assert shares.tolist() == [[0.25, 0.75], [0.0, 1.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["neg", "pos"]


def test_of_many_classes_the_most_frequent_are_shown() -> None:
    """The others are told; a class without sentences is no division by zero."""
    targets = np.repeat(np.arange(60), np.arange(60))  # class c has c sentences
    figure = confusion([f"a class with a long name {number}" for number in range(60)], targets, targets)
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == MOST_CLASSES
    assert names[0] == "a class with a long nam…"
    assert len(axes.texts) == 0
    assert axes.get_ylabel() == "class; the 40 most frequent of 60 classes"


def test_a_picture_of_many_classes_counts_those_that_it_shows() -> None:
    """10,000 classes, of which a table of all pairs would take 800 MB; shares are of all sentences of a class."""
    targets = np.array([9_999, 9_999, 9_999, 9_999, 5])
    figure = confusion([str(number) for number in range(10_000)], targets, np.array([9_999, 5, 77, 9_998, 5]))
    shares = figure.axes[0].images[0].get_array()
    assert shares is not None
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(names) == MOST_CLASSES
    assert shares[names.index("9999")].tolist() == [
        float(name == "9999") / 4 + float(name == "5") / 4 for name in names
    ]
    assert shares.sum() == 1.5


def test_the_points_of_the_other_pictures() -> None:
    """Accuracies in percent; the title has the calibration error, and the ticks the lengths with their counts."""
    correct = np.array([True, False, True, True])
    points = reliability(correct, np.array([0.55, 0.55, 0.95, 0.95])).axes[0]
    assert points.get_title() == "expected calibration error: 5.0 %"
    assert points.containers[0][0].get_ydata().tolist() == [50, 100]  # pyright: ignore
    ticks = by_length(correct, np.array([3, 3, 3, 8])).axes[0]
    assert [label.get_text() for label in ticks.get_xticklabels()] == ["3\n3", "8\n1"]
    assert ticks.containers[0][0].get_ydata().tolist() == pytest.approx([200 / 3, 100])  # pyright: ignore


def test_all_pictures_are_written(tmp_path: Path) -> None:
    """As PNG and SVG, with a title; one sentence and one class that is always predicted are enough."""
    figures = draw(["neg", "pos"], np.array([1]), np.array([1]), np.array([0.75]), np.array([4]), "max on mine.csv")
    assert {figure.get_suptitle() for figure in figures.values()} == {"max on mine.csv"}
    write(figures, tmp_path / "new" / "figures")
    names = {path.name for path in (tmp_path / "new" / "figures").iterdir()}
    assert names == {f"{n}.{end}" for n in ("confusion", "reliability", "accuracy_by_length") for end in ("png", "svg")}
