"""The table of a study."""

import csv
import io
from pathlib import Path

import pytest

from textpool.study.compare import compare
from textpool.study.record import Result


def leave(study: Path, run: str, minute: int, **values: object) -> None:
    folder = study / run
    folder.mkdir(parents=True)
    started = f"2026-01-01T00:{minute:02}:00.000+00:00"
    settings = {"n_params": 10818, "values_per_filter": 1, "n_test": 320, "best_epoch": 4, **values}
    status = "failed" if "error" in values else "ok"
    Result(run, status, run.split("-")[0], 42, "hash", started, 3.25, **settings).write(folder)  # pyright: ignore


@pytest.fixture
def study(tmp_path: Path) -> Path:
    metrics = {"test/acc": 0.996875, "test/f1": 0.9968, "test/loss": 0.01234, "val/acc": 1.0}
    leave(tmp_path / "mine", "max", 1, metrics=metrics, overrides={"pooling": "max"})
    leave(tmp_path / "mine", "kmax-k5", 2, metrics=metrics, overrides={"pooling": "kmax", "k": 5}, n_params=11586)
    leave(tmp_path / "mine", "avg", 0, metrics=metrics, overrides={"pooling": "avg"})
    leave(tmp_path / "mine", "bad", 3, error="k: expected | an integer", n_params=None, n_test=None, best_epoch=None)
    return tmp_path / "mine"


def test_markdown(study: Path) -> None:
    """Rows in the order of the sweep, shares in per cent, no empty columns, the failure with its reason."""
    text = compare(study).markdown()
    assert text.splitlines() == [
        "# Study mine",
        "",
        "| run | status | test acc | test f1 | test loss | val acc | best epoch | parameters | values per filter "
        "| seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| avg |  | 99.69 | 99.68 | 0.0123 | 100.00 | 4 | 10,818 | 1 | 3.2 |",
        "| max |  | 99.69 | 99.68 | 0.0123 | 100.00 | 4 | 10,818 | 1 | 3.2 |",
        "| kmax-k5 |  | 99.69 | 99.68 | 0.0123 | 100.00 | 4 | 11,586 | 1 | 3.2 |",
        "| bad | failed |  |  |  |  |  |  | 1 | 3.2 |",
        "",
        "All metrics are of the best epoch; acc and f1 in %. One of 320 test sentences is 0.31 points of accuracy.",
        "",
        "- bad failed: k: expected | an integer",
    ]


def test_csv_holds_every_value_as_it_is(study: Path) -> None:
    """Unrounded, with a column for every override and metric."""
    rows = list(csv.DictReader(io.StringIO(compare(study).csv())))
    assert [row["run"] for row in rows] == ["avg", "max", "kmax-k5", "bad"]
    assert (rows[2]["k"], rows[2]["test/acc"], rows[2]["n_params"]) == ("5", "0.996875", "11586")
    assert (rows[3]["status"], rows[3]["error"], rows[3]["test/acc"]) == ("failed", "k: expected | an integer", "")


def test_the_table_on_a_terminal(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every run has its row, and errors are said in full."""
    compare(study).show()
    text = capsys.readouterr().out
    assert all(run in text for run in ("avg", "max", "kmax-k5", "bad"))
    assert "bad failed: k: expected | an integer" in text


def test_a_truncated_result_costs_its_own_row_only(study: Path) -> None:
    """It is shown as failed, with the file's name."""
    path = study / "max" / "result.json"
    path.write_text(path.read_text()[:100])
    results = {result.run: result for result in compare(study).results}
    assert results["max"].status == "failed"
    assert "not the result of a run" in str(results["max"].error)
    assert results["avg"].status == "ok"


def test_a_folder_without_runs(tmp_path: Path) -> None:
    """Say what was expected."""
    with pytest.raises(ValueError, match="no finished run in this folder"):
        compare(tmp_path)
