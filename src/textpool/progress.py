"""How a run shows that it is alive: a bar on a terminal, a few lines elsewhere."""

import logging
import sys

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Log a line at about every tenth of the run: nothing else shows a job in a log file that it goes on."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log loss and accuracy of the epoch that has just been validated."""
        last = trainer.max_epochs or 0
        epoch = trainer.current_epoch + 1
        if epoch % max(1, last // 10) and epoch != last:
            return
        shown = ("val/loss", "val/acc")
        values = "  ".join(f"{name} {trainer.callback_metrics[name].item():.4f}" for name in shown)
        log.info("epoch %d/%s  %s", epoch, last if last > 0 else "?", values)


def progress() -> Callback:
    """The right one for where the output goes."""
    return RichProgressBar(leave=False) if sys.stdout.isatty() else EpochLines()
