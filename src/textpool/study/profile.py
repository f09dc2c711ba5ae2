"""A performance profile: how often each strategy reaches each normalized accuracy, over all tasks and seeds."""

import numpy as np
from matplotlib.figure import Figure

from textpool.study.drawing import COLOURS, LINES, tidy
from textpool.study.grid import Grid

MOST = 7  # lines that can be told apart
STEPS = 201  # normalized accuracies at which a profile is computed
DRAWS = 500  # bootstrap samples of a band


def draw(grid: Grid) -> dict[str, Figure]:
    """One figure for each panel of the grid with enough tasks: `profile`, `profile_2` and so on."""
    found = [(title, grid.over_tasks(panel)) for title, panel in grid.panels.items()]
    profiles = [profile(values, title) for title, values in found if len(values) > 1]
    return {f"profile_{number}" if number > 1 else "profile": figure for number, figure in enumerate(profiles, start=1)}


def profile(strategies: dict[str, list[list[float]]], title: str = "") -> Figure:
    """The share of runs above each normalized accuracy, with a band over other seeds on the same tasks.

    The height at 0.9 is the share of runs that reach more than 0.9; a higher line is better. Each task has the same
    weight. The band is a pointwise 95 % interval of the stratified bootstrap.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264),
    figure 4; Dolan and Moré 2002 (arXiv cs/0102001).

    Args:
        strategies: name → for each task the normalized accuracies of its seeds; the first ones are drawn.
        title: of the figure.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    heights = np.linspace(0, 1, STEPS)
    for number, (name, tasks) in enumerate(list(strategies.items())[:MOST]):
        colour, line = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
        axes.step(heights, 100 * _above(tasks, heights), where="post", color=colour, linestyle=line, label=name)
        rng = np.random.default_rng(0)
        samples = [_above([rng.choice(task, len(task)).tolist() for task in tasks], heights) for _ in range(DRAWS)]
        low, high = np.quantile(samples, [0.025, 0.975], axis=0)
        axes.fill_between(heights, 100 * low, 100 * high, step="post", color=colour, alpha=0.12, linewidth=0)
    more = len(strategies) - MOST
    axes.set_xlabel("normalized accuracy: 0 is the strongest shortcut or a guess, 1 the best")
    axes.set_ylabel("runs above it, over all tasks (%)")
    axes.set_ylim(0, 102)
    axes.set_title(
        " ".join([title, f"(the best {MOST} of {len(strategies)})" if more > 0 else ""]).strip(), fontsize="medium"
    )
    figure.legend(loc="outside right upper", frameon=False)
    tidy(axes, "both")
    return figure


def _above(tasks: list[list[float]], heights: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray":
    """The share of runs with a value above each height, the mean over the tasks."""
    return np.mean([(np.asarray(task)[:, None] > heights).mean(0) for task in tasks], axis=0)
