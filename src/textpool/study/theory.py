"""What theory expects of strategies on data sets, held against a comparison."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

WINS, FAILS = 0.9, 0.5  # normalized accuracy from which on a strategy wins, and up to which it fails


def read_theory(path: str | Path) -> dict[str, Any]:
    """Read expectations, such as `docs/theory.yaml`.

    Raises:
        ValueError: if the file is not of that form.
    """
    try:
        theory = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(theory, dict) or not {"wins", "fails"} <= set(theory) <= {"given", "wins", "fails"}:
        raise ValueError(f"{path}: expected the sections given, wins and fails")
    for section, content in theory.items():
        if not isinstance(content or {}, dict):
            raise ValueError(f"{path}: {section}: expected names with values, got {content!r}")
    for section, data, strategies in _listed(theory):
        if not isinstance(strategies, list) or not all(map(_is_strategy, strategies)):
            raise ValueError(
                f"{path}: {section}: {data}: expected a list of strategies such as max or {{pooling: kmax, k: 3}}, "
                f"got {strategies!r}"
            )
    return theory


def expect(comparison: pd.DataFrame, theory: Mapping[str, Any]) -> pd.DataFrame:
    """The comparison with a column `expected`: `wins`, `fails`, or empty where theory says nothing.

    Args:
        comparison: from `textpool.study.compare`.
        theory: `given`: factors with the values for which the rest holds; `wins` and `fails`: for each data set a list
            of strategies, each a pooling (`max`) or a pooling with settings (`{pooling: kmax, k: 3}`).
    """
    rows = comparison.to_dict("records")
    expected = [_expected({str(name): value for name, value in row.items()}, theory) for row in rows]
    with_column = comparison.assign(expected=expected)
    with_column.attrs = comparison.attrs
    return with_column


def surprises(comparison: pd.DataFrame) -> list[str]:
    """The rows that did not come out as expected, one line each; or a line that says that there are none."""
    if not comparison["expected"].any():
        return ["Theory says nothing about these rows."]
    lines = []
    for row in comparison.to_dict("records"):
        normalized = row["normalized"]
        if row["expected"] and (normalized < WINS if row["expected"] == "wins" else normalized > FAILS):
            lines.append(
                f"{row['data']}: {row['strategy']} {row['expected']} in theory, and has {100 * row['mean']:.1f} %, a "
                f"normalized accuracy of {normalized:.2f}"
            )
    return lines or ["Every row is as theory expects."]


def _listed(theory: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The lists of strategies: section, data set, list."""
    for section in ("wins", "fails"):
        for data, strategies in (theory.get(section) or {}).items():
            yield section, data, strategies or []


def _is_strategy(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "pooling" in value)


def _expected(row: Mapping[str, Any], theory: Mapping[str, Any]) -> str:
    given = theory.get("given") or {}
    if row["metric"] != "test/acc" or any(row.get(name) != value for name, value in given.items()):
        return ""
    for section, data, strategies in _listed(theory):
        for strategy in strategies if data == row.get("data") else ():
            settings = {"pooling": strategy} if isinstance(strategy, str) else dict(strategy)
            pooling = settings.pop("pooling")
            if row["pooling"] == pooling and all(row.get(f"pooling.{name}") == v for name, v in settings.items()):
                return section
    return ""
