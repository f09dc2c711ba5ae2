"""The LightningModule: loss, metrics and optimiser around any model that gives logits."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torchmetrics.functional.classification import binary_auroc

from textpool.checks import integer

ADAM = partial(torch.optim.Adam, lr=0.003, fused=True)
MOST_LOGITS = 2**22  # numbers that are kept of an epoch (16 MiB), until their losses and predictions take their place
MOST_TOKENS = 2**18  # of a batch that is mostly padding, up to which it goes through the model at once


class Outcomes(NamedTuple):
    """What the metrics need of some sentences.

    Attributes:
        losses: cross-entropy of each, (sentences,).
        predicted: numbers of the predicted classes, (sentences,).
        targets: numbers of the classes, (sentences,).
        scores: probability of the second of two classes, (sentences,); of more classes, nothing: (0,).
    """

    losses: Tensor
    predicted: Tensor
    targets: Tensor
    scores: Tensor


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
        # batch, unless there are so many classes that they take much memory. One list per split, because Lightning
        # validates before it ends the training epoch.
        self._outputs: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "test": []}
        self._outcomes: dict[str, list[Outcomes]] = {"train": [], "val": [], "test": []}

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, classes) of tokens (batch, time)."""
        return self.model(tokens)

    def logits(self, tokens: Tensor) -> Tensor:
        """The same in bounded memory, see `in_bounded_memory`."""
        return in_bounded_memory(self.model, tokens)

    def on_train_epoch_start(self) -> None:
        # each of several processes draws a dropout of its own
        torch.manual_seed((self.global_rank << 52) + (self.seed << 20) + self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, targets = batch
        logits = self.logits(tokens)
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
        untrained = self._is_wrong_from_the_start()
        losses, predicted, targets, _ = self._pop_outcomes("train")
        if self.trainer.world_size > 1:
            gather = self.trainer.strategy.all_gather
            losses, predicted, targets = (gather(share).flatten(0, 1) for share in (losses, predicted, targets))
            losses, predicted, targets = (values[targets >= 0] for values in (losses, predicted, targets))
        loss = losses.mean()
        if not math.isfinite(loss):
            if untrained:
                raise ValueError("train/loss: the model, such as its pooling, gives NaN or inf before its first step")
            raise ValueError(
                f"train/loss became {loss.item()} in epoch {self.current_epoch + 1}: a smaller optimizer.lr may help"
            )
        metrics = {"train/loss": loss, "train/acc": (predicted == targets).float().mean()}
        self.log_dict(metrics, sync_dist=True)  # equal in all processes, and Lightning warns without it

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        tokens, targets = batch
        self.keep("val", self.logits(tokens), targets)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        tokens, targets = batch
        self.keep("test", self.logits(tokens), targets)

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Probability of each class, (batch, classes)."""
        tokens, _ = batch
        return self.logits(tokens).float().softmax(-1)

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
        outputs = self._outputs[split]
        outputs.append((logits, targets))
        if logits.numel() * len(outputs) > MOST_LOGITS:  # batches are of about the same size
            self._outcomes[split].append(self._pop_outputs(split))

    def _pop_outputs(self, split: str) -> Outcomes:
        logits, targets = zip(*self._outputs[split], strict=True)
        self._outputs[split].clear()
        return outcomes(torch.cat(logits).float(), torch.cat(targets))

    def _pop_outcomes(self, split: str) -> Outcomes:
        """The outcomes of an epoch."""
        found = self._outcomes[split] + ([self._pop_outputs(split)] if self._outputs[split] else [])
        self._outcomes[split] = []
        return Outcomes(*map(torch.cat, zip(*found, strict=True)))

    def _is_wrong_from_the_start(self) -> bool:
        """Whether the logits of the first batch, before the first step, are not finite; False if they are not kept."""
        if self.current_epoch or self._outcomes["train"] or not self._outputs["train"]:
            return False
        logits, _ = self._outputs["train"][0]
        return not bool(logits.isfinite().all())

    def _log_metrics(self, split: str) -> None:
        metrics = metrics_of(self._pop_outcomes(split), self.n_classes)
        self.log_dict({f"{split}/{name}": value for name, value in metrics.items()}, sync_dist=True)


def in_bounded_memory(model: nn.Module, tokens: Tensor) -> Tensor:
    """Logits (batch, classes) of tokens (batch, time), also where one long sentence makes a batch mostly padding.

    Of such a batch, sentences of similar lengths go through the model together, without the padding that they do not
    need. A model whose result depends on the padding, which says so by `needs_fixed_length`, gets the whole batch.
    """
    if tokens.numel() <= MOST_TOKENS or getattr(model, "needs_fixed_length", False):
        return model(tokens)
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)  # (time,)
    lengths = torch.stack([((row != 0) * places).amax() for row in tokens]).clamp(min=1)  # (batch,)
    if 2 * int(lengths.sum()) > tokens.numel():
        return model(tokens)
    order = lengths.argsort(descending=True, stable=True)
    found, start = [], 0
    while start < len(order):
        longest = int(lengths[order[start]])
        some = order[start : start + max(1, MOST_TOKENS // longest)]
        found.append(model(tokens[some, :longest]))  # (some, classes)
        start += len(some)
    return torch.cat(found)[order.argsort()]


def outcomes(logits: Tensor, targets: Tensor) -> Outcomes:
    """What the metrics need of logits (sentences, classes) and the numbers of the classes, (sentences,)."""
    losses = F.cross_entropy(logits, targets, reduction="none")
    scores = logits.softmax(-1)[:, 1] if logits.shape[1] == 2 else losses[:0]
    return Outcomes(losses, logits.argmax(-1), targets, scores)


def classification_metrics(logits: Tensor, targets: Tensor, n_classes: int) -> dict[str, Tensor]:
    """Metrics of predictions: `loss`, `acc`, `f1` (macro-averaged) and, where there is a ranking, `auroc`.

    Args:
        logits: (sentences, classes), float; log-probabilities are logits too.
        targets: (sentences,), numbers of the classes.
        n_classes: number of classes.
    """
    return metrics_of(outcomes(logits, targets), n_classes)


def metrics_of(found: Outcomes, n_classes: int) -> dict[str, Tensor]:
    """The metrics of some outcomes, see `classification_metrics`."""
    losses, predicted, targets, scores = found
    correct, n_predicted, count = class_counts(predicted, targets, n_classes)
    f1 = 2 * correct / (n_predicted + count).clamp(min=1)  # (classes,)
    metrics = {
        "loss": losses.mean(),
        "acc": (predicted == targets).float().mean(),
        "f1": f1.sum() / (n_predicted + count > 0).sum(),  # a class that neither occurs nor is predicted has none
    }
    if n_classes == 2 and len(targets.unique()) == 2:  # targets of a single class have no ranking
        metrics["auroc"] = binary_auroc(scores, targets)
    return metrics


def class_counts(predicted: Tensor, targets: Tensor, n_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each class the numbers of correct predictions, of predictions and of sentences, (classes,) each.

    A table of classes by classes, from which torchmetrics counts them, takes 800 MB for 10,000 classes.

    Args:
        predicted: (sentences,), numbers of the predicted classes.
        targets: (sentences,), numbers of the classes.
        n_classes: number of classes.
    """
    correct, n_predicted, count = (
        torch.bincount(classes, minlength=n_classes) for classes in (targets[predicted == targets], predicted, targets)
    )
    return correct, n_predicted, count
