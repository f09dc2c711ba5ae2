"""The files of a run: what they are called, and how they are written and read."""

import csv
import functools
import hashlib
import heapq
import io
import json
import math
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from textpool.checks import cut

RESULT = "result.json"
CONFIG = "config.yaml"
FACTS = "facts.json"  # what the run is, from its start on: a run that was killed has no result
PREDICTIONS = "predictions.csv"
READINGS = "readings.json"  # what each word of some test sentences contributes to the predicted class
EPOCHS = "words_over_epochs.json"  # the same of some validation sentences, after each epoch
REFUSED = "refused.txt"  # why a later run was not let into the folder, or failed without replacing the result in it

OLD = 10  # seconds after which a draft is none of a running process of another machine: writing takes much less
MOST_COLUMNS = 100  # classes of which `predictions.csv` has a column each; with 10,000, a sentence takes 100 kB
LIKELIEST = 10  # classes that it has of each sentence where they are more
SPLITS = ("train", "val", "test")  # settings of the data that may name a file


# of the counts of a result
LEAST = {"fold": 0, "best_epoch": 0, "n_train": 0, "n_test": 1, "n_params": 0, "values_per_filter": 0}


@dataclass
class Result:
    """The outcome of a run: the content of `result.json`.

    Attributes:
        run: name of the run.
        status: `ok` or `failed`.
        pooling: option chosen in the config group `pooling`.
        seed: of the training.
        started: time in UTC, ISO 8601.
        seconds: from the start of the run to the end of the test.
        factors: what tells this configuration from others, see `textpool.facts.Facts`.
        choices: the option chosen in each config group.
        overrides: what the command set, setting → value.
        follows_seed: settings whose values depend on the seed.
        fold: of a cross-validation; None: there is none.
        error: the reason of a failure.
        metrics: of the best checkpoint, by names such as `test/acc`; fractions of 1, not percentages.
        per_class: label → `precision`, `recall` and `f1` of this class on the test split, and `count`, its number of
            test sentences; a ratio whose denominator is 0 is given as 0.
        best_epoch: epoch of that checkpoint, counted from 1.
        n_train: number of training sentences.
        n_test: number of test sentences.
        test_hash: equal for runs with the same test sentences in the same order, see `sentences_hash`.
        natural_text: whether people wrote the sentences, of which there is then a finite number.
        majority_accuracy: test accuracy of always guessing the most frequent class of the training split.
        bayes_accuracy: the best accuracy that any classifier can be expected to reach, where it is known.
        shortcut_accuracy: that of the best classifier that uses less than the task tests, where it is known.
        shortcut: what this classifier uses, in words for people.
        n_params: number of trainable parameters.
        values_per_filter: number of values that the pooling keeps of each filter.
        config_hash: equal for runs that are the same, see `textpool.facts.config_hash`.
        group_hash: equal for runs that differ in the seed and the fold alone, see `textpool.facts.group_hash`.
        files: setting, such as `data.train` → hash of the content of the file that it names, see `file_hashes`.
        history: validation metrics of each epoch, by names such as `val/acc`.
        command: a command that repeats this run.
        device: on which the model was trained.
        trained_together: number of runs that were trained at once, this one included; `seconds` is one run's share.
        commit: of the repository, with `+changes` where it was not clean; None outside of a repository.
        versions: of Python and the libraries.
    """

    run: str
    status: str
    pooling: str
    seed: int | None
    started: str
    seconds: float
    factors: dict[str, Any]
    choices: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    follows_seed: list[str] = field(default_factory=list)
    fold: int | None = None
    error: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    per_class: dict[str, dict[str, float]] = field(default_factory=dict)
    best_epoch: int | None = None
    n_train: int | None = None
    n_test: int | None = None
    test_hash: str | None = None
    natural_text: bool | None = None
    majority_accuracy: float | None = None
    bayes_accuracy: float | None = None
    shortcut_accuracy: float | None = None
    shortcut: str | None = None
    n_params: int | None = None
    values_per_filter: int | None = None
    config_hash: str | None = None
    group_hash: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    command: str | None = None
    device: str | None = None
    trained_together: int = 1
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write `result.json` atomically; metrics that are not finite are left out, as JSON cannot hold them."""
        content = asdict(self)
        content["metrics"] = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        write_atomic(folder / RESULT, json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """Read `result.json`.

        Raises:
            ValueError: if it is not the result of a run, or was written by an earlier version.
            OSError: if it cannot be read.
        """
        path = folder / RESULT
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if "run" in content and "factors" not in content:
                raise ValueError(
                    "written by an earlier version of textpool, without factors: repeat its command with "
                    "overwrite=true, or compare with the commit that the file names"
                )
            return cls.of(content)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: not the result of a run: {cut(str(error))}") from error

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Result":
        """A result from its fields; others are left out.

        Raises:
            ValueError: if a field has another type than the attribute of this class, or a number is out of its range.
            TypeError: if a field is missing.
        """
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        for name, hint in get_type_hints(cls).items():
            if name in known and not has_type(known[name], hint):
                expected = str(getattr(hint, "__name__", hint) if get_origin(hint) is None else hint)
                raise ValueError(f"{name}: expected {expected}, got {cut(repr(known[name]), 80)}")
        result = cls(**known)
        if result.status not in ("ok", "failed", "unfinished"):
            raise ValueError(f"status: expected ok or failed, got {cut(repr(result.status), 80)}")
        wrong = [name for name, value in result.factors.items() if isinstance(value, list | dict)]
        if wrong or "pooling" not in result.factors:
            raise ValueError(f"factors: expected plain values and a pooling, got {cut(repr(result.factors), 80)}")
        for name, value in {**known, **result.metrics}.items():
            low, high = (0, 1) if name.endswith(("/acc", "_accuracy")) else (LEAST.get(name, -math.inf), math.inf)
            if isinstance(value, int | float) and (value < low or value > high):
                allowed = f"a number from {low} to {high}" if high == 1 else f"a number of at least {low}"
                raise ValueError(f"{name}: expected {allowed}, got {value}")
        return result


def has_type(value: Any, hint: Any) -> bool:
    """Whether a value that was read from JSON fits an annotation, those of its keys and values included."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(has_type(value, each) for each in inner)
    if origin is dict:
        return isinstance(value, dict) and all(has_type(each, inner[1]) for each in value.values())
    if origin is list:
        return isinstance(value, list) and all(has_type(each, inner[0]) for each in value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) != math.inf
    return isinstance(value, hint)


