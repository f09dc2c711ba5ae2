"""The LightningModule: loss, metrics and optimiser around any model that gives logits."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torchmetrics.functional.classification import binary_auroc, multiclass_f1_score

from textpool.checks import integer

ADAM = partial(torch.optim.Adam, lr=0.003, fused=True)


class TextClassifier(LightningModule):
    """Train a model on batches of (tokens (batch, time), class numbers (batch,)).

    Logs once an epoch, under `train/` (loss and accuracy only), `val/` and `test/`: the cross-entropy `loss`, the
    accuracy `acc`, the macro-averaged F1 score `f1` and, for two classes, the area under the ROC curve `auroc`.

    Args:
        model: gives logits (batch, classes) for tokens (batch, time), such as `TextCNN`.
        n_classes: number of classes.
        optimizer: makes the optimiser from the parameters, such as `partial(torch.optim.Adam, lr=0.003)`.
        scheduler: makes the learning-rate schedule from the optimiser; stepped once an epoch. None: constant rate.
        monitor: the validation metric that a schedule such as `ReduceLROnPlateau` watches.
        seed: of the dropout: each epoch's is drawn from the seed and the epoch, so that a resumed run repeats the
            uninterrupted one.
    """

    def __init__(
        self,
        model: nn.Module,
        n_classes: int,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = ADAM,
        scheduler: Callable[[Optimizer], Any] | None = None,
        monitor: str = "val/loss",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.n_classes = integer("n_classes", n_classes, least=2)
        self.make_optimizer, self.make_scheduler, self.monitor = optimizer, scheduler, monitor
        self.seed = integer("seed", seed, least=0)
        # Logits and targets of the batches of an epoch: one pass over them at its end is cheaper than an update per
        # batch. One list per split, because Lightning validates before it ends the training epoch.
        self._outputs: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "test": []}

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, classes) of tokens (batch, time)."""
        return self.model(tokens)

    def on_train_epoch_start(self) -> None:
        # each of several processes draws a dropout of its own
        torch.manual_seed((self.global_rank << 52) + (self.seed << 20) + self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, targets = batch
        logits = self(tokens)
        self.keep("train", logits.detach(), targets)
        shared = self._trainer is not None and self._trainer.world_size > 1
        return self.shared_loss(logits, targets) if shared else F.cross_entropy(logits, targets)

    def shared_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss in one of several processes, whose mean over them is that of the whole batch.

        A class number below 0 marks a sentence that does not count.
        """
        total = self.trainer.strategy.reduce((targets >= 0).sum(), reduce_op="sum")
        return F.cross_entropy(logits, targets, reduction="sum") * self.trainer.world_size / total

    def on_train_epoch_end(self) -> None:
        """Log loss and accuracy, both measured on each batch before the model learned from it."""
        logits, targets = self._pop_outputs("train")
        if self.trainer.world_size > 1:
            gather = self.trainer.strategy.all_gather
            logits, targets = (gather(share).flatten(0, 1) for share in (logits, targets))
            logits, targets = logits[targets >= 0], targets[targets >= 0]
        loss = F.cross_entropy(logits, targets)
        if not math.isfinite(loss):
            raise ValueError(
                f"train/loss became {loss.item()} in epoch {self.current_epoch + 1}: a smaller optimizer.lr may help"
            )
        metrics = {"train/loss": loss, "train/acc": (logits.argmax(-1) == targets).float().mean()}
        self.log_dict(metrics, sync_dist=True)  # equal in all processes, and Lightning warns without it

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        tokens, targets = batch
        self.keep("val", self(tokens), targets)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        tokens, targets = batch
        self.keep("test", self(tokens), targets)

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Probability of each class, (batch, classes)."""
        tokens, _ = batch
        return self(tokens).float().softmax(-1)

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.parameters())
        constrain = getattr(self.model, "constrain", None)  # such as the largest length of some weights
        if constrain is not None:
            optimizer.register_step_post_hook(lambda *_: constrain())
        if self.make_scheduler is None:
            return optimizer
        every = self.trainer.check_val_every_n_epoch or 1  # a schedule that watches a validation metric needs a new one
        schedule = {"scheduler": self.make_scheduler(optimizer), "monitor": self.monitor, "frequency": every}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def keep(self, split: str, logits: Tensor, targets: Tensor) -> None:
        """Keep the logits (batch, classes) and the class numbers (batch,) of a batch for the metrics of its epoch."""
        self._outputs[split].append((logits, targets))

    def _pop_outputs(self, split: str) -> tuple[Tensor, Tensor]:
        logits, targets = zip(*self._outputs[split], strict=True)
        self._outputs[split].clear()
        return torch.cat(logits).float(), torch.cat(targets)

    def _log_metrics(self, split: str) -> None:
        metrics = classification_metrics(*self._pop_outputs(split), self.n_classes)
        self.log_dict({f"{split}/{name}": value for name, value in metrics.items()}, sync_dist=True)


def classification_metrics(logits: Tensor, targets: Tensor, n_classes: int) -> dict[str, Tensor]:
    """Metrics of predictions: `loss`, `acc`, `f1` (macro-averaged) and, where there is a ranking, `auroc`.

    Args:
        logits: (sentences, classes), float; log-probabilities are logits too.
        targets: (sentences,), numbers of the classes.
        n_classes: number of classes.
    """
    predicted = logits.argmax(-1)
    metrics = {
        "loss": F.cross_entropy(logits, targets),
        "acc": (predicted == targets).float().mean(),
        "f1": multiclass_f1_score(predicted, targets, n_classes, average="macro", validate_args=False),
    }
    if n_classes == 2 and len(targets.unique()) == 2:  # targets of a single class have no ranking
        metrics["auroc"] = binary_auroc(logits.softmax(-1)[:, 1], targets)
    return metrics
