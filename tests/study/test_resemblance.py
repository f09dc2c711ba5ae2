"""Rank correlations of strategies: known values, and an interval that is honest about few strategies."""

import sys
from pathlib import Path

import numpy as np
import pytest
from runs_on_disk import write_run

from textpool.commands import resemblance as command
from textpool.study.resemblance import in_common, resemblance, spearman, table
from textpool.study.runs import read

ORDER = {name: [place + 0.1, place - 0.1] for place, name in enumerate("abcdefgh")}
REVERSED = {name: [-value for value in values] for name, values in ORDER.items()}


def test_equal_and_opposite_orders() -> None:
    """1 and -1, and a permutation test that is sure of it."""
    same, opposite = resemblance(ORDER, ORDER), resemblance(ORDER, REVERSED)
    assert (same.rho, opposite.rho, same.n) == (pytest.approx(1), pytest.approx(-1), 8)
    assert same.low > 0.7  # a sample of strategies may have ties
    assert same.p == pytest.approx(1 / 2001, abs=0.002)


def test_ties_have_the_mean_of_their_ranks() -> None:
    """Ranks 1.5, 1.5, 3 against 1, 2, 3: the correlation is that of Pearson of these ranks, the square root of 0.75."""
    assert spearman(np.array([5.0, 5, 9]), np.array([1.0, 2, 3])) == pytest.approx(0.75**0.5)


def test_no_order_no_correlation() -> None:
    """Strategies that are all equal on a task predict nothing; the value is 0 and not missing."""
    flat = {name: [1.0, 1.0] for name in ORDER}
    assert resemblance(flat, ORDER)[:3] == (0, 0, 0)


def test_chance_is_told_as_chance() -> None:
    """Orders that were drawn at random: the interval contains 0 in nearly all of 40 cases."""
    rng = np.random.default_rng(3)
    cases = [
        resemblance(*({name: rng.normal(size=3).tolist() for name in ORDER} for _ in range(2)), draws=200)
        for _ in range(40)
    ]
    assert sum(each.low <= 0 <= each.high for each in cases) >= 34
    assert sum(each.p <= 0.05 for each in cases) <= 6


def test_p_is_corrected_for_all_pairs() -> None:
    """Four pairs: each p is multiplied by the number of those that are not smaller."""
    found = table({"one": ORDER, "two": REVERSED}, {"mine": ORDER, "yours": ORDER})
    assert found[["task", "data"]].to_numpy().tolist() == [
        ["one", "mine"],
        ["one", "yours"],
        ["two", "mine"],
        ["two", "yours"],
    ]
    assert found["p"].min() >= 4 / 2001


def test_too_few_strategies_say_nothing() -> None:
    """Four in common are refused."""
    with pytest.raises(ValueError, match="at least 5 strategies in common, got 4"):
        resemblance({name: [1.0, 2.0] for name in "abcd"}, ORDER)


def test_only_what_all_strategies_have(tmp_path: Path) -> None:
    """Folds differ in difficulty: a strategy of folds 0 and 1 is compared with another on these, not on all three."""
    for fold in range(3):
        write_run(tmp_path, 0.9 - fold / 10, seed=fold)
        write_run(tmp_path, 0.8 - fold / 10 if fold < 2 else None, pooling="kmax", seed=fold)
    common = in_common(read(tmp_path))
    assert sorted(zip(common["pooling"], common["seed"], strict=True)) == [
        ("kmax", 0),
        ("kmax", 1),
        ("max", 0),
        ("max", 1),
    ]
    with pytest.raises(ValueError, match="expected a seed or a fold of which all strategies have a finished run"):
        in_common(common[(common["pooling"] == "max") ^ (common["seed"] == 0)])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A task that orders the poolings as the data set does, and one that orders them the other way round."""
    for place, pooling in enumerate(("max", "avg", "sum", "stats", "first", "attention")):
        for seed in range(2):
            accuracy = 0.5 + 0.05 * place + 0.001 * seed
            write_run(tmp_path / "tasks", accuracy, pooling=pooling, seed=seed, data="order")
            write_run(tmp_path / "tasks", 1 - accuracy, pooling=pooling, seed=seed, data="tone")
            for mask in ("valid", "none"):
                settings = {"model.window_mask": mask}
                write_run(tmp_path / "mine", accuracy, pooling=pooling, seed=seed, data="text", settings=settings)
    arguments = ["resemblance", str(tmp_path / "tasks"), str(tmp_path / "mine")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match=r"max: more than one row, .*: choose one with --where SETTING=VALUE"):
        command.main()
    monkeypatch.setattr(sys, "argv", [*arguments, "--where", "model.window_mask=valid", "--csv"])
    command.main()
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["task", "data", "rho", "low", "high", "p", "n"]
    assert [(line[0], line[1], round(float(line[2]), 6), line[6]) for line in lines[1:]] == [
        ("order", "mine", 1.0, "6"),
        ("tone", "mine", -1.0, "6"),
    ]
    monkeypatch.setattr(sys, "argv", [*arguments, "--where", "model.window_mask=touching"])
    with pytest.raises(SystemExit, match=r"has no run with model\.window_mask=touching"):
        command.main()
