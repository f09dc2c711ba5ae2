"""`textpool ceilings`: bounds are computed once, for the poolings of textpool and of a user."""

import sys
from pathlib import Path

import pytest

import textpool.ceilings
from textpool.ceilings.bounds import Bounds
from textpool.commands.ceilings import main, strategies, table
from textpool.configuration import composed
from textpool.study.ceilings import read_ceilings, write_ceilings


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets of the poolings of which bounds were asked for, which take no time here."""
    asked: list[str] = []

    def ceiling(config: dict[str, dict[str, str]], task: object) -> Bounds:
        asked.append(config["pooling"]["_target_"])
        return Bounds(0.5, 0.75, "bounds")

    monkeypatch.setattr(textpool.ceilings, "ceiling", ceiling)
    monkeypatch.setattr(textpool.ceilings, "draw_task", lambda section: section)
    return asked


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["textpool ceilings", *arguments])
    main()


def test_strategies_take_each_k_once() -> None:
    """A pooling without k is one strategy; the settings are those with which runs are compared."""
    found = [each.described for each in strategies(["max", "local_max"], [3, 8])]
    assert [(each["strategy"], each["settings"]) for each in found] == [
        ("max", ""),
        ("local_max-k3", "k=3 region=10"),
        ("local_max-k8", "k=8 region=10"),
    ]


def test_only_what_is_missing_is_computed(
    tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what was computed for another task of the same name is computed again."""
    out = tmp_path / "ceilings.csv"
    run(monkeypatch, "--pooling", "max", "--data", "order", "--out", str(out))
    run(monkeypatch, "--pooling", "max,avg", "--data", "order", "--out", str(out))
    assert computed == ["textpool.pooling.Max", "textpool.pooling.Avg"]
    assert capsys.readouterr().out.splitlines()[-1].split() == ["avg", "50-75"]
    rows = read_ceilings(out)
    rows.loc[rows["pooling"] == "avg", "task"] = "data.gap=4"
    write_ceilings(out, rows.to_dict("records"))  # pyright: ignore[reportArgumentType]
    run(monkeypatch, "--pooling", "max,avg", "--data", "order", "--out", str(out))
    assert computed == ["textpool.pooling.Max", "textpool.pooling.Avg", "textpool.pooling.Avg"]
    assert len(read_ceilings(out)) == 2


def test_a_pooling_of_a_users(tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in another folder is found by its name."""
    (tmp_path / "pooling").mkdir()
    (tmp_path / "pooling" / "mine.yaml").write_text("_target_: mine.Mine\n_partial_: true\nk: ${k}\n")
    out = tmp_path / "ceilings.csv"
    run(
        monkeypatch,
        "--pooling",
        "mine",
        "--k",
        "4",
        "--data",
        "twice",
        "--out",
        str(out),
        "--config-dir",
        str(tmp_path),
    )
    assert computed == ["mine.Mine"]
    assert read_ceilings(out)["strategy"].tolist() == ["mine-k4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pooling", "maxx"], "pooling: expected one of attention"),
        (["--data", "sentiment"], "data: expected one of count, needle"),
        (["--k", "3,x"], "k: expected an integer of at least 1, got 'x'"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the option and what it takes."""
    with pytest.raises(SystemExit, match=f"error: {message}"):
        run(monkeypatch, *arguments)


def test_table() -> None:
    """One number where the bounds agree."""
    common = {"strategy": "max", "pooling": "max", "settings": ""}
    rows = [
        {**common, "data": "order", "lower": 0.5, "upper": 0.5, "kind": "blind"},
        {**common, "data": "spread", "lower": 0.7212, "upper": 1.0, "kind": "bounds"},
    ]
    assert [line.split() for line in table(rows).splitlines()] == [["order", "spread"], ["max", "50", "72.1-100"]]


def test_configurations_are_composed_with_one_filler_word() -> None:
    """The bounds hold for one only, whatever the default is."""
    assert composed("data=order", "data.n_filler=1")["data"]["n_filler"] == 1
