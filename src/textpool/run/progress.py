"""Progress of a run: a bar on a terminal, a few lines elsewhere."""

import logging
import multiprocessing
import sys
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class RunBar(ProgressBar):
    """One bar for the whole run. Lightning's own starts anew each epoch, and a small model's epoch lasts a moment."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}  {task.fields[metrics]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._task: TaskID | None = None

    def disable(self) -> None:
        """Show nothing, as in all but the first of several processes."""
        self._bar.disable = True

    def enable(self) -> None:
        self._bar.disable = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs, batches = trainer.max_epochs or 0, trainer.num_training_batches
        total = epochs * batches if epochs > 0 else None
        done = trainer.current_epoch * int(batches)
        self._task = self._bar.add_task("training", total=total, completed=done, epoch="", metrics="")
        self._bar.start()

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        if self._task is not None:
            self._bar.update(self._task, advance=1, epoch=f"{trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._task is not None:
            self._bar.update(self._task, metrics=validation(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._bar.stop()


class EpochLines(Callback):
    """Log about ten lines per run, so that a log file shows progress.

    No two lines come within 5 seconds: in a sweep of many short runs, the end of each run is progress enough.
    """

    def __init__(self) -> None:
        self.last_line = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        last = trainer.max_epochs or 0
        epoch = trainer.current_epoch + 1
        due = epoch % max(1, last // 10) == 0 or epoch == last
        if due and time.monotonic() - self.last_line > 5:
            self.last_line = time.monotonic()
            log.info("epoch %d/%d  %s", epoch, last, validation(trainer))


def validation(trainer: Trainer) -> str:
    """Loss and accuracy of the latest validation, as text."""
    metrics = trainer.callback_metrics
    return "  ".join(f"{name} {metrics[name].item():.4f}" for name in ("val/loss", "val/acc") if name in metrics)


def progress_callback() -> Callback:
    """A bar if the output is a terminal and this process is alone, else lines."""
    alone = multiprocessing.current_process().name == "MainProcess"  # bars of runs side by side overwrite each other
    return RunBar() if alone and sys.stdout.isatty() else EpochLines()
