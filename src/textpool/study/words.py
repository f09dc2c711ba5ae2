"""Words by strategies as a picture: what each word of a sentence contributes to its class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from textpool.study.readings import Reading, first_runs, read_epochs, read_readings, shared

AGAINST, FOR = "#d55e00", "#0072b2"  # of Okabe and Ito's colours
COLOURS = LinearSegmentedColormap.from_list("against_for", [AGAINST, "#ffffff", FOR])
WIDEST = 40  # words side by side
MOST_ROWS = 12  # strategies of a picture
MOST_PICTURES = 10


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


def draw(rows: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Figure]:
    """Words by strategies: a picture for each data set, of sentences that all strategies there were tested on.

    Each strategy is shown by its first run. Of several rows of one strategy on the same data, the first is shown.

    Args:
        rows: of a comparison.
        runs: from `textpool.study.read`.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row, run in first_runs(rows, runs):
        strategies = found.setdefault(str(row.get("data", "")), {})
        readings = read_readings(run["folder"])
        if readings is not None and row["strategy"] not in strategies and len(strategies) < MOST_ROWS:
            strategies[row["strategy"]] = readings["examples"]
    figures = {}
    for data, strategies in list(found.items())[:MOST_PICTURES]:
        sentences = shared(strategies)
        if sentences:
            titles = [f"{number + 1}. {label}" for number, (label, _) in enumerate(sentences)]
            name = "words" if len(found) == 1 else f"words_{data}"
            figures[name] = draw_words([readings for _, readings in sentences], titles)
    return figures


def draw_over_epochs(rows: pd.DataFrame, runs: pd.DataFrame) -> Figure | None:
    """Words by epochs: a row of panels for each strategy, a panel for each sentence; None without such runs.

    The colour is the share of a word in all that the words contribute to the logit of the correct class in that epoch.
    """
    found: dict[str, dict[str, Any]] = {}
    for row, run in first_runs(rows, runs):
        content = read_epochs(run["folder"])
        if content is not None and len(found) < MOST_ROWS:
            found[row["row"]] = content
    across = max((len(content["sentences"]) for content in found.values()), default=0)
    if not across:
        return None
    figure = Figure(figsize=(1.2 + 3.4 * across, 0.6 + 2.6 * len(found)), layout="constrained")
    grid = figure.subplots(len(found), across, squeeze=False)
    for panels, (name, content) in zip(grid, found.items(), strict=True):
        for number, axes in enumerate(panels):
            if number >= len(content["sentences"]):
                axes.set_visible(False)
                continue
            sentence, epochs = content["sentences"][number], content["epochs"]
            parts = np.asarray(sentence["contributions"], dtype=float)  # (epochs, words)
            shares = parts / np.maximum(np.abs(parts).sum(1, keepdims=True), 1e-9)
            limit = max(0.25, float(np.abs(shares).max()))
            extent = (-0.5, parts.shape[1] - 0.5, epochs[-1] + 0.5, epochs[0] - 0.5)
            axes.imshow(shares, cmap=COLOURS, vmin=-limit, vmax=limit, aspect="auto", extent=extent)
            axes.set_xticks(range(parts.shape[1]), sentence["words"], rotation=90, fontsize="x-small")
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_title(f"{name}: {sentence['label']}", fontsize="small", loc="left")
            axes.set_ylabel("epoch" if number == 0 else "")
    return figure
