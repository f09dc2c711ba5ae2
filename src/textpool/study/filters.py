"""Pictures of filters: what they look for, and what each pooling keeps of their values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from textpool.study.drawing import COLOURS, set_title, tidy
from textpool.study.words import COLOURS as SHARES


def draw_cards(cards: Sequence[Any], title: str = "") -> Figure:
    """A row for each filter: its n-grams, the histogram of its maxima by class, its weights to the classes.

    Args:
        cards: from `textpool.filters.filter_cards`.
        title: above all of them.
    """
    figure = Figure(figsize=(13, 0.6 + 2.3 * len(cards)), layout="constrained")
    grid = figure.subplots(len(cards), 3, squeeze=False, width_ratios=[1.6, 1.4, 1])
    for (ngrams, maxima, weights), card in zip(grid, cards, strict=True):
        _ngrams(ngrams, card)
        _histogram(maxima, card)
        _weights(weights, card)
    grid[0, 1].set_title("largest value in each sentence, colours as on the right", fontsize="medium")
    grid[0, 2].set_title("weights to the classes", fontsize="medium")
    set_title(figure, title)
    return figure


def _ngrams(axes: Axes, card: Any) -> None:
    longest = max((len(each.words) for each in card.ngrams), default=1)
    parts = np.full((len(card.ngrams), longest), np.nan)
    for row, each in enumerate(card.ngrams):
        parts[row, : len(each.parts)] = each.parts
    limit = float(np.nanmax(np.abs(parts), initial=1e-9))
    axes.imshow(parts / limit, cmap=SHARES, vmin=-1, vmax=1, aspect="auto")
    for row, each in enumerate(card.ngrams):
        for column, word in enumerate(each.words):
            strong = column < len(each.parts) and abs(each.parts[column]) > 0.65 * limit
            axes.text(
                column, row, word, ha="center", va="center", fontsize="small", color="white" if strong else "black"
            )
    axes.set_yticks(range(len(card.ngrams)), [f"{each.value:.2f}" for each in card.ngrams], fontsize="small")
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    cue = "" if card.with_cue is None else f"; takes a cue in {card.with_cue:.0%} of the sentences with one"
    axes.set_title(f"{card.name}{cue}", fontsize="medium", loc="left")


def _histogram(axes: Axes, card: Any) -> None:
    labels = list(card.weights)
    bins = np.linspace(0, max(*card.maxima, 1e-9), 31)
    for number, label in enumerate(labels):
        values = [value for value, own in zip(card.maxima, card.labels, strict=True) if own == label]
        colour = COLOURS[number % len(COLOURS)]
        axes.hist(values, bins=bins.tolist(), histtype="step", color=colour, linewidth=1.5, label=label)
    if card.threshold is not None:
        axes.axvline(card.threshold, color="#555555", linestyle=":")
        share = card.n_pure / len(card.maxima)
        axes.set_xlabel(
            f"from {card.threshold:.2f} on ({share:.0%} of the sentences): {card.pure_label}", fontsize="small"
        )
    axes.set_yscale("symlog", linthresh=10)
    axes.tick_params(labelsize="small")
    tidy(axes, "y")


def _weights(axes: Axes, card: Any) -> None:
    values = list(card.weights.values())
    axes.barh(range(len(values)), values, color=[COLOURS[number % len(COLOURS)] for number in range(len(values))])
    axes.set_yticks(range(len(values)), list(card.weights), fontsize="small")
    axes.invert_yaxis()
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.tick_params(labelsize="small")
    tidy(axes, "x")


def draw_kept(readings: Mapping[str, Any], title: str = "") -> Figure:
    """A row for each classifier: the values of one filter along a sentence as bars, darker the more the pooling keeps.

    Args:
        readings: name of the classifier → what it keeps, from `textpool.filters.kept`.
        title: above all of them.
    """
    widest = max(len(each.values) for each in readings.values())
    figure = Figure(figsize=(2.5 + 0.55 * widest, 1.0 + 1.9 * len(readings)), layout="constrained")
    panels = figure.subplots(len(readings), 1, squeeze=False)[:, 0]
    for axes, (name, each) in zip(panels, readings.items(), strict=True):
        strongest = max(each.shares, default=1.0) or 1.0
        colours = [SHARES(0.5 + 0.5 * (0.12 + 0.88 * share / strongest)) for share in each.shares]
        axes.bar(range(len(each.values)), each.values, color=colours, edgecolor="#888888", linewidth=0.5)
        for place, (value, share) in enumerate(zip(each.values, each.shares, strict=True)):
            if share > 0.005:
                axes.annotate(f"{share:.0%}", (place, value), ha="center", va="bottom", fontsize="x-small")
        axes.set_xticks(range(len(each.windows)), each.windows, rotation=40, ha="right", fontsize="x-small")
        axes.margins(y=0.2)
        found = ", ".join(f"{value:.2f}" for value in each.pooled[:8]) + (", …" if len(each.pooled) > 8 else "")
        axes.set_title(f"{name}: {each.name}; the pooling gives {found}", fontsize="medium", loc="left")
        tidy(axes, "y")
    figure.supxlabel("percentages: how much of the pooled values depends on each value of the filter", fontsize="small")
    set_title(figure, title)
    return figure
