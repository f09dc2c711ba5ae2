"""What theory expects: the file names what exists, contradicts itself nowhere, and is held against the results."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs_on_disk import write_run, write_task

from textpool.study.comparison import compare
from textpool.study.runs import read
from textpool.study.theory import expect, read_theory, surprises

ROOT = Path(__file__).parents[2]
THEORY = read_theory(ROOT / "docs" / "theory.yaml")
DATA = ("order", "tone", "position")
SAMPLE = {
    "given": {"data.n_filler": 1},
    "wins": {"order": [{"pooling": "kmax", "k": 8}], "position": ["kmax"]},
    "fails": {"order": ["max", {"pooling": "kmax", "k": 3}], "tone": None},
}


def config_of(group: str, option: str) -> dict[str, Any]:
    """A file of a config group."""
    return yaml.safe_load((ROOT / "conf" / group / f"{option}.yaml").read_text())


def strategies(section: str, data: str) -> list[dict[str, Any]]:
    """What docs/theory.yaml lists, each strategy as its pooling and its settings."""
    listed = THEORY[section].get(data) or []
    return [{"pooling": strategy} if isinstance(strategy, str) else strategy for strategy in listed]


def test_theory_names_existing_strategies_and_settings() -> None:
    """A strategy that is renamed, or that loses a setting, must not lose its expectation silently."""
    names = [(section, data) for section in ("wins", "fails") for data in THEORY[section]]
    found = [strategy for section, data in names for strategy in strategies(section, data)]
    assert len(found) > 50
    for strategy in found:
        assert set(strategy) - {"pooling"} <= set(config_of("pooling", strategy["pooling"])), strategy


def test_theory_names_existing_data_sets() -> None:
    """Each data set exists, and has the settings that are given."""
    for data in {*THEORY["wins"], *THEORY["fails"]}:
        config = config_of("data", data)
        assert "/common/task@_here_" in config["defaults"], data
        settings = {f"data.{name}" for name in {**config_of("common", "task"), **config}}
        assert set(THEORY["given"]) <= settings, data


@pytest.mark.parametrize("data", sorted({*THEORY["wins"], *THEORY["fails"]}))
def test_theory_does_not_contradict_itself(data: str) -> None:
    """No strategy both wins and fails in a task: with equal settings, or because one of the two names none."""
    for won, failed in itertools.product(strategies("wins", data), strategies("fails", data)):
        assert any(won[name] != failed[name] for name in won.keys() & failed.keys()), (won, failed)


def test_expectations_are_a_column(tasks: Path) -> None:
    """A strategy is named with all or with certain settings; expectations exist only where the given settings hold."""
    comparison = expect(compare(read(tasks)), SAMPLE)
    assert dict(zip(comparison["row"], comparison["expected"], strict=True)) == {
        **{f"{pooling}-{data}-n_filler16": "" for pooling in ("kmax-k3", "kmax-k8", "max") for data in DATA},
        "kmax-k3-order-n_filler1": "fails",
        "kmax-k3-tone-n_filler1": "",
        "kmax-k3-position-n_filler1": "wins",
        "kmax-k8-order-n_filler1": "wins",
        "kmax-k8-tone-n_filler1": "",
        "kmax-k8-position-n_filler1": "wins",
        "max-order-n_filler1": "fails",
        "max-tone-n_filler1": "",
        "max-position-n_filler1": "",
    }
    assert comparison.attrs["factors"] == ["pooling", "data", "model", "pooling.k", "data.n_filler"]


def test_surprises(tasks: Path) -> None:
    """A strategy that fails in theory and does not, and strategies that win in theory and do not; no other row."""
    assert surprises(expect(compare(read(tasks)), SAMPLE)) == [
        "position: kmax-k3 wins in theory, and has 25.5 %, a normalized accuracy of 0.01",
        "position: kmax-k8 wins in theory, and has 25.5 %, a normalized accuracy of 0.01",
        "order: max fails in theory, and has 80.0 %, a normalized accuracy of 0.60",
    ]


@pytest.mark.parametrize(("metric", "data"), [("test/f1", "order"), ("test/acc", "elsewhere")])
def test_where_theory_says_nothing(tmp_path: Path, metric: str, data: str) -> None:
    """There are expectations for the accuracy only, and only on the data sets that the file names."""
    write_task(tmp_path, data, 0.8)
    comparison = expect(compare(read(tmp_path), metric), SAMPLE)
    assert comparison["expected"].tolist() == [""]
    assert surprises(comparison) == ["Theory says nothing about these rows."]


def test_no_surprise_is_said_too(tmp_path: Path) -> None:
    """A line says that all is as expected; a failed run is not a surprise."""
    write_task(tmp_path, "order", 0.6)
    write_task(tmp_path, "order", None, pooling="kmax", k=8)
    assert surprises(expect(compare(read(tmp_path)), SAMPLE)) == ["Every row is as theory expects."]


@pytest.mark.parametrize(
    ("accuracy", "pooling", "surprising"), [(0.9, "kmax", 0), (0.89, "kmax", 1), (0.5, "max", 0), (0.51, "max", 1)]
)
def test_the_limits(tmp_path: Path, accuracy: float, pooling: str, surprising: int) -> None:
    """A strategy wins from a normalized accuracy of 0.9 on, and fails up to one of 0.5."""
    write_run(tmp_path, accuracy, pooling=pooling)
    found = surprises(expect(compare(read(tmp_path)), {"wins": {"order": ["kmax"]}, "fails": {"order": ["max"]}}))
    assert len([line for line in found if " in theory" in line]) == surprising


def test_a_comparison_without_data(tmp_path: Path) -> None:
    """Runs of which nothing is known have no data set."""
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "config.yaml").touch()
    comparison = compare(read(tmp_path))
    assert "data" not in comparison
    assert expect(comparison, {"wins": {"order": ["max"]}, "fails": {}})["expected"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"wins: [", "not YAML"),
        (b"\xff\xfe", "not YAML"),
        (b"", "expected the sections given, wins and fails"),
        (b"- wins\n- fails", "expected the sections"),
        (b"wins: {}", "expected the sections"),
        (b"wins: {}\nfails: {}\nloses: {}", "expected the sections"),
        (b"wins: [max]\nfails: {}", r"wins: expected names with values, got \['max'\]"),
        (b"wins: {}\nfails: {}\ngiven: 1", "given: expected names with values, got 1"),
        (b"wins: {order: max}\nfails: {}", "wins: order: expected a list of strategies .*, got 'max'"),
        (b"wins: {}\nfails: {order: [{k: 3}]}", "fails: order: expected a list of strategies"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    """The error says which file, and what is expected in it."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=rf"^{path}: {message}"):
        read_theory(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the path of a file that is missing, or of a folder in its place."""
    with pytest.raises(ValueError, match=rf"^{tmp_path}/none\.yaml: cannot be read: No such file"):
        read_theory(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match=rf"^{tmp_path}: cannot be read: Is a directory"):
        read_theory(str(tmp_path))


def test_empty_sections_are_allowed(tmp_path: Path) -> None:
    """A file whose sections are still empty can be read."""
    path = tmp_path / "mine.yaml"
    path.write_text("wins:\nfails:\n  order:\n")
    assert read_theory(path) == {"wins": None, "fails": {"order": None}}
