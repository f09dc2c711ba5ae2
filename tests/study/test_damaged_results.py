"""Results of any content: each costs at most its own row of the table."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from runs_on_disk import write_run

from textpool.record import Result
from textpool.study import compare, read
from textpool.study.runs import STATED

WRONG: list[tuple[str, Any]] = [
    ("metrics", 5),
    ("metrics", {"test/acc": "high"}),
    ("metrics", {"test/acc": [0.5]}),
    ("metrics", None),
    ("seed", "a"),
    ("seed", 10**30),
    ("seed", [1]),
    ("seconds", "long"),
    ("seconds", None),
    ("overrides", [1]),
    ("overrides", "k=3"),
    ("history", 5),
    ("history", {"val/acc": 0.5}),
    ("history", {"val/acc": ["a"]}),
    ("started", 5),
    ("started", None),
    ("status", "fine"),
    ("status", 1),
    ("run", 5),
    ("run", None),
    ("factors", {}),
    ("factors", {"pooling": {"name": "max"}}),
    ("choices", 5),
    ("follows_seed", 5),
    ("n_test", "many"),
    ("fold", 1.5),
    ("per_class", {"a": 5}),
    ("bayes_accuracy", "all"),
    ("trained_together", None),
    ("group_hash", 5),
    ("error", 5),
]


def study_with(folder: Path, content: str) -> Path:
    """Two good runs, and one with this result."""
    write_run(folder, 0.6, pooling="max")
    write_run(folder, 0.7, pooling="avg")
    (write_run(folder, 0.8, pooling="kmax") / "result.json").write_text(content)
    return folder


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_field_of_a_wrong_type(tmp_path: Path, name: str, value: Any) -> None:
    """It costs its own row, which says which field it is."""
    content = json.loads((write_run(tmp_path / "other", 0.8, pooling="kmax") / "result.json").read_text())
    runs = read(study_with(tmp_path / "study", json.dumps({**content, name: value})))
    rows = compare(runs).set_index("row")
    assert rows.loc[["max", "avg"], "mean"].tolist() == [0.6, 0.7]
    [error] = runs["error"].dropna()
    assert f"not the result of a run: {name}: expected" in error
    assert runs.set_index("run").loc["kmax", "status"] == "failed"


@pytest.mark.parametrize("name", STATED)
def test_facts_of_a_wrong_type(tmp_path: Path, name: str) -> None:
    """Of an unfinished run, they are not believed, and cost its own row only."""
    study = study_with(tmp_path, "")
    (study / "kmax" / "result.json").unlink()
    facts = json.loads((study / "kmax" / "facts.json").read_text())
    (study / "kmax" / "facts.json").write_text(json.dumps({**facts, name: 1.5}))
    rows = compare(read(study)).set_index("row")
    assert rows.loc[["max", "avg"], "mean"].tolist() == [0.6, 0.7]
    assert rows.loc["kmax", "status"] == "unfinished"


def test_a_long_error_is_cut(tmp_path: Path) -> None:
    """No message fills the terminal."""
    study = study_with(tmp_path, json.dumps({"run": "kmax", "factors": {"pooling": "kmax"}, "status": "x" * 10**6}))
    [error] = read(study)["error"].dropna()
    assert len(error) < 2000


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5)
nested = st.recursive(plain, lambda each: st.lists(each, max_size=2) | st.dictionaries(st.text(max_size=3), each))


@given(field=st.sampled_from(sorted(Result.__dataclass_fields__)), value=nested)
@example(field="bayes_accuracy", value=-1)
@example(field="n_test", value=-1)
@example(field="metrics", value={"test/acc": 7})
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fuzzed_results(tmp_path_factory: pytest.TempPathFactory, field: str, value: Any) -> None:
    """Any JSON in any field: the other rows are as they were."""
    folder = tmp_path_factory.mktemp("study")
    content = json.loads((write_run(folder / "other", 0.8, pooling="kmax") / "result.json").read_text())
    study = study_with(folder / "study", json.dumps({**content, field: value}))
    rows = compare(read(study)).set_index("row")
    assert rows.loc[["max", "avg"], "mean"].tolist() == [0.6, 0.7]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("bayes_accuracy", -1, "bayes_accuracy: expected a number from 0 to 1, got -1"),
        ("metrics", {"test/acc": 7.5}, "test/acc: expected a number from 0 to 1, got 7.5"),
        ("n_test", 0, "n_test: expected a number of at least 1, got 0"),
    ],
)
def test_numbers_out_of_range(tmp_path: Path, field: str, value: Any, message: str) -> None:
    """They are not believed."""
    content = json.loads((write_run(tmp_path / "other", 0.8, pooling="kmax") / "result.json").read_text())
    [error] = read(study_with(tmp_path / "study", json.dumps({**content, field: value})))["error"].dropna()
    assert message in error


@given(content=st.text(max_size=40) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
@settings(max_examples=40)
def test_fuzzed_files(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    """Any text in place of a result."""
    rows = compare(read(study_with(tmp_path_factory.mktemp("study"), content))).set_index("row")
    assert rows.loc[["max", "avg"], "mean"].tolist() == [0.6, 0.7]
    assert rows.loc["kmax", "status"] == "failed"
