"""Labelled texts that are in memory already, such as the columns of a table."""

import random
from collections.abc import Hashable, Sequence
from typing import Any

from textpool.checks import between, integer
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.reading import LabelledText
from textpool.data.splitting import hold_out
from textpool.data.vocabulary import Tokenizer, Vocabulary, sharing_words


class InMemoryData(SentenceData):
    """Labelled texts from two lists, of which a share is held out for validation. There is no test split.

    Texts that are identical for the model come into the same split, unless none could be held out then.

    Args:
        texts: the texts; none of them if the data are only restored from a checkpoint.
        labels: the label of each text.
        val_fraction: share of the texts for validation, stratified by class and drawn at random; at least one text.
        seed: seed of the random split.
        tokens: see `Tokenizer`.
        lowercase: see `Tokenizer`.
        min_freq: see `Vocabulary.build`.
        max_size: see `Vocabulary.build`.
        **batching: see `SentenceData`.
    """

    natural_text = True

    def __init__(
        self,
        texts: Sequence[str] = (),
        labels: Sequence[str] = (),
        val_fraction: float = 0.1,
        seed: int = 42,
        tokens: str = "words",
        lowercase: bool = True,
        min_freq: int = 2,
        max_size: int | None = None,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        given = zip(texts, labels, strict=True)
        self.given = [LabelledText(text, label, number) for number, (text, label) in enumerate(given)]
        self.val_fraction = between("val_fraction", val_fraction, 0, 1)
        self.seed = integer("seed", seed, least=0)
        self.tokenize = Tokenizer(tokens, lowercase)
        self.min_freq = integer("min_freq", min_freq, least=1)
        self.max_size = None if max_size is None else integer("max_size", max_size, least=3)

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the training split only, limited by `min_freq` and `max_size`."""
        return Vocabulary.build((sentence.words for sentence in train), self.min_freq, self.max_size)

    def load(self) -> Splits:
        """Tokenise the texts, and hold out the validation split.

        Raises:
            ValueError: if there are no texts, or none can be held out.
        """
        if not self.given:
            raise ValueError("texts: this classifier was trained in Python, and its texts were not saved: give a file")
        share = max(self.val_fraction, 1 / len(self.given))
        words = sharing_words(self.tokenize)

        def key(text: LabelledText) -> Hashable:
            return words(text.text)[: self.max_length]

        train, val = hold_out(self.given, share, random.Random(self.seed), key)
        if not val:  # each class has one text only, perhaps several times: validation chooses an epoch, and no more
            train, val = hold_out(self.given, share, random.Random(self.seed), lambda text: text.line)
        if not val:
            raise ValueError(
                "texts: expected a class with at least two texts, so that one can be held out for validation, "
                f"got {len(self.given)} texts of {len(self.given)} classes"
            )
        self._held_out = {"train": train, "val": val, "test": []}
        return Splits(*([Sentence(list(words(text)), label) for text, label, _ in texts] for texts in (train, val, [])))

    def texts(self, split: str) -> list[str]:
        """The texts of a split as they were given; available after `setup`."""
        return [text.text for text in self._held_out[split]]
