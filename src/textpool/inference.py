"""Use a classifier: predict sentences, and measure labelled ones."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from textpool.build import Trained
from textpool.classifier import TextClassifier
from textpool.data import Sentence
from textpool.data.batches import Batch

QUIET: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


class Prediction(NamedTuple):
    """The most probable class of a sentence, and the probability of each class."""

    label: str
    probabilities: dict[str, float]


def predict(trained: Trained, sentences: Sequence[str], batch_size: int = 256) -> list[Prediction]:
    """Predict the classes of sentences.

    Args:
        trained: from `textpool.build.load`.
        sentences: as text; tokenised as the training sentences were.
        batch_size: number of sentences that are classified at a time.
    """
    classifier, data = trained
    predictions = []
    with torch.inference_mode():
        for batch in data.loader(data.encode_texts(sentences), batch_size=batch_size):
            for row in classifier(batch.tokens).softmax(-1).tolist():
                probabilities = dict(zip(data.labels, row, strict=True))
                predictions.append(Prediction(max(probabilities, key=probabilities.__getitem__), probabilities))
    return predictions


def evaluate(trained: Trained, sentences: Sequence[Sentence], batch_size: int = 256) -> dict[str, float]:
    """Metrics of labelled sentences, by names such as `test/acc`, computed on the CPU."""
    silence_lightning()
    trainer = Trainer(accelerator="cpu", devices=1, enable_model_summary=False, **QUIET)
    batches = trained.data.loader(trained.data.encode(sentences), batch_size=batch_size)
    return measure(trainer, trained.classifier, "test", batches)


def measure(trainer: Trainer, classifier: TextClassifier, split: str, batches: DataLoader[Batch]) -> dict[str, float]:
    """Metrics of a split, `val` or `test`, by names such as `test/acc`."""
    run = {"val": trainer.validate, "test": trainer.test}[split]
    [metrics] = run(classifier, batches, verbose=False)
    return dict(metrics)


def class_probabilities(trainer: Trainer, classifier: TextClassifier, batches: DataLoader[Batch]) -> Tensor:
    """Probabilities of the classes, (sentences, classes)."""
    found = trainer.predict(classifier, batches) or []
    return torch.cat([batch for batch in found if isinstance(batch, Tensor)])


def silence_lightning() -> None:
    """Silence messages of Lightning that come in every run and ask for no action."""
    lightning = logging.getLogger("lightning")
    lightning.handlers.clear()  # it has a handler of its own beside the root's: every line would come twice
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r"The '\w+_dataloader' does not have many workers",  # the data are in memory
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # in Lightning's own code
        r"You requested to overfit but enabled train dataloader shuffling",  # intended
        r"Checkpoint directory .* exists and is not empty",  # a run that continues
    ):
        warnings.filterwarnings("ignore", message=f".*{message}")
