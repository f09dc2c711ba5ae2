"""Progress of a run: a bar on a terminal, a few lines elsewhere."""

import logging
import multiprocessing
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from textpool.record import in_words
from textpool.run.sweep import SweepProgress

log = logging.getLogger(__name__)


class TimeColumn(ProgressColumn):
    """The time that is left and, at the end, the time that it took."""

    def render(self, task: Task) -> Text:
        seconds, text = (task.finished_time, "in {}") if task.finished else (task.time_remaining, "{} left")
        return Text("" if seconds is None else text.format(timedelta(seconds=round(seconds))))


class Bar(Progress):
    """A bar for a run, above a line on its sweep."""

    def __init__(self, sweep: SweepProgress | None) -> None:
        self.sweep = sweep
        text = TextColumn("epoch {task.fields[epoch]}  {task.fields[metrics]}")
        time_column = TimeColumn(table_column=Column(no_wrap=True))
        super().__init__(BarColumn(), text, time_column, transient=sweep is not None)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.sweep is not None:
            yield Text(str(self.sweep))


class RunBar(ProgressBar):
    """One bar for the whole run. Lightning's own starts anew each epoch, and a small model's epoch lasts a moment.

    Args:
        sweep: how much of its sweep is done, shown below the bar; None: the run is no part of a sweep.
    """

    def __init__(self, sweep: SweepProgress | None = None) -> None:
        super().__init__()
        self._bar = Bar(sweep)
        self._task: TaskID | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Begin anew in a process that Lightning starts: a bar cannot be moved to another process."""
        return RunBar, (self._bar.sweep,)

    def disable(self) -> None:
        """Show nothing, as in all but the first of several processes."""
        self._bar.disable = True

    def enable(self) -> None:
        self._bar.disable = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs, batches = trainer.max_epochs or 0, trainer.num_training_batches
        total = epochs * batches if epochs > 0 else None
        done = trainer.current_epoch * int(batches)
        self._task = self._bar.add_task("", total=total, completed=done, epoch="", metrics="")
        self._bar.start()

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        if self._task is not None:
            self._bar.update(self._task, advance=1, epoch=f"{trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._task is not None:
            self._bar.update(self._task, metrics=latest(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._task is not None:  # a training that was stopped early has come to its end too
            self._bar.update(self._task, total=self._bar.tasks[self._task].completed, metrics=latest(trainer))
        self._bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._bar.stop()


class EpochLines(Callback):
    """Log about ten lines per run, so that a log file shows progress.

    No two lines come within 5 seconds: in a sweep of many short runs, the end of each run is progress enough.

    Args:
        name: of the run: several may run side by side.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.last_line = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        last = trainer.max_epochs or 0
        epoch = trainer.current_epoch + 1
        due = epoch % max(1, last // 10) == 0 or epoch == last
        if due and time.monotonic() - self.last_line > 5:
            self.last_line = time.monotonic()
            log.info("%s: epoch %d/%d  %s", self.name, epoch, last, latest(trainer))


class OverfitVerdict(Callback):
    """Say at the end of a training on a single batch whether the model learned it: the answer of `debug=overfit`.

    Args:
        near_zero: the training loss below which it did.
    """

    def __init__(self, near_zero: float = 0.01) -> None:
        self.near_zero = near_zero

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = trainer.callback_metrics["train/loss"].item()
        epochs = f"{trainer.current_epoch} epoch{'' if trainer.current_epoch == 1 else 's'}"
        verdict = (
            "the model can fit one batch"
            if loss < self.near_zero
            else f"the model did not fit one batch, whose loss should be below {self.near_zero}: try more epochs or "
            "another optimizer.lr; if these do not help, the model or the labels are wrong"
        )
        log.info("train/loss %.4f after %s: %s", loss, epochs, verdict)


def latest(trainer: Trainer) -> str:
    """Loss and accuracy of the latest validation, as text; those of the training where one batch is to be overfitted.

    A validation comes before the end of its epoch: the training metrics are then of the epoch before.
    """
    split = "train" if getattr(trainer, "overfit_batches", 0) else "val"
    metrics = trainer.callback_metrics
    names = [name for name in (f"{split}/loss", f"{split}/acc") if name in metrics]
    return "  ".join(in_words(name, metrics[name].item()) for name in names)


def progress_callback(name: str, sweep: SweepProgress | None = None) -> Callback:
    """A bar if the output is a terminal and this process is alone, else lines.

    Args:
        name: of the run.
        sweep: how much of its sweep is done; None: the run is no part of a sweep.
    """
    alone = multiprocessing.current_process().name == "MainProcess"  # bars of runs side by side overwrite each other
    return RunBar(sweep) if alone and sys.stdout.isatty() else EpochLines(name)
