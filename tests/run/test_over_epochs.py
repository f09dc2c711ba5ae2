"""Explained validation sentences, epoch by epoch."""

import json
from pathlib import Path

import pytest
from conftest import Compose
from test_training import numbers, run

from textpool.record import EPOCHS
from textpool.study import words
from textpool.study.comparison import compare
from textpool.study.runs import read

FEW = ["data=order", "data.n_train=40", "trainer.max_epochs=3"]


@pytest.mark.slow
def test_words_over_epochs(config: Compose, tmp_path: Path) -> None:
    """One list of contributions for each epoch, the same numbers as without, and a panel for each sentence."""
    watched = run(config, tmp_path / "study" / "kmax", "pooling=kmax", *FEW, "callbacks=words_over_epochs")
    plain = run(config, tmp_path / "plain" / "kmax", "pooling=kmax", *FEW)
    assert numbers(watched) == numbers(plain)
    content = json.loads((tmp_path / "study" / "kmax" / EPOCHS).read_text())
    assert content["epochs"] == [1, 2, 3]
    assert [each["label"] for each in content["sentences"]] == ["a first", "b first"] * 2
    for each in content["sentences"]:
        assert [len(parts) for parts in each["contributions"]] == [len(each["words"])] * 3
        assert len({tuple(parts) for parts in each["contributions"]}) == 3
    runs = read(tmp_path / "study")
    figure = words.draw_over_epochs(compare(runs), runs)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["kmax: a first", "kmax: b first"] * 2
    (tmp_path / "study" / "kmax" / EPOCHS).write_text(
        '{"epochs": [1], "sentences": [{"words": ["a"], "contributions": 3}]}'
    )
    assert words.draw_over_epochs(compare(runs), runs) is None
