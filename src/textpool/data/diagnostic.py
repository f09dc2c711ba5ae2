"""The base class of the diagnostic tasks: generated sentences that show what a pooling can represent."""

import itertools
import math
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from textpool.checks import check_words, integer, span
from textpool.data.base import MOST_SENTENCES as MOST_DRAWN
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.sentiment import NEUTRAL
from textpool.data.vocabulary import PAD, Vocabulary

WORDS: Mapping[str, Any] = {"a": "great", "b": "terrible", "filler": NEUTRAL}
MOST_SENTENCES = 100_000  # of a population; more would take long to classify

Seen = tuple[int | str | Fraction, str, float]  # a value of a sentence, its class, their probability within the class


class DiagnosticTask(SentenceData, ABC):
    """A classification task on generated sentences: filler words, and a few cue words that decide the class.

    The cues are the words `a` and `b` of `words`. At least `gap` filler words separate two cues, and a cue from both
    ends of the sentence. A window of at most `gap` + 1 words therefore holds at most one cue, and all windows around a
    cue lie within the sentence. The classes differ in the number or in the order of these windows. With one filler word
    (`n_filler=1`) they differ in nothing else if `same_windows` is True: then all sentences of the task have the same
    set of windows.

    Sentences are drawn in rounds of one sentence per class, all of the same length, so that the classes are balanced
    and the length does not predict the class. Each split is drawn from a random generator of its own, so that the size
    of one split does not change the others.

    With one filler word, some tasks have few different sentences, so that test sentences also occur in the training
    split: with the default settings 96 % of those of `Position`, 90 % of `Twice`, 79 % of `Order`, 3 to 6 % of `Count`
    and `Proportion`, and at most 0.2 % of `Needle`, `Tone` and `Spread`; with 16 filler words, none. The first three
    measure which information a pooling keeps, not how well the classifier generalises to new sentences; `population`
    gives all of their sentences.

    A shortcut is a classifier that uses less than the task tests. A classifier that is no better than the best shortcut
    may know nothing of what is tested, so that its accuracy is the zero of a fair scale. It is computed exactly, from
    the probabilities of all lengths and counts of the test split.

    The default settings of each task are also those of its file in conf/data.

    Args:
        lengths: minimum and maximum number of words in a sentence; each task has a default of its own.
        test_lengths: minimum and maximum number of words in a test sentence; None: as `lengths`.
        n_train: number of training sentences, a multiple of the number of classes; likewise `n_val` and `n_test`.
        n_val: number of validation sentences.
        n_test: number of test sentences.
        gap: minimum number of filler words around each cue; the largest kernel size minus 1.
        n_filler: number of different filler words, the first of their list.
        seed: seed of the sentences; the seed of the training is a different setting.
        words: the cues `a` and `b`, and the list `filler`; by default `WORDS` of this module.
        **batching: see `SentenceData`.

    Attributes:
        classes: names of the classes.
        most_cues: maximum number of cues in a sentence of the minimum length; a subclass sets it before it calls the
            constructor of this class.
        same_windows: whether all sentences have the same set of windows if there is one filler word.
        fixed_cues: whether all sentences of a class have the same cues in the same order.
        shortcut: what the best shortcut uses.
        shortcut_accuracy: the accuracy of the best shortcut on the test split, or of a guess where the shortcut is as
            good as the best classifier: then it is no shortcut, because nothing else is tested.
    """

    classes: ClassVar[Sequence[str]]
    most_cues: int
    same_windows = True
    fixed_cues = False
    shortcut = "a guess"
    bayes_accuracy = 1.0  # the cues of a sentence determine its class

    def __init__(
        self,
        lengths: Sequence[int],
        test_lengths: Sequence[int] | None = None,
        n_train: int = 2000,
        n_val: int = 500,
        n_test: int = 2000,
        gap: int = 3,
        n_filler: int = 1,
        seed: int = 42,
        words: Mapping[str, Any] = WORDS,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        sizes = {"n_train": n_train, "n_val": n_val, "n_test": n_test}
        self.sizes = {name: integer(name, size, least=1, most=MOST_DRAWN) for name, size in sizes.items()}
        n_classes = len(self.classes)
        for name, size in sizes.items():
            if size % n_classes:
                raise ValueError(f"{name}: expected a multiple of {n_classes}, the number of classes, got {size}")
        self.gap = integer("gap", gap, least=0)
        self.seed = integer("seed", seed, least=0)
        check_words(words, ("filler",), single=("a", "b"))
        self.a, self.b = words["a"], words["b"]
        most = len(words["filler"])
        if integer("n_filler", n_filler, least=1) > most:
            raise ValueError(f"n_filler: expected at most {most}, the number of words in words.filler, got {n_filler}")
        self.filler = list(words["filler"][:n_filler])
        repeated = [repr(word) for word, n in Counter([self.a, self.b, *self.filler]).items() if n > 1]
        if repeated:
            raise ValueError(
                f"words: expected a, b and filler to be different words, got {', '.join(repeated)} more than once"
            )
        self.lengths = self.checked_lengths("lengths", lengths)
        self.test_lengths = self.lengths
        if test_lengths is not None:
            self.test_lengths = self.checked_lengths("test_lengths", test_lengths)
        self.shortcut_accuracy = 1 / n_classes
        seen = [each for length in self._lengths_of_test() for each in self.seen_by_shortcut(length)]
        reached = best_threshold(seen, self.classes) if seen else self.shortcut_accuracy
        if self.bayes_accuracy is None or reached < self.bayes_accuracy - 1e-9:  # rounding errors are smaller
            self.shortcut_accuracy = reached
        else:
            self.shortcut = DiagnosticTask.shortcut

    @abstractmethod
    def draw(self, rng: random.Random, length: int) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield the class and the cues, in order, of one sentence per class."""

    def seen_by_shortcut(self, length: int) -> Iterator[Seen]:
        """Yield the values on which the shortcut sets a threshold, in sentences of one length; none for a guess."""
        return iter(())

    def checked_lengths(self, name: str, lengths: Sequence[int]) -> tuple[int, int]:
        """Return `lengths` if the shortest sentence has room for the cues and for one window without a cue."""
        shortest, longest = span(name, lengths)
        least = self.most_cues + self.gap * (self.most_cues + 1) + 1
        if shortest < least:
            raise ValueError(
                f"{name}: expected at least {least} words, enough for {self.most_cues} cues with {self.gap} filler "
                f"words around each, got {shortest}"
            )
        if self.max_length is not None and self.max_length < longest:
            raise ValueError(
                f"max_length: expected at least {longest}, the length of the longest sentence, because a cut could "
                f"remove cues, got {self.max_length}"
            )
        return shortest, longest

    def load(self) -> Splits:
        """Draw the sentences; those of the test split have the lengths `test_lengths`."""
        lengths = Splits._fields, (self.lengths, self.lengths, self.test_lengths)
        return Splits(*(self.draw_split(split, allowed) for split, allowed in zip(*lengths, strict=True)))

    def draw_split(self, split: str, lengths: tuple[int, int]) -> list[Sentence]:
        """Draw the sentences of a split from a random generator of its own."""
        rng = random.Random(f"{self.seed} {split}")
        rounds = (self.draw_round(rng, rng.randint(*lengths)) for _ in itertools.count())
        return list(itertools.islice(itertools.chain.from_iterable(rounds), self.sizes[f"n_{split}"]))

    def draw_round(self, rng: random.Random, length: int) -> Iterator[Sentence]:
        """Draw one sentence of each class."""
        for label, cues in self.draw(rng, length):
            # All allowed positions are equally likely: draw them in a sentence without gaps, then insert the gaps.
            positions = sorted(rng.sample(range(length - self.gap * (len(cues) + 1)), len(cues)))
            yield self.spell(rng, length, self._spread_out(positions, cues), label)

    def spell(self, rng: random.Random, length: int, cues: Mapping[int, str], label: str) -> Sentence:
        """Draw a sentence of filler words with the given cues, by position."""
        words = rng.choices(self.filler, k=length)
        return Sentence([cues.get(position, word) for position, word in enumerate(words)], label)

    def population(self) -> list[tuple[Sentence, float]]:
        """All different sentences of the test split, each with its probability; these sum to 1.

        Raises:
            ValueError: if the task has several filler words, varying cues, or more than `MOST_SENTENCES` sentences.
        """
        if not self.fixed_cues:
            raise ValueError(
                "population: expected a task whose sentences of a class all have the same cues, such as twice, order "
                f"or position, got {type(self).__name__.lower()}"
            )
        if len(self.filler) > 1:
            raise ValueError(f"n_filler: expected 1, so that all sentences can be listed, got {len(self.filler)}")
        drawn = [
            (length, label, cues)
            for length in self._lengths_of_test()
            for label, cues in self.draw(random.Random(0), length)  # the same whatever the generator gives
        ]
        n_sentences = sum(self.n_placements(*each) for each in drawn)
        if n_sentences > MOST_SENTENCES:
            raise ValueError(
                f"test_lengths: expected at most {MOST_SENTENCES:,} different sentences, so that all can be listed, "
                f"got {n_sentences:,} of {self.test_lengths[0]} to {self.test_lengths[1]} words"
            )
        return [
            (self.spell(random.Random(0), each[0], placed, each[1]), 1 / (len(drawn) * self.n_placements(*each)))
            for each in drawn
            for placed in self.placements(*each)
        ]

    def n_placements(self, length: int, label: str, cues: Sequence[str]) -> int:
        """Number of `placements`."""
        return math.comb(length - self.gap * (len(cues) + 1), len(cues))

    def placements(self, length: int, label: str, cues: Sequence[str]) -> Iterator[Mapping[int, str]]:
        """Yield all ways to place the cues of a class in a sentence, by position; all are equally likely."""
        for positions in itertools.combinations(range(length - self.gap * (len(cues) + 1)), len(cues)):
            yield self._spread_out(positions, cues)

    def _spread_out(self, positions: Sequence[int], cues: Sequence[str]) -> dict[int, str]:
        """Insert the gaps: cues by their positions in a sentence, from positions in a sentence without gaps."""
        return {
            position + self.gap * (number + 1): cue
            for number, (position, cue) in enumerate(zip(positions, cues, strict=True))
        }

    def _lengths_of_test(self) -> range:
        return range(self.test_lengths[0], self.test_lengths[1] + 1)

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the cues and the filler words, so that no word is unknown."""
        return Vocabulary([PAD, *sorted([self.a, self.b, *self.filler])])


def best_threshold(seen: Iterable[Seen], classes: Sequence[str]) -> float:
    """The highest accuracy of a classifier that sets one threshold on a value, for two equally frequent classes.

    Args:
        seen: values with their classes and probabilities; those of each class may sum to any number, the same for both.
        classes: names of the two classes.
    """
    first, _ = classes
    more: Counter[Any] = Counter()  # by value: how much more probable it is in the first class
    total = 0.0
    for value, label, probability in seen:
        more[value] += probability if label == first else -probability  # pyright: ignore[reportArgumentType]
        total += probability
    gains = itertools.accumulate(more[value] for value in sorted(more))
    return 0.5 + max(abs(gain) for gain in gains) / total
