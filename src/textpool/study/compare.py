"""What the runs of a study say together: grouped over seeds, with intervals, against a baseline."""

import csv
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import yaml

from textpool.study.record import CONFIG, PREDICTIONS, RESULT, UNNAMED, Result
from textpool.study.statistics import (
    Difference,
    Estimate,
    accuracy_on_test_set,
    difference_on_test_set,
    difference_over_seeds,
    holm,
    mean_over_seeds,
)

ALPHA = 0.05
COMPARED = ("pooling", "k", "seed", *UNNAMED)  # overrides that do not set comparisons apart

Correct = list[tuple[str, bool]]  # the label of each test sentence, and whether it was predicted


class Entry(NamedTuple):
    """A run, and where it lies."""

    result: Result
    folder: Path


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seed alone, and what they say.

    Attributes:
        name: name of the runs, without the seed.
        entries: all of them.
        block: values of the overrides that set comparisons apart.
        estimate: of the metric; None where no run has it.
        baseline: name of the row that this one is compared with; None for the baseline itself.
        difference: from the baseline, its p-value corrected for the number of comparisons; None where the two
            have neither two seeds nor a test set in common.
        over: what the intervals are about, `seeds` or `test set`; None where there is none.
    """

    name: str
    entries: list[Entry]
    block: tuple[tuple[str, str], ...]
    estimate: Estimate | None = None
    baseline: str | None = None
    difference: Difference | None = None
    over: str | None = None

    @property
    def finished(self) -> dict[int | None, Entry]:
        """Runs that ended well, by seed; the first where a seed was run twice."""
        by_seed: dict[int | None, Entry] = {}
        for entry in self.entries:
            if entry.result.status == "ok":
                by_seed.setdefault(entry.result.seed, entry)
        return by_seed

    @property
    def status(self) -> str:
        """What did not end well; empty if all did."""
        states = [entry.result.status for entry in self.entries if entry.result.status != "ok"]
        counts = {state: states.count(state) for state in dict.fromkeys(states)}
        return ", ".join(state if len(self.entries) == 1 else f"{count} {state}" for state, count in counts.items())

    @property
    def first(self) -> Result | None:
        """A finished run, for what all of them share."""
        return next((entry.result for entry in self.finished.values()), None)

    @property
    def seconds(self) -> float | None:
        """Median duration of the finished runs."""
        return median(entry.result.seconds for entry in self.finished.values()) if self.finished else None

    def values(self, metric: str) -> dict[int | None, float]:
        """A metric by seed."""
        found = {seed: entry.result.metrics.get(metric) for seed, entry in self.finished.items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the seeds."""
        values = self.values(metric).values()
        return mean(values) if values else None

    def verdict(self, metric: str) -> str:
        """Whether the difference can be told from chance, and which way it goes.

        Of one seed it is said so: the same training with another seed may come out the other way.
        """
        if self.difference is None:
            return ""
        (_, low, high), p = self.difference
        if low <= 0 <= high or p >= ALPHA:
            return "not separable"
        word = "better" if (low > 0) == is_share(metric) else "worse"
        return word if self.over == "seeds" else f"{word}, one seed"


@dataclass(frozen=True)
class Comparison:
    """Rows in the order in which their first runs were started, compared by one metric.

    Attributes:
        studies: names.
        metric: by which they are compared.
        rows: at least one.
        theory: what the configuration said to expect: `wins` and `fails` → data → strategies, and `given`, the
            overrides with which that holds.
    """

    studies: list[str]
    metric: str
    rows: list[Row]
    theory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entries(self) -> list[Entry]:
        """All runs."""
        return [entry for row in self.rows for entry in row.entries]

    @property
    def errors(self) -> list[str]:
        """Why runs failed, a line a run."""
        results = (entry.result for entry in self.entries)
        return [f"{result.run} {result.status}: {result.error}" for result in results if result.error]


def compare(
    studies: Sequence[Path], metric: str = "test/acc", baseline: str = "max", by: Sequence[str] | None = None
) -> Comparison:
    """Read what the runs of studies left on disk, and compare them.

    Args:
        studies: folders of studies.
        metric: name of the metric.
        baseline: name of the row or of the pooling from which differences are taken; where there is none, the first.
        by: overrides that set comparisons apart, such as `data`: each of their values has a baseline of its own.
            None: all overrides but those of the pooling and the seed.

    Raises:
        ValueError: if there is no run, or none that has the metric.
    """
    entries = [entry for study in studies for entry in read_study(study)]
    rows = _rows(entries, by, len(studies) > 1)
    names = {name for entry in entries for name in entry.result.metrics}
    if names and metric not in names:
        raise ValueError(f"metric: expected one of {', '.join(sorted(names))}, got {metric!r}")

    blocks: defaultdict[tuple[tuple[str, str], ...], list[Row]] = defaultdict(list)
    for row in rows:
        blocks[row.block].append(row)
    bases = {block: _baseline(members, baseline) for block, members in blocks.items()}
    read = functools.cache(_correct)  # the baseline's predictions are asked for by every row
    rows = [_estimated(row, bases[row.block], metric, read) for row in rows]
    corrected = iter(holm([row.difference.p for row in rows if row.difference]))
    rows = [
        replace(row, difference=row.difference._replace(p=next(corrected))) if row.difference else row for row in rows
    ]
    return Comparison([study.resolve().name for study in studies], metric, rows, _theory(entries))


