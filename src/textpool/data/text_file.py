"""A user's own labelled sentences, from files."""

import functools
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from textpool.checks import fraction, integer
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.duplicates import Key, describe_duplicates
from textpool.data.reading import FileOptions, LabelledText, read_file
from textpool.data.vocabulary import Tokenizer, Vocabulary


class TextFileData(SentenceData):
    r"""Labelled sentences from text, CSV, TSV or JSON-lines files.

    Sentences of the training file that are identical for the model come into the same split: those that have the same
    tokens, as far as `max_length` does not cut them off. Files of validation or test sentences are used as they are.
    After `setup`, `notes` counts the duplicates, and the sentences with different labels.

    Args:
        train: file of the training sentences.
        test: file of the test sentences; None: `test_fraction` of the training file is held out.
        val: file of the validation sentences; None: `val_fraction` of the training file is held out.
        val_fraction: share of the training file for validation, stratified by class and drawn at random.
        test_fraction: share of the training file for testing, likewise.
        seed: seed of the random split of the training file; the seed of the training is a different setting.
        folds: number of folds of a cross-validation over the training file, which then needs no `test`; None: there is
            none. See `split_into_folds`.
        fold: the fold that is the test split, from 0 to below `folds`; `val_fraction` of the training file is held
            out of the others.
        format: `txt`, `csv`, `tsv` or `jsonl`, for all files; None: by the file extension.
        encoding: encoding of all files.
        text_column: name of the column, or JSON key, that holds the sentence.
        label_column: name of the column, or JSON key, that holds the label.
        delimiter: character between two columns; None: recognised from the header, see `FileOptions`.
        tokens: see `Tokenizer`.
        lowercase: see `Tokenizer`.
        min_freq: see `Vocabulary.build`.
        max_size: see `Vocabulary.build`.
        **batching: see `SentenceData`.

    Raises:
        ValueError: from `setup`; the message names the file, the line and what to do.
    """

    natural_text = True

    def __init__(
        self,
        train: str,
        test: str | None = None,
        val: str | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 42,
        folds: int | None = None,
        fold: int | None = None,
        format: str | None = None,
        encoding: str = "utf-8",
        text_column: str = "text",
        label_column: str = "label",
        delimiter: str | None = None,
        tokens: str = "words",
        lowercase: bool = True,
        min_freq: int = 2,
        max_size: int | None = None,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        for name, path in (("train", train), ("test", test), ("val", val)):
            if not isinstance(path, str) and (path is not None or name == "train"):
                raise ValueError(f"{name}: expected the path of a file of labelled sentences, got {path!r}")
        self.train, self.test, self.val = train, test, val
        self.val_fraction = fraction("val_fraction", val_fraction)
        self.test_fraction = fraction("test_fraction", test_fraction)
        self.seed = integer("seed", seed, least=0)
        self.folds, self.fold = check_folds(folds, fold)
        if folds is not None and test is not None:
            raise ValueError(f"folds: expected no test file, because each fold is the test split once, got {test!r}")
        self.file_options = FileOptions(format, encoding, text_column, label_column, delimiter)
        self.tokenize = Tokenizer(tokens, lowercase)
        self.min_freq = integer("min_freq", min_freq, least=1)
        self.max_size = None if max_size is None else integer("max_size", max_size, least=3)

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the training split only, limited by `min_freq` and `max_size`."""
        return Vocabulary.build((sentence.words for sentence in train), self.min_freq, self.max_size)

    def load(self) -> Splits:
        """Read the files, and hold out shares of the training file for the splits that have no file."""
        rng = random.Random(self.seed)
        train = read_file(self.train, self.file_options)
        if len({text.label for text in train}) < 2:
            raise ValueError(f"{self.train}: expected sentences of at least two classes, got only {train[0].label!r}")
        test_share = 0.0 if self.test is not None else 1 / self.folds if self.folds else self.test_fraction
        val_share = self.val_fraction if self.val is None else 0.0
        if test_share + val_share >= 1:
            tested = "1 / folds" if self.folds else "test_fraction"
            raise ValueError(f"val_fraction + {tested}: expected less than 1, got {test_share + val_share}")
        files = {"train": (self.train, train)}
        for split, path in (("val", self.val), ("test", self.test)):
            if path is not None:
                files[split] = (path, read_file(path, self.file_options))
        words = functools.cache(self.tokenize)

        def key(text: LabelledText) -> Hashable:
            return tuple(words(text.text)[: self.max_length])

        self.notes = describe_duplicates(files, key)
        n_sentences, n_different = len(train), len(set(map(key, train)))
        held_out: dict[str, list[LabelledText]] = {}
        if self.folds is not None and self.fold is not None:
            in_fold = split_into_folds(train, self.folds, rng, key)
            held_out["test"] = [text for text, fold in zip(train, in_fold, strict=True) if fold == self.fold]
            train = [text for text, fold in zip(train, in_fold, strict=True) if fold != self.fold]
        else:
            train, held_out["test"] = hold_out(train, test_share, rng, key)
        train, held_out["val"] = hold_out(train, val_share / (1 - test_share), rng, key)
        test, val = (files[split][1] if split in files else held_out[split] for split in ("test", "val"))
        for split, texts in (("test", test), ("val", val)):
            if not texts:
                different = "" if n_different == n_sentences else f", {n_different} different ones,"
                raise ValueError(
                    f"{self.train}: {n_sentences} sentences{different} are too few to hold out a {split} split: "
                    f"set data.{split} to a file, or data.{split}_fraction to a larger number"
                )
        known = {text.label for text in train}
        for path, texts in ((self.test, test), (self.val, val)):
            for text in texts:
                if text.label not in known and path is None:  # of a fold; hold_out leaves one in the training split
                    raise ValueError(
                        f"{self.train}:{text.line}: all sentences with the label {text.label!r} are in one fold: "
                        "expected at least two different ones"
                    )
                if text.label not in known:
                    raise ValueError(
                        f"{path}:{text.line}: label {text.label!r} does not occur in {self.train}, which has "
                        + ", ".join(map(repr, sorted(known)[:10]))
                        + (", …" if len(known) > 10 else "")
                    )
        splits = {"train": train, "val": val, "test": test}
        self._texts = {split: [text.text for text in texts] for split, texts in splits.items()}
        return Splits(
            **{split: [Sentence(words(text), label) for text, label, _ in texts] for split, texts in splits.items()}
        )

    def texts(self, split: str) -> list[str]:
        """The sentences of a split as they are in the file; available after `setup`."""
        return self._texts[split]


def hold_out(
    texts: Sequence[LabelledText], share: float, rng: random.Random, key: Key
) -> tuple[list[LabelledText], list[LabelledText]]:
    """Hold out a random share of labelled texts, stratified by class, without separating identical ones.

    Every class keeps at least one text. The share is correct for all classes together, not only for each class: of
    10 classes with 4 texts each, a share of 0.1 holds out 4 texts, although 0.1 of each class rounds to 0.

    Texts with an equal key are held out together or not at all. Such a group is held out only if it fits into what is
    left of the share of each of its classes, or else, after all others, into what is left of the whole share. So the
    shares are exact as long as there are single texts to fill them.

    Args:
        texts: the texts.
        share: of the texts to hold out, from 0 to below 1.
        rng: draws the groups.
        key: equal for texts that are to stay together.

    Returns:
        The remaining texts and the held-out texts, both in their original order.
    """
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        groups[key(text)].append(index)
    by_label: defaultdict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        by_label[texts[group[0]].label].append(group)
    candidates = []
    for of_class in by_label.values():
        rng.shuffle(of_class)
        candidates += of_class[1:]
    spare = {label: count - 1 for label, count in Counter(text.label for text in texts).items()}
    n_held_out = min(round(share * len(texts)), sum(spare.values()))
    # Candidates and spare texts are sorted by class: evenly spaced ones give each class its share, to within one text.
    spaced = _evenly_spaced(n_held_out, len(candidates))
    drawn = [candidates[place] for place in dict.fromkeys(spaced)]
    chosen = set(spaced)
    drawn += [group for place, group in enumerate(candidates) if place not in chosen]
    drawn += [of_class[0] for of_class in by_label.values()]
    labels = [label for label, count in spare.items() for _ in range(count)]
    shares = Counter(labels[place] for place in _evenly_spaced(n_held_out, len(labels)))
    held_out: set[int] = set()
    taken: Counter[str] = Counter()
    for most in (shares, spare):
        for group in drawn:
            more = Counter(texts[index].label for index in group)
            fits = all(taken[label] + count <= most[label] for label, count in more.items())
            if fits and group[0] not in held_out and len(held_out) + len(group) <= n_held_out:
                held_out.update(group)
                taken += more
    remaining = [text for index, text in enumerate(texts) if index not in held_out]
    return remaining, [text for index, text in enumerate(texts) if index in held_out]


def check_folds(folds: int | None, fold: int | None) -> tuple[int | None, int | None]:
    """Check the two settings of a cross-validation, of which both or none must be given.

    Raises:
        ValueError: if they are not.
    """
    if folds is None:
        if fold is not None:
            raise ValueError(f"folds: expected the number of folds, such as 10, with fold={fold}, got None")
        return None, None
    integer("folds", folds, least=2)
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < folds:
        raise ValueError(
            f"fold: expected an integer from 0 to {folds - 1}, got {fold!r}: "
            f"'data.fold=range({folds})' with -m runs all folds"
        )
    return folds, fold


def split_into_folds(texts: Sequence[LabelledText], n_folds: int, rng: random.Random, key: Key) -> list[int]:
    """Split labelled texts into folds at random, stratified by class, without separating identical ones.

    The groups of texts with equal keys are assigned one after the other, larger ones first: each to the fold that has
    the fewest texts of its class so far, of these to the one with the fewest texts in all. If no text occurs twice, the
    folds have the same number of texts of each class to within one text, and of all texts to within one.

    Args:
        texts: the texts.
        n_folds: number of folds.
        rng: draws the order of the groups.
        key: equal for texts that are to stay together.

    Returns:
        The number of the fold of each text, from 0.
    """
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        groups[key(text)].append(index)
    by_label: defaultdict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        by_label[texts[group[0]].label].append(group)
    fold_of = [0] * len(texts)
    in_all = [0] * n_folds
    of_class: defaultdict[str, list[int]] = defaultdict(lambda: [0] * n_folds)
    for label, own in by_label.items():
        rng.shuffle(own)
        for group in sorted(own, key=len, reverse=True):
            fold = min(range(n_folds), key=lambda number: (of_class[label][number], in_all[number]))
            for index in group:
                fold_of[index] = fold
                of_class[texts[index].label][fold] += 1
            in_all[fold] += len(group)
    return fold_of


def _evenly_spaced(n: int, length: int) -> list[int]:
    """The middles of `n` equal parts of `length` places; several are the same place if `n` is greater."""
    return [(2 * i + 1) * length // (2 * n) for i in range(n)] if length else []
