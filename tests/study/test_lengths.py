"""Accuracy against length: which runs are measured again, how the table names them, and what the figure shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from runs_on_disk import write_run

from textpool.record import Result
from textpool.study import lengths as of_lengths
from textpool.study import read


def study_of(folder: Path, poolings: Sequence[str] = ("max", "avg"), seeds: int = 2, **settings: Any) -> pd.DataFrame:
    """The finished runs of a study on two tasks, each seed with data of its own."""
    for pooling in poolings:
        for data in ("order", "count"):
            for seed in range(seeds):
                limits = {"majority_accuracy": 0.5, "bayes_accuracy": 1.0}
                follow = {"data.seed": "${seed}", **settings}
                write_run(folder, 0.5, pooling=pooling, data=data, seed=seed, result=limits, settings=follow)
    return of_lengths.finished_runs(read(folder))


def row(length: int, accuracy: float | None, note: str = "") -> dict[str, Any]:
    n_test = None if accuracy is None else 100
    trained = {"trained_from": 15, "trained_to": 25}
    return {"length": length, "accuracy": accuracy, "n_test": n_test, "note": note, **trained}


def measured(folder: Path, finished: pd.DataFrame, accuracies: dict[int, float | None]) -> pd.DataFrame:
    """The table after each run was measured, written and read again."""
    table = of_lengths.read_table(folder, finished)
    for number, run in enumerate(finished.to_dict("records")):
        rows = [row(n, value if value is None else value + number / 1000) for n, value in accuracies.items()]
        table = of_lengths.add(table, run, rows)
    of_lengths.write_table(folder, table, finished)
    return of_lengths.read_table(folder, finished)


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """One row per run and length, in the order of the runs; without accuracy where the task has no such sentences."""
    finished = study_of(tmp_path, seeds=1)
    table = measured(tmp_path, finished, {20: 0.75, 10: None})
    names = [("max", "order"), ("max", "count"), ("avg", "order"), ("avg", "count")]
    assert table[["run", "strategy", "data", "seed", "length"]].values.tolist() == [
        [run, *name, 0, length] for run, name in zip(finished["run"], names, strict=True) for length in (10, 20)
    ]
    assert table["accuracy"].isna().tolist() == [True, False] * 4
    assert table["accuracy"].dropna().tolist() == [0.75, 0.751, 0.752, 0.753]
    assert set(table["note"]) == {""}


def test_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    """Lengths measured before, and those found impossible, are not measured again; those of a new run are."""
    finished = study_of(tmp_path, poolings=["max"], seeds=1)
    table = measured(tmp_path, finished, {20: 0.75, 10: None})
    assert of_lengths.missing(finished, table, [10, 20]) == {}
    assert of_lengths.missing(finished, table, [10, 20, 50]) == {run: [50] for run in finished["run"]}
    finished = study_of(tmp_path, poolings=["avg"], seeds=1)
    new = finished["run"][finished["pooling"] == "avg"].tolist()
    assert of_lengths.missing(finished, table, [20]) == {run: [20] for run in new}


def test_a_run_that_was_trained_again_is_measured_again(tmp_path: Path) -> None:
    """Its old numbers are those of another classifier."""
    finished = study_of(tmp_path, poolings=["max"], seeds=1)
    measured(tmp_path, finished, {20: 0.75})
    folder = finished["folder"].iloc[0]
    again = Result.read(folder)
    again.started = "2026-02-01T00:00:00.000+00:00"
    again.write(folder)
    finished = of_lengths.finished_runs(read(tmp_path))
    lacking = of_lengths.missing(finished, of_lengths.read_table(tmp_path, finished), [20])
    assert lacking == {folder.name: [20]}


def test_names_follow_the_study(tmp_path: Path) -> None:
    """A strategy is named by the settings that differ in the study of today, also where it was measured before."""
    write_run(tmp_path, pooling="topk_mean")
    finished = of_lengths.finished_runs(read(tmp_path))
    measured(tmp_path, finished, {20: 0.75})
    assert set(finished["strategy"]) == {"topk_mean"}
    write_run(tmp_path, pooling="topk_mean", k=5)
    write_run(tmp_path, pooling="max", settings={"data.n_filler": 16})
    finished = of_lengths.finished_runs(read(tmp_path))
    [today] = of_lengths.read_table(tmp_path, finished).to_dict("records")
    assert (today["strategy"], today["data"]) == ("topk_mean-k3", "order, n_filler 1")
    assert set(finished["data"]) == {"order, n_filler 1", "order, n_filler 16"}


def test_runs_are_chosen_by_pooling_or_strategy(tmp_path: Path) -> None:
    """`kmax` is every k, `kmax-k5` one of them; another name is an error that lists the names."""
    for k in (3, 5):
        write_run(tmp_path, pooling="kmax", k=k)
    write_run(tmp_path, pooling="max")
    write_run(tmp_path, None, pooling="sum")
    finished = of_lengths.finished_runs(read(tmp_path))
    assert of_lengths.choose(finished, ["kmax"])["strategy"].tolist() == ["kmax-k3", "kmax-k5"]
    assert of_lengths.choose(finished, ["kmax-k5", "max"])["strategy"].tolist() == ["kmax-k5", "max"]
    assert of_lengths.choose(finished, []).equals(finished)
    with pytest.raises(ValueError, match="pooling: expected some of kmax, max, kmax-k3, kmax-k5, got 'sum'"):
        of_lengths.choose(finished, ["sum"])


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    """The message says what to do."""
    finished = study_of(tmp_path, poolings=["max"], seeds=1)
    (tmp_path / "lengths.csv").write_text("run,length\nmax,10\n")
    with pytest.raises(ValueError, match=r"lengths\.csv: not a table of lengths, remove it: "):
        of_lengths.read_table(tmp_path, finished)


def test_a_study_without_finished_runs(tmp_path: Path) -> None:
    """There is nothing to measure."""
    write_run(tmp_path, None)
    with pytest.raises(ValueError, match=r"^no finished run$"):
        of_lengths.finished_runs(read(tmp_path))


def test_what_could_not_be_measured_is_said_once(tmp_path: Path) -> None:
    """One line per task and reason, whatever the number of runs."""
    finished = study_of(tmp_path)
    table = of_lengths.read_table(tmp_path, finished)
    for run in finished.to_dict("records"):
        table = of_lengths.add(table, run, [row(10, None, "too short"), row(11, None, "too short"), row(20, 0.5)])
    assert of_lengths.left_out(table) == [f"{data}: 10, 11 words left out: too short" for data in ("order", "count")]


def test_too_many_strategies_for_a_figure(tmp_path: Path) -> None:
    """Nine lines cannot be told apart: the message shows how to choose some; eight can."""
    names = [f"p{number}" for number in range(9)]
    finished = study_of(tmp_path, poolings=names, seeds=1)
    reason = of_lengths.too_many_lines(finished) or ""
    assert f"there are 9 ({', '.join(names)}): choose some, such as --pooling p0,p8" in reason
    assert of_lengths.too_many_lines(of_lengths.choose(finished, names[:8])) is None


def test_the_figure_shows_means_intervals_and_training_lengths(tmp_path: Path) -> None:
    """One panel per task, one line per strategy through its means, a band inside 0 to 100, trained lengths in grey."""
    finished = study_of(tmp_path, poolings=["max", "avg"], seeds=3)
    figure = of_lengths.draw(measured(tmp_path, finished, {10: None, 20: 0.5, 200: 0.984}), finished)
    assert [axes.get_title() for axes in figure.axes] == ["order", "count"]
    order = figure.axes[0]
    points = {line.get_label(): np.asarray(line.get_xydata()) for line in order.get_lines()}
    # the runs 0, 1 and 2 are those of max on order
    assert points["max"].ravel().tolist() == pytest.approx([20, 50.1, 200, 98.5], rel=0.02)
    assert points["max"][:, 1].tolist() == pytest.approx([50.1, 98.5])
    assert order.get_xscale() == "log"
    assert [tick.get_text() for tick in order.get_xticklabels()] == ["20", "200"]
    bands = [np.asarray(path.vertices)[:, 1] for band in order.collections for path in band.get_paths()]
    assert len(bands) == 2
    assert all(((band >= 0) & (band <= 100)).all() for band in bands)
    [trained] = order.patches
    box = trained.get_window_extent().transformed(order.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((15, 25), rel=0.03)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["max", "avg", "lengths of the training"]
    picture = of_lengths.write_figure(tmp_path, figure)
    assert sorted(file.name for file in picture.parent.iterdir()) == ["lengths.png", "lengths.svg"]


def test_one_seed_has_a_line_without_a_band(tmp_path: Path) -> None:
    """Nothing is known of other trainings."""
    finished = study_of(tmp_path, seeds=1)
    figure = of_lengths.draw(measured(tmp_path, finished, {20: 0.5, 200: 0.9}), finished)
    assert "interval" not in figure.get_supylabel()
    assert not [path for band in figure.axes[0].collections for path in band.get_paths() if len(path)]
