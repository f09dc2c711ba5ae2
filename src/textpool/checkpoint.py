"""Which epoch counts: the best by the validation part."""

import math
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from textpool.checks import one_of


class BestCheckpoint(ModelCheckpoint):
    """Write `best.ckpt`, the best epoch by a validation metric, and `last.ckpt`, the last.

    Of epochs with equal metric the one with the lower validation loss is better. An accuracy is a share of few
    sentences: where every strategy comes to 100 %, the first epoch that does is a matter of luck.

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

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is better than the best so far."""
        better = super().check_monitor_top_k(trainer, current)
        loss = trainer.callback_metrics["val/loss"].item()
        if not better and current is not None and current == self.best_model_score:
            better = trainer.strategy.reduce_boolean_decision(loss < self.best_loss)
        if better:
            self.best_loss = loss
        return better

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {**super().state_dict(), "best_loss": self.best_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state_dict)
        self.best_loss = state_dict["best_loss"]
