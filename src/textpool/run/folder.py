"""The folder of a run: which run may use it, and how a finished result is kept until another replaces it."""

import json
import logging
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from textpool.checks import switch
from textpool.facts import Facts, differences, group_hash
from textpool.record import (
    CONFIG,
    EPOCHS,
    FACTS,
    PREDICTIONS,
    READINGS,
    REFUSED,
    RESULT,
    Result,
    file_hashes,
    remove_drafts,
    write_atomic,
)
from textpool.run.provenance import commit
from textpool.run.sweep import SweepProgress

log = logging.getLogger(__name__)
LOGGED = ("events.out.tfevents.*", "metrics.csv", "hparams.yaml", "wandb")  # by the loggers in a run's folder
STAGING = ".replacement"  # in a run's folder: the files of a run that is to replace the finished result there


class RunExistsError(ValueError):
    """The folder of a run holds another run already."""


@dataclass(frozen=True)
class Run:
    """A run as it was asked for.

    Attributes:
        folder: where its files go; the folder's name is the run's name.
        facts: what the run is.
        arguments: the overrides, as on the command line.
        sweep: how much of its sweep was done at its start; None: it is no part of a sweep.
        shared: folder that the jobs of its sweep share, for the duration of the sweep; None likewise.
    """

    folder: Path
    facts: Facts
    arguments: Sequence[str] = ()
    sweep: SweepProgress | None = None
    shared: Path | None = None

    @property
    def name(self) -> str:
        """The run's name in tables and in TensorBoard."""
        return self.folder.name

    @property
    def command(self) -> str:
        """A command that repeats this run."""
        return " ".join(["python scripts/train.py", *map(shlex.quote, self.arguments)])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder of a run, which is made if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


def finished_before(run: Run, config: Mapping[str, Any]) -> Result | None:
    """The result of a run that ended well in its folder before; None if the run has yet to be trained.

    Call it with the folder locked.

    Raises:
        RunExistsError: if the folder holds a run with other settings, and `overwrite` is not set.
        ValueError: if `overwrite` is neither true nor false.
    """
    switch("overwrite", config.get("overwrite", False))
    folder = run.folder
    publish(folder)
    remove_drafts(folder, age=0)
    if config.get("overwrite") or not (folder / CONFIG).exists():
        return None
    changes = changed_settings(folder, config)
    if changes:
        raise RunExistsError(
            f"{folder} holds a run with other settings ({'; '.join(changes[:5])}): "
            "choose another study=…, or replace that run with overwrite=true"
        )
    finished = finished_result(folder)
    if finished is not None:
        now = file_hashes(config)
        changed = [name for name, old in finished.files.items() if name in now and now[name] != old]
        if changed:
            raise RunExistsError(
                f"{folder} holds a run on another content of {', '.join(changed)}: "
                "choose another study=…, or replace that run with overwrite=true"
            )
        other_code = f", with other code ({finished.commit}, now {commit()})" if finished.commit != commit() else ""
        log.info("%s: finished before%s, nothing to train", run.name, other_code)
    return finished


def finished_result(folder: Path) -> Result | None:
    """The result in a folder, if there is one and it is not that of a failure."""
    if not (folder / RESULT).exists():
        return None
    result = Result.read(folder)
    return result if result.status == "ok" else None


def is_finished(folder: Path) -> bool:
    """Whether a folder holds the result of a run that ended well; a damaged result is none."""
    try:
        return finished_result(folder) is not None
    except (ValueError, OSError):
        return False


def changed_settings(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Settings in which a configuration differs from that of the run in a folder, such as `seed: 1, now 2`."""
    path = folder / CONFIG
    if not path.exists():
        return []
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError):
        before = None
    return changes(before, config) if isinstance(before, Mapping) else [f"{CONFIG}: damaged"]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Settings in which two configurations differ, such as `seed: 1, now 2`."""
    return [f"{name}: {old}, now {new}" for name, old, new in differences(before, after)]


def working_folder(folder: Path) -> Path:
    """Where a run writes its files: its folder, or the staging folder inside if a finished result stands there."""
    return staging_folder(folder) if is_finished(folder) else folder


def staging_folder(folder: Path) -> Path:
    """The staging folder of a run's folder, of the same name, since TensorBoard shows a run under this name."""
    return folder / STAGING / folder.name


def claim(target: Path, run: Run, config: Mapping[str, Any], anew: bool = False) -> None:
    """Prepare a working folder for a run, and write what the run is.

    An interrupted run keeps its checkpoints, from which it continues, unless it starts `anew`; so does one that failed,
    or that is to be replaced.
    """
    if target != run.folder:
        shutil.rmtree(target, ignore_errors=True)
    elif anew or (target / RESULT).exists() or config.get("overwrite"):
        for old in [*logged(target), *target.glob("checkpoints/*.ckpt")]:
            remove(old)  # TensorBoard would show the old run's hyperparameters, and training continue from it
    for name in (RESULT, PREDICTIONS, READINGS, EPOCHS, REFUSED):
        (target / name).unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    for draft in target.glob("checkpoints/*.draft"):
        draft.unlink(missing_ok=True)
    write_atomic(target / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
    facts = asdict(run.facts) | {"group_hash": group_hash(config, run.facts.follows_seed)}
    write_atomic(target / FACTS, json.dumps(facts, indent=2) + "\n")


def logged(folder: Path) -> list[Path]:
    """What loggers have written into a folder."""
    return [path for pattern in LOGGED for path in folder.glob(pattern)]


def remove(path: Path) -> None:
    """Remove a file, or a folder with what is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def publish(folder: Path) -> None:
    """Replace the files of a finished run by those in the staging folder, once these are complete.

    Repeated after an interruption, it ends what was begun: the result, written last, marks a complete replacement.
    """
    staging = staging_folder(folder)
    if not (staging / RESULT).exists():
        return
    for checkpoint in staging.glob("checkpoints/*.ckpt"):
        (folder / "checkpoints").mkdir(exist_ok=True)
        checkpoint.replace(folder / "checkpoints" / checkpoint.name)
    written = logged(staging)
    for old in logged(folder) if written else ():
        remove(old)
    for new in written:
        new.replace(folder / new.name)
    for name in (CONFIG, FACTS, PREDICTIONS, READINGS, EPOCHS, RESULT):
        if (staging / name).exists():
            (staging / name).replace(folder / name)
    (folder / REFUSED).unlink(missing_ok=True)
    shutil.rmtree(folder / STAGING)
