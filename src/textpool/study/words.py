"""Words by strategies as a picture: what each word of a sentence contributes to its class."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

AGAINST, FOR = "#d55e00", "#0072b2"  # of Okabe and Ito's colours
COLOURS = LinearSegmentedColormap.from_list("against_for", [AGAINST, "#ffffff", FOR])
WIDEST = 40  # words side by side


class Reading(NamedTuple):
    """What a classifier reads of a sentence.

    Attributes:
        words: of the sentence.
        contributions: of each word to the logit of the class.
        answer: the class with its probability, in words for people.
    """

    words: Sequence[str]
    contributions: Sequence[float]
    answer: str


def draw_words(sentences: Sequence[Mapping[str, Reading]], titles: Sequence[str] = ()) -> Figure:
    """One panel for each sentence, with a row for each classifier; a long sentence is cut after `WIDEST` words.

    The colour of a word is its share of all that the words contribute to the logit, without signs: blue where it speaks
    for the class, orange where against.

    Args:
        sentences: name of the classifier → what it reads of the sentence.
        titles: of the panels.

    Raises:
        ValueError: if a sentence has no words.
    """
    rows = max(len(readings) for readings in sentences)
    widest = min(WIDEST, max(len(reading.words) for readings in sentences for reading in readings.values()))
    if not widest:
        raise ValueError("expected sentences with words")
    height = sum(0.95 + 0.28 * len(readings) for readings in sentences) + 0.5
    figure = Figure(figsize=(2.2 + 0.52 * widest + 1.3, height), layout="constrained")
    panels = figure.subplots(len(sentences), 1, squeeze=False)[:, 0]
    image = None
    for number, (axes, readings) in enumerate(zip(panels, sentences, strict=True)):
        words = max((reading.words for reading in readings.values()), key=len)[:WIDEST]
        shares = np.full((len(readings), widest), np.nan)
        for row, reading in enumerate(readings.values()):
            total = sum(map(abs, reading.contributions)) or 1.0
            known = reading.contributions[:WIDEST]  # a model without <UNK> reads fewer words
            shares[row, : len(known)] = [share / total for share in known]
        limit = max(0.25, float(np.nanmax(np.abs(shares))))
        image = axes.imshow(shares / limit, cmap=COLOURS, vmin=-1, vmax=1, aspect="auto")
        upright = max(map(len, words)) > 5
        axes.set_xticks(range(len(words)), words, fontsize="small", rotation=60 if upright else 0)
        if upright:
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("left")
                label.set_rotation_mode("anchor")
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(readings)), list(readings), fontsize="small")
        answers = axes.secondary_yaxis("right")
        answers.set_yticks(range(len(readings)), [reading.answer for reading in readings.values()], fontsize="small")
        for side in (axes, answers):
            side.tick_params(length=0)
            side.spines[:].set_visible(False)
        axes.set_xticks(np.arange(widest - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(readings) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        if number < len(titles):
            axes.set_title(titles[number], fontsize="medium", loc="left")
    assert image is not None
    bar = figure.colorbar(image, ax=list(panels), shrink=min(1.0, 3 / height + 0.2 * (rows > 1)), aspect=12, pad=0.02)
    bar.set_ticks([-1, 0, 1], labels=["against", "0", "for the class"])
    return figure
