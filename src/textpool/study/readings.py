"""What the runs of a study read of the same test sentences, from their files; the pictures are in `words`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from textpool.record import EPOCHS, READINGS

SENTENCES = 4  # of a picture

Explained = dict[str, list[dict[str, Any]]]


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


def read_epochs(folder: Path | None) -> dict[str, Any] | None:
    """What a run read after each epoch, `epochs` and `sentences`; None where there is nothing that can be read."""
    try:
        content = json.loads((Path(str(folder)) / EPOCHS).read_text(encoding="utf-8"))
        for each in content["sentences"]:
            if np.shape(each["contributions"]) != (len(content["epochs"]), len(each["words"])):
                raise ValueError(f"{EPOCHS}: a number for each epoch and word")
            np.asarray(each["contributions"], dtype=float)
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
