"""Finished, failed and interrupted runs on disk as one table."""

import functools
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from textpool.facts import differences, is_own, value_of
from textpool.record import CONFIG, FACTS, RESULT, Result

FIELDS = [name for name in Result.__dataclass_fields__ if name not in ("pooling", "metrics", "factors", "versions")]
STATED = ("factors", "seed", "overrides", "choices", "follows_seed", "group_hash")  # what a run states at its start
FOLLOWS_SEED = "follows the seed"  # value of a factor that other runs set to a value of its own
INTEGERS = ["seed", "best_epoch", "n_test", "n_params", "values_per_filter"]


def read(folders: str | Path | Iterable[str | Path], factors: Iterable[str] = ()) -> pd.DataFrame:
    """All runs of one or more studies, whatever became of them, in the order of their starts.

    Args:
        folders: of the studies, such as `logs/first`.
        factors: settings, such as `model.dropout`, that are to be factors although no command set them.

    Returns:
        One row per run. Columns: `study`, `folder`; the fields of `result.json` (`run`, `status`, `seed`, …);
        the factors (`pooling`, `pooling.k`, `data`, `data.n_filler`, …); the metrics (`test/acc`, …). `status` is `ok`,
        `failed`, or `unfinished` where the run has left no result. A file that cannot be read costs its own row only.

    Raises:
        ValueError: if a folder holds no run.
    """
    studies = [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
    runs = [run for study in studies for run in _read_study(study)]
    _complete_factors(runs, factors)
    names = list(dict.fromkeys(name for run in runs for name in run["factors"]))
    metrics = list(dict.fromkeys(name for run in runs for name in run["metrics"]))
    columns: dict[str, Any] = {"study": [run["study"] for run in runs], "folder": [run["folder"] for run in runs]}
    columns |= {name: [run[name] for run in runs] for name in FIELDS}
    # as objects: a factor that some runs lack must not turn the integers of the others into floats
    columns |= {name: pd.Series([run["factors"].get(name) for run in runs], dtype=object) for name in names}
    columns |= {name: [run["metrics"].get(name) for run in runs] for name in metrics}
    frame = pd.DataFrame(columns)
    frame[metrics] = frame[metrics].astype(float)
    frame[INTEGERS] = frame[INTEGERS].astype("Int64")  # integers, some of them missing
    return frame.sort_values(["started", "run"], kind="stable", ignore_index=True)


def factor_names(frame: pd.DataFrame) -> list[str]:
    """The columns of a table of runs that are factors."""
    return [name for name in frame.columns if name not in ("study", "folder", *FIELDS) and "/" not in name]


def _read_study(study: Path) -> list[dict[str, Any]]:
    folders = sorted({path.parent for name in (RESULT, CONFIG) for path in study.glob(f"*/{name}")})
    if not folders:
        raise ValueError(f"{study}: no run in this folder: expected folders with a {RESULT}, such as {study}/max")
    return [{**_read_run(folder), "study": study.resolve().name, "folder": folder} for folder in folders]


def _read_run(folder: Path) -> dict[str, Any]:
    try:
        return vars(Result.read(folder))
    except FileNotFoundError:
        status, error = "unfinished", None
    except (ValueError, OSError) as problem:
        status, error = "failed", str(problem)
    unknown = vars(Result(folder.name, status, "", None, "~", 0.0, {"pooling": folder.name}, error=error))
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return unknown | {name: facts[name] for name in STATED}
    except (OSError, ValueError, KeyError, TypeError):
        return unknown


def _complete_factors(runs: Sequence[dict[str, Any]], wanted: Iterable[str]) -> None:
    """Give all runs the same factors.

    A factor that only the command of another run named has a value in this run's configuration. Settings that differ
    although all named factors are equal, such as a default that was edited between two runs, become factors too.
    Runs of which nothing is known get the values that all others share.
    """
    known = [run for run in runs if run["group_hash"] is not None]
    configs = {run["folder"]: functools.cache(functools.partial(_config, run["folder"])) for run in runs}

    def fill(names: Iterable[str]) -> None:
        for name, run in itertools.product(dict.fromkeys(names), known):
            if name not in run["factors"]:
                value = value_of(name, run["choices"], configs[run["folder"]]())
                run["factors"][name] = FOLLOWS_SEED if name in run["follows_seed"] else value

    named = [*wanted, *(name for run in known for name in run["factors"])]
    fill(name for name in named if not is_own(name))
    alike: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for run in known:
        alike[json.dumps(run["factors"], sort_keys=True)].setdefault(run["group_hash"], run)
    for one, *others in (list(by_hash.values()) for by_hash in alike.values()):
        for other in others:
            before, after = configs[one["folder"]](), configs[other["folder"]]()
            changes = differences(before, after) if before and after else []
            fill([name for name, *_ in changes if name not in ("seed", *one["follows_seed"], *other["follows_seed"])])
    for name in dict.fromkeys(name for run in known for name in run["factors"]):
        value, *more = {run["factors"].get(name) for run in known}
        for run in runs:
            run["factors"].setdefault(name, None if more or is_own(name) else value)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}
