"""TextClassifier: what it logs, and that it takes any model and any optimiser."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader

from textpool.classifier import TextClassifier
from textpool.data.batches import EncodedSentences, identity_collate
from textpool.model import TextCNN
from textpool.pooling import KMax, Max

FAST = partial(torch.optim.Adam, lr=0.01)


def text_cnn(n_classes: int) -> TextCNN:
    torch.manual_seed(0)
    return TextCNN(8, n_classes, Max)


def loader(n_classes: int, n: int = 60) -> DataLoader[object]:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 7, (n,), generator=generator).tolist()
    tokens = [torch.randint(1, 8, (length,), generator=generator).tolist() for length in lengths]
    labels = torch.randint(0, n_classes, (n,), generator=generator).tolist()
    return DataLoader(EncodedSentences(tokens, labels), batch_size=16, collate_fn=identity_collate)


def trainer(folder: Path, **options: object) -> Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return Trainer(**{**quiet, "accelerator": "cpu", "default_root_dir": folder, "max_epochs": 1, **options})  # pyright: ignore


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 4])
def test_metrics_are_those_of_the_whole_split(tmp_path: Path, n_classes: int) -> None:
    """Loss, accuracy, macro F1 and AUROC equal their definitions, over batches of unequal size."""
    module = TextClassifier(text_cnn(n_classes), n_classes).eval()
    data = loader(n_classes)
    [metrics] = trainer(tmp_path).test(module, data, verbose=False)
    with torch.no_grad():
        logits = torch.cat([module(batch.tokens) for batch in data])  # pyright: ignore
    targets = torch.cat([batch.labels for batch in data])  # pyright: ignore
    predicted = logits.argmax(-1)
    f1 = []
    for number in range(n_classes):
        hits = ((predicted == number) & (targets == number)).sum()
        f1.append((2 * hits / ((predicted == number).sum() + (targets == number).sum())).item())
    expected = {
        "test/loss": -logits.log_softmax(-1)[range(len(targets)), targets].mean().item(),
        "test/acc": (predicted == targets).float().mean().item(),
        "test/f1": sum(f1) / n_classes,
    }
    if n_classes == 2:
        scores = logits.softmax(-1)[:, 1]
        pairs = scores[targets == 1][:, None] - scores[targets == 0][None, :]
        expected["test/auroc"] = ((pairs > 0).float() + 0.5 * (pairs == 0).float()).mean().item()
    assert metrics == pytest.approx(expected, abs=1e-5)


class Bag(nn.Module):
    """A model without a pooling: the mean of the word vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(8, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.words(tokens)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Bag, lambda: TextCNN(8, 3, partial(KMax, k=2))])
def test_any_model_that_gives_logits_can_be_trained(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    """The classifier knows neither the model nor the pooling: it needs a module and an optimiser factory."""
    torch.manual_seed(0)
    module = TextClassifier(make(), 3, optimizer=partial(torch.optim.SGD, lr=0.1))
    before = [parameter.clone() for parameter in module.parameters()]
    fit = trainer(tmp_path)
    fit.fit(module, loader(3), loader(3))
    assert isinstance(fit.optimizers[0], torch.optim.SGD)
    assert any(not torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "val/f1"} <= set(fit.callback_metrics)


@pytest.mark.slow
def test_dropout_is_decided_by_the_seed(tmp_path: Path) -> None:
    """Equal seeds give equal weights, whatever the state of torch's generator was; other seeds give others."""

    def weights(seed: int) -> torch.Tensor:
        module = TextClassifier(text_cnn(2), 2, FAST, seed=seed)
        torch.rand(seed + 3)
        trainer(tmp_path).fit(module, loader(2), loader(2))
        return torch.cat([parameter.flatten() for parameter in module.parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    """The message names loss, epoch and remedy."""
    module = TextClassifier(text_cnn(2), 2)
    torch.nn.init.constant_(module.model.linear.bias, float("nan"))  # pyright: ignore
    with pytest.raises(ValueError, match=r"train/loss became nan in epoch 1: .*optimizer\.lr"):
        trainer(tmp_path).fit(module, loader(2), loader(2))


@pytest.mark.slow
@pytest.mark.parametrize(
    "scheduler",
    [
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=4),
        partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, mode="max", threshold=100),
    ],
)
def test_a_schedule_changes_the_learning_rate(tmp_path: Path, scheduler: Any) -> None:
    """Stepped once an epoch; one that watches a metric watches `monitor`."""
    module = TextClassifier(text_cnn(2), 2, FAST, scheduler, monitor="val/acc")
    fit = trainer(tmp_path, max_epochs=4)
    fit.fit(module, loader(2), loader(2))
    assert fit.optimizers[0].param_groups[0]["lr"] < 0.01
    assert fit.lr_scheduler_configs[0].monitor == "val/acc"


def test_wrong_arguments() -> None:
    """The message names the argument, what is allowed and what came."""
    with pytest.raises(ValueError, match="n_classes: expected an integer of at least 2, got 1"):
        TextClassifier(Bag(), 1)
    with pytest.raises(ValueError, match="seed: expected an integer of at least 0, got -1"):
        TextClassifier(Bag(), 2, seed=-1)
