"""The report of a study: what is printed for which width, and which files are written."""

import re
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest
from runs_on_disk import write_run, write_seeds, write_task

from textpool.study import report as module
from textpool.study.comparison import compare
from textpool.study.grid import grid
from textpool.study.report import report, show
from textpool.study.runs import read

pytestmark = pytest.mark.slow

FILES = ["comparison.csv", "comparison.md", "figures", "report.html", "runs.csv"]


def files(study: Path) -> list[str]:
    """What stands in the folder of a study beside its runs and the lock of its reports."""
    names = {path.name for path in study.iterdir() if not (path / "config.yaml").exists()}
    return sorted(names - {".report.lock"})


def shown(study: Path) -> None:
    """Print the comparison of a study."""
    comparison = compare(read(study))
    show(comparison, grid(comparison), "Study first")


def shown_on_terminal(
    study: Path, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a terminal of some width shows of the comparison of a study, without its codes for colours."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown(study)
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)


def test_a_report_leaves_tables_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """comparison.md and .csv hold the rows, runs.csv every run, figures/ the pictures; all runs are returned."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="kmax", k=5)
    write_run(tmp_path, None, pooling="kmax", k=0)
    runs = report([tmp_path])
    assert runs["run"].tolist() == ["max-seed0", "max-seed1", "kmax-k5-seed0", "kmax-k5-seed1", "kmax-k0"]
    assert files(tmp_path) == FILES
    text = (tmp_path / "comparison.md").read_text()
    assert text.startswith(f"# Study {tmp_path.name}\n")
    assert text.endswith("- kmax-k0 failed: k: expected an integer of at least 1, got 0\n")
    rows = pd.read_csv(tmp_path / "comparison.csv")
    assert rows["row"].tolist() == ["max", "kmax-k5", "kmax-k0"]
    assert rows["mean"].tolist()[:2] == pytest.approx([0.55, 0.6])
    every = pd.read_csv(tmp_path / "runs.csv")
    assert every["run"].tolist() == runs["run"].tolist()
    assert every["seed"].tolist() == [0, 1, 0, 1, 0]
    assert every["test/acc"].tolist()[:4] == [0.5, 0.6, 0.5, 0.7]
    assert every["pooling.k"].tolist()[2:] == [5, 5, 0]
    assert (tmp_path / "figures" / "accuracy.png").exists()
    printed = capsys.readouterr().out
    places = {"table": "comparison.md", "figures": "figures", "page": "report.html"}
    assert "".join(f"{f'{name}:':9}{tmp_path}/{file}\n" for name, file in places.items()) in printed
    assert printed.endswith(f"curves:  tensorboard --logdir {tmp_path}\n")


def test_paths_are_shown_from_the_current_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are relative to the current folder where possible, which makes them short enough to copy."""
    write_run(tmp_path / "logs" / "first", 0.5)
    monkeypatch.chdir(tmp_path)
    report([Path.cwd() / "logs" / "first"])
    assert "table:   logs/first/comparison.md\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_second_report_replaces_the_first(tasks: Path) -> None:
    """The figures and tables are of the runs as they are now, and nothing of the first report is left."""
    report([tasks])
    write_task(tasks, "tone", 0.7, pooling="avg")
    report([tasks])
    assert files(tasks) == FILES
    assert "| avg-tone-n_filler1 " in (tasks / "comparison.md").read_text()
    assert (tasks / "figures" / "grid.png").exists()
    assert len(list((tasks / "figures").glob("events*"))) == 1