def file_hashes(config: Mapping[str, Any]) -> dict[str, str]:
    """A hash of the content of each file that a configuration names, by the name of the setting."""
    data = config.get("data")
    named = {f"data.{split}": data.get(split) for split in SPLITS} if isinstance(data, Mapping) else {}
    named["vectors"] = config.get("vectors")
    found = {}
    for name, value in named.items():
        with suppress(OSError, ValueError):  # none, or one that cannot be read: the run says it
            path = Path(value) if isinstance(value, str) else None
            if path is not None and path.is_file():
                state = path.stat()
                found[name] = _file_hash(str(path.resolve()), state.st_mtime_ns, state.st_size)
    return found


@functools.cache
def _file_hash(path: str, changed: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def remove_drafts(folder: Path, age: float = OLD) -> None:
    """Remove what writings that were killed have left in a folder; those of running processes stay.

    Args:
        folder: that they are in.
        age: seconds after which a draft is removed; 0 in a folder where no process of another machine writes now.
    """
    for draft in folder.glob(".*.*"):
        process = re.fullmatch(r"\..+\.(\d+)", draft.name)
        with suppress(OSError):  # another process removes it at the same time
            if process and time.time() - draft.stat().st_mtime >= age and not is_running(int(process[1])):
                draft.unlink()


def is_running(process: int) -> bool:
    """Whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # that of another user
        return True
    return True


def write_predictions(
    path: Path,
    labels: Sequence[str],
    targets: Iterable[int],
    probabilities: Iterable[Sequence[float]],
    texts: Sequence[str] | None = None,
) -> None:
    """Write `predictions.csv`: index, label, predicted, the probability of each class, and the text if given.

    Of more than `MOST_COLUMNS` classes, each sentence has the probability of its label and the label's rank (1: it is
    the predicted class), and its `LIKELIEST` likeliest classes with their probabilities: `p of label`,
    `rank of label`, `class 1`, `p 1`, `class 2`, …

    A text is cut to 100,000 characters, because CSV readers such as Python's refuse fields above 131,072.

    Args:
        path: of the file.
        labels: names of the classes in the order of their numbers.
        targets: (sentences,), numbers of the classes.
        probabilities: (sentences, classes); may be an iterator, of which one row at a time is in memory.
        texts: (sentences,).
    """
    table = io.StringIO()
    writer = csv.writer(table)
    few = len(labels) <= MOST_COLUMNS
    if few:
        names = [f"p({label})" for label in labels]
    else:
        listed = (f"{what} {place}" for place in range(1, LIKELIEST + 1) for what in ("class", "p"))
        names = ["p of label", "rank of label", *listed]
    writer.writerow(["index", "label", "predicted", *names, *(["text"] if texts else [])])
    for index, (target, row) in enumerate(zip(targets, probabilities, strict=True)):
        if few:
            predicted, cells = max(range(len(row)), key=row.__getitem__), [f"{p:.6g}" for p in row]
        else:
            predicted, cells = _likeliest(labels, target, row)
        text = [texts[index][:100_000]] if texts else []
        writer.writerow([index, labels[target], labels[predicted], *cells, *text])
    # half of a surrogate pair, which JSON allows in a text, has no UTF-8 code
    write_atomic(path, table.getvalue().encode("utf-8", "replace").decode("utf-8"))


def _likeliest(labels: Sequence[str], target: int, row: Sequence[float]) -> tuple[int, list[str | int]]:
    """The predicted class, and what is written of many classes."""
    first = heapq.nlargest(LIKELIEST, range(len(row)), key=row.__getitem__)  # of equals, the earlier ones
    rank = 1 + sum(p > row[target] for p in row) + sum(p == row[target] for p in row[:target])
    listed = (cell for number in first for cell in (labels[number], f"{row[number]:.6g}"))
    return first[0], [f"{row[target]:.6g}", rank, *listed]


def sentences_hash(texts: Iterable[str], labels: Iterable[str]) -> str:
    """A hash of labelled sentences and their order."""
    digest = hashlib.sha256()
    for text, label in zip(texts, labels, strict=True):
        digest.update(f"{label}\t{text}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:16]


def read_predictions(folder: Path) -> tuple[list[str], list[bool]] | None:
    """The label of each test sentence, and whether it was predicted correctly; None where that cannot be read."""
    try:
        with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            rows = [(row["label"], row["label"] == row["predicted"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        return None
    return ([label for label, _ in rows], [correct for _, correct in rows]) if rows else None


def short(path: Path) -> Path:
    """A path from the current folder if it lies there: short enough to read and to copy."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def in_words(metric: str, value: float) -> str:
    """A metric with its value: fractions in %, on the scale of the tables."""
    return f"{metric} {100 * value:.2f} %" if is_fraction(metric) else f"{metric} {value:.4f}"


def is_fraction(metric: str) -> bool:
    """Whether a metric is a fraction of 1 and better when higher; otherwise it is a loss, better when lower."""
    return not metric.endswith("loss")
