"""What the runs of a study read of the same test sentences."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from textpool.record import EPOCHS, READINGS
from textpool.study.words import COLOURS, Reading, draw_words

SENTENCES = 4  # of a picture
MOST_ROWS = 12  # strategies of a picture
MOST_PICTURES = 10

Explained = dict[str, list[dict[str, Any]]]


def read_readings(folder: Path | None) -> Explained | None:
    """The sentences that a run explains, `examples` and `mistakes`; None where there are none that can be read."""
    try:
        content = json.loads((Path(str(folder)) / READINGS).read_text(encoding="utf-8"))
        for each in (*content["examples"], *content["mistakes"]):
            if len(each["words"]) < len(each["contributions"]) or not isinstance(each["index"], int):
                raise ValueError(f"{folder}: as many contributions as words")
            as_reading(each)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content


def as_reading(explained: Mapping[str, Any]) -> Reading:
    """What is drawn of an explained sentence; a cross marks a wrong class."""
    wrong = " ✗" if explained["predicted"] != explained["label"] else ""
    answer = f"{explained['predicted']} {float(explained['probability']):.0%}{wrong}"
    return Reading(
        [str(word) for word in explained["words"]], [float(part) for part in explained["contributions"]], answer
    )


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
        try:
            content = json.loads((Path(str(run["folder"])) / EPOCHS).read_text(encoding="utf-8"))
            for each in content["sentences"]:
                if np.shape(each["contributions"]) != (len(content["epochs"]), len(each["words"])):
                    raise ValueError(f"{EPOCHS}: a number for each epoch and word")
                np.asarray(each["contributions"], dtype=float)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if len(found) < MOST_ROWS:
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


def first_runs(rows: pd.DataFrame, runs: pd.DataFrame) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """Each row of a comparison with its first finished run that is on disk."""
    factors = rows.attrs["factors"]
    finished = runs[(runs["status"] == "ok") & runs["folder"].notna()]
    by_key: dict[Any, dict[Any, Any]] = {}
    for run in finished.to_dict("records"):
        by_key.setdefault(tuple(run[name] for name in factors), run)
    pairs = [(row, by_key.get(tuple(row[name] for name in factors))) for row in rows.to_dict("records")]
    return [(row, run) for row, run in pairs if run is not None]


def shared(strategies: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[str, dict[str, Reading]]]:
    """The first sentences, with their class, that all strategies explain, each with what every strategy reads of it."""
    key = [{(each["index"], " ".join(map(str, each["words"]))): each for each in some} for some in strategies.values()]
    common = [place for place in (key[0] if key else ()) if all(place in each for each in key) and place[1]]
    return [
        (
            str(key[0][place]["label"]),
            {name: as_reading(each[place]) for name, each in zip(strategies, key, strict=True)},
        )
        for place in common[:SENTENCES]
    ]
