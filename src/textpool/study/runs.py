"""Finished, failed and interrupted runs on disk as one table."""

import functools
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from textpool.facts import FOLD, SHARED, differences, is_own, value_of
from textpool.record import CONFIG, FACTS, RESULT, Result, write_atomic

FIELDS = [name for name in Result.__dataclass_fields__ if name not in ("pooling", "metrics", "factors", "versions")]
STATED = ("factors", "seed", "overrides", "choices", "follows_seed", "group_hash")  # what a run states at its start
REPETITION = "repetition"  # column: the seed, with the fold of a cross-validation
FOLLOWS_SEED = "follows the seed"  # value of a factor that other runs set to a value of its own
# what `runs.csv` leaves out: it stands in each `result.json`
ASIDE = [REPETITION, "folder", "history", "command", "device", "commit", "per_class", "trained_together"]
IN_JSON = ["overrides", "choices", "follows_seed"]  # columns of lists and dictionaries
INTEGERS = ["seed", "fold", "best_epoch", "n_train", "n_test", "n_params", "values_per_filter"]


def read(folders: str | Path | Iterable[str | Path], factors: Iterable[str] = ()) -> pd.DataFrame:
    """All runs of one or more studies, whatever became of them, in the order of their starts.

    Args:
        folders: of the studies, such as `logs/first`; or tables of runs as `write_csv` writes them, `runs.csv`.
        factors: settings, such as `model.dropout`, that are to be factors although no command set them.

    Returns:
        One row per run. Columns: `study`, `folder`; the fields of `result.json` (`run`, `status`, `seed`, …);
        the factors (`pooling`, `pooling.k`, `data`, `data.n_filler`, …); the metrics (`test/acc`, …). `status` is `ok`,
        `failed`, or `unfinished` where the run has left no result. `repetition`: the seed, with the fold of a
        cross-validation. A file that cannot be read costs its own row only.

    Raises:
        ValueError: if a folder holds no run.
    """
    studies = [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
    frames = [read_csv(study) for study in studies if study.is_file()]
    runs = [run for study in studies if not study.is_file() for run in _read_study(study)]
    frames += [_frame(runs, factors)] if runs else []
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    for name in factor_names(frame):  # a table without this factor has left NaN, for which no row has a name
        frame[name] = pd.Series([None if pd.isna(value) else value for value in frame[name]], dtype=object)
    return frame.sort_values(["started", "run"], kind="stable", ignore_index=True)


def write_csv(runs: pd.DataFrame, path: Path) -> None:
    """Write a table of runs as CSV, from which `read` makes the same comparison without the folders of the runs.

    What stands in each `result.json` only: the learning curves, the command, the device and the commit; and of the
    overrides and the choices of config groups all but those from which the rows get their names.
    """
    factors = factor_names(runs)
    table = runs.drop(columns=ASIDE, errors="ignore")
    kept = {
        "overrides": [{name: row[name] for name in row if is_own(name) or name in SHARED} for row in runs["overrides"]],
        "choices": [{name: row[name] for name in factors if name in row} for row in runs["choices"]],
        "follows_seed": runs["follows_seed"],
    }
    for name, values in kept.items():
        table[name] = [json.dumps(value) for value in values]
    write_atomic(path, table.to_csv(index=False, lineterminator="\n"))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of runs that `write_csv` has written; its runs have no folder and no history.

    Raises:
        ValueError: if it is not such a table.
    """
    try:
        frame = pd.read_csv(path, low_memory=False)
        frame = frame.assign(fold=frame.get("fold"))  # earlier versions had no cross-validation
        for name in IN_JSON:
            frame[name] = pd.Series([json.loads(value) for value in frame[name]], dtype=object)
        for name in factor_names(frame):
            frame[name] = pd.Series([_plain(value) for value in frame[name]], dtype=object)
        texts = [name for name in ("error", "test_hash", "shortcut", "group_hash", "config_hash") if name in frame]
        frame[texts] = frame[texts].astype(object).where(frame[texts].notna(), None)
        frame[INTEGERS] = frame[INTEGERS].astype("Int64")
        frame[REPETITION] = _repetitions(frame)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a table of runs such as logs/first/runs.csv: {error}") from error
    frame["history"] = pd.Series([{} for _ in range(len(frame))], dtype=object)
    return frame.assign(folder=None, command=None, device=None, commit=None)


def _plain(value: Any) -> Any:
    """An integer where a column with gaps has made a float of it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _frame(runs: list[dict[str, Any]], factors: Iterable[str]) -> pd.DataFrame:
    """Runs as a table."""
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
    frame[REPETITION] = _repetitions(frame)
    return frame


def _repetitions(frame: pd.DataFrame) -> "pd.Series[Any]":
    """The seed of each run, with its fold if there is one: `3`, or `3, fold 0`."""
    of_fold = frame["fold"].map(lambda fold: "" if pd.isna(fold) else f", fold {fold}")
    return frame["seed"].astype(str).astype(object) + of_fold.astype(object)


def factor_names(frame: pd.DataFrame) -> list[str]:
    """The columns of a table of runs that are factors."""
    return [name for name in frame.columns if name not in ("study", "folder", REPETITION, *FIELDS) and "/" not in name]


def same_sentences(runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all runs, rows of a table of runs, were tested on the same sentences.

    Runs of an earlier version do not state their sentences: then those whose data follow the seed have their own.
    """
    hashes = {run["test_hash"] for run in runs}
    if all(isinstance(each, str) for each in hashes):
        return len(hashes) == 1
    own = {name for run in runs for name in run["follows_seed"] if name.startswith("data.")} - {"data.shuffle_seed"}
    return len(runs) == 1 or not own


def run_folders(study: Path) -> list[Path]:
    """The folders of the runs of a study."""
    return sorted({path.parent for name in (RESULT, CONFIG) for path in study.glob(f"*/{name}")})


def _read_study(study: Path) -> list[dict[str, Any]]:
    folders = run_folders(study)
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
        return vars(Result.of(unknown | {name: facts[name] for name in STATED} | {"fold": facts.get("fold")}))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
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
            fill(
                [
                    name
                    for name, *_ in changes
                    if name not in ("seed", FOLD, *one["follows_seed"], *other["follows_seed"])
                ]
            )
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
