"""Progress of a run: a bar on a terminal, a few lines elsewhere."""

import io
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from textpool.run import progress

METRICS = {"val/loss": torch.tensor(0.25), "val/acc": torch.tensor(0.5), "train/loss": torch.tensor(9.0)}


def trainer(epoch: int, epochs: int = 20) -> Any:
    return SimpleNamespace(
        current_epoch=epoch, max_epochs=epochs, num_training_batches=3, callback_metrics=METRICS, is_global_zero=True
    )


def test_the_latest_validation_as_text() -> None:
    """Loss and accuracy, as far as they are there."""
    assert progress.validation(trainer(0)) == "val/loss 0.2500  val/acc 0.5000"
    assert progress.validation(SimpleNamespace(callback_metrics={})) == ""  # pyright: ignore[reportArgumentType]


def test_ten_lines_for_a_log_file(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth of a long run, no two lines within 5 seconds: a sweep of short runs has none."""
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    nothing: Any = None
    with caplog.at_level(logging.INFO):
        lines = progress.EpochLines()
        for epoch in range(20):
            lines.on_validation_end(trainer(epoch), nothing)
    epochs = [record.getMessage().split()[1] for record in caplog.records]
    assert epochs[-1] == "20/20"
    assert 3 <= len(epochs) <= 10
    caplog.clear()
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    lines = progress.EpochLines()
    for epoch in range(20):
        lines.on_validation_end(trainer(epoch), nothing)
    assert not caplog.records


def test_one_bar_for_the_whole_run() -> None:
    """It counts the batches of all epochs, names the epoch and shows the metrics of the latest validation."""
    bar, nothing, output = progress.RunBar(), None, io.StringIO()
    bar._bar.live.console = Console(file=output, force_terminal=True, width=120)
    one: Any = trainer(0, epochs=2)
    bar.on_train_start(one, nothing)  # pyright: ignore[reportArgumentType]
    for epoch in range(2):
        for _ in range(3):
            bar.on_train_batch_end(trainer(epoch, epochs=2))
        bar.on_validation_end(trainer(epoch, epochs=2), nothing)  # pyright: ignore[reportArgumentType]
    bar.on_train_end(one, nothing)  # pyright: ignore[reportArgumentType]
    [task] = bar._bar.tasks
    assert (task.completed, task.total) == (6, 6)
    assert "epoch 2/2" in output.getvalue()
    assert "val/acc 0.5000" in output.getvalue()


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
    assert type(progress.progress_callback()) is kind
