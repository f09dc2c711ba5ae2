"""Strategies by data: shares of the way to the best, what theory expected, and the picture of it."""

import re
from pathlib import Path

import pytest

from textpool.study import plots, table, terminal
from textpool.study.compare import compare
from textpool.study.grid import Grid, grid
from textpool.study.record import Result

THEORY = "theory:\n  given: {data.n_filler: 1}\n  wins: {order: [kmax-k8]}\n  fails: {order: [max, kmax-k3], tone:}\n"


def run(study: Path, pooling: str, data: str, accuracy: float | None, seed: int = 0, **overrides: object) -> None:
    """A run of a sweep over data, on disk; failed where it has no accuracy."""
    k = f"-k{overrides['k']}" if "k" in overrides and pooling == "kmax" else ""
    more = "".join(f"-{name.split('.')[-1]}{value}" for name, value in overrides.items() if name != "k")
    folder = study / f"{pooling}{k}-{data}{more}-seed{seed}"
    folder.mkdir(parents=True)
    Result(
        run=folder.name,
        status="failed" if accuracy is None else "ok",
        pooling=pooling,
        seed=seed,
        config_hash="hash",
        group_hash=folder.name.split("-seed")[0],
        started=f"2026-01-01T00:{len(list(study.iterdir())):03}",
        seconds=3.0,
        overrides={"pooling": pooling, "data": data, "seed": seed, **overrides},
        metrics={} if accuracy is None else {"test/acc": accuracy, "test/f1": accuracy, "test/loss": 1 - accuracy},
        majority_accuracy=0.25 if data == "position" else 0.5,
        bayes_accuracy=0.9 if data == "tone" else 1.0,
    ).write(folder)
    (folder / "config.yaml").write_text(THEORY)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two strategies, one of them with two k, on three tasks and with two numbers of filler words."""
    for filler in (16, 1):
        for k, order in ((3, 0.68), (8, 0.97)):
            for data, accuracy in (("order", order), ("tone", 0.7), ("position", 0.25)):
                for seed in (0, 1):
                    run(tmp_path, "kmax", data, accuracy + seed / 100, seed, k=k, **{"data.n_filler": filler})
        for data, accuracy in (("order", 0.8), ("tone", 0.5), ("position", 0.25)):
            run(tmp_path, "max", data, accuracy, 0, k=3, **{"data.n_filler": filler})
    return tmp_path


def grid_of(study: Path, **options: object) -> Grid:
    found = grid(compare([study], **options))  # pyright: ignore
    assert found is not None
    return found


def test_what_goes_where(study: Path) -> None:
    """Across goes what has the most values, a panel for each value of the rest; the best strategy stands on top."""
    found = grid_of(study)
    assert found.across == "data"
    assert found.strategies == ["kmax-k8", "kmax-k3", "max"]
    assert [panel.title for panel in found.panels] == ["n_filler 1", "n_filler 16"]
    assert [panel.columns for panel in found.panels] == [["order", "tone", "position"]] * 2
    assert all(len(panel.rows) == 9 for panel in found.panels)


def test_share_of_the_way(study: Path) -> None:
    """From the majority guess of the task to the best that can be reached in it."""
    found = grid_of(study)
    shares = {place: found.share(row) for place, row in found.panels[0].rows.items()}
    assert shares["max", "order"] == pytest.approx((0.8 - 0.5) / 0.5)
    assert shares["kmax-k3", "tone"] == pytest.approx((0.705 - 0.5) / 0.4)
    assert shares["max", "position"] == 0
    other = grid_of(study, metric="test/loss") if grid(compare([study], "test/loss")) else None
    assert other is None  # the less the better: there is no way from chance to the best


def test_surprises(study: Path) -> None:
    """What was expected to fail and does not, or to win and does not; what nobody expected anything of is none."""
    assert grid_of(study).surprises() == [
        "order, n_filler 1: max fails in theory, and came 60 % of the way",
    ]
    assert grid_of(study, metric="test/f1").surprises() is None


def test_in_the_table(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Intervals, the best, a guess, and what theory did not expect; a terminal gets it where rows are many."""
    text = table.markdown(compare([study]))
    assert "## n_filler 16\n\n|  | order | tone | position |\n" in text
    assert "| kmax-k8 | 97.5 ±6.4 | 70.5 ±6.4 | 25.5 ±6.4 |" in text
    assert "| best reachable | 100.0 | 90.0 | 100.0 |\n| majority guess | 50.0 | 50.0 | 25.0 |" in text
    assert "- order, n_filler 1: max fails in theory" in text
    terminal.show(compare([study]))
    assert "kmax-k8-order-n_filler1" in capsys.readouterr().out
    for number in range(25):
        run(study, f"mine{number}", "order", 0.5, **{"data.n_filler": 1})
    terminal.show(compare([study]))
    out = capsys.readouterr().out
    assert "kmax-k8-order-n_filler1" not in out
    assert re.search(r"^ *kmax-k8 +97\.5 ±6\.4 +70\.5 ±6\.4", out, flags=re.MULTILINE)
    assert "rows behind it" in out


