"""Pictures of one evaluation: which classes are confused, how sure the classifier is, and at which lengths it errs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from textpool.study.drawing import DPI, set_title, tidy
from textpool.study.statistics import clopper_pearson

COLOUR = "#0072b2"  # of Okabe and Ito's colours
GREY = "#888888"
BINS = 10  # of equal width, of the probability of the predicted class
GROUPS = 8  # of about the same number of sentences, by length
MOST_CLASSES = 40  # in a picture; of more, the most frequent ones
MOST_NUMBERS = 15  # classes up to which the cells have numbers
LONGEST = 24  # characters of the name of a class

Integers = NDArray[np.integer]
Floats = NDArray[np.floating]


class Bin(NamedTuple):
    """A group of sentences.

    Attributes:
        size: number of sentences.
        accuracy: share of them that are classified correctly.
        low: lower end of its 95 % interval (Clopper and Pearson 1934).
        high: upper end.
        position: mean of what the sentences are grouped by.
        least: smallest of it.
        most: largest of it.
    """

    size: int
    accuracy: float
    low: float
    high: float
    position: float
    least: float
    most: float


def draw(
    labels: Sequence[str], targets: Integers, predicted: Integers, sure: Floats, lengths: Integers, title: str = ""
) -> dict[str, Figure]:
    """The pictures of an evaluation, by name: `confusion`, `reliability` and `accuracy_by_length`.

    Args:
        labels: names of the classes in the order of their numbers.
        targets: (sentences,), numbers of the classes.
        predicted: (sentences,), numbers of the predicted classes.
        sure: (sentences,), their probabilities.
        lengths: (sentences,), in tokens.
        title: what was evaluated, for each picture.
    """
    correct = predicted == targets
    figures = {
        "confusion": confusion(labels, targets, predicted),
        "reliability": reliability(correct, sure),
        "accuracy_by_length": by_length(correct, lengths),
    }
    for figure in figures.values():
        set_title(figure, title)
    return figures


def write(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each picture as PNG and as SVG; the folder is made if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def calibration_error(correct: NDArray[np.bool_], sure: Floats) -> float:
    """The expected calibration error: mean distance of accuracy and probability over bins, weighted by their sentences.

    Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), with 10 bins of equal width.

    Args:
        correct: (sentences,), whether each is classified correctly.
        sure: (sentences,), probability of the predicted class.
    """
    bins = bins_of(correct, sure, np.minimum((sure * BINS).astype(int), BINS - 1))
    return sum(each.size * abs(each.accuracy - each.position) for each in bins) / len(correct)


def bins_of(correct: NDArray[np.bool_], values: NDArray[np.number], groups: Integers) -> list[Bin]:
    """The groups of sentences that have any, in the order of their numbers.

    Args:
        correct: (sentences,), whether each is classified correctly.
        values: (sentences,), by which they are grouped.
        groups: (sentences,), number of the group of each.
    """
    found = []
    for group in np.unique(groups):
        right, inside = correct[groups == group], values[groups == group]
        interval = clopper_pearson(int(right.sum()), len(right))
        span = float(inside.mean()), float(inside.min()), float(inside.max())
        found.append(Bin(len(right), float(right.mean()), *interval, *span))
    return found


def equal_groups(lengths: Integers) -> Integers:
    """The group of each sentence, of at most 8 of about the same size; sentences of one length are in one group.

    Args:
        lengths: (sentences,), in tokens.
    """
    different, number, counts = np.unique(lengths, return_inverse=True, return_counts=True)
    if len(different) <= GROUPS:
        return number
    middle = (counts.cumsum() - counts / 2) / counts.sum()  # the share of sentences that are shorter
    return (middle * GROUPS).astype(int)[number]


def confusion(labels: Sequence[str], targets: Integers, predicted: Integers) -> Figure:
    """Classes by predicted classes: the numbers of sentences, and as colour the share of the class of the row."""
    sizes = np.bincount(targets, minlength=len(labels))
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
    place = np.full(len(labels), -1)  # of a class in the picture
    place[shown] = np.arange(len(shown))
    pairs = np.stack([place[targets], place[predicted]])
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    np.add.at(counts, tuple(pairs[:, (pairs >= 0).all(0)]), 1)
    shares = counts / np.maximum(1, sizes)[shown, None]
    names = [shortened(labels[int(each)]) for each in shown]
    size = 1.6 + 0.055 * max(map(len, names)) + (0.55 if len(shown) <= MOST_NUMBERS else 0.22) * len(shown)
    figure = Figure(figsize=(max(4.2, size + 1.1), max(3.4, size)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(shown) <= MOST_NUMBERS:
        for row, column in np.ndindex(shares.shape):
            ink = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=ink, fontsize="small")
    upright = max(map(len, names)) > 4
    axes.set_xticks(range(len(shown)), names, rotation=90 if upright else 0, fontsize="small")
    axes.set_yticks(range(len(shown)), names, fontsize="small")
    left_out = f"; the {len(shown)} most frequent of {len(labels)} classes" if len(shown) < len(labels) else ""
    axes.set_xlabel("predicted class")
    axes.set_ylabel(f"class{left_out}")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, format=PercentFormatter(1, symbol=" %"))
    bar.set_label("share of the sentences of a class", fontsize="small")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def shortened(name: str) -> str:
    """The name of a class, cut where it is too long for an axis."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def reliability(correct: NDArray[np.bool_], sure: Floats) -> Figure:
    """Accuracy against the probability of the predicted class, with 95 % intervals, above the numbers of sentences."""
    bins = bins_of(correct, sure, np.minimum((sure * BINS).astype(int), BINS - 1))
    figure = Figure(figsize=(4.8, 5), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle="--", label="calibrated")
    _points(axes, [100 * each.position for each in bins], bins)
    axes.set_ylabel("accuracy (%), 95 % interval")
    axes.legend(frameon=False, loc="upper left", fontsize="small")
    axes.set_title(f"expected calibration error: {100 * calibration_error(correct, sure):.1f} %", fontsize="small")
    below.hist(100 * sure, bins=np.linspace(0, 100, BINS + 1).tolist(), color=COLOUR, edgecolor="white")
    below.set_xlabel("probability of the predicted class (%)")
    below.set_ylabel("sentences")
    axes.set_xlim(0, 100)
    for each in (axes, below):
        tidy(each, "y")
    axes.set_ylim(-2, 102)
    return figure


