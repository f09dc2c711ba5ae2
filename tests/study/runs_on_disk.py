"""Runs as `textpool.run` leaves them on disk, without a training: for the tests of this folder."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from textpool.facts import Facts, config_hash, group_hash
from textpool.record import CONFIG, FACTS, RESULT, Result, write_predictions

# each option of the config group `pooling` with its own settings; other names are poolings without settings
POOLINGS: dict[str, dict[str, Any]] = {
    "kmax": {"k": "${k}"},
    "topk_mean": {"k": "${k}"},
    "hierarchical": {"region": 5},
    "max_kmax": {"poolings": [{"_target_": "Max"}, {"_target_": "KMax", "k": "${k}"}]},
}
CHOICES = {"pooling": "max", "data": "order", "model": "textcnn", "optimizer": "adam"}
N_TEST = 100
STARTS = itertools.count()  # seconds


def write_run(
    study: Path,
    accuracy: float | None = 0.5,
    *,
    folder: str | None = None,
    defaults: Mapping[str, Any] | None = None,
    finished: bool = True,
    wrong: Iterable[int] | None = None,
    result: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **command: Any,
) -> Path:
    """Write one run; each run starts a second after the one that was written before.

    Args:
        study: folder of the study.
        accuracy: on the test set; the test loss is 1 minus it. None: the run failed.
        folder: name of the run's folder; None: the name that a run has that is no part of a sweep.
        defaults: settings that the configuration files had at the time, other than those here.
        finished: whether the run has left a result.
        wrong: which of the test sentences were predicted wrongly; None: there is no `predictions.csv`.
        result: fields of `result.json` that are to differ.
        settings: what the command set, setting → value.
        command: the same, for settings without a dot in their names.

    Returns:
        The folder of the run.
    """
    command |= settings or {}
    choices = {group: str(command.get(group, option)) for group, option in CHOICES.items()}
    described = OmegaConf.create(
        {
            "study": "unnamed",
            "seed": 0,
            "k": 3,
            "pooling": {"_target_": choices["pooling"], **POOLINGS.get(choices["pooling"], {})},
            "data": {"name": choices["data"], "n_filler": 1, "seed": 42, "shuffle_seed": "${seed}", "train": None},
            "model": {"name": choices["model"], "dropout": 0.5},
            "optimizer": {"name": choices["optimizer"], "lr": 0.001},
        }
    )
    for name, value in {**(defaults or {}), **command}.items():
        if name not in choices:
            OmegaConf.update(described, name, value)
    config, reseeded = _resolved(described), _resolved(OmegaConf.merge(described, {"seed": 1000}))
    facts = Facts.of(config, reseeded, choices, command)
    path = study / (folder or facts.folder_name)
    path.mkdir(parents=True)
    number = next(STARTS)
    grouped = group_hash(config, facts.follows_seed)
    (path / CONFIG).write_text(yaml.safe_dump(config))
    (path / FACTS).write_text(json.dumps(asdict(facts) | {"group_hash": grouped}))
    if not finished:
        return path
    fields: dict[str, Any] = {
        "run": path.name,
        "status": "ok",
        "pooling": choices["pooling"],
        "seed": facts.seed,
        "fold": facts.fold,
        "started": f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        "seconds": 3.25,
        "factors": dict(facts.factors),
        "choices": choices,
        "overrides": command,
        "follows_seed": list(facts.follows_seed),
        "n_test": N_TEST,
        "n_params": 10818,
        "values_per_filter": 1,
        "config_hash": config_hash(config),
        "group_hash": grouped,
        "history": {"val/acc": [0.5, 0.6], "val/loss": [0.7, 0.4]},
    }
    if accuracy is None:
        fields |= {"status": "failed", "error": "k: expected an integer of at least 1, got 0", "history": {}}
    else:
        fields["metrics"] = {"test/acc": accuracy, "test/f1": accuracy, "test/loss": 1 - accuracy}
    Result(**fields | dict(result or {})).write(path)
    if wrong is not None:
        write_test_predictions(path, wrong)
    return path


def write_seeds(study: Path, accuracies: Sequence[float], **options: Any) -> list[Path]:
    """Write runs with the seeds 0, 1, 2, …, and with the accuracies given."""
    return [write_run(study, accuracy, seed=seed, **options) for seed, accuracy in enumerate(accuracies)]


def write_task(
    study: Path,
    data: str,
    accuracy: float | None,
    filler: int = 1,
    settings: Mapping[str, Any] | None = None,
    **command: Any,
) -> Path:
    """A run on a task, with the accuracies of a guess and of the best classifier."""
    limits = {"majority_accuracy": 0.25 if data == "position" else 0.5, "bayes_accuracy": 0.9 if data == "tone" else 1}
    return write_run(
        study, accuracy, data=data, result=limits, settings={"data.n_filler": filler, **(settings or {})}, **command
    )


def write_test_predictions(run: Path, wrong: Iterable[int]) -> None:
    """Write predictions for the test sentences, whose labels are no and yes in turn."""
    targets, wrong = [index % 2 for index in range(N_TEST)], set(wrong)
    predicted = [1 - target if index in wrong else target for index, target in enumerate(targets)]
    probabilities = [[0.1, 0.9] if guess else [0.9, 0.1] for guess in predicted]
    write_predictions(run / "predictions.csv", ["no", "yes"], targets, probabilities)


def cut_short(run: Path) -> None:
    """Leave only the beginning of a result, as a full disk or another program may."""
    (run / RESULT).write_text('{"run": "')


def forget(run: Path) -> None:
    """Leave a run of an earlier version: a result without factors, and no facts."""
    content = json.loads((run / RESULT).read_text())
    del content["factors"]
    (run / RESULT).write_text(json.dumps(content))
    (run / FACTS).unlink()


def _resolved(described: Any) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(described, resolve=True)
    return plain
