"""What a study's runs say together: groups, baselines, verdicts, whatever state the files are in."""

import csv
import io
import json
from pathlib import Path

import pytest

from textpool.study import plots, table, terminal
from textpool.study.compare import Row, compare
from textpool.study.record import Result, write_predictions


def leave(folder: Path, accuracy: float, seed: int = 1, **values: object) -> None:
    """A run as it is on disk; its place in the sweep is the number of runs before it."""
    folder.mkdir(parents=True)
    place = len(list(folder.parent.iterdir()))
    pooling = folder.name.split("-")[0]
    status = "failed" if "error" in values else "ok"
    settings: dict[str, object] = {
        "metrics": {"test/acc": accuracy, "test/loss": 1 - accuracy},
        "overrides": {"pooling": pooling, "seed": seed},
        "group_hash": folder.name.split("-seed")[0],
        "n_params": 10818,
        "values_per_filter": 1,
        "n_test": 100,
        "history": {"val/acc": [0.5, 0.6], "val/loss": [0.7, 0.4]},
        **values,
    }
    started = f"2026-01-01T00:{place // 60:02}:{place % 60:02}.000+00:00"
    Result(folder.name, status, pooling, seed, "hash", started, 3.25, **settings).write(folder)  # pyright: ignore
    (folder / "config.yaml").write_text("seed: 1\n")


def seeds(study: Path, name: str, accuracies: list[float], **values: object) -> None:
    for seed, accuracy in enumerate(accuracies):
        leave(study / f"{name}-seed{seed}", accuracy, seed, **values)


def rows(*studies: Path, **options: object) -> dict[str, Row]:
    return {row.name: row for row in compare(studies, **options).rows}  # pyright: ignore


def test_seeds_are_grouped_and_paired(tmp_path: Path) -> None:
    """Mean and n a strategy; a small but steady difference is found, a large unsteady one is not."""
    seeds(tmp_path, "max", [0.70, 0.80, 0.90, 0.75])
    seeds(tmp_path, "steady", [0.71, 0.812, 0.909, 0.76])
    seeds(tmp_path, "unsteady", [0.90, 0.70, 0.95, 0.70])
    found = rows(tmp_path)
    assert list(found) == ["max", "steady", "unsteady"]
    assert found["max"].estimate is not None
    assert found["max"].estimate.value == pytest.approx(0.7875)
    assert found["max"].verdict("test/acc") == ""
    assert {row.over for row in found.values()} == {"seeds"}
    assert [found[name].verdict("test/acc") for name in ("steady", "unsteady")] == ["better", "not separable"]


def test_pairs_are_made_by_seed_not_by_place(tmp_path: Path) -> None:
    """Seeds that only one of two has are left out of the difference."""
    seeds(tmp_path, "max", [0.5, 0.6, 0.7])
    for seed, accuracy in ((2, 0.71), (1, 0.61), (9, 0.1)):
        leave(tmp_path / f"avg-seed{seed}", accuracy, seed)
    difference = rows(tmp_path)["avg"].difference
    assert difference is not None
    assert difference.estimate.value == pytest.approx(0.01)


def test_p_values_are_corrected_for_their_number(tmp_path: Path) -> None:
    """The same difference is less sure among many."""
    seeds(tmp_path / "two", "max", [0.70, 0.80, 0.90])
    seeds(tmp_path / "two", "a", [0.71, 0.812, 0.912])
    alone = rows(tmp_path / "two")["a"].difference
    for index in range(9):
        seeds(tmp_path / "two", f"z{index}", [0.9, 0.7, 0.8])
    among_many = rows(tmp_path / "two")["a"].difference
    assert alone is not None
    assert among_many is not None
    assert among_many.p == pytest.approx(10 * alone.p)


def test_loss_is_better_when_lower(tmp_path: Path) -> None:
    """The verdict knows the direction of the metric."""
    seeds(tmp_path, "max", [0.70, 0.80, 0.90])
    seeds(tmp_path, "avg", [0.71, 0.8101, 0.9102])
    assert rows(tmp_path, metric="test/loss")["avg"].verdict("test/loss") == "better"


