"""TextClassifier: what it logs, and what its checkpoint holds."""

from pathlib import Path

import pytest
import torch
from conftest import Compose
from lightning import Trainer
from torch.utils.data import DataLoader

from textpool.classifier import TextClassifier
from textpool.data.batches import EncodedSentences, identity_collate

VOCABULARY = ["<PAD>", *"abcdefg"]


def classifier(config: Compose, labels: list[str], *overrides: str) -> TextClassifier:
    torch.manual_seed(0)
    return TextClassifier(config("optimizer.lr=0.01", *overrides), VOCABULARY, labels)


def loader(n_classes: int, n: int = 60) -> DataLoader[object]:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 7, (n,), generator=generator).tolist()
    tokens = [torch.randint(1, 8, (length,), generator=generator).tolist() for length in lengths]
    labels = torch.randint(0, n_classes, (n,), generator=generator).tolist()
    return DataLoader(EncodedSentences(tokens, labels), batch_size=16, collate_fn=identity_collate)


def trainer(folder: Path, **options: object) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**{**quiet, "accelerator": "cpu", "default_root_dir": folder, "max_epochs": 1, **options})  # pyright: ignore


@pytest.mark.parametrize("n_classes", [2, 4])
def test_metrics_are_those_of_the_whole_part(config: Compose, tmp_path: Path, n_classes: int) -> None:
    """Loss, accuracy, macro F1 and AUROC against their definitions, over batches of unequal size."""
    module = classifier(config, [f"class {i}" for i in range(n_classes)]).eval()
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


def test_one_checkpoint_is_enough(config: Compose, tmp_path: Path) -> None:
    """It loads weights-only, with nothing that is not plain data, and predicts as before."""
    module = classifier(config, ["no", "yes"], "pooling=kmax")
    fit = trainer(tmp_path)
    fit.fit(module, loader(2), loader(2))
    path = tmp_path / "checkpoint.ckpt"
    fit.save_checkpoint(path)
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    twin = TextClassifier.load_from_checkpoint(path, weights_only=True).eval()
    assert (twin.labels, twin.vocabulary) == (["no", "yes"], VOCABULARY)
    tokens = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]])
    assert torch.equal(twin(tokens), module.eval()(tokens))


def test_a_loss_that_is_not_finite_ends_the_run(config: Compose, tmp_path: Path) -> None:
    """The message names loss, epoch and remedy."""
    module = classifier(config, ["no", "yes"])
    torch.nn.init.constant_(module.model.linear.bias, float("nan"))
    with pytest.raises(ValueError, match=r"train/loss became nan in epoch 1: .*optimizer\.lr"):
        trainer(tmp_path).fit(module, loader(2), loader(2))


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_schedule_changes_the_learning_rate(config: Compose, tmp_path: Path, schedule: str) -> None:
    """Every file in conf/scheduler runs, stepped once an epoch."""
    patience = ["scheduler.patience=0", "+scheduler.threshold=100"] if schedule == "plateau" else []
    module = classifier(config, ["no", "yes"], f"scheduler={schedule}", "trainer.max_epochs=4", *patience)
    fit = trainer(tmp_path, max_epochs=4)
    fit.fit(module, loader(2), loader(2))
    assert fit.optimizers[0].param_groups[0]["lr"] < 0.01
