"""The checkpoints of a run: its best epoch by the validation split, and its last."""

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from textpool.build import CONTENT
from textpool.checks import one_of

SECONDS_BETWEEN = 1.0  # between two writings of last.ckpt: a small model's epoch takes less time than writing a file


class BestCheckpoint(ModelCheckpoint):
    """Write `best.ckpt`, the best epoch by a validation metric, and `last.ckpt`, from which a training continues.

    `last.ckpt` holds the last epoch when the training has ended; before, an epoch that ended about a second ago.

    Of epochs with an equal metric, the one with the lower validation loss is better. An accuracy is a fraction of few
    sentences: where every strategy reaches 100 %, the first epoch that does is a matter of chance.

    Attributes:
        history: metrics of the validation split, and of the training split, by their names, one entry per epoch.
        seconds_before: duration of the training before it was resumed.

    Args:
        folder: where both files go.
        monitor: name of the metric.
        mode: `max` or `min`.
        content: plain data that both files hold under the key `textpool`, so that one file is enough to predict.
    """

    def __init__(self, folder: Path, monitor: str, mode: str, content: Mapping[str, Any]) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor=monitor,
            mode=one_of("mode", mode, ("max", "min")),
            save_on_train_epoch_end=False,  # the epoch is judged, and written, when it has been validated
            enable_version_counter=False,
        )
        self.last = folder / "last.ckpt"
        self.last_written = -math.inf
        self.content = content
        self.best_loss = math.inf
        self.history: dict[str, list[float]] = {}
        self.seconds_before = 0.0
        self.clock = time.perf_counter()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the plain data."""
        checkpoint[CONTENT] = dict(self.content)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the metrics of the epoch to the history, then write the checkpoints that are due."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            for name, value in trainer.callback_metrics.items():
                if name.startswith("val/"):
                    self.history.setdefault(name, []).append(value.item())
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the metrics of the training split to the history; the classifier has just logged them."""
        for name, value in trainer.callback_metrics.items():
            if name.startswith("train/"):
                self.history.setdefault(name, []).append(value.item())
        super().on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt` for the epoch before, unless it was written within the last second.

        Not when an epoch ends: a schedule that follows a validation metric steps after the last hook of an epoch.
        """
        due = trainer.current_epoch > 0 and time.monotonic() - self.last_written > SECONDS_BETWEEN
        if trainer.strategy.broadcast(due):  # every process has its own clock, and all have to take part
            self.write_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt` for the last epoch."""
        self.write_last(trainer)

    def write_last(self, trainer: Trainer) -> None:
        """Write the state between two epochs."""
        progress = trainer.fit_loop.epoch_progress
        counted = progress.state_dict()
        for counts in (progress.total, progress.current):
            counts.ready = counts.completed  # an epoch that is about to begin has not begun for a resumed run
        self._save_checkpoint(trainer, str(self.last))
        progress.load_state_dict(counted)
        self.last_written = time.monotonic()

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        """Write a file atomically: Lightning copies it from the temporary folder, maybe from another file system."""
        draft = Path(f"{filepath}.draft")
        try:
            super()._save_checkpoint(trainer, str(draft))
        except OSError:  # on a full disk, the failure has to be recorded
            draft.unlink(missing_ok=True)
            raise
        if trainer.is_global_zero:
            draft.replace(filepath)

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is better than the best so far."""
        better = super().check_monitor_top_k(trainer, current)
        loss = trainer.callback_metrics["val/loss"].item() if "val/loss" in trainer.callback_metrics else math.inf
        if not better and current is not None and current == self.best_model_score:
            better = trainer.strategy.reduce_boolean_decision(loss < self.best_loss)
        if better:
            self.best_loss = loss
        return better

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed run needs."""
        seconds = self.seconds_before + time.perf_counter() - self.clock
        own = {"best_loss": self.best_loss, "history": self.history, "seconds": seconds}
        own["seconds_before"] = self.seconds_before
        return {**super().state_dict(), **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state; the run's folder may have been moved since."""
        best = str(Path(str(self.dirpath)) / "best.ckpt")
        score = state_dict["best_model_score"]
        moved = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict({**state_dict, **moved, "best_k_models": {best: score}})
        self.seconds_before = state_dict["seconds"]
        self.best_loss = state_dict["best_loss"]
        self.history = state_dict["history"]

    def take_over(self) -> None:
        """Take what other processes have found in their training, of which this one knows the best checkpoint only."""
        checkpoint = torch.load(self.last, map_location="cpu", weights_only=True)
        state = checkpoint["callbacks"][self.state_key]
        self.history, self.seconds_before = state["history"], state["seconds_before"]


def bring_best(start: Path, folder: Path) -> None:
    """Copy the best checkpoint that stands beside the one that a run starts from: no later epoch may be better."""
    best = start.with_name("best.ckpt")
    if best.resolve() != (folder / "best.ckpt").resolve():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(best, folder / "best.ckpt")
