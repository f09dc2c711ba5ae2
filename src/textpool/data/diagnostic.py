"""Generated sentences with cues among filler, on which one way of pooling can succeed and another cannot."""

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from textpool.checks import integer, span
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.vocabulary import PAD, Vocabulary


class DiagnosticTask(SentenceData, ABC):
    """A question about a sentence that is all filler but for a few cues, the words a and b of `words`.

    Between cues and at both ends stand at least `gap` words of filler, so that no window of up to `gap` + 1 words
    holds two cues or reaches over an edge. What then tells the classes apart is how many windows there are of each
    kind, or in which order they come; with one filler word (`n_filler=1`) nothing but that, where `same_windows`: every
    sentence of the task has the same set of windows.

    Sentences are drawn in rounds, one of each class, all of one length, so that the length says nothing. The three
    parts are drawn apart: the size of one changes no other. With one filler word there are few different sentences, and
    most of a test part stand in the training part too: what is asked is what a strategy can keep, not what it makes of
    sentences never seen.

    Args:
        n_train: training sentences, as many of each class; so are the others.
        n_val: validation sentences.
        n_test: test sentences.
        lengths: fewest and most words of a sentence.
        gap: least number of filler words around each cue; the largest kernel less 1.
        n_filler: number of different filler words, the first of their list.
        seed: of the sentences; not that of the training.
        words: `a` and `b`, the cues, and the list `filler`.
        **batching: see `SentenceData`.
    """

    classes: ClassVar[Sequence[str]]
    most_cues: int  # in a sentence of the shortest length; set before the constructor of this class
    same_windows = True
    bayes_accuracy = 1.0  # a rule tells the classes apart without fail

    def __init__(
        self,
        n_train: int,
        n_val: int,
        n_test: int,
        lengths: Sequence[int],
        gap: int,
        n_filler: int,
        seed: int,
        words: dict[str, Any],
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        sizes = {"n_train": n_train, "n_val": n_val, "n_test": n_test}
        self.sizes = {name: integer(name, size, least=1) for name, size in sizes.items()}
        for name, size in sizes.items():
            if size % len(self.classes):
                raise ValueError(f"{name}: expected a multiple of {len(self.classes)}, the classes, got {size}")
        self.gap = integer("gap", gap, least=0)
        self.seed = integer("seed", seed, least=0)
        for name, kind in ("a", str), ("b", str), ("filler", list):
            if not isinstance(words.get(name), kind) or not words[name]:
                what = "a word" if kind is str else "a list of at least one word"
                raise ValueError(f"words.{name}: expected {what}, got {words.get(name)!r}")
        self.a, self.b = words["a"], words["b"]
        integer("n_filler", n_filler, least=1)
        if n_filler > len(words["filler"]):
            raise ValueError(f"n_filler: expected at most {len(words['filler'])}, as words.filler has, got {n_filler}")
        self.filler = list(words["filler"][:n_filler])
        twice = [word for word in {self.a, self.b, *self.filler} if [self.a, self.b, *self.filler].count(word) > 1]
        if twice:
            raise ValueError(f"words: expected a, b and filler to be different words, got {', '.join(twice)} twice")
        self.lengths = self.checked_lengths("lengths", lengths)

    @abstractmethod
    def draw(self, rng: random.Random, length: int) -> Iterator[tuple[str, Sequence[str]]]:
        """The cues of one sentence of each class in their order: class, cues."""

    def checked_lengths(self, name: str, lengths: Sequence[int]) -> tuple[int, int]:
        """Fewest and most words, if there is room for the cues and for a window of nothing but filler beside them."""
        fewest, most = span(name, lengths)
        least = self.most_cues + self.gap * (self.most_cues + 1) + 1
        if fewest < least:
            raise ValueError(
                f"{name}: expected at least {least} words, room for {self.most_cues} cues with {self.gap} words of "
                f"filler around each, got {fewest}"
            )
        if self.max_length is not None and self.max_length < most:
            raise ValueError(
                f"max_length: expected at least {most}, the most words, or a cut may take cues: got {self.max_length}"
            )
        return fewest, most

    def load(self) -> Splits:
        """Draw the sentences."""
        return Splits(*(self.draw_part(part, self.lengths) for part in Splits._fields))

    def draw_part(self, part: str, lengths: tuple[int, int]) -> list[Sentence]:
        """The sentences of a part, from a generator of its own."""
        rng = random.Random(f"{self.seed} {part}")
        rounds = (self.draw_round(rng, rng.randint(*lengths)) for _ in itertools.count())
        return list(itertools.islice(itertools.chain.from_iterable(rounds), self.sizes[f"n_{part}"]))

    def draw_round(self, rng: random.Random, length: int) -> Iterator[Sentence]:
        """One sentence of each class."""
        for label, cues in self.draw(rng, length):
            # Of all ways to spread the cues each is as likely: choose places without the gaps, then put them in.
            places = sorted(rng.sample(range(length - self.gap * (len(cues) + 1)), len(cues)))
            at = {
                place + self.gap * (number + 1): cue
                for number, (place, cue) in enumerate(zip(places, cues, strict=True))
            }
            yield self.spell(rng, length, at, label)

    def spell(self, rng: random.Random, length: int, cues: Mapping[int, str], label: str) -> Sentence:
        """A sentence of filler with cues at given places."""
        words = rng.choices(self.filler, k=length)
        return Sentence([cues.get(place, word) for place, word in enumerate(words)], label)

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """The cues and the filler: no word is unknown."""
        return Vocabulary([PAD, *sorted([self.a, self.b, *self.filler])])
