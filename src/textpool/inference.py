"""Use a classifier: predict sentences, and measure labelled ones."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from textpool.build import Trained
from textpool.classifier import TextClassifier, class_counts
from textpool.data import DiagnosticTask, Sentence, SentenceData
from textpool.data.base import EVALUATION_TOKENS
from textpool.data.batches import Batch, EncodedSentences

QUIET: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def find_checkpoint(path: str | Path) -> Path:
    """The best checkpoint in the folder of a run; the path of a file is returned unchanged.

    Raises:
        ValueError: if it is a folder without checkpoint; the message names the runs in it, if it is a study.
    """
    folder = Path(path)
    if not folder.is_dir():
        return folder
    for best in (folder / "checkpoints" / "best.ckpt", folder / "best.ckpt"):
        if best.is_file():
            return best
    runs = [str(best.parents[1]) for best in sorted(folder.glob("*/checkpoints/best.ckpt"))]
    one_of_them = f"; it has the runs {', '.join(runs[:10])}{', …' if len(runs) > 10 else ''}" if runs else ""
    raise ValueError(
        f"{path}: no checkpoints/best.ckpt in this folder: expected the folder of a run, such as logs/first/max, or "
        f"the path of a checkpoint{one_of_them}"
    )


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
            for row in classifier.logits(batch.tokens).softmax(-1).tolist():
                probabilities = dict(zip(data.labels, row, strict=True))
                predictions.append(Prediction(max(probabilities, key=probabilities.__getitem__), probabilities))
    return predictions


def unknown_words(data: SentenceData, sentences: Sequence[str]) -> list[list[str]]:
    """The words of each sentence that are not in the vocabulary, without those that `max_length` cuts off."""
    return [data.vocabulary.unknown_words(data.tokenize(sentence)[: data.max_length]) for sentence in sentences]


def evaluate(trained: Trained, sentences: Sequence[Sentence], batch_size: int = 256) -> dict[str, float]:
    """Metrics of labelled sentences, by names such as `test/acc`, computed on the CPU."""
    silence_lightning()
    trainer = Trainer(accelerator="cpu", devices=1, enable_model_summary=False, **QUIET)
    batches = trained.data.loader(trained.data.encode(sentences), batch_size=batch_size)
    return measure(trainer, trained.classifier, "test", batches)


def evaluate_classes(
    trained: Trained, sentences: Sequence[Sentence], batch_size: int = 256
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 score and number of labelled sentences of each class; see `per_class`."""
    encoded = trained.data.encode(sentences)
    return per_class(trained.data.labels, encoded.labels, likeliest(trained, encoded, batch_size)[1])


def likeliest(trained: Trained, sentences: EncodedSentences, batch_size: int = 256) -> tuple[Tensor, Tensor]:
    """The probability of the most probable class of each sentence, and the number of this class, (sentences,) each."""
    classifier, data = trained
    with torch.inference_mode():
        batches = data.loader(sentences, batch_size=batch_size)
        found = [classifier.logits(batch.tokens).softmax(-1).max(-1) for batch in batches]
    return torch.cat([values for values, _ in found]), torch.cat([numbers for _, numbers in found])


def accuracy(trained: Trained, sentences: EncodedSentences, weights: Tensor | None = None) -> float:
    """The share of sentences whose predicted class is theirs, computed on the CPU.

    Args:
        trained: from `textpool.build.load`.
        sentences: encoded, at least one.
        weights: (sentences,), non-negative; None: all sentences weigh the same.
    """
    batch_size = max(1, EVALUATION_TOKENS // sentences.longest)
    correct = (likeliest(trained, sentences, batch_size)[1] == sentences.labels).double()
    return float(correct.mean() if weights is None else (correct * weights).sum() / weights.sum())


def evaluate_population(trained: Trained) -> dict[str, float]:
    """The exact accuracy of a classifier of a diagnostic task: over all sentences, each with its probability.

    Returns:
        `sentences`: their number; `population/acc`: the accuracy.

    Raises:
        ValueError: if the classifier is not of a diagnostic task, or see `DiagnosticTask.population`.
    """
    data = trained.data
    if not isinstance(data, DiagnosticTask):
        raise ValueError(f"population: expected a classifier of a diagnostic task, got one of {type(data).__name__}")
    sentences, probabilities = zip(*data.population(), strict=True)
    weights = torch.tensor(probabilities, dtype=torch.float64)
    return {"sentences": len(sentences), "population/acc": accuracy(trained, data.encode(sentences), weights)}


def per_class(labels: Sequence[str], targets: Tensor, predicted: Tensor) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 score of each class, and `count`, its number of sentences.

    A ratio whose denominator is 0 is given as 0, such as the precision of a class that is never predicted.

    Args:
        labels: names of the classes in the order of their numbers.
        targets: (sentences,), numbers of the classes.
        predicted: (sentences,), numbers of the predicted classes.
    """
    counts = zip(*(each.tolist() for each in class_counts(predicted, targets, len(labels))), strict=True)
    return {
        label: {
            "precision": correct / max(1, n_predicted),
            "recall": correct / max(1, count),
            "f1": 2 * correct / max(1, count + n_predicted),
            "count": count,
        }
        for label, (correct, n_predicted, count) in zip(labels, counts, strict=True)
    }


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
        r"torch\.distributed\.nn\.functional\.all_gather is deprecated",  # in Lightning's own code
        r"You requested to overfit but enabled train dataloader shuffling",  # intended
        r"Checkpoint directory .* exists and is not empty",  # a run that continues
    ):
        warnings.filterwarnings("ignore", message=f".*{message}")
