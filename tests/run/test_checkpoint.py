"""Which epoch is the best one, and what a resumed run knows of the epochs before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from textpool.run.checkpoint import BestCheckpoint, bring_best


def checkpoint(folder: Path, mode: str = "max") -> BestCheckpoint:
    return BestCheckpoint(folder, "val/acc", mode, {"labels": ["a"]})


def validated(found: BestCheckpoint, metric: float, loss: float) -> bool:
    """Whether an epoch with these validation metrics is better than those before; the best one is remembered."""
    metrics = {"val/acc": torch.tensor(metric), "val/loss": torch.tensor(loss)}
    strategy = SimpleNamespace(reduce_boolean_decision=lambda decision: bool(decision))
    trainer: Any = SimpleNamespace(callback_metrics=metrics, strategy=strategy)
    better = found.check_monitor_top_k(trainer, metrics["val/acc"])
    if better:
        found.best_model_score, found.kth_best_model_path = metrics["val/acc"], "best"
        found.best_k_models = {"best": metrics["val/acc"]}
    return better


@pytest.mark.parametrize(
    ("mode", "epochs", "best"),
    [
        ("max", [(0.5, 0.9), (0.7, 0.8), (0.6, 0.1)], [True, True, False]),  # a lower loss alone is not better
        ("max", [(1.0, 0.3), (1.0, 0.2), (1.0, 0.25)], [True, True, False]),  # of equal metrics, the lower loss is
        ("min", [(0.5, 0.9), (0.7, 0.1), (0.4, 0.9)], [True, False, True]),
    ],
)
def test_the_best_epoch(tmp_path: Path, mode: str, epochs: list[tuple[float, float]], best: list[bool]) -> None:
    """By the metric; of epochs with an equal metric, the one with the lower validation loss."""
    found = checkpoint(tmp_path, mode)
    assert [validated(found, *epoch) for epoch in epochs] == best


def test_state_of_a_resumed_run(tmp_path: Path) -> None:
    """It knows the best loss, the history and the seconds before; its best checkpoint is in its own folder."""
    before = checkpoint(tmp_path / "before")
    validated(before, 1.0, 0.2)
    before.history = {"val/acc": [0.5, 1.0]}
    before.seconds_before = 100.0
    state = before.state_dict()
    after = checkpoint(tmp_path / "after")
    after.load_state_dict(state)
    assert (after.best_loss, after.history) == (pytest.approx(0.2), {"val/acc": [0.5, 1.0]})
    assert after.seconds_before >= 100.0
    assert after.best_model_path == str(tmp_path / "after" / "best.ckpt")
    assert not validated(after, 1.0, 0.3)
    assert validated(after, 1.0, 0.1)


def test_content_of_the_file(tmp_path: Path) -> None:
    """Configuration, vocabulary and labels travel in every checkpoint."""
    written: dict[str, Any] = {}
    nothing: Any = None
    checkpoint(tmp_path).on_save_checkpoint(nothing, nothing, written)
    assert written == {"textpool": {"labels": ["a"]}}


def test_the_best_checkpoint_comes_along(tmp_path: Path) -> None:
    """A run that starts from another's checkpoint may not improve: then the other's best epoch is its best."""
    (tmp_path / "before").mkdir()
    start = tmp_path / "before" / "last.ckpt"
    start.write_text("last")
    (tmp_path / "before" / "best.ckpt").write_text("best")
    bring_best(start, tmp_path / "after")
    assert (tmp_path / "after" / "best.ckpt").read_text() == "best"
    bring_best(start, tmp_path / "before")  # its own folder: nothing to copy
    assert (tmp_path / "before" / "best.ckpt").read_text() == "best"


def test_wrong_mode(tmp_path: Path) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(ValueError, match="mode: expected one of max, min, got 'biggest'"):
        checkpoint(tmp_path, "biggest")