def is_share(metric: str) -> bool:
    """Whether a metric is a share of 1, the more the better; else it is a loss, the less the better."""
    return not metric.endswith("loss")


def read_study(study: Path) -> list[Entry]:
    """The runs in a study's folder in the order of their starts, whatever became of them.

    One bad file costs its own row only.

    Raises:
        ValueError: if there is no run.
    """
    folders = sorted({path.parent for name in (RESULT, CONFIG) for path in study.glob(f"*/{name}")})
    if not folders:
        raise ValueError(f"{study}: no run in this folder: expected folders with a {RESULT}, such as {study}/max")
    entries = [Entry(_read(folder), folder) for folder in folders]
    return sorted(entries, key=lambda entry: (entry.result.started, entry.result.run))


def _read(folder: Path) -> Result:
    def broken(status: str, error: str | None) -> Result:
        return Result(folder.name, status, "", None, None, "~", 0.0, error=error, commit=None, versions={})

    try:
        return Result.read(folder)
    except FileNotFoundError:
        return broken("unfinished", None)
    except (ValueError, OSError) as error:
        return broken("failed", str(error))


def _theory(entries: Sequence[Entry]) -> dict[str, Any]:
    for entry in entries:
        try:
            config = yaml.safe_load((entry.folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        theory = config.get("theory") if isinstance(config, dict) else None
        return theory if isinstance(theory, dict) else {}  # the same for all runs of an experiment
    return {}


def _rows(entries: Sequence[Entry], by: Sequence[str] | None, several: bool) -> list[Row]:
    grouped: dict[tuple[str, str | None], list[Entry]] = {}
    known = {_name(entry, several): entry.result.group_hash for entry in entries if entry.result.group_hash}
    for entry in entries:
        name = _name(entry, several)
        # a run that left no result is told by its name alone
        grouped.setdefault((name, entry.result.group_hash or known.get(name)), []).append(entry)
    return [Row(name, members, _block(members[0].result, by)) for (name, _), members in grouped.items()]


def _name(entry: Entry, several: bool) -> str:
    name = re.sub(r"-seed[^-]*", "", entry.result.run)
    return f"{entry.folder.parent.resolve().name}/{name}" if several else name


def _block(result: Result, by: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    overrides = {name: str(value) for name, value in result.overrides.items()}
    apart = by if by is not None else sets_apart(result)
    return tuple(sorted((name, overrides.get(name, "")) for name in apart))


def sets_apart(result: Result) -> dict[str, str]:
    """The overrides of a run that set comparisons apart, as text."""
    return {name: str(value) for name, value in result.overrides.items() if not _compared(name)}


def _compared(name: str) -> bool:
    return name in COMPARED or name.startswith(("pooling.", "hydra"))


def _baseline(rows: Sequence[Row], name: str) -> Row:
    usable = [row for row in rows if row.finished] or list(rows)
    exact = [row for row in usable if row.name == name]
    same = [row for row in usable if row.first is not None and row.first.pooling == name]
    return [*exact, *same, *usable][0]


def _estimated(row: Row, base: Row, metric: str, read: Callable[[Path], Correct | None]) -> Row:
    values, reference = row.values(metric), base.values(metric)
    if not values:
        return row
    row = replace(row, baseline=None if row is base else base.name)
    if len(values) > 1:
        row = replace(row, estimate=mean_over_seeds(list(values.values())), over="seeds")
        shared = [seed for seed in values if seed in reference]
        if row.baseline is None or len(shared) < 2:
            return row
        pairs = [values[seed] for seed in shared], [reference[seed] for seed in shared]
        return replace(row, difference=difference_over_seeds(*pairs))

    [(seed, value)] = values.items()
    row = replace(row, estimate=mean_over_seeds([value]))
    correct = read(row.finished[seed].folder) if metric == "test/acc" else None
    if correct is None:
        return row
    row = replace(row, estimate=accuracy_on_test_set([right for _, right in correct]), over="test set")
    other = read(base.finished[seed].folder) if row.baseline is not None and seed in base.finished else None
    if other is None or [label for label, _ in other] != [label for label, _ in correct]:
        return row
    paired = difference_on_test_set([right for _, right in correct], [right for _, right in other])
    return replace(row, difference=paired)


def _correct(folder: Path) -> Correct | None:
    """What a run predicted rightly; None where that cannot be read."""
    try:
        with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            return [(row["label"], row["label"] == row["predicted"]) for row in csv.DictReader(file)] or None
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        return None
