"""TextClassifier: what it logs, and that it takes any model and any optimiser."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_f1_score

from textpool.classifier import TextClassifier, classification_metrics, in_bounded_memory
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


@pytest.mark.slow
def test_many_logits_are_reduced_before_the_end_of_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics are the same, and no more logits are kept than two batches have."""
    module, data = TextClassifier(text_cnn(2), 2).eval(), loader(2)
    [expected] = trainer(tmp_path).test(module, data, verbose=False)
    monkeypatch.setattr("textpool.classifier.MOST_LOGITS", 2 * 16 * 2)
    kept = []
    keep = module.keep
    monkeypatch.setattr(module, "keep", lambda *given: (keep(*given), kept.append(len(module._outputs["test"]))))
    [metrics] = trainer(tmp_path).test(module, data, verbose=False)
    assert kept == [1, 2, 0, 1]
    assert metrics == pytest.approx(expected, abs=1e-6)
    assert set(metrics) == {"test/loss", "test/acc", "test/f1", "test/auroc"}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_the_macro_f1_score_is_that_of_torchmetrics(pairs: list[tuple[int, int]]) -> None:
    """Of 5 classes, some of which neither occur nor are predicted; torchmetrics makes a table of classes by classes."""
    predicted, targets = (torch.tensor(side) for side in zip(*pairs, strict=True))
    logits = nn.functional.one_hot(predicted, 5).float()
    expected = multiclass_f1_score(predicted, targets, 5, average="macro")
    assert classification_metrics(logits, targets, 5)["f1"].item() == pytest.approx(expected.item(), abs=1e-6)


class Seen(nn.Module):
    """A model that notes the shapes of its batches."""

    def __init__(self, needs_fixed_length: bool = False) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []
        self.needs_fixed_length = needs_fixed_length

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(tokens.shape))
        return torch.stack([tokens.sum(1), (tokens != 0).sum(1)], dim=1).float()


def test_a_long_sentence_does_not_make_all_others_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 100 words among ten of up to 5: the others go through the model without its padding, in their order.

    Not where the batch is small, where it is mostly words, or where the padding decides the result.
    """
    monkeypatch.setattr("textpool.classifier.MOST_TOKENS", 40)
    tokens = torch.zeros(11, 100, dtype=torch.long)
    for place in range(10):
        tokens[place, : place % 6] = place + 1  # (of 0 to 5 words)
    tokens[4] = 7
    model = Seen()
    assert in_bounded_memory(model, tokens).tolist() == Seen()(tokens).tolist()
    assert model.shapes == [(1, 100), (8, 5), (2, 1)]
    for whole, batch in ((Seen(), tokens[:, :3]), (Seen(), tokens[4:5]), (Seen(needs_fixed_length=True), tokens)):
        in_bounded_memory(whole, batch)
        assert whole.shapes == [tuple(batch.shape)]


def test_the_gradient_is_that_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training on a batch that is split by length learns the same."""
    model = TextCNN(8, 3, partial(KMax, k=2), dropout=0.0)
    tokens = torch.zeros(6, 50, dtype=torch.long)
    for place, length in enumerate((3, 50, 0, 7, 1, 4)):
        tokens[place, :length] = torch.arange(length) % 7 + 1
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    gradients = []
    for most in (40, 10_000):
        monkeypatch.setattr("textpool.classifier.MOST_TOKENS", most)
        model.zero_grad()
        nn.functional.cross_entropy(TextClassifier(model, 3).logits(tokens), targets).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    assert len(gradients[0]) == len(list(model.parameters()))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


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
    """The message names loss, epoch and remedy; the learning rate is no remedy if no step was taken."""
    module = TextClassifier(text_cnn(2), 2, partial(torch.optim.SGD, lr=1e30))
    with pytest.raises(ValueError, match=r"train/loss became (nan|inf) in epoch 1: .*optimizer\.lr"):
        trainer(tmp_path).fit(module, loader(2), loader(2))
    module = TextClassifier(text_cnn(2), 2)
    torch.nn.init.constant_(module.model.linear.bias, float("nan"))  # pyright: ignore
    with pytest.raises(ValueError, match=r"^train/loss: the model, .*pooling, gives NaN or inf before its first step$"):
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
