"""What all figures share: colours, markers and lines, the frame of an axis, the place of a title."""

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito 2008; told apart by marker and line as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
DPI = 150  # of the PNG files and of TensorBoard's images

Style = tuple[str, str, str]  # colour, marker, line
# Poolings that most studies have: each has a colour of its own. Any other has one that follows from its name.
FAMILIAR = ("max", "avg", "kmax", "attention", "sum", "max_avg", "first")


def styles(poolings: Iterable[str]) -> list[Style]:
    """A colour, a marker and a line for each row by its pooling; no two are alike, up to 28 rows of one pooling.

    A pooling has the same colour in every figure of every study, and the same marker where it stands in one row.
    """
    found: list[Style] = []
    for pooling in poolings:
        own = FAMILIAR.index(pooling) if pooling in FAMILIAR else len(FAMILIAR) + crc32(pooling.encode())
        colour = own % len(COLOURS)
        first = own // len(COLOURS) + colour
        looks = ((line, MARKERS[(first + turn) % len(MARKERS)]) for line in LINES for turn in range(len(MARKERS)))
        alike = [(COLOURS[colour], marker, line) for line, marker in looks]
        found.append(next((style for style in alike if style not in found), alike[0]))
    return found


def styled(rows: pd.DataFrame) -> Iterable[tuple[dict[Any, Any], Style]]:
    return zip(rows.to_dict("records"), styles(rows["pooling"].astype(str)), strict=True)


def set_title(figure: Figure, *parts: str) -> None:
    """Write a title above a figure, at its left, of those parts that are not empty; nothing if all are."""
    if text := ": ".join(filter(None, parts)):
        figure.suptitle(text, fontsize="medium", x=0.01, ha="left")


def tidy(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
