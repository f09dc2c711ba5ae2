"""The bounds of what strategies can represent, `docs/ceilings.csv`: read, written, and put beside a comparison.

`textpool ceilings` computes them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from textpool.facts import is_own
from textpool.record import write_atomic

KEY = ("pooling", "settings", "data")
COLUMNS = ("strategy", *KEY, "task", "lower", "upper", "kind")
KINDS = ("exact", "blind", "bounds")
# Settings of a data set, and of the model, that do not change what can be represented with enough filters.
WITHOUT_EFFECT = (
    *("data.n_train", "data.n_val", "data.n_test", "data.seed", "data.shuffle_seed"),
    *("data.batch_size", "data.pad_to", "data.max_length", "data.num_workers"),
    *("model.embedding_dim", "model.n_filters", "model.dropout", "model.max_norm"),
    *("model.embedding_range", "model.filter_range", "model.linear_range"),
)


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings as a text that is equal if they are: `k=8 region=10`."""
    return " ".join(f"{name}={settings[name]}" for name in sorted(settings))


def own_settings(factors: Mapping[str, Any]) -> str:
    """The settings of the pooling's own, among all factors of a row, as a text."""
    own = {name: value for name, value in factors.items() if is_own(name) and not pd.isna(value)}
    return in_words({name.removeprefix("pooling."): value for name, value in own.items()})


def task_settings(factors: Mapping[str, Any]) -> str:
    """The settings of the task and of the windows that decide what can be represented, as a text.

    Args:
        factors: dotted name → value, such as `data.n_filler`, of a whole configuration.
    """
    named = {name: value for name, value in factors.items() if name.startswith(("data.", "model."))}
    return in_words({name: value for name, value in named.items() if not has_no_effect(name)})


def has_no_effect(name: str) -> bool:
    """Whether a setting of the data set or of the model leaves the bounds as they are."""
    return name in WITHOUT_EFFECT or name.startswith("data.words.")


def read_ceilings(path: str | Path) -> pd.DataFrame:
    """Read bounds, such as `docs/ceilings.csv`.

    Returns:
        One row per strategy and task. `strategy`: its name; `pooling`, `settings`: the pooling and the settings of its
        own; `data`, `task`: the task and the settings that the bounds hold for; `lower`, `upper`: test accuracies from
        0 to 1; `kind`: `exact` if the two agree, `blind` if the upper one cannot be told from a majority guess, else
        `bounds`.

    Raises:
        ValueError: if the file is not of that form.
    """
    try:
        ceilings = pd.read_csv(
            path, keep_default_na=False, dtype=dict.fromkeys(("strategy", *KEY, "task", "kind"), str)
        )
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: not CSV: {error}") from error
    if list(ceilings.columns) != list(COLUMNS):
        raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}, got {', '.join(ceilings.columns)}")
    unknown = sorted(set(ceilings["kind"]) - set(KINDS))
    if unknown:
        raise ValueError(f"{path}: kind: expected one of {', '.join(KINDS)}, got {unknown[0]!r}")
    for name in ("lower", "upper"):
        if ceilings[name].dtype.kind not in "fi" or not ceilings[name].between(0, 1).all():
            raise ValueError(f"{path}: {name}: expected accuracies from 0 to 1")
    return ceilings


def write_ceilings(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write bounds so that a reader sees the old file or the new one, sorted by strategy and task."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS)).sort_values(list(KEY), kind="stable")
    write_atomic(path, table.to_csv(index=False, float_format="%.4f", lineterminator="\n"))


def with_ceilings(comparison: pd.DataFrame, ceilings: pd.DataFrame) -> pd.DataFrame:
    """The comparison with the columns `ceiling` and `ceiling_upper`: the bounds, or NaN where none are known.

    A row has bounds if its metric is `test/acc`, `data.n_filler` is among its factors, and the pooling, its settings,
    the task and all other factors of the data and the model that count are those of a row of `ceilings`.

    Args:
        comparison: from `textpool.study.compare`.
        ceilings: from `read_ceilings`.
    """
    known = {(row["pooling"], row["settings"], row["data"]): row for row in ceilings.to_dict("records")}
    factors = [name for name in comparison.attrs["factors"] if name in comparison]
    found = [_found({name: row[name] for name in factors}, known) for row in comparison.to_dict("records")]
    of_accuracy = comparison["metric"] == "test/acc"
    columns = {
        column: pd.Series([row.get(name) for row in found], index=comparison.index, dtype=float).where(of_accuracy)
        for column, name in (("ceiling", "lower"), ("ceiling_upper", "upper"))
    }
    with_columns = comparison.assign(**columns)
    with_columns.attrs = comparison.attrs
    return with_columns


def _found(factors: Mapping[str, Any], known: Mapping[tuple[Any, ...], Mapping[Any, Any]]) -> Mapping[Any, Any]:
    """The bounds of a row of a comparison; empty if there are none."""
    row = known.get((factors["pooling"], own_settings(factors), factors.get("data")))
    if row is None or "data.n_filler" not in factors or factors.get("model", "textcnn") != "textcnn":
        return {}
    settings = dict(setting.split("=", 1) for setting in row["task"].split(" "))
    for name, value in factors.items():
        if name.startswith(("data.", "model.")) and not has_no_effect(name) and settings.get(name) != str(value):
            return {}
    return row
