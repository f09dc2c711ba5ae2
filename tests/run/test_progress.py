"""Progress of a run: a bar on a terminal, a few lines elsewhere."""

import io
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from textpool.run import progress
from textpool.run.sweep import SweepProgress

METRICS = {"val/loss": torch.tensor(0.25), "val/acc": torch.tensor(0.5), "train/loss": torch.tensor(9.0)}


def trainer(epoch: int, epochs: int = 20, **fields: Any) -> Any:
    known = {"num_training_batches": 3, "callback_metrics": METRICS, "is_global_zero": True, "overfit_batches": 0}
    return SimpleNamespace(current_epoch=epoch, max_epochs=epochs, **known | fields)


def test_the_latest_metrics_as_text() -> None:
    """Loss and accuracy, as far as they are there; accuracies in %, as in the table."""
    assert progress.latest(trainer(0)) == "val/loss 0.2500  val/acc 50.00 %"
    assert progress.latest(trainer(0, callback_metrics={})) == ""


def test_overfitting_shows_the_training_loss() -> None:
    """It is what `debug=overfit` is about; no validation split says anything there."""
    assert progress.latest(trainer(0, overfit_batches=1)) == "train/loss 9.0000"


@pytest.mark.parametrize(
    ("loss", "epochs", "text"),
    [
        (0.0003, 100, "train/loss 0.0003 after 100 epochs: the model can fit one batch"),
        (0.0099, 1, "train/loss 0.0099 after 1 epoch: the model can fit one batch"),
        (0.02, 5, "train/loss 0.0200 after 5 epochs: the model did not fit one batch, whose loss should be below 0.01"),
    ],
)
def test_the_verdict_on_overfitting(caplog: pytest.LogCaptureFixture, loss: float, epochs: int, text: str) -> None:
    """Whether the loss came near 0, and what to try where it did not."""
    nothing: Any = None
    with caplog.at_level(logging.INFO):
        ended = trainer(epochs, callback_metrics={"train/loss": torch.tensor(loss)})
        progress.OverfitVerdict().on_train_end(ended, nothing)
    [message] = caplog.messages
    assert message.startswith(text)
    assert ("optimizer.lr" in message) == (loss >= 0.01)


def test_ten_lines_for_a_log_file(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth of a long run, no two lines within 5 seconds: a sweep of short runs has none."""
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    nothing: Any = None
    with caplog.at_level(logging.INFO):
        lines = progress.EpochLines("avg")
        for epoch in range(20):
            lines.on_validation_end(trainer(epoch), nothing)
    assert caplog.messages[0] == "avg: epoch 4/20  val/loss 0.2500  val/acc 50.00 %"
    epochs = [message.split()[2] for message in caplog.messages]
    assert epochs[-1] == "20/20"
    assert 3 <= len(epochs) <= 10
    caplog.clear()
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    lines = progress.EpochLines("avg")
    for epoch in range(20):
        lines.on_validation_end(trainer(epoch), nothing)
    assert not caplog.records


def drawn(bar: progress.RunBar, width: int, epochs: int = 2) -> str:
    """What a bar draws in the course of two epochs."""
    nothing: Any = None
    output = io.StringIO()
    bar._bar.live.console = Console(file=output, force_terminal=True, width=width)
    bar.on_train_start(trainer(0, epochs), nothing)
    for epoch in range(2):
        for _ in range(3):
            bar.on_train_batch_end(trainer(epoch, epochs))
        bar.on_validation_end(trainer(epoch, epochs), nothing)
    bar.on_train_end(trainer(1, epochs), nothing)
    return output.getvalue()


def test_one_bar_for_the_whole_run() -> None:
    """It counts the batches of all epochs, names the epoch and shows the metrics of the latest validation."""
    bar = progress.RunBar()
    text = drawn(bar, width=120)
    [task] = bar._bar.tasks
    assert (task.completed, task.total) == (6, 6)
    assert "epoch 2/2" in text
    assert "val/acc 50.00 %" in text
    assert "runs" not in text


def test_a_bar_that_stops_early_says_how_long_it_took() -> None:
    """Nothing is left after `callbacks=early_stopping` has ended the training."""
    last = drawn(progress.RunBar(), width=120, epochs=20).splitlines()[-2]  # the last one shows the cursor again
    assert "epoch 2/20" in last
    assert "in 0:00:0" in last
    assert "left" not in last


@pytest.mark.parametrize("width", [80, 100])
def test_a_bar_in_a_sweep_has_a_line_of_context(width: int) -> None:
    """How much of the sweep is done, below the bar; neither is cut."""
    sweep = SweepProgress(3, 12, end=time.time() + 80)
    text = drawn(progress.RunBar(sweep), width)
    assert "3 of 12 runs, about 0:01:" in text
    assert "…" not in text
    assert progress.RunBar(sweep)._bar.live.transient  # else such a line would stay behind for each run


@pytest.mark.parametrize(
    ("terminal", "process", "kind"),
    [
        (True, "MainProcess", progress.RunBar),
        (True, "Worker-1", progress.EpochLines),
        (False, "MainProcess", progress.EpochLines),
    ],
)
def test_the_output_decides(monkeypatch: pytest.MonkeyPatch, terminal: bool, process: str, kind: type) -> None:
    """Bars of runs side by side would overwrite each other, and a log file cannot show one."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr(progress.multiprocessing, "current_process", lambda: SimpleNamespace(name=process))
    assert type(progress.progress_callback("avg")) is kind