def test_one_seed_shows_the_uncertainty_of_the_test_set(tmp_path: Path) -> None:
    """From the predictions, paired by sentence, and called by its name."""
    labels = [0, 1] * 50
    for name, wrong in (("max", range(30)), ("good", range(10)), ("like", range(28))):
        leave(tmp_path / name, 1 - len(wrong) / 100)
        predicted = [1 - label if index in wrong else label for index, label in enumerate(labels)]
        probabilities = [[0.1, 0.9] if guess else [0.9, 0.1] for guess in predicted]
        write_predictions(tmp_path / name / "predictions.csv", ["no", "yes"], labels, probabilities)
    found = rows(tmp_path)
    assert {row.over for row in found.values()} == {"test set"}
    assert [found[name].verdict("test/acc") for name in ("good", "like")] == ["better, one seed", "not separable"]
    assert "One seed: the intervals are those of the test set of 100 sentences" in table.caption(compare([tmp_path]))


def test_without_predictions_there_is_no_interval(tmp_path: Path) -> None:
    """A run that lost its predictions keeps its accuracy."""
    leave(tmp_path / "max", 0.7)
    leave(tmp_path / "avg", 0.8)
    assert rows(tmp_path)["avg"].difference is None
    assert "80.00" in table.markdown(compare([tmp_path]))


@pytest.mark.parametrize(("baseline", "name"), [("max", "max"), ("avg", "avg"), ("kmax-k5", "kmax-k5"), ("no", "max")])
def test_the_baseline(tmp_path: Path, baseline: str, name: str) -> None:
    """A pooling or a row by its name; else the first."""
    for run in ("max", "avg", "kmax-k3", "kmax-k5"):
        seeds(tmp_path, run, [0.5, 0.6])
    found = rows(tmp_path, baseline=baseline)
    assert [row.name for row in found.values() if row.baseline is None] == [name]


def test_what_else_is_swept_has_baselines_of_its_own(tmp_path: Path) -> None:
    """Sweeping data too, average on one data set is compared with max on that one; `by` says otherwise."""
    for data in ("needle", "tone"):
        for pooling in ("max", "avg"):
            for seed in range(2):
                overrides = {"pooling": pooling, "data": data, "seed": seed}
                leave(tmp_path / f"{pooling}-{data}-seed{seed}", 0.5, seed, overrides=overrides)
    assert {row.baseline for row in rows(tmp_path).values()} == {None, "max-needle", "max-tone"}
    assert {row.baseline for row in rows(tmp_path, by=["data"]).values()} == {None, "max-needle", "max-tone"}
    assert {row.baseline for row in rows(tmp_path, by=["model"]).values()} == {None, "max-needle"}


def test_several_studies(tmp_path: Path) -> None:
    """Rows carry the name of their study."""
    seeds(tmp_path / "a", "max", [0.5, 0.6])
    seeds(tmp_path / "b", "avg", [0.5, 0.7])
    assert list(rows(tmp_path / "a", tmp_path / "b")) == ["a/max", "b/avg"]


def test_whatever_is_on_disk(tmp_path: Path) -> None:
    """Finished, failed, cut short, still running: each costs its own row only, and all are shown."""
    seeds(tmp_path, "max", [0.5, 0.6])
    seeds(tmp_path, "avg", [0.5, 0.6, 0.7])
    (tmp_path / "avg-seed2" / "result.json").write_text('{"run": "avg-se')
    leave(tmp_path / "kmax", 0.0, error="ValueError: k", metrics={})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "figures").mkdir()
    found = rows(tmp_path)
    assert {name: row.status for name, row in found.items()} == {
        "max": "",
        "avg": "1 failed",
        "kmax": "failed",
        "mine": "unfinished",
    }
    assert len(found["avg"].finished) == 2
    text = table.markdown(compare([tmp_path]))
    assert "- kmax failed: ValueError: k" in text
    assert "avg-seed2 failed" in text
    assert "result.json: not the result of a run" in text


