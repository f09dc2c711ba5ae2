"""The sentences of a diagnostic task as a distribution: the different sentences, and how often each class has them."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from textpool.build import build_data
from textpool.data.diagnostic import DiagnosticTask
from textpool.model.textcnn import PADDING_INDEX

PARTS = ("fit", "val", "test")
ROUNDS = (100_000, 50_000, 200_000)  # number of rounds of one sentence per class whose cues are counted
WORDS = (150_000, 75_000, 150_000)  # number of words of the different sentences that are used where the order matters
CHANCE = 0.01  # an accuracy that is this close to the Bayes accuracy reaches it

Counts = tuple[int, int, int]  # number of words, of cues a and of cues b
Shares = Sequence[float]  # of the classes
K = TypeVar("K")


class Sample(NamedTuple):
    """Different sentences, each with the share of all sentences that it is, by class."""

    tokens: Int[Tensor, "sentences time"]  # sorted by length, padded at the end
    weights: Float[Tensor, "sentences classes"]  # add up to 1
    drawn: int | None = None  # number of sentences, equal ones included; None: these are all that exist

    @property
    def majority(self) -> float:
        """Accuracy of always guessing the most frequent class."""
        return float(self.weights.sum(0).max())

    def standard_error(self, accuracy: float) -> float:
        """The standard error of an accuracy that is measured on this sample."""
        return 0.0 if self.drawn is None else (accuracy * (1 - accuracy) / self.drawn) ** 0.5


@dataclass(frozen=True)
class Task:
    """Sentences from the test distribution of a diagnostic task, in the parts `fit`, `val` and `test`.

    If there are few different sentences, each part has all of them, with their probabilities.

    Attributes:
        data: the task, with its vocabulary and labels.
        sentences: different sentences, up to a number of words.
        counts: all draws; the sentences with the same number of words and of each cue are counted as one of them, see
            `canonical`. They are few, and enough for a strategy that ignores the order.
    """

    data: DiagnosticTask
    sentences: Mapping[str, Sample]
    counts: Mapping[str, Sample]


def draw_task(section: Mapping[str, Any], rounds: Sequence[int] = ROUNDS, words: Sequence[int] = WORDS) -> Task:
    """List all sentences of the test split, or draw sentences like them.

    Args:
        section: the section `data` of a configuration, of a diagnostic task.
        rounds: for each part, the number of rounds of one sentence per class of which `Task.counts` is made.
        words: for each part, the number of words of the different sentences after which `Task.sentences` is complete.

    Raises:
        ValueError: if it is not a diagnostic task with one filler word.
    """
    data = diagnostic_task(section)
    listed = data.population() if data.fixed_cues else []
    if 0 < sum(len(sentence.words) for sentence, _ in listed) <= min(words):
        whole = _add_up(data, ((tuple(words), label, weight) for (words, label), weight in listed))
        alike = _add_up(data, ((_counts(data, words), label, weight) for (words, label), weight in listed))
        whole, alike = _sample(data, whole, None), _sample(data, _canonical(data, alike), None)
        return Task(data, dict.fromkeys(PARTS, whole), dict.fromkeys(PARTS, alike))
    sentences, counts = {}, {}
    for part, number, most in zip(PARTS, rounds, words, strict=True):
        rng = random.Random(part)
        lengths = (rng.randint(*data.test_lengths) for _ in range(number))
        drawn = ((length, *cues) for length in lengths for cues in data.draw(rng, length))
        alike = _add_up(data, (((n, cues.count(data.a), cues.count(data.b)), label, 1) for n, label, cues in drawn))
        counts[part] = _sample(data, _canonical(data, alike), number * len(data.classes))
        sentences[part] = _draw_sentences(data, rng, most, alike)
    return Task(data, sentences, counts)


def _draw_sentences(data: DiagnosticTask, rng: random.Random, most: int, by_counts: Mapping[Counts, Shares]) -> Sample:
    """Different sentences with `most` words in all, drawn in whole rounds, in which the classes are balanced."""
    drawn: list[tuple[tuple[str, ...], str, float]] = []
    n_words, seen = 0, set[tuple[str, ...]]()
    while n_words < most:
        for words, label in data.draw_round(rng, rng.randint(*data.test_lengths)):
            n_words += 0 if tuple(words) in seen else len(words)
            seen.add(tuple(words))
            drawn.append((tuple(words), label, 1))
    shares = _add_up(data, drawn)
    of_counts = sum(map(max, by_counts.values())) / sum(map(sum, by_counts.values()))
    if data.bayes_accuracy is not None and of_counts > data.bayes_accuracy - CHANCE:
        # The counts say all about the class: the probabilities of the classes vary less than classes that are drawn.
        for words, own in shares.items():
            same = by_counts.get(_counts(data, words), own)
            shares[words] = [sum(own) * share / sum(same) for share in same]
    return _sample(data, shares, len(drawn))


def diagnostic_task(section: Mapping[str, Any]) -> DiagnosticTask:
    """The task of a section `data`, with its vocabulary and labels.

    Raises:
        ValueError: if it is not a diagnostic task with one filler word.
    """
    data = build_data({"data": section})
    if not isinstance(data, DiagnosticTask) or len(data.filler) != 1:
        raise ValueError("data: expected a diagnostic task with n_filler=1, for which the windows can be enumerated")
    data.restore(data.build_vocabulary(()).words, data.classes)
    return data


def canonical(data: DiagnosticTask, length: int, n_a: int, n_b: int) -> tuple[str, ...]:
    """The sentence with these numbers of words and cues whose cues are as early as possible, a before b."""
    words = data.filler * length
    for number, cue in enumerate([data.a] * n_a + [data.b] * n_b):
        words[data.gap + number * (data.gap + 1)] = cue
    return tuple(words)


def encode(data: DiagnosticTask, sentences: Sequence[Sequence[str]]) -> Int[Tensor, "sentences time"]:
    """Token numbers, padded at the end."""
    tokens = [torch.tensor(data.vocabulary.encode(words)) for words in sentences]
    return pad_sequence(tokens, batch_first=True, padding_value=PADDING_INDEX)


def reordered(data: DiagnosticTask, tokens: Int[Tensor, "sentences time"]) -> Int[Tensor, "sentences time"]:
    """The canonical sentences with the numbers of words and cues of each sentence."""
    a, b = (tokens == data.vocabulary.index[cue] for cue in (data.a, data.b))
    numbers = ((tokens != PADDING_INDEX).sum(1), a.sum(1), b.sum(1))
    return encode(data, [canonical(data, *each) for each in zip(*(number.tolist() for number in numbers), strict=True)])


def _counts(data: DiagnosticTask, words: Sequence[str]) -> Counts:
    return len(words), words.count(data.a), words.count(data.b)


def _canonical(data: DiagnosticTask, by_counts: Mapping[Counts, Shares]) -> dict[tuple[str, ...], Shares]:
    return {canonical(data, *counts): shares for counts, shares in by_counts.items()}


def _add_up(data: DiagnosticTask, weighted: Iterable[tuple[K, str, float]]) -> dict[K, Shares]:
    """The weight of each class, by what sentences have in common."""
    shares: defaultdict[K, list[float]] = defaultdict(lambda: [0.0] * len(data.labels))
    numbers = {label: number for number, label in enumerate(data.labels)}
    for key, label, weight in weighted:
        shares[key][numbers[label]] += weight
    return dict(shares)


def _sample(data: DiagnosticTask, shares: Mapping[tuple[str, ...], Shares], drawn: int | None) -> Sample:
    sentences = sorted(shares, key=len)
    weights = torch.tensor([shares[words] for words in sentences], dtype=torch.float64)
    return Sample(encode(data, sentences), weights / weights.sum(), drawn)