def by_length(correct: NDArray[np.bool_], lengths: Integers) -> Figure:
    """Accuracy against the number of words, with 95 % intervals; the dashed line is the accuracy of all sentences."""
    bins = bins_of(correct, lengths, equal_groups(lengths))
    figure = Figure(figsize=(max(4.8, 1.6 + 0.62 * len(bins)), 3.6), layout="constrained")
    axes = figure.add_subplot()
    mean = 100 * float(correct.mean())
    axes.axhline(mean, color=GREY, linewidth=1, linestyle="--", label=f"all {len(correct):,} sentences: {mean:.1f} %")
    _points(axes, range(len(bins)), bins)
    spans = [f"{each.least:.0f}-{each.most:.0f}" if each.least < each.most else f"{each.least:.0f}" for each in bins]
    names = [f"{span}\n{each.size:,}" for span, each in zip(spans, bins, strict=True)]
    axes.set_xticks(range(len(bins)), names, fontsize="small")
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_xlabel("words in a sentence; below, number of sentences")
    axes.set_ylabel("accuracy (%), 95 % interval")
    axes.legend(frameon=False, loc="best", fontsize="small")
    tidy(axes, "y")
    low, high = axes.get_ylim()
    axes.set_ylim(max(-2, low), min(102, high))
    return figure


def _points(axes: Axes, positions: Sequence[float], bins: Sequence[Bin]) -> None:
    """The accuracies of groups in percent, with their intervals."""
    accuracies = np.array([each.accuracy for each in bins])
    bounds = np.array([(each.accuracy - each.low, each.high - each.accuracy) for each in bins]).T
    axes.errorbar(positions, 100 * accuracies, yerr=100 * bounds, fmt="o", color=COLOUR, capsize=3, linestyle="none")