def test_nothing_but_pooling_swept(tmp_path: Path) -> None:
    """One data set makes no grid."""
    run(tmp_path, "max", "order", 0.5)
    run(tmp_path, "kmax", "order", 0.6)
    assert grid(compare([tmp_path])) is None
    assert "##" not in table.markdown(compare([tmp_path]))


def test_holes(study: Path) -> None:
    """A place without a run, or with one that failed, is empty; numbers stand in their order."""
    run(study, "avg", "tone", 0.7, **{"data.n_filler": 4})
    run(study, "sum", "tone", None, **{"data.n_filler": 4})
    found = grid_of(study)
    assert [panel.title for panel in found.panels] == ["n_filler 1", "n_filler 4", "n_filler 16"]
    head, *lines = found.lines(found.panels[1])
    assert head == ["", "order", "tone", "position"]
    assert ["avg", "", "70.0", ""] in lines
    assert ["sum", "", "failed", ""] in lines
    assert plots.draw(compare([study]))["grid"].axes


def test_picture(study: Path) -> None:
    """Colours say how far, numbers what; strategies are named once."""
    figure = plots.draw(compare([study]))["grid"]
    left, right, bar = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["kmax-k8", "kmax-k3", "max"]
    assert [label.get_text() for label in left.get_xticklabels()] == [
        "order\n50 to 100",
        "tone\n50 to 90",
        "position\n25 to 100",
    ]
    assert (left.get_title(), right.get_title()) == ("n_filler 1", "n_filler 16")
    assert [text.get_text() for text in left.texts][:3] == ["98", "70", "26"]
    assert len(left.lines) == 3  # the marks of theory
    assert left.images[0].get_array()[2][0] == pytest.approx(0.6)  # pyright: ignore
    assert [label.get_text() for label in bar.get_yticklabels()] == ["guess", "best"]


def test_every_row_has_a_place_of_its_own(study: Path) -> None:
    """Of two studies, by other blocks, and with a strategy's own k: nothing hides behind another."""
    other = study / "other"
    run(other, "max", "order", 0.9, **{"data.n_filler": 1})
    run(other, "max", "tone", 0.9, **{"data.n_filler": 1})
    both = grid(compare([study, other]))
    assert both is not None
    assert len({id(row) for panel in both.panels for row in panel.rows.values()}) == 20
    by_data = grid_of(study, by=["data"])
    assert len(by_data.panels) == 2
    for k in (2, 4):
        run(other, "kmax", "order", k / 10, k=8, **{"pooling.k": k})
        run(other, "kmax", "tone", k / 10, k=8, **{"pooling.k": k})
    assert {"kmax-k2", "kmax-k4"} <= set(grid_of(other).strategies)


def test_a_random_search_makes_no_grid(tmp_path: Path) -> None:
    """Where every run has values of its own, most places would be empty."""
    for number in range(12):
        run(tmp_path, "max", "order", 0.5, 0, **{"optimizer.lr": number / 100, "model.dropout": number / 50})
    assert grid(compare([tmp_path])) is None


def test_narrow_terminal(study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are left out whole, never cut."""
    monkeypatch.setattr(terminal, "LONG", 0)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for columns, expected in (("60", "97.5 ±6.4"), ("44", "97.5"), ("20", "too wide")):
        monkeypatch.setenv("COLUMNS", columns)
        terminal.show(compare([study]))
        out = capsys.readouterr().out
        assert expected in out
        assert "…" not in out
