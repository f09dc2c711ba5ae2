"""Use a trained classifier: one checkpoint is enough."""

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Trainer
from torch.utils.data import DataLoader

from textpool.classifier import TextClassifier
from textpool.data import Sentence, SentenceData, Tokenizer, Vocabulary
from textpool.data.batches import Batch, EncodedSentences, identity_collate
from textpool.data.reading import Columns, read_rows


class Prediction(NamedTuple):
    """The most probable class of a sentence, and the probability of each."""

    label: str
    probabilities: dict[str, float]


def load(checkpoint: str | Path) -> TextClassifier:
    """The classifier of a checkpoint, ready to predict, on the CPU.

    Raises:
        ValueError: if there is no such file or it is not a checkpoint of this project.
    """
    if not Path(checkpoint).is_file():
        raise ValueError(f"{checkpoint}: no such file: expected a checkpoint such as …/checkpoints/best.ckpt")
    try:
        classifier = TextClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    except (UnpicklingError, KeyError, TypeError) as error:
        raise ValueError(f"{checkpoint}: not a checkpoint of textpool ({type(error).__name__})") from error
    except InstantiationException as error:
        raise ValueError(f"{checkpoint}: {error.__cause__ or error} (set PYTHONPATH to where it lies)") from error
    except RuntimeError as error:
        raise ValueError(f"{checkpoint}: does not fit the code of today: {error}") from error
    return classifier.eval()


def predict(classifier: TextClassifier, sentences: Sequence[str], batch_size: int = 256) -> list[Prediction]:
    """Predict the classes of sentences.

    Args:
        classifier: as `load` returns it.
        sentences: as text; cut in words as the training sentences were.
        batch_size: sentences at a time.
    """
    tokenize = _tokenizer(classifier)
    dataset = _encode(classifier, [tokenize(sentence) for sentence in sentences], [0] * len(sentences))
    predictions = []
    with torch.inference_mode():
        for batch in _batches(dataset, batch_size):
            for row in classifier(batch.tokens).softmax(-1).tolist():
                probabilities = dict(zip(classifier.labels, row, strict=True))
                predictions.append(Prediction(max(probabilities, key=probabilities.__getitem__), probabilities))
    return predictions


def own_test_part(classifier: TextClassifier) -> list[Sentence]:
    """The test part that the classifier's run was tested on; its files have to be where they were."""
    data: SentenceData = instantiate(classifier.config["data"], _convert_="all")
    return data.load().test


def read_sentences(classifier: TextClassifier, path: str, **options: str | None) -> list[Sentence]:
    """Labelled sentences of a file, read with the options of the classifier's run.

    Args:
        classifier: as `load` returns it.
        path: of the file.
        **options: `format`, `encoding`, `text_column`, `label_column` of `TextFileData`; None: as in the run.

    Raises:
        ValueError: if the file does not fit, or has a label that the classifier does not know.
    """
    defaults = {"format": None, "encoding": "utf-8", "text_column": "text", "label_column": "label"}
    chosen: dict[str, Any] = {
        name: options.get(name) or classifier.config["data"].get(name, default) for name, default in defaults.items()
    }
    columns = Columns(chosen["text_column"], chosen["label_column"])
    rows = read_rows(path, chosen["format"], chosen["encoding"], columns)
    for row in rows:
        if row.label not in classifier.labels:
            known = ", ".join(map(repr, classifier.labels[:10]))
            raise ValueError(f"{path}:{row.line}: label {row.label!r} is none of the classifier's: {known}")
    tokenize = _tokenizer(classifier)
    return [Sentence(tokenize(row.text), row.label) for row in rows]


def measure(classifier: TextClassifier, sentences: Sequence[Sentence], batch_size: int = 256) -> dict[str, float]:
    """Metrics of labelled sentences, by names such as `test/acc`."""
    number = {label: index for index, label in enumerate(classifier.labels)}
    words, labels = (
        [sentence.words for sentence in sentences],
        [number[sentence.label] for sentence in sentences],
    )
    dataset = _encode(classifier, words, labels)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", devices=1, **quiet)
    [metrics] = trainer.test(classifier, _batches(dataset, batch_size), verbose=False)
    return dict(metrics)


def _tokenizer(classifier: TextClassifier) -> Tokenizer:
    data = classifier.config["data"]
    return Tokenizer(data.get("token_pattern", r"\S+"), data.get("lowercase", False))


def _encode(classifier: TextClassifier, sentences: Sequence[Sequence[str]], labels: Sequence[int]) -> EncodedSentences:
    data = classifier.config["data"]
    encode = Vocabulary(classifier.vocabulary).encode
    to_max = data.get("pad_to") == "max_length"
    return EncodedSentences([encode(words) for words in sentences], labels, data.get("max_length"), to_max)


def _batches(dataset: EncodedSentences, batch_size: int) -> DataLoader[Batch]:
    return DataLoader(dataset, batch_size=batch_size, collate_fn=identity_collate)