def test_a_study_of_failures_only(tmp_path: Path) -> None:
    """Is a table too."""
    leave(tmp_path / "kmax", 0.0, error="ValueError: k", metrics={})
    comparison = compare([tmp_path])
    table.write(comparison, tmp_path)
    terminal.show(comparison)
    assert plots.write(comparison, tmp_path) == []
    assert "| kmax | failed |" in (tmp_path / "comparison.md").read_text()


def test_errors_name_what_was_expected(tmp_path: Path) -> None:
    """A folder without runs, and a metric that no run has."""
    with pytest.raises(ValueError, match="no run in this folder"):
        compare([tmp_path])
    leave(tmp_path / "max", 0.5)
    with pytest.raises(ValueError, match=r"metric: expected one of test/acc, test/loss, got 'test/f2'"):
        compare([tmp_path], metric="test/f2")


def test_the_loss_of_one_seed_is_shown(tmp_path: Path) -> None:
    """As the metric itself it has no interval, and no second column beside it."""
    leave(tmp_path / "max", 0.75)
    [heading, _, row] = table.markdown(compare([tmp_path], metric="test/loss")).splitlines()[2:5]
    assert heading.startswith("| run | seeds | test loss | parameters |")
    assert row.startswith("| max | 1 | 0.2500 | 10,818 |")


def test_every_format_holds_the_same_numbers(tmp_path: Path) -> None:
    """Rows as Markdown, CSV, JSON and LaTeX; every run with its own values in runs.csv."""
    seeds(tmp_path, "max", [0.5, 0.6])
    seeds(tmp_path, "avg_x", [0.5, 0.7])
    comparison = compare([tmp_path])
    assert table.markdown(comparison).splitlines()[2:6] == [
        "| run | seeds | test acc | difference from max | p | verdict | test loss | parameters | values per filter "
        "| seconds |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
        "| max | 2 | 55.00 [-8.53, 118.53] |  |  |  | 0.4500 | 10,818 | 1 | 3.2 |",
        "| avg_x | 2 | 60.00 [-67.06, 187.06] | +5.00 [-58.53, +68.53] | 0.500 | not separable | 0.4000 | 10,818 | 1 "
        "| 3.2 |",
    ]
    as_json = json.loads(table.as_json(comparison))
    as_csv = list(csv.DictReader(io.StringIO(table.as_csv(comparison))))
    assert [row["test/acc"] for row in as_json] == pytest.approx([0.55, 0.6])
    assert [float(row["test/acc"]) for row in as_csv] == pytest.approx([0.55, 0.6])
    assert as_json[1]["difference"] == pytest.approx(0.05)
    assert r"avg\_x & 2 & 60.00 [-67.06, 187.06]" in table.latex(comparison)
    runs = list(csv.DictReader(io.StringIO(table.runs_csv(comparison))))
    assert [(run["run"], run["seed"], run["test/acc"]) for run in runs][1] == ("max-seed1", "1", "0.6")


def test_the_table_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row, and errors in full."""
    seeds(tmp_path, "max", [0.5, 0.6])
    leave(tmp_path / "bad", 0.0, error="k: expected | an integer", metrics={})
    terminal.show(compare([tmp_path]))
    text = capsys.readouterr().out
    assert "max" in text
    assert "bad failed: k: expected | an integer" in text


def test_figures(tmp_path: Path) -> None:
    """All that the runs allow, as PNG, SVG and for TensorBoard; a second time in the place of the first."""
    for k, size in ((1, 100), (3, 300)):
        overrides = {"pooling": "kmax", "k": k}
        seeds(tmp_path, f"kmax-k{k}", [0.5, 0.6], overrides=overrides, n_params=size)
    plots.write(compare([tmp_path]), tmp_path)
    written = plots.write(compare([tmp_path]), tmp_path)
    assert [path.stem for path in written] == ["accuracy", "learning_curves", "against_k", "against_parameters"]
    assert all(path.stat().st_size > 5_000 and path.with_suffix(".svg").exists() for path in written)
    assert len(list((tmp_path / "figures").glob("events*"))) == 1
    seeds(tmp_path / "plain", "max", [0.5, 0.6])
    names = plots.draw(compare([tmp_path / "plain"]))
    assert list(names) == ["accuracy", "learning_curves"]
