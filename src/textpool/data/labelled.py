"""Labelled texts that people wrote, from any source of them: splits, cross-validation and vocabulary."""

import random
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from textpool.checks import fraction, integer
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.duplicates import describe_duplicates
from textpool.data.reading import LabelledText
from textpool.data.splitting import check_folds, hold_out, split_into_folds
from textpool.data.vocabulary import Tokenizer, Vocabulary, sharing_words


class LabelledTextData(SentenceData):
    """Labelled texts; a source of them derives from this class and writes `read_sources`.

    Training sentences that are identical for the model come into the same split: those that have the same tokens, as
    far as `max_length` does not cut them off. Sources of validation or test sentences are used as they are. After
    `setup`, `notes` counts the duplicates, and the sentences with different labels.

    Args:
        val_fraction: share of the training sentences for validation, stratified by class and drawn at random, if they
            have no source of their own.
        test_fraction: share of the training sentences for testing, likewise.
        seed: seed of the random split of the training sentences; the seed of the training is a different setting.
        folds: number of folds of a cross-validation over the training sentences, which then needs no test sentences;
            None: there is none. See `split_into_folds`.
        fold: the fold that is the test split, from 0 to below `folds`; `val_fraction` of all is held out of the others.
        tokens: see `Tokenizer`.
        lowercase: see `Tokenizer`.
        min_freq: see `Vocabulary.build`.
        max_size: see `Vocabulary.build`.
        **batching: see `SentenceData`.

    Attributes:
        a_source: what gives the sentences of a split, in words for people.

    Raises:
        ValueError: from `setup`; the message names the source, the line and what to do.
    """

    natural_text = True
    a_source = "a file"

    def __init__(
        self,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 42,
        folds: int | None = None,
        fold: int | None = None,
        tokens: str = "words",
        lowercase: bool = True,
        min_freq: int = 2,
        max_size: int | None = None,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        self.val_fraction = fraction("val_fraction", val_fraction)
        self.test_fraction = fraction("test_fraction", test_fraction)
        self.seed = integer("seed", seed, least=0)
        self.folds, self.fold = check_folds(folds, fold)
        self.tokenize = Tokenizer(tokens, lowercase)
        self.min_freq = integer("min_freq", min_freq, least=1)
        self.max_size = None if max_size is None else integer("max_size", max_size, least=3)

    @abstractmethod
    def read_sources(self) -> Mapping[str, tuple[str, Sequence[LabelledText]]]:
        """The labelled texts of `train`, and of `val` and `test` where they have a source: its name, and its texts."""

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the training split only, limited by `min_freq` and `max_size`."""
        return Vocabulary.build((sentence.words for sentence in train), self.min_freq, self.max_size)

    def load(self) -> Splits:
        """Read the sources, and hold out shares of the training sentences for the splits that have no source."""
        rng = random.Random(self.seed)
        sources = self.read_sources()
        place, train = sources["train"]
        if self.folds is not None and "test" in sources:
            raise ValueError("data.folds: expected data.test=null, because each fold is the test split once")
        if len({text.label for text in train}) < 2:
            raise ValueError(f"{place}: expected sentences of at least two classes, got only {train[0].label!r}")
        test_share = 0.0 if "test" in sources else 1 / self.folds if self.folds else self.test_fraction
        val_share = 0.0 if "val" in sources else self.val_fraction
        if test_share + val_share >= 1:
            tested = "1 / folds" if self.folds else "test_fraction"
            raise ValueError(f"val_fraction + {tested}: expected less than 1, got {test_share + val_share}")
        words = sharing_words(self.tokenize)

        def key(text: LabelledText) -> Hashable:
            return words(text.text)[: self.max_length]

        if not any(map(key, train)):
            raise ValueError(f"data.tokens: expected what occurs in {place}, but finds no word in any sentence")
        self.notes = describe_duplicates(sources, key)
        self.empty = [f"{name}:{text.line}" for name, texts in sources.values() for text in texts if not key(text)]
        n_sentences, n_different = len(train), len(set(map(key, train)))
        held_out: dict[str, list[LabelledText]] = {}
        if self.folds is not None and self.fold is not None:
            in_fold = split_into_folds(train, self.folds, rng, key)
            held_out["test"] = [text for text, fold in zip(train, in_fold, strict=True) if fold == self.fold]
            train = [text for text, fold in zip(train, in_fold, strict=True) if fold != self.fold]
        else:
            train, held_out["test"] = hold_out(train, test_share, rng, key)
        train, held_out["val"] = hold_out(train, val_share / (1 - test_share), rng, key)
        test, val = (sources[split][1] if split in sources else held_out[split] for split in ("test", "val"))
        for split, texts in (("test", test), ("val", val)):
            if not texts:
                different = "" if n_different == n_sentences else f", {n_different} different ones,"
                raise ValueError(
                    f"{place}: {n_sentences} sentences{different} are too few to hold out a {split} split: "
                    f"set data.{split} to {self.a_source}, or data.{split}_fraction to a larger number"
                )
        known = {text.label for text in train}
        for split, texts in (("test", test), ("val", val)):
            for text in texts:
                if text.label not in known and split not in sources:  # so of a fold
                    raise ValueError(
                        f"{place}:{text.line}: all sentences with the label {text.label!r} are in one fold: "
                        "expected at least two different ones"
                    )
                if text.label not in known:
                    raise ValueError(
                        f"{sources[split][0]}:{text.line}: label {text.label!r} does not occur in {place}, which has "
                        + ", ".join(map(repr, sorted(known)[:10]))
                        + (", …" if len(known) > 10 else "")
                    )
        splits = {"train": train, "val": val, "test": test}
        self._texts = {split: [text.text for text in texts] for split, texts in splits.items()}
        found = {split: [Sentence(list(words(text)), label) for text, label, _ in splits[split]] for split in splits}
        return Splits(**found)

    def texts(self, split: str) -> list[str]:
        """The sentences of a split as they are in the source; available after `setup`."""
        return self._texts[split]