def test_a_study_of_failures_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the reasons of the failures, and no figures are written."""
    for data in ("order", "tone"):
        write_run(tmp_path, None, pooling="kmax", data=data)
    report([tmp_path])
    assert files(tmp_path) == ["comparison.csv", "comparison.md", "report.html", "runs.csv"]
    text = (tmp_path / "comparison.md").read_text()
    assert re.search(r"\| kmax-order +\| failed +\|", text)
    assert "- kmax-tone failed: k: expected an integer" in text
    printed = capsys.readouterr().out
    assert "kmax-tone failed: k: expected an integer of at least 1, got 0" in printed
    assert "figures:" not in printed


def test_ceilings_are_held_against_the_study(tmp_path: Path) -> None:
    """What was not learned is in comparison.md, the bounds are in comparison.csv; no command names n_filler."""
    for data in ("order", "tone"):
        write_run(tmp_path, 0.8, data=data)
    bounds = {"strategy": "max", "pooling": "max", "settings": "", "data": "order", "task": "data.n_filler=1"}
    report([tmp_path], ceilings=pd.DataFrame([bounds | {"lower": 0.9, "upper": 1.0, "kind": "bounds"}]))
    text = (tmp_path / "comparison.md").read_text()
    heading = "## Below what the pooling can represent"
    assert f"{heading}\n\n- max-order: 80.0 %, and its pooling can represent 90.0 % or more\n" in text
    assert pd.read_csv(tmp_path / "comparison.csv")["ceiling"].fillna(0).tolist() == [0.9, 0]


def test_a_table_of_runs_is_compared_like_their_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`runs.csv` has everything that the comparison needs; the output goes where `out` says, or nowhere."""
    study = tmp_path / "first"
    write_seeds(study, [0.5, 0.6], settings={"data.seed": "${seed}"})
    for k in (3, 5):
        write_seeds(study, [0.6, 0.6 + k / 100], pooling="kmax", k=k, settings={"data.seed": "${seed}"})
    write_run(study, None, pooling="sum")
    report([study])
    capsys.readouterr()
    report([study / "runs.csv"], out=tmp_path / "out")
    assert "first/runs" not in capsys.readouterr().out
    one, other = (pd.read_csv(folder / "comparison.csv") for folder in (study, tmp_path / "out"))
    pd.testing.assert_frame_equal(one, other)
    before = sorted(tmp_path.rglob("*"))
    report([study / "runs.csv"])
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.csv: not a table of runs such as logs/first/runs\.csv"):
        report([tmp_path / "x.csv"])


def test_tables_of_runs_with_other_factors(tmp_path: Path) -> None:
    """Studies whose poolings have different settings are named as their folders are: a missing setting has no name."""
    write_seeds(tmp_path / "one", [0.5, 0.6])
    write_run(tmp_path / "one", 0.5, pooling="hierarchical")
    write_seeds(tmp_path / "two", [0.5, 0.6])
    write_run(tmp_path / "two", 0.5, pooling="kmax", k=3)
    studies = [tmp_path / "one", tmp_path / "two"]
    for study in studies:
        report([study])
    expected = [*compare(read(studies))["row"]]
    assert expected == ["one/max", "one/hierarchical", "two/max", "two/kmax-k3"]
    assert [*compare(read([study / "runs.csv" for study in studies]))["row"]] == expected


