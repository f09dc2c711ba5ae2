"""The command `lengths`: what it measures, what it leaves alone, and what it says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from conftest import compose_config, facts_of_command

import textpool.lengths
from textpool.build import Trained, build_classifier, build_data, content
from textpool.commands import lengths
from textpool.data import Order
from textpool.facts import config_hash, group_hash
from textpool.inference import accuracy
from textpool.record import Result
from textpool.study import lengths as of_lengths

pytestmark = pytest.mark.slow

SMALL = ("data.n_train=8", "data.n_val=8", "data.n_test=40", "~logger")


def leave_run(study: Path, *overrides: str) -> Trained:
    """A finished run with random weights, as if it had been trained."""
    config, facts = compose_config(*overrides, *SMALL), facts_of_command(*overrides)
    folder = study / facts.folder_name
    data = build_data(config)
    data.setup()
    torch.manual_seed(config["seed"])
    classifier = build_classifier(config, data)
    (folder / "checkpoints").mkdir(parents=True)
    saved = {"state_dict": classifier.state_dict(), "textpool": content(config, data), "epoch": 0}
    torch.save(saved, folder / "checkpoints" / "best.ckpt")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    grouped = group_hash(config, facts.follows_seed)
    (folder / "facts.json").write_text(json.dumps(asdict(facts) | {"group_hash": grouped}))
    found = Result(folder.name, "ok", str(facts.factors["pooling"]), facts.seed, "2026-01-01", 1.0, dict(facts.factors))
    found.choices, found.overrides = dict(facts.choices), dict(facts.overrides)
    found.metrics = {"test/acc": 0.5, "test/loss": 0.7}
    found.config_hash, found.group_hash = config_hash(config), grouped
    found.write(folder)
    return Trained(classifier.eval(), data)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[list[str], str]]:
    """Call the command with arguments; its lines on standard output, and its standard error."""

    def called(*arguments: str | Path) -> tuple[list[str], str]:
        monkeypatch.setattr("sys.argv", ["lengths", *map(str, arguments)])
        lengths.main()
        out, err = capsys.readouterr()
        return out.splitlines(), err

    return called


def test_each_length_has_test_sentences_of_its_own(tmp_path, call):
    """The accuracy is that of the run's classifier on the test split that `test_lengths` would draw."""
    trained = leave_run(tmp_path / "a", "data=order", "data.seed=3", "pooling=kmax")
    call(tmp_path / "a", "12", "40")
    table = pd.read_csv(tmp_path / "a" / "lengths.csv")
    assert table[["data", "strategy", "seed", "length", "n_test"]].values.tolist() == [
        ["order", "kmax", 42, 12, 40],
        ["order", "kmax", 42, 40, 40],
    ]
    for length, found in zip(table["length"], table["accuracy"], strict=True):
        drawn = Order(test_lengths=[length, length], seed=3, n_test=40).load().test
        assert {len(words) for words, _ in drawn} == {length}
        assert found == pytest.approx(accuracy(trained, trained.data.encode(drawn)))


def test_what_is_measured_is_not_measured_again(tmp_path, call, monkeypatch):
    """The second command measures the new length and the new run only; the third one needs no checkpoint."""
    study = tmp_path / "a"
    leave_run(study, "data=order")
    out, err = call(study, "20", "10")
    assert out == [
        "order: 10 words left out: length: expected at least 12 words, enough for 2 cues with 3 filler words around "
        "each, got 10",
        f"table:  {study}/lengths.csv",
        f"figure: {study}/figures/lengths.png",
    ]
    assert err == "measured 1 of 1 runs\n"
    leave_run(study, "data=order", "pooling=avg")
    asked, measure = {}, textpool.lengths.LengthTest.measure

    def noted(self: textpool.lengths.LengthTest, folder: Path, missing: list[int]) -> Iterator[dict[str, Any]]:
        asked[folder.name] = missing
        return measure(self, folder, missing)

    monkeypatch.setattr(textpool.lengths.LengthTest, "measure", noted)
    call(study, "10", "20", "30", "30")
    assert asked == {"max-order": [30], "avg-order": [10, 20, 30]}
    asked.clear()
    (study / "max-order" / "checkpoints" / "best.ckpt").unlink()
    out, err = call(study, "20", "30")
    assert (len(out), err, asked) == (2, "", {})
    assert (study / "figures" / "lengths.svg").exists()


def test_a_run_that_cannot_be_measured_costs_its_own_rows(tmp_path, call):
    """The others are measured, and the exit status says that not all is there; next time it is tried again."""
    study = tmp_path / "a"
    leave_run(study, "data=order")
    leave_run(study, "data=order", "pooling=avg")
    (study / "avg-order" / "checkpoints" / "best.ckpt").unlink()
    for _ in range(2):
        with pytest.raises(SystemExit, match=r"^error: avg-order: .* no checkpoints/best\.ckpt"):
            call(study, "20")
    assert pd.read_csv(study / "lengths.csv")["run"].tolist() == ["max-order"]
    assert (study / "figures" / "lengths.png").exists()


def test_runs_on_other_data_are_left_out(tmp_path, call):
    """Only diagnostic tasks can draw sentences of any length."""
    study = tmp_path / "a"
    leave_run(study, "data=sentiment")
    with pytest.raises(SystemExit, match=r"error: .*/a: nothing could be measured: choose other lengths"):
        call(study, "20")
    leave_run(study, "data=order")
    out, _ = call(study, "20")
    assert out[0] == "sentiment: 20 words left out: no diagnostic task"


def test_many_strategies_give_a_table_without_a_figure(tmp_path, call, monkeypatch):
    """With `--pooling`, some of them have a figure, from what was measured before."""
    monkeypatch.setattr(of_lengths, "MOST_LINES", 1)
    study = tmp_path / "a"
    for pooling in ("max", "avg"):
        leave_run(study, "data=order", f"pooling={pooling}")
    out, err = call(study, "20")
    assert out == [f"table:  {study}/lengths.csv"]
    assert "no figure: it has one line per strategy, of which at most 1 can be told apart, and there are 2 (" in err
    assert call(study, "20", "--pooling", "avg") == ([*out, f"figure: {study}/figures/lengths.png"], "")


def test_wrong_arguments_are_named(tmp_path, call):
    """The message says what is allowed."""
    leave_run(tmp_path / "a", "data=order")
    with pytest.raises(SystemExit, match="error: length: expected an integer of at least 1, got 0"):
        call(tmp_path / "a", "0")
    with pytest.raises(SystemExit, match="error: pooling: expected some of max, got 'avg'"):
        call(tmp_path / "a", "20", "--pooling", "avg")
    with pytest.raises(SystemExit, match=r"error: .*: no run in this folder"):
        call(tmp_path, "20")
