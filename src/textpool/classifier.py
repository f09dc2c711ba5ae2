"""The LightningModule: loss, metrics and optimiser around a model that the configuration describes."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from lightning import LightningModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from torchmetrics.functional.classification import binary_auroc

Batch = tuple[Tensor, Tensor]  # tokens (batch, time) and class numbers (batch,)


class TextClassifier(LightningModule):
    """Train a model on sentences with class numbers.

    Logs, once an epoch: cross-entropy `loss`, accuracy `acc`, macro F1 `f1` and, where there are two classes,
    the area under the ROC curve `auroc`, each under `train/` (loss and acc only), `val/` and `test/`.

    A checkpoint holds the arguments below beside the weights, as plain data, so that
    `TextClassifier.load_from_checkpoint(path, weights_only=True)` needs no other file. It builds what the
    configuration names: load checkpoints of people you trust only.

    Args:
        config: the sections `model`, `pooling`, `optimizer` and `scheduler` (may be None) of a resolved
            configuration, with Hydra's `_target_`; further sections travel along.
        vocabulary: the tokens in the order of their numbers.
        labels: the names of the classes in the order of their numbers.
    """

    def __init__(self, config: dict[str, Any], vocabulary: Sequence[str], labels: Sequence[str]) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.config = config
        self.vocabulary = list(vocabulary)
        self.labels = list(labels)
        n_classes = len(labels)
        if not config["pooling"].get("_partial_"):
            raise ValueError(
                "pooling: its YAML file needs the line `_partial_: true`: the model makes one per kernel size"
            )
        self.model = instantiate(config["model"])(len(vocabulary), n_classes, instantiate(config["pooling"]))
        self.metrics = MetricCollection(
            {
                "acc": MulticlassAccuracy(n_classes, average="micro"),
                "f1": MulticlassF1Score(n_classes, average="macro"),
            }
        )
        self.mean_loss = MeanMetric(nan_strategy="disable")
        # What the batches of an epoch gave: one pass over it at the end is cheaper than an update a batch.
        # A list a part: Lightning validates before it ends the training epoch.
        self._seen: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "test": []}

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, classes) of tokens (batch, time)."""
        return self.model(tokens)

    def on_train_epoch_start(self) -> None:
        """Draw each epoch's dropout from the seed and the epoch, so that a resumed run repeats the unbroken one."""
        torch.manual_seed((self.config.get("seed", 0) << 20) + self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy of a batch."""
        tokens, targets = batch
        logits = self(tokens)
        self._seen["train"].append((logits.detach(), targets))
        return F.cross_entropy(logits, targets)

    def on_train_epoch_end(self) -> None:
        """Log loss and accuracy over the epoch, as the model was when it met each batch."""
        logits, targets = self._take("train")
        loss = F.cross_entropy(logits, targets)
        if not math.isfinite(loss):
            raise ValueError(
                f"train/loss became {loss.item()} in epoch {self.current_epoch + 1}: a smaller optimizer.lr may help"
            )
        self.log_dict({"train/loss": loss, "train/acc": (logits.argmax(-1) == targets).float().mean()})

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the logits of a batch."""
        self._see("val", batch)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the validation part."""
        self._log_metrics("val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the logits of a batch."""
        self._see("test", batch)

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the test part."""
        self._log_metrics("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probability of each class, (batch, classes)."""
        tokens, _ = batch
        return self(tokens).float().softmax(-1)

    def configure_optimizers(self) -> Any:
        """The optimiser, and the schedule if there is one, stepped once an epoch."""
        optimizer = instantiate(self.config["optimizer"])(self.parameters())
        if not self.config.get("scheduler"):
            return optimizer
        scheduler = instantiate(self.config["scheduler"])(optimizer)
        every = self.trainer.check_val_every_n_epoch or 1  # a schedule that watches val/loss needs one to watch
        schedule = {"scheduler": scheduler, "monitor": "val/loss", "frequency": every}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _see(self, part: str, batch: Batch) -> None:
        tokens, targets = batch
        self._seen[part].append((self(tokens), targets))

    def _take(self, part: str) -> tuple[Tensor, Tensor]:
        logits, targets = zip(*self._seen[part], strict=True)
        self._seen[part].clear()
        return torch.cat(logits).float(), torch.cat(targets)

    def _log_metrics(self, part: str) -> None:
        logits, targets = self._take(part)
        self.mean_loss.update(F.cross_entropy(logits, targets), weight=len(targets))
        self.metrics.update(logits.softmax(-1), targets)
        self.log(f"{part}/loss", self.mean_loss.compute())
        self.log_dict({f"{part}/{name}": value for name, value in self.metrics.compute().items()})
        self.mean_loss.reset()
        self.metrics.reset()
        if len(self.labels) == 2 and len(targets.unique()) == 2:  # of one class alone there is no ranking
            self.log(f"{part}/auroc", binary_auroc(logits.softmax(-1)[:, 1], targets))