def test_a_short_study_shows_its_rows(tasks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up to 40 rows are shown; beyond, the grid of them."""
    shown(tasks)
    assert "kmax-k8-order-n_filler1" in capsys.readouterr().out
    for number in range(22):
        write_task(tasks, "order", 0.5, pooling=f"mine{number}")
    shown(tasks)
    assert "kmax-k8-order-n_filler1" in capsys.readouterr().out
    write_task(tasks, "order", 0.5, pooling="one-more")
    shown(tasks)
    printed = capsys.readouterr().out
    assert "kmax-k8-order-n_filler1" not in printed
    assert re.search(r"^ *n_filler 16 *$", printed, flags=re.MULTILINE)
    assert re.search(r"^ *kmax-k8 +97\.5 \[91\.1, 103\.9\] +70\.5 \[64\.1, 76\.9\]", printed, flags=re.MULTILINE)
    assert "All 41 rows: comparison.md." in " ".join(printed.split())


def test_a_long_study_without_a_grid_shows_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A random search of 41 runs has nothing else to show."""
    for number in range(41):
        write_run(tmp_path, settings={"optimizer.lr": number / 100, "model.dropout": number / 50})
    shown(tmp_path)
    printed = capsys.readouterr().out
    assert "max-lr0.4-dropout0.8" in printed
    assert "The first" not in printed


def test_a_study_of_very_many_rows_shows_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says how all are seen: 2,000 rows would only scroll by. The caption is that of all rows."""
    for number in range(8):
        write_run(tmp_path, 0.1 + number / 10, settings={"optimizer.lr": number, "model.dropout": number / 50})
    monkeypatch.setattr(module, "MOST_LISTED", 3)
    report([tmp_path], order="mean")
    printed = capsys.readouterr().out
    assert re.findall(r"max-lr\d", printed) == ["max-lr7", "max-lr6", "max-lr5"]
    assert "The first 3 of 8 rows, --sort mean: the best first; --format csv: all of them." in printed
    assert "max-lr0" in (tmp_path / "comparison.md").read_text()


@pytest.mark.slow
def test_a_long_study_has_a_picture_of_the_grid_only(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures with a line or a point per row are drawn as long as they can be told apart."""
    report([tasks])
    names = {path.stem for path in (tasks / "figures").glob("*.png")}
    assert names == {"grid", "accuracy", "learning_curves", "against_k", "by_n_filler", "profile", "profile_2"}
    monkeypatch.setattr(module, "MOST_ROWS", 17)
    report([tasks])
    assert {path.stem for path in (tasks / "figures").glob("*.png")} == {"grid", "profile", "profile_2"}


@pytest.mark.slow
def test_figures_are_drawn_again_where_they_would_differ(tmp_path: Path) -> None:
    """Not for a study that has not changed; but for a new run, another baseline, and a figure that was deleted."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="avg")

    def drawn(**options: Any) -> int:
        report([tmp_path], **options)
        return (tmp_path / "figures" / "accuracy.png").stat().st_mtime_ns

    first = drawn()
    assert drawn() == first
    (tmp_path / "figures" / "learning_curves.svg").unlink()
    second = drawn()
    assert second > first
    assert (tmp_path / "figures" / "learning_curves.svg").exists()
    third = drawn(baseline="avg")
    assert third > second
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax")
    assert drawn(baseline="avg") > third
    (tmp_path / "figures" / "drawn.json").write_text("{")
    assert drawn(baseline="avg") > third


@pytest.mark.parametrize("columns", [200, 120, 100, 90, 80])
def test_a_narrow_terminal_leaves_out_whole_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    """No cell is cut, no line is too long, and the columns left out are named."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="avg")
    printed = shown_on_terminal(tmp_path, columns, monkeypatch, capsys)
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= columns
    for cell in ("55.00 [-8.53, 118.53]", "60.00 [-67.06, 187.06]", "+5.00 [-58.53, +68.53]", "open"):
        assert cell in printed
    assert ("Too narrow here for" in printed) == (columns < 140)
    head, _, left_out = " ".join(printed.split()).partition("Too narrow here for ")
    assert ("seconds" in head) == ("seconds" not in left_out)
    assert ("10,818" in head) == ("parameters" not in left_out)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(110, "97.5 [91.1, 103.9]"), (60, "97.5"), (44, "97.5"), (20, "too wide for this terminal")],
)
def test_a_grid_on_a_narrow_terminal(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int, expected: str
) -> None:
    """The intervals are left out first, then the whole panel; no number is ever cut."""
    monkeypatch.setattr(module, "MOST_ROWS", 0)
    printed = shown_on_terminal(tasks, columns, monkeypatch, capsys)
    assert expected in " ".join(printed.split())
    assert ("[91.1, 103.9]" in printed) == (columns == 110)
    assert "…" not in printed


def test_two_reports_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first, and then has the same figures: neither removes those of the other."""
    write_seeds(tmp_path, [0.5, 0.6])
    seen: list[str] = []

    def slow(*arguments: Any) -> None:
        seen.append("draws")
        second.start()
        second.join(timeout=1)
        seen.append("has waited" if second.is_alive() else "has not waited")
        draw(*arguments)

    draw, second = module.draw, Thread(target=report, args=([tmp_path],))
    monkeypatch.setattr(module, "draw", slow)
    report([tmp_path])
    second.join()
    assert seen == ["draws", "has waited"]
    assert files(tmp_path) == FILES


def test_a_full_disk_does_not_prevent_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is printed before any file is written."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    write_run(tmp_path, 0.5)
    monkeypatch.setattr(module, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        report([tmp_path])
    assert "50.00" in capsys.readouterr().out


def test_a_folder_without_runs_stays_as_it_is(tmp_path: Path) -> None:
    """It is not taken for a study."""
    with pytest.raises(ValueError, match="no run in this folder"):
        report([tmp_path])
    assert not any(tmp_path.iterdir())


def test_errors_are_those_of_reading_and_comparing(tmp_path: Path) -> None:
    """Nothing is written for a folder without runs, or for a metric that no run has."""
    with pytest.raises(ValueError, match="no run in this folder"):
        report([tmp_path])
    write_run(tmp_path, 0.5)
    with pytest.raises(ValueError, match="metric: expected one of"):
        report([tmp_path], metric="test/f2")
    assert files(tmp_path) == []
