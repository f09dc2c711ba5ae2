"""A user's own sentences, from files."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from textpool.checks import fraction, integer, one_of
from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.reading import FORMATS, Columns, Row, read_rows
from textpool.data.vocabulary import Tokenizer, Vocabulary


class TextFileData(SentenceData):
    r"""Labelled sentences from text, CSV, TSV or JSON-lines files.

    Args:
        train: file of the training sentences.
        test: file of the test sentences; None: a share of the training file.
        val: file of the validation sentences; None: a share of the training file.
        val_fraction: that share, in every class alike, shuffled.
        test_fraction: likewise.
        seed: of the shares; not that of the training.
        format: `txt`, `csv`, `tsv` or `jsonl`, for all files; None: by their extensions.
        encoding: of all files.
        text_column: name of the column, or JSON key, with the sentence.
        label_column: name of the column, or JSON key, with the label.
        token_pattern: see `Tokenizer`.
        lowercase: see `Tokenizer`.
        min_freq: see `Vocabulary.build`.
        max_size: see `Vocabulary.build`.
        **batching: see `SentenceData`.

    Raises:
        ValueError: from `setup`, naming file, line and remedy.
    """

    def __init__(
        self,
        train: str,
        test: str | None = None,
        val: str | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        seed: int = 42,
        format: str | None = None,
        encoding: str = "utf-8",
        text_column: str = "text",
        label_column: str = "label",
        token_pattern: str = r"\S+",
        lowercase: bool = False,
        min_freq: int = 1,
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
        self.format = None if format is None else one_of("format", format, FORMATS)
        self.encoding = encoding
        self.columns = Columns(text_column, label_column)
        self.tokenize = Tokenizer(token_pattern, lowercase)
        self.min_freq = integer("min_freq", min_freq, least=1)
        self.max_size = None if max_size is None else integer("max_size", max_size, least=3)

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """The vocabulary, from the training part only."""
        return Vocabulary.build((sentence.words for sentence in train), self.min_freq, self.max_size)

    def load(self) -> Splits:
        """Read the files, and hold out shares where a file is not given."""
        rng = random.Random(self.seed)
        train = self._read(self.train)
        if len({row.label for row in train}) < 2:
            raise ValueError(f"{self.train}: expected sentences of at least two classes, got only {train[0].label!r}")
        test_share = self.test_fraction if self.test is None else 0.0
        val_share = self.val_fraction if self.val is None else 0.0
        if test_share + val_share >= 1:
            raise ValueError(f"val_fraction + test_fraction: expected less than 1, got {test_share + val_share}")
        n_sentences = len(train)
        held_out: dict[str, list[Row]] = {}
        for part, share in (("test", test_share), ("val", val_share / (1 - test_share))):
            train, held_out[part] = hold_out(train, share, rng)
        test = self._read(self.test) if self.test is not None else held_out["test"]
        val = self._read(self.val) if self.val is not None else held_out["val"]
        for part, rows in (("test", test), ("val", val)):
            if not rows:
                raise ValueError(
                    f"{self.train}: {n_sentences} sentences are too few to hold out a part: "
                    f"give data.{part}, or a larger data.{part}_fraction"
                )
        known = {row.label for row in train}
        for path, rows in ((self.test, test), (self.val, val)):
            for row in rows:
                if row.label not in known:
                    raise ValueError(
                        f"{path}:{row.line}: label {row.label!r} does not occur in {self.train}, which has "
                        + ", ".join(map(repr, sorted(known)[:10]))
                        + (", …" if len(known) > 10 else "")
                    )
        return Splits(*([Sentence(self.tokenize(row.text), row.label) for row in rows] for rows in (train, val, test)))

    def _read(self, path: str) -> list[Row]:
        return read_rows(path, self.format, self.encoding, self.columns)


def hold_out(rows: Sequence[Row], share: float, rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Cut rows in what stays and a shuffled share, in every class alike; both keep the order of the file.

    Every class keeps at least one sentence, and the share is right over all classes, not only within each: of
    10 classes with 4 sentences each, a share of 0.1 holds out 4 sentences, not 0.
    """
    by_label: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_label[row.label].append(index)
    candidates = []
    for members in by_label.values():
        rng.shuffle(members)
        candidates += members[1:]
    wanted = min(round(share * len(rows)), len(candidates))
    # evenly spaced over candidates that stand class by class: each class gives its share, within one sentence
    chosen = {candidates[(2 * i + 1) * len(candidates) // (2 * wanted)] for i in range(wanted)}
    stay = [row for index, row in enumerate(rows) if index not in chosen]
    return stay, [row for index, row in enumerate(rows) if index in chosen]
