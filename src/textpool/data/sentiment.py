"""The generated sentiment sentences of the lesson."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from textpool.checks import check_words, integer, span
from textpool.data.base import MOST_SENTENCES, Sentence, SentenceData, Splits
from textpool.data.vocabulary import PAD, Vocabulary


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NEUTRAL = _words("the a movie film was is this that very really quite it and but with not")
WORDS: Mapping[str, Sequence[str]] = {
    "positive": _words(
        "great amazing wonderful excellent fantastic brilliant superb loved enjoyed outstanding perfect best"
    ),
    "negative": _words("terrible horrible awful worst dreadful boring bad hated poor disappointing weak disaster"),
    "neutral": NEUTRAL,
}


class SentimentData(SentenceData):
    """Short sentences of neutral words with a few sentiment words, all of one class, at random positions.

    The default settings are also those of `data=sentiment`. With them, the training and test splits are exactly those
    of the lesson: positive and negative sentences are drawn alternately, the list is shuffled, and its first `n_train`
    sentences are the training split. The validation split is drawn afterwards from the same generator, so that it
    changes neither of them.

    Args:
        n_train: number of training sentences; `n_train + n_test` is even.
        n_val: number of validation sentences, an even number.
        n_test: number of test sentences.
        lengths: minimum and maximum number of words in a sentence.
        n_cues: minimum and maximum number of sentiment words in a sentence.
        seed: seed of the sentences; the seed of the training is a different setting.
        words: word lists `positive`, `negative` and `neutral`; by default `WORDS` of this module.
        n_filler: number of different neutral words, the first of their list; None: all.
        **batching: see `SentenceData`.
    """

    def __init__(
        self,
        n_train: int = 1280,
        n_val: int = 320,
        n_test: int = 320,
        lengths: Sequence[int] = (5, 12),
        n_cues: Sequence[int] = (1, 3),
        seed: int = 42,
        words: Mapping[str, Sequence[str]] = WORDS,
        n_filler: int | None = None,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        self.n_train = integer("n_train", n_train, least=1, most=MOST_SENTENCES)
        self.n_val = integer("n_val", n_val, least=2, most=MOST_SENTENCES)
        self.n_test = integer("n_test", n_test, least=1, most=MOST_SENTENCES)
        for name, number in (("n_train + n_test", n_train + n_test), ("n_val", n_val)):
            if number % 2:
                raise ValueError(
                    f"{name}: expected an even number, because half of the sentences are positive, got {number}"
                )
        self.lengths = span("lengths", lengths)
        self.n_cues = span("n_cues", n_cues)
        if self.n_cues[1] > self.lengths[0]:
            raise ValueError(
                f"n_cues: expected at most as many sentiment words as the shortest sentence has words "
                f"({self.lengths[0]}), got {self.n_cues[1]}"
            )
        self.seed = integer("seed", seed, least=0)
        check_words(words, ("positive", "negative", "neutral"))
        check_words(words, words)  # further lists are words of the vocabulary
        most = len(words["neutral"])
        if n_filler is not None and integer("n_filler", n_filler, least=1) > most:
            raise ValueError(f"n_filler: expected at most {most}, the number of words in words.neutral, got {n_filler}")
        self.words = {**words, "neutral": words["neutral"][:n_filler]}
        lists = [set(self.words[kind]) for kind in ("positive", "negative", "neutral")]
        disjoint = sum(map(len, lists)) == len(set.union(*lists))
        never_cut = self.max_length is None or self.max_length >= self.lengths[1]
        self.bayes_accuracy = 1.0 if disjoint and never_cut else None  # every sentence has a word of its class only

    def load(self) -> Splits:
        """Draw the sentences."""
        rng = random.Random(self.seed)
        drawn = self._draw_pairs(rng, self.n_train + self.n_test)
        rng.shuffle(drawn)
        return Splits(drawn[: self.n_train], self._draw_pairs(rng, self.n_val), drawn[self.n_train :])

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the word lists, so that no word of a generated sentence is unknown."""
        return Vocabulary([PAD, *sorted({word for words in self.words.values() for word in words})])

    def _draw_pairs(self, rng: random.Random, n: int) -> list[Sentence]:
        return [self._draw(rng, label) for _ in range(n // 2) for label in ("positive", "negative")]

    def _draw(self, rng: random.Random, label: str) -> Sentence:
        length = rng.randint(*self.lengths)
        n_cues = rng.randint(*self.n_cues)
        words = rng.choices(self.words["neutral"], k=length - n_cues)
        words += rng.choices(self.words[label], k=n_cues)
        rng.shuffle(words)
        return Sentence(words, label)
