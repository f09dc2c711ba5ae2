"""Which epoch counts: the best by the validation part."""

import math
import time
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from textpool.checks import one_of


class BestCheckpoint(ModelCheckpoint):
    """Write `best.ckpt`, the best epoch by a validation metric, and `last.ckpt`, the last.

    Of epochs with equal metric the one with the lower validation loss is better. An accuracy is a share of few
    sentences: where every strategy comes to 100 %, the first epoch that does is a matter of luck.

    Attributes:
        history: validation metrics, by their names, an entry an epoch.
        seconds_before: spent before the run was resumed.

    Args:
        folder: where both files go.
        monitor: name of the metric.
        mode: `max` or `min`.
    """

    def __init__(self, folder: Path, monitor: str, mode: str) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor=monitor,
            mode=one_of("mode", mode, ("max", "min")),
            save_last=True,
            enable_version_counter=False,
        )
        self.best_loss = math.inf
        self.history: dict[str, list[float]] = {}
        self.seconds_before = 0.0
        self.clock = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the metrics of the epoch, then keep what is worth keeping."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            for name, value in trainer.callback_metrics.items():
                if name.startswith("val/"):
                    self.history.setdefault(name, []).append(value.item())
        super().on_validation_end(trainer, pl_module)

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
        """What a resumed run has to know."""
        seconds = self.seconds_before + time.perf_counter() - self.clock
        own = {"best_loss": self.best_loss, "history": self.history, "seconds": seconds}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; the run's folder may have been moved since."""
        best = str(Path(str(self.dirpath)) / "best.ckpt")
        score = state_dict["best_model_score"]
        moved = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict({**state_dict, **moved, "best_k_models": {best: score}})
        self.seconds_before = state_dict["seconds"]
        self.best_loss = state_dict["best_loss"]
        self.history = state_dict["history"]
