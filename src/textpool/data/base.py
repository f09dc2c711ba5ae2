"""A LightningDataModule over labelled sentences; a source only says where its sentences come from."""

import logging
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, DistributedSampler

from textpool.checks import integer, one_of
from textpool.data.batches import Batch, EncodedSentences, identity_collate
from textpool.data.vocabulary import Vocabulary

log = logging.getLogger(__name__)


class Sentence(NamedTuple):
    """Words in order, and the name of their class."""

    words: list[str]
    label: str


class Splits(NamedTuple):
    """The three parts of a data set."""

    train: list[Sentence]
    val: list[Sentence]
    test: list[Sentence]


class SentenceData(LightningDataModule, ABC):
    """Labelled sentences as batches of token numbers.

    Args:
        batch_size: sentences per batch.
        pad_to: `batch` pads to the longest sentence of the batch, `max_length` to `max_length`.
        max_length: longer sentences are cut, in every part; None: none are.
        shuffle_seed: order of the training sentences. Epoch e of seed s has the same order whatever the
            model is, alone or in a sweep, resumed or not.
        num_workers: processes that load batches; the data are in memory, so 0 is fastest.

    Attributes:
        vocabulary: of the training part; there after `setup`.
        labels: names of the classes in the order of their numbers; there after `setup`.
        splits: the sentences as words; there after `setup`.
        encoded: the same as numbers, by the names of the parts; there after `setup`.
        bayes_accuracy: what no classifier can be expected to surpass on the test part (Bayes accuracy), as far as the
            source knows it.
    """

    vocabulary: Vocabulary
    labels: list[str]
    splits: Splits
    bayes_accuracy: float | None = None

    def __init__(
        self,
        batch_size: int = 64,
        pad_to: str = "batch",
        max_length: int | None = None,
        shuffle_seed: int = 42,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.batch_size = integer("batch_size", batch_size, least=1)
        self.pad_to = one_of("pad_to", pad_to, ("batch", "max_length"))
        self.max_length = None if max_length is None else integer("max_length", max_length, least=1)
        if self.pad_to == "max_length" and self.max_length is None:
            raise ValueError("max_length: expected an integer of at least 1 with pad_to=max_length, got None")
        self.shuffle_seed = integer("shuffle_seed", shuffle_seed, least=0)
        self.num_workers = integer("num_workers", num_workers, least=0)
        self.encoded: dict[str, EncodedSentences] = {}

    @abstractmethod
    def load(self) -> Splits:
        """The sentences of all three parts."""

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """The vocabulary, from the training part only."""
        return Vocabulary.build(sentence.words for sentence in train)

    def setup(self, stage: str | None = None) -> None:
        """Load, number and keep the sentences, once."""
        if self.encoded:
            return
        cut = ([Sentence(words[: self.max_length], label) for words, label in part] for part in self.load())
        self.splits = Splits(*cut)
        self.vocabulary = self.build_vocabulary(self.splits.train)
        self.labels = sorted({sentence.label for sentence in self.splits.train}, key=_natural)
        for part, sentences in zip(Splits._fields, self.splits, strict=True):
            self.encoded[part] = self.encode(sentences)
        empty = sum(not sentence.words for part in self.splits for sentence in part)
        if empty:
            log.warning("%d of %d sentences are empty: kept, and pooled to zeros", empty, sum(map(len, self.splits)))

    @property
    def majority_accuracy(self) -> float:
        """Accuracy on the test part of always guessing the class that is the most frequent one in training."""
        frequent = Counter(sentence.label for sentence in self.splits.train).most_common(1)[0][0]
        return sum(sentence.label == frequent for sentence in self.splits.test) / len(self.splits.test)

    def encode(self, sentences: Sequence[Sentence]) -> EncodedSentences:
        """Sentences as a dataset of token numbers and class numbers."""
        number = {label: index for index, label in enumerate(self.labels)}
        return EncodedSentences(
            [self.vocabulary.encode(sentence.words) for sentence in sentences],
            [number[sentence.label] for sentence in sentences],
            self.max_length,
            self.pad_to == "max_length",
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches, drawn from the seed and the number of the epoch and from nothing else."""
        dataset = self.encoded["train"]
        sampler = DistributedSampler(
            dataset,
            num_replicas=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
            seed=self.shuffle_seed << 20,  # the sampler adds the epoch: keep the seeds further apart than that
        )
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in the order of the data."""
        return self._loader(self.encoded["val"])

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in the order of the data."""
        return self._loader(self.encoded["test"])

    def _loader(self, dataset: EncodedSentences, sampler: DistributedSampler[Batch] | None = None) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=identity_collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            generator=torch.Generator(),  # else each pass over the data moves the generator that dropout draws from
        )


def _natural(label: str) -> tuple[bool, float, str]:
    """Sort numbers by size and before words: 2 before 10 before a."""
    number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", label) is not None
    return (not number, float(label) if number else 0.0, label)
