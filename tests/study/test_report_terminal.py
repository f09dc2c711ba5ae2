"""What a report says to a reader: the grid first, rows in an order of choice, and why a difference is missing."""

import io
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from runs_on_disk import write_run, write_seeds, write_task, write_test_predictions

from textpool.commands import compare as command
from textpool.study import tables
from textpool.study.comparison import compare, sort
from textpool.study.report import report
from textpool.study.runs import read

pytestmark = pytest.mark.slow


def reasons(study: Path, metric: str = "test/acc") -> dict[str, str]:
    """Why each row has no difference."""
    comparison = compare(read(study), metric)
    return dict(zip(comparison["row"], comparison["no_difference"], strict=True))


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Let the output be a terminal of some width."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))


def test_the_grid_comes_before_the_rows(tasks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a study over several data sets: first which strategy is good where, then the rows with their intervals."""
    report([tasks])
    printed = capsys.readouterr().out
    grid_row = re.search(r"^ *kmax-k8 +97\.5 \[91\.1, 103\.9\] +70\.5 \[", printed, flags=re.MULTILINE)
    row = re.search(r"^ *kmax-k8-order-n_filler1 ", printed, flags=re.MULTILINE)
    assert grid_row is not None
    assert row is not None
    assert printed.index(f"Study {tasks.name}") < grid_row.start() < printed.index("Rows") < row.start()
    assert "rows: comparison.md" not in printed


def test_a_study_of_one_data_set_has_rows_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing that a grid could show."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="avg")
    report([tmp_path])
    printed = capsys.readouterr().out
    assert printed.startswith(f"Study {tmp_path.name}")
    assert "Rows" not in printed


@pytest.mark.parametrize(
    ("name", "difference", "left_out"),
    [("avg_pooled", r"-1\.00 \[-13", "means"), ("hierarchical_with_a_long_name", r"-1\.00  +", "differences")],
)
def test_no_cell_is_cut_on_a_narrow_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    difference: str,
    left_out: str,
) -> None:
    """Where even the last columns do not fit, intervals go, those of the means first, and the table says so."""
    write_seeds(tmp_path, [0.99, 1.0])
    write_seeds(tmp_path, [0.99, 0.98], pooling=name)
    write_run(tmp_path, None, pooling="kmax", k=0)
    on_terminal(monkeypatch, 80)
    report([tmp_path])
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    table = printed[: printed.index("Too narrow here for")]
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= 80
    assert re.search(rf"{name} +98\.50 +{difference}", table)
    assert f"intervals of the {left_out}: see comparison.md" in " ".join(printed.split())


def sorted_rows(study: Path, column: str, capsys: pytest.CaptureFixture[str], form: str = "json") -> list[str]:
    """The names of the rows as compare.py prints them."""
    report([study], form=form, order=column)
    printed = capsys.readouterr().out
    if form == "json":
        return [row["row"] for row in json.loads(printed)]
    if form == "csv":
        return pd.read_csv(io.StringIO(printed))["row"].tolist()
    row = {"md": r"^\| (\w+)", "latex": r"^(\w+) +&", "table": r"^ +(\w+)  "}[form]
    names = re.findall(row, printed, flags=re.MULTILINE)
    return names[names.index("run") + 1 :]


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """Four poolings: c is the most accurate, a the fastest and smallest, d failed."""
    for pooling, accuracy, seconds, n_params in (("max", 0.5, 3, 30), ("c", 0.9, 4, 20), ("a", 0.7, 1, 10)):
        fields = {"seconds": float(seconds), "n_params": n_params}
        write_seeds(tmp_path, [accuracy, accuracy + 0.1], pooling=pooling, result=fields)
    write_run(tmp_path, None, pooling="d")
    return tmp_path


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("mean", ["c", "a", "max", "d"]),
        ("difference", ["c", "a", "max", "d"]),
        ("n_params", ["a", "c", "max", "d"]),
        ("seconds", ["a", "max", "c"]),
        ("row", ["a", "c", "d", "max"]),
        ("pooling", ["a", "c", "d", "max"]),
    ],
)
def test_rows_are_sorted(four: Path, capsys: pytest.CaptureFixture[str], column: str, expected: list[str]) -> None:
    """The best first, the smallest and the fastest first, names by the alphabet; what has no value comes last."""
    assert [name for name in sorted_rows(four, column, capsys) if name in expected] == expected


@pytest.mark.parametrize("form", ["table", "csv", "json", "md", "latex"])
def test_every_format_is_sorted_alike(four: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Whoever reads the output gets the same rows in the same order."""
    assert sorted_rows(four, "mean", capsys, form) == ["c", "a", "max", "d"]


def test_the_files_of_the_study_are_sorted(four: Path) -> None:
    """What is on the terminal is in comparison.md and comparison.csv."""
    report([four], order="mean")
    assert pd.read_csv(four / "comparison.csv")["row"].tolist() == ["c", "a", "max", "d"]
    rows = [line.split()[1] for line in (four / "comparison.md").read_text().splitlines() if line.startswith("| ")]
    assert rows == ["run", "c", "a", "max", "d"]


def test_the_loss_is_better_when_lower(four: Path) -> None:
    """The best row comes first whatever is measured."""
    assert sort(compare(read(four), "test/loss"), "mean")["row"].tolist() == ["c", "a", "max", "d"]


def test_numbers_and_words_of_a_factor_can_be_sorted(tmp_path: Path) -> None:
    """It is missing where a pooling has none, and may be a word."""
    for k in (10, 9):
        write_run(tmp_path, pooling="kmax", k=k)
    write_run(tmp_path)
    assert sort(compare(read(tmp_path)), "pooling.k")["row"].tolist() == ["kmax-k9", "kmax-k10", "max"]
    write_run(tmp_path, pooling="kmax", k="all")
    assert len(sort(compare(read(tmp_path)), "pooling.k")) == 4


def test_the_grid_is_not_sorted(tasks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its columns stay in the order of the study, whatever the rows are sorted by."""
    write_task(tasks, "spread", 0.5, pooling="max")
    for order in (None, "mean", "row"):
        report([tasks], form="md", order=order)
        assert re.search(r"order +\| +tone +\| +position +\| +spread", capsys.readouterr().out)


def test_an_unknown_column_is_refused(
    four: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the names that there are, and before anything is printed or written."""
    monkeypatch.setattr(sys, "argv", ["compare.py", str(four), "--sort", "speed"])
    with pytest.raises(SystemExit, match=r"error: sort: expected one of row, .*mean, .*seconds.*, got 'speed'"):
        command.main()
    assert capsys.readouterr().out == ""
    assert not (four / "comparison.md").exists()


def test_the_command_sorts(four: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`scripts/compare.py STUDY --sort mean`."""
    monkeypatch.setattr(sys, "argv", ["compare.py", str(four), "--sort", "mean", "--format", "json"])
    command.main()
    assert [row["row"] for row in json.loads(capsys.readouterr().out)] == ["c", "a", "max", "d"]


def test_why_a_row_of_several_seeds_has_no_difference(tmp_path: Path) -> None:
    """The baseline itself, no common seed, one common seed, no result; else nothing."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.6], pooling="good")
    for pooling, seeds in {"none": (7, 8), "one": (1, 8)}.items():
        for seed in seeds:
            write_run(tmp_path, 0.9, pooling=pooling, seed=seed)
    write_run(tmp_path, None, pooling="failed")
    assert reasons(tmp_path) == {
        "max": "baseline",
        "good": "",
        "none": "no seed in common with the baseline",
        "one": "only one seed in common with the baseline",
        "failed": "no finished run with test/acc",
    }


def test_why_a_row_of_one_seed_has_no_difference(tmp_path: Path) -> None:
    """Predictions that are missing or of other sentences, another seed, another metric."""
    write_run(tmp_path, 0.7, wrong=range(30))
    write_run(tmp_path, 0.8, pooling="good", wrong=range(20))
    write_run(tmp_path, 0.8, pooling="missing")
    other = write_run(tmp_path, 0.8, pooling="other", wrong=range(20)) / "predictions.csv"
    other.write_text(other.read_text().replace("\n0,no,", "\n0,yes,"))
    write_run(tmp_path, 0.8, pooling="seed", seed=9, wrong=range(20))
    assert reasons(tmp_path) == {
        "max": "baseline",
        "good": "",
        "missing": "no whole predictions.csv",
        "other": "predictions.csv is of other sentences than that of the baseline",
        "seed": "no seed in common with the baseline",
    }
    assert reasons(tmp_path, "test/f1")["good"] == "only one seed, which is not enough for test/f1"


def test_the_baseline_may_be_the_reason(tmp_path: Path) -> None:
    """It lost its predictions."""
    write_run(tmp_path, 0.7)
    write_run(tmp_path, 0.8, pooling="avg", wrong=range(20))
    assert reasons(tmp_path)["avg"] == "the baseline has no whole predictions.csv"
    write_test_predictions(tmp_path / "max", range(30))
    assert reasons(tmp_path)["avg"] == ""


def test_the_caption_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each reason once, with its rows; a row without a mean has a status that says enough."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="good")
    for number in range(6):
        for seed in (7, 8):
            write_run(tmp_path, 0.9, pooling=f"alone{number}", seed=seed)
    write_run(tmp_path, None, pooling="failed")
    alone = "alone0, alone1, alone2 and 3 more (no seed in common with the baseline)"
    expected = f"Without a difference: {alone}. open: neither"
    assert expected in tables.caption(compare(read(tmp_path)))
    report([tmp_path])
    assert expected in " ".join(capsys.readouterr().out.split())
    assert expected in (tmp_path / "comparison.md").read_text()


def test_a_single_row_needs_no_reason(tmp_path: Path) -> None:
    """A table without any comparison has nothing to explain."""
    write_run(tmp_path, 0.7)
    assert "Without" not in tables.caption(compare(read(tmp_path)))
