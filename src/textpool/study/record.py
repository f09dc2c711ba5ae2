"""What is written of a run, and read again."""

import csv
import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

RESULT = "result.json"
CONFIG = "config.yaml"
PREDICTIONS = "predictions.csv"
OVERRIDES = "overrides.yaml"  # as the command gave them, to resume by
REFUSED = "refused.txt"  # why another run was not let in
# Overrides that are no part of a run's name, and set no comparisons apart: where it is written, how it is shown.
UNNAMED = ("study", "resume", "experiment", "overwrite", "logger", "threads", "baseline")


@dataclass(frozen=True)
class Run:
    """A run as it was asked for.

    Attributes:
        folder: where all its files go; its name is the run's name.
        choices: the file chosen in each config group, such as pooling → kmax.
        overrides: what the command set, name → value.
        arguments: the same as on the command line.
    """

    folder: Path
    choices: Mapping[str, str]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    arguments: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The run's name in tables and in TensorBoard."""
        return self.folder.name

    @property
    def command(self) -> str:
        """The command that runs this run alone."""
        return " ".join(["python scripts/train.py", *map(shlex.quote, self.arguments)])


@dataclass
class Result:
    """A run as it ended: the content of `result.json`.

    Attributes:
        run: name.
        status: `ok` or `failed`.
        error: why it failed.
        pooling: name of the strategy, as in `pooling=…`.
        seed: of the training.
        overrides: what the command set, name → value.
        metrics: of the best checkpoint, by names such as `test/acc`; shares of 1, not per cent.
        best_epoch: of that checkpoint, counted from 1.
        n_test: sentences in the test part.
        majority_accuracy: of always guessing the most frequent class.
        bayes_accuracy: the best that can be expected of any classifier, where the data know it.
        n_params: trainable parameters.
        values_per_filter: values that the pooling keeps of each filter.
        seconds: from the start of the run to the end of the test.
        config_hash: see `config_hash`; equal for runs that are the same.
        group_hash: see `group_hash`; equal for runs that differ in the seed alone.
        history: validation metrics of each epoch, by names such as `val/acc`.
        command: a command that runs this run again.
        device: on which it was trained.
        commit: of the repository, with `+changes` where it was not clean; None outside of one.
        versions: of Python and the libraries.
        started: time in UTC, ISO 8601.
    """

    run: str
    status: str
    pooling: str
    seed: int | None
    config_hash: str | None
    started: str
    seconds: float
    error: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    n_test: int | None = None
    majority_accuracy: float | None = None
    bayes_accuracy: float | None = None
    n_params: int | None = None
    values_per_filter: int | None = None
    group_hash: str | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    command: str | None = None
    device: str | None = None
    commit: str | None = field(default_factory=lambda: commit())
    versions: dict[str, str] = field(default_factory=lambda: versions())

    def write(self, folder: Path) -> None:
        """Write `result.json` whole or not at all."""
        content = asdict(self)  # NaN is no JSON
        content["metrics"] = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        write_atomic(folder / RESULT, json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """Read `result.json`.

        Raises:
            ValueError: if it is not a result; OSError if it is not there.
        """
        path = folder / RESULT
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}  # older, newer
            return cls(**known)
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
            raise ValueError(f"{path}: not the result of a run: {error}") from error


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_predictions(
    path: Path, labels: Sequence[str], targets: Iterable[int], probabilities: Iterable[Sequence[float]]
) -> None:
    """Write `predictions.csv`: index, label, predicted, and the probability of each class."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "label", "predicted", *(f"p({label})" for label in labels)])
        for index, (target, row) in enumerate(zip(targets, probabilities, strict=True)):
            predicted = max(range(len(row)), key=row.__getitem__)
            writer.writerow([index, labels[target], labels[predicted], *(f"{p:.6g}" for p in row)])


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration decides the numbers of a run.

    Left out: where the run is written, how it is shown, and `k`, which counts only where a strategy takes it.
    """
    aside = ("study", "resume", "overwrite", "logger", "k", "baseline", "theory")
    return {key: value for key, value in config.items() if key not in aside}


def config_hash(config: Mapping[str, Any]) -> str:
    """A short name for the numbers of a run: the same for configurations that mean the same."""
    return hashlib.sha256(json.dumps(decisive(config), sort_keys=True).encode()).hexdigest()[:16]


def group_hash(config: Mapping[str, Any]) -> str:
    """A short name for a configuration whatever its seed."""
    data = {name: value for name, value in config.get("data", {}).items() if name != "shuffle_seed"}
    return config_hash({**config, "data": data, "seed": None})


class RunExistsError(ValueError):
    """The folder of a run holds another run already."""


def finished_before(folder: Path, config: Mapping[str, Any]) -> Result | None:
    """Look whether a folder may take a run, and whether that run has ended well there before. Changes nothing.

    Args:
        folder: of the run.
        config: of the run, resolved. With `overwrite` it may replace another; with `resume` it may differ from it in
            the trainer's settings, such as the number of epochs.

    Raises:
        RunExistsError: if the folder holds a run with other settings, naming those.
    """
    if config.get("overwrite") or not (folder / CONFIG).exists():
        return None
    changes = changed_settings(folder, config)
    if config.get("resume"):
        fixed = [change for change in changes if not change.startswith("trainer.")]
        if fixed:
            raise RunExistsError(
                f"resume: a run goes on with its own settings but those of the trainer, got {'; '.join(fixed[:5])}"
            )
        return None
    if changes:
        raise RunExistsError(
            f"{folder} holds a run with other settings ({'; '.join(changes[:5])}): "
            "choose another study=…, or replace that run with overwrite=true"
        )
    ended = Result.read(folder) if (folder / RESULT).exists() else None
    return ended if ended is not None and ended.status == "ok" else None


def claim_folder(folder: Path, config: Mapping[str, Any], overrides: Sequence[str] = ()) -> None:
    """Make a folder the place of a run that `finished_before` lets in.

    A run that was broken off keeps its checkpoints, to go on from; one that failed, or is to be replaced, starts anew.
    """
    failed = (folder / RESULT).exists()  # had it ended well, it would not be run again
    if not config.get("resume") and (failed or config.get("overwrite")):
        for old in [*folder.glob("events.out.tfevents.*"), *folder.glob("checkpoints/*.ckpt")]:
            old.unlink()  # TensorBoard would show the old run's hyperparameters, and the new run go on from it
    for name in (RESULT, PREDICTIONS, REFUSED):
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
    write_atomic(folder / OVERRIDES, yaml.safe_dump(list(overrides)))


def changed_settings(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """What of a configuration differs from that of the run in a folder; nothing where there is none."""
    path = folder / CONFIG
    if not path.exists():
        return []
    return differences(decisive(yaml.safe_load(path.read_text(encoding="utf-8"))), decisive(config))


def differences(before: Any, after: Any, name: str = "") -> list[str]:
    """Settings in which two configurations differ, such as `optimizer.lr: 0.003, now 0.01`."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = list(dict.fromkeys([*before, *after]))
        inner = (differences(before.get(key), after.get(key), f"{name}.{key}".lstrip(".")) for key in keys)
        return [difference for found in inner for difference in found]
    return [] if before == after else [f"{name}: {before}, now {after}"]


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a run's numbers."""
    libraries = ("textpool", "torch", "lightning", "torchmetrics", "hydra-core")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in libraries}


@functools.cache
def commit() -> str | None:
    """The commit of the code, if it lies in a git repository."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
