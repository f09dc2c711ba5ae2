"""What a run reads of some of its test sentences, kept beside its result: a study draws pictures of files only."""

import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from textpool.build import Trained
from textpool.data.batches import EncodedSentences
from textpool.explain import explain
from textpool.record import READINGS, write_atomic

log = logging.getLogger(__name__)
LONGEST = 40  # words of a sentence whose words stand side by side
MISTAKES = 3


def write_readings(folder: Path, trained: Trained, probabilities: Tensor, n: int) -> None:
    """Write `readings.json`: the contribution of each word of some test sentences to the logit of the predicted class.

    The sentences are the first `n` of the test split, in turn from each class, so that all runs on these data have the
    same ones; and the mistakes of which the classifier is most confident. Nothing is written for a model that cannot be
    explained.

    Args:
        folder: for the file.
        trained: classifier and data.
        probabilities: of the classes of the test sentences, (sentences, classes).
        n: number of sentences beside the mistakes; 0: no file.
    """
    classifier, data = trained
    if not n:
        return
    targets = data.encoded["test"].labels[: len(probabilities)].tolist()
    shown = [index for index in short_sentences(data.encoded["test"]) if index < len(targets)]
    examples = list(itertools.islice(in_turn(shown, targets), n))
    confidence, predicted = (each.tolist() for each in probabilities.cpu().max(-1))
    wrong = [index for index in shown if predicted[index] != targets[index] and index not in examples]
    mistakes = sorted(wrong, key=lambda index: -confidence[index])[:MISTAKES]
    texts = data.texts("test")
    training = classifier.training
    try:
        classifier.eval()
        found = explain(trained, [texts[index] for index in (*examples, *mistakes)])
    except Exception as error:  # of a model or a pooling of a user's own: it must not cost the result of the run
        log.info("no explained test sentences: %s", error)
        return
    finally:
        classifier.train(training)
    content = [
        {
            "index": index,
            "label": data.labels[targets[index]],
            "predicted": each.label,
            "probability": round(each.probability, 6),
            "words": each.words,
            "contributions": [round(share, 6) for share in each.contributions],
            "bias": round(each.bias, 6),
            "logit": round(each.logit, 6),
        }
        for index, each in zip((*examples, *mistakes), found, strict=True)
    ]
    write_atomic(
        folder / READINGS, json.dumps({"examples": content[: len(examples)], "mistakes": content[len(examples) :]})
    )


def short_sentences(encoded: EncodedSentences) -> list[int]:
    """The places of the sentences that have words, and few enough to stand side by side."""
    return [index for index, length in enumerate(encoded.lengths.tolist()) if 0 < length <= LONGEST]


def in_turn(indices: Sequence[int], targets: Sequence[int]) -> Iterator[int]:
    """The first sentence of each class, then the second of each, and so on."""
    by_class: dict[int, list[int]] = {}
    for index in indices:
        by_class.setdefault(targets[index], []).append(index)
    for number in range(max(map(len, by_class.values()), default=0)):
        yield from (by_class[label][number] for label in sorted(by_class) if number < len(by_class[label]))
