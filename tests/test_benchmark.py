"""The benchmark on tiny sizes: its rows, and that its opponent does the same work. No time is asserted."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CONF, ROOT

from textpool.data import SentimentData
from textpool.model import TextCNN
from textpool.pooling import Max

sys.path.insert(0, str(ROOT / "scripts"))
import benchmark  # pyright: ignore[reportMissingImports]  # a script, which is in no package
import plain_loop  # pyright: ignore[reportMissingImports]

sys.path.remove(str(ROOT / "scripts"))


def check(row: Any, section: str) -> None:
    """A row has all its fields, and its quartiles stand around the ratio."""
    assert row.section == section
    assert row.name
    assert row.opponent
    low, high = row.quartiles
    assert 0 < low <= row.ratio <= high
    assert row.seconds > 0
    assert row.opponent_seconds > 0
    assert row.memory is None  # measured on a GPU only
    json.dumps(asdict(row))


def test_a_race_by_hand() -> None:
    """Both are measured in turn; the ratio is the median of the ratios of the rounds."""
    order = []

    def measure(name: str, times: list[float]) -> float:
        order.append(name)
        return times.pop(0)

    ours, theirs = [2.0, 6.0, 3.0], [1.0, 1.0, 3.0]
    row = benchmark.race("a", "b", "c", lambda: measure("ours", ours), lambda: measure("theirs", theirs), 3)
    assert order == ["ours", "theirs"] * 3
    assert (row.ratio, row.quartiles, row.seconds, row.opponent_seconds) == (2.0, (1.5, 4.0), 3.0, 1.0)
    assert benchmark.shown(row) == "| a | b | c | 2.00 | 1.50 to 4.00 | 3 s | 1 s |"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.slow
def test_every_pooling_has_a_row() -> None:
    """Also those that a user adds."""
    rows = list(benchmark.pooling_rows(1, "cpu", [(2, 3, 7)]))
    for row in rows:
        check(row, "pooling")
    assert [row.name for row in rows] == [f"{file.stem} (2, 3, 7)" for file in sorted(CONF.glob("pooling/*.yaml"))]


def test_a_pooling_is_compared_with_the_nearest_idiom() -> None:
    """`softmax` is an average, in spite of its name."""
    expected = {"max": "amax", "chunk_max": "amax", "avg": "mean", "softmax": "mean", "kmax": "topk, sort, gather"}
    assert {name: benchmark.idiom_of(name, 3)[0] for name in expected} == expected


@pytest.mark.slow
def test_rows_of_the_data() -> None:
    """One row for short sentences and one for long ones."""
    rows = list(benchmark.data_rows(2, "cpu"))
    assert len(rows) == 2
    for row in rows:
        check(row, "data")


@pytest.mark.slow
def test_rows_of_the_steps() -> None:
    """Each pooling of the plain loop at two sizes."""
    rows = list(benchmark.step_rows(1, "cpu", n_lesson=64, n_kim=60))
    assert len(rows) == 2 * len(plain_loop.POOLINGS)
    for row in rows:
        check(row, "step")


@pytest.mark.slow
def test_rows_of_seeds_at_once() -> None:
    """Each pooling of the plain loop with three numbers of models."""
    rows = list(benchmark.seeds_rows(1, "cpu", n_train=64))
    assert [row.name for row in rows[:3]] == ["max, 1 at once", "max, 3 at once", "max, 10 at once"]
    for row in rows:
        check(row, "seeds")


@pytest.mark.slow
def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The table goes to standard output, the progress to standard error, and the rows to the JSON file."""
    threads = torch.get_num_threads()
    file = tmp_path / "speed.json"
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "data", "--rounds", "1", "--json", str(file)])
    benchmark.main()
    torch.set_num_threads(threads)
    [lesson, _] = json.loads(file.read_text())
    assert (lesson["section"], lesson["name"], lesson["rounds"]) == ("data", "lesson", 1)
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "| section | what | against | ratio | quartiles | time | opponent |"
    assert shown.err.splitlines()[0].startswith("data: 1 rows")


def test_an_unknown_section(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the sections."""
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "poolings"])
    with pytest.raises(SystemExit):
        benchmark.main()
    expected = "expected command, again, step, pooling, data, seeds, precision, study, got poolings"
    assert expected in capsys.readouterr().err


def test_the_plain_loop_has_the_same_sentences() -> None:
    """Otherwise it would not do the same work."""
    labels = ["negative", "positive"]
    plain = [[(words, labels[label]) for words, label in split] for split in plain_loop.draw_splits()]
    data = SentimentData()
    data.setup()
    assert plain == [[tuple(sentence) for sentence in split] for split in data.splits]
    tokens, targets = plain_loop.encode(plain_loop.draw_splits()[2])
    test = data.encoded["test"].__getitems__(list(range(320)))
    assert torch.equal(tokens, test.tokens)
    assert torch.equal(targets, test.labels)


def test_the_plain_model_has_the_same_weights() -> None:
    """Same names of the weights in the same order, same shapes."""
    plain = plain_loop.PlainCNN(41, 32, (2, 3, 4), 32, "max", 0.3)
    model = TextCNN(41, 2, Max)
    assert [weight.shape for weight in plain.parameters()] == [weight.shape for weight in model.parameters()]


@pytest.mark.slow
def test_the_plain_loop_learns() -> None:
    """A few epochs are enough for most test sentences."""
    splits = [plain_loop.encode(split) for split in plain_loop.draw_splits()]
    assert plain_loop.run("kmax", 0, splits, epochs=4) > 0.8
