"""The LightningDataModule for labelled sentences; a source of sentences derives from it and writes `load`."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler

from textpool.checks import integer, one_of, switch
from textpool.data.batches import Batch, EncodedSentences, SharedSampler, identity_collate
from textpool.data.reading import FileOptions, Refuse, fail, read_file
from textpool.data.vocabulary import Tokenizer, Vocabulary, sharing_words

# of a batch of the validation or the test split, unless batch_size asks for more
EVALUATION_TOKENS = 2**16  # padding included
EVALUATION_LOGITS = 2**21  # of all classes (8 MiB)

MOST_EXAMPLES = 3  # of lines in a note
MOST_SENTENCES = 10_000_000  # that are generated for a split: all of them are in memory


class Sentence(NamedTuple):
    """The words of a sentence, in order, and the name of its class."""

    words: list[str]
    label: str


class Splits(NamedTuple):
    """The training, validation and test split of a data set."""

    train: list[Sentence]
    val: list[Sentence]
    test: list[Sentence]


class SentenceData(LightningDataModule, ABC):
    """Labelled sentences as batches of token numbers.

    `setup` loads and encodes the sentences of all splits. To use a trained classifier on new sentences, call
    `restore` instead: then `tokenize`, `read`, `encode` and `encode_texts` work without `setup`.

    Args:
        batch_size: number of sentences in a batch. Several processes that train one model share each batch.
        pad_to: `batch` pads to the longest sentence of the batch, `max_length` to `max_length`.
        max_length: longer sentences are cut to this number of words, in every split; None: no sentence is cut.
        shuffle_seed: seed of the order of the training sentences. The order depends only on this seed and the epoch:
            it is the same for every model, alone or in a sweep, in a resumed run or not.
        num_workers: number of processes that load batches; the data are in memory, so 0 is fastest.
        bucket: whether the sentences of a training batch have similar lengths, so that less padding is computed, see
            `textpool.data.batches.order_by_length`.

    Attributes:
        tokenize: splits a text into words.
        file_options: how `read` reads a file.
        vocabulary: words of the training split; available after `setup` or `restore`.
        labels: names of the classes in the order of their numbers; available after `setup` or `restore`.
        splits: the sentences as words; available after `setup`.
        encoded: the encoded sentences of each split, by the name of the split; available after `setup`.
        notes: what is unusual about the sentences, one line each; available after `setup`.
        empty: where the sentences without words are, such as `train.csv:7`, as far as it is known.
        natural_text: whether people wrote the sentences; then `textpool.data.summary` describes them in detail.
        bayes_accuracy: Bayes accuracy, the highest accuracy that any classifier can be expected to reach on the test
            split; None: not known.
        shortcut: what the best shortcut uses, a classifier that uses less than the data are made to test, in words for
            people; None: none is known.
        shortcut_accuracy: its accuracy on the test split.
    """

    tokenize: Tokenizer
    file_options: FileOptions
    vocabulary: Vocabulary
    labels: list[str]
    splits: Splits
    notes: Sequence[str] = ()
    empty: Sequence[str] = ()
    natural_text: bool = False
    bayes_accuracy: float | None = None
    shortcut: str | None = None
    shortcut_accuracy: float | None = None

    def __init__(
        self,
        batch_size: int = 64,
        pad_to: str = "batch",
        max_length: int | None = None,
        shuffle_seed: int = 42,
        num_workers: int = 0,
        bucket: bool = False,
    ) -> None:
        super().__init__()
        self.batch_size = integer("batch_size", batch_size, least=1)
        self.pad_to = one_of("pad_to", pad_to, ("batch", "max_length"))
        self.max_length = None if max_length is None else integer("max_length", max_length, least=1)
        if self.fixed_length and self.max_length is None:
            raise ValueError("max_length: expected an integer of at least 1 with pad_to=max_length, got None")
        self.shuffle_seed = integer("shuffle_seed", shuffle_seed, least=0)
        self.num_workers = integer("num_workers", num_workers, least=0)
        self.bucket = switch("bucket", bucket)
        self.tokenize = Tokenizer()
        self.file_options = FileOptions()
        self.encoded: dict[str, EncodedSentences] = {}

    @abstractmethod
    def load(self) -> Splits:
        """Return the sentences of all three splits."""

    def build_vocabulary(self, train: Sequence[Sentence]) -> Vocabulary:
        """Build the vocabulary from the training split only."""
        return Vocabulary.build(sentence.words for sentence in train)

    def setup(self, stage: str | None = None) -> None:
        """Load and encode the sentences at the first call; later calls do nothing."""
        if self.encoded:
            return
        splits = self.load()
        if self.max_length is not None:
            splits = ([Sentence(words[: self.max_length], label) for words, label in split] for split in splits)
        self.splits = Splits(*splits)
        self.vocabulary = self.build_vocabulary(self.splits.train)
        self.labels = sorted({sentence.label for sentence in self.splits.train}, key=_natural)
        for split, sentences in zip(Splits._fields, self.splits, strict=True):
            unseen = sorted({sentence.label for sentence in sentences} - set(self.labels))
            if unseen:
                raise ValueError(
                    f"data: no training sentence has the class {unseen[0]!r} of the {split} split: more training "
                    "sentences are needed, or another data.seed"
                )
            self.encoded[split] = self.encode(sentences)
        empty = sum(not sentence.words for split in self.splits for sentence in split)
        if empty:
            n_sentences = sum(map(len, self.splits))
            where = f" ({', '.join(self.empty[:MOST_EXAMPLES])}{', …' * (empty > MOST_EXAMPLES)})" if self.empty else ""
            note = f"{empty:,} of {n_sentences:,} sentences are empty{where}: they are kept, and pooled to zeros"
            self.notes = [*self.notes, note]

    def restore(self, vocabulary: Sequence[str], labels: Sequence[str]) -> None:
        """Set vocabulary and labels as a checkpoint holds them, without loading any sentence.

        Args:
            vocabulary: all tokens in the order of their numbers.
            labels: names of the classes in the order of their numbers.
        """
        self.vocabulary = Vocabulary(vocabulary)
        self.labels = list(labels)

    def texts(self, split: str) -> list[str]:
        """The sentences of a split as text, available after `setup`: here their words, separated by spaces."""
        return [" ".join(sentence.words) for sentence in getattr(self.splits, split)]

    @property
    def fixed_length(self) -> bool:
        """Whether every batch is padded to `max_length`, so that all batches have the same width."""
        return self.pad_to == "max_length"

    @property
    def majority_accuracy(self) -> float:
        """Accuracy on the test split of the majority guess, the most frequent class of the training split."""
        frequent = Counter(sentence.label for sentence in self.splits.train).most_common(1)[0][0]
        return sum(sentence.label == frequent for sentence in self.splits.test) / len(self.splits.test)

    def read(self, path: str, refuse: Refuse = fail, **options: str | None) -> list[Sentence]:
        """Read and tokenise the labelled sentences of a file.

        Args:
            path: path of the file.
            refuse: gets a message about each line that cannot be read, which is then left out; by default the first
                one ends the reading.
            **options: fields of `FileOptions` that replace those of `file_options`; None: the stored field is used.

        Raises:
            ValueError: if the file cannot be read with these options, or has a label that is not in `labels`.
        """
        given = {name: value for name, value in options.items() if value is not None}
        sentences, labels, words = [], set(self.labels), sharing_words(self.tokenize)
        for text, label, line in read_file(path, replace(self.file_options, **given), refuse):
            if label in labels:
                sentences.append(Sentence(list(words(text)), label))
            else:
                known = ", ".join(map(repr, self.labels[:10])) + (", …" if len(labels) > 10 else "")
                refuse(f"{path}:{line}: label {label!r} is none of the classifier's: {known}")
        if not sentences:
            raise ValueError(f"{path}: expected at least one sentence that can be read")
        return sentences

    def encode(self, sentences: Sequence[Sentence]) -> EncodedSentences:
        """Encode sentences as a dataset of token numbers and class numbers."""
        number = {label: index for index, label in enumerate(self.labels)}
        return EncodedSentences(
            (self.vocabulary.encode(sentence.words) for sentence in sentences),
            [number[sentence.label] for sentence in sentences],
            self.max_length,
            self.fixed_length,
        )

    def encode_texts(self, texts: Sequence[str]) -> EncodedSentences:
        """Tokenise and encode texts without labels; every class number in the dataset is 0."""
        return self.encode([Sentence(self.tokenize(text), self.labels[0]) for text in texts])

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches in random order, which depends only on `shuffle_seed` and the epoch."""
        dataset, processes = self.encoded["train"], self.trainer.world_size if self.trainer else 1
        sampler = SharedSampler(
            dataset,
            num_replicas=processes,
            rank=self.trainer.global_rank if self.trainer else 0,
            # The sampler adds the epoch to its seed. Without the shift, epoch 1 of seed 0 would have the same order as
            # epoch 0 of seed 1.
            seed=self.shuffle_seed << 20,
            batch_size=self.batch_size if self.bucket else None,
        )
        loop = getattr(self.trainer, "fit_loop", None)
        if loop is not None:
            # Lightning tells the epoch only after the data workers have been given their first batches
            sampler.set_epoch(loop.epoch_progress.current.processed)
        return self.loader(dataset, sampler, self.share_of_batch(processes))

    def share_of_batch(self, processes: int) -> int:
        """Number of sentences of a training batch that each of several processes gets.

        Raises:
            ValueError: if the processes cannot share a batch equally.
        """
        if self.batch_size % processes:
            raise ValueError(
                f"data.batch_size: expected a multiple of {processes}, the number of processes that share each batch, "
                f"got {self.batch_size}"
            )
        return self.batch_size // processes

    def val_dataloader(self) -> DataLoader[Batch]:
        """Large batches of the validation split, in the order of its sentences."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Large batches of the test split, in the order of its sentences."""
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: str) -> DataLoader[Batch]:
        dataset = self.encoded[split]
        most = min(EVALUATION_TOKENS // dataset.longest, EVALUATION_LOGITS // len(self.labels))
        return self.loader(dataset, batch_size=max(self.batch_size, most))

    def loader(
        self, dataset: EncodedSentences, sampler: Sampler[Any] | None = None, batch_size: int | None = None
    ) -> DataLoader[Batch]:
        """Batches of a dataset.

        Args:
            dataset: encoded sentences.
            sampler: gives the order of the sentences; None: their order in the dataset.
            batch_size: number of sentences in a batch; None: the batch size of this data.
        """
        return DataLoader(
            dataset,
            batch_size=self.batch_size if batch_size is None else batch_size,
            sampler=sampler,
            collate_fn=identity_collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Every pass over a DataLoader draws a number. Without a generator of its own, it would draw from the global
            # generator, from which dropout draws too.
            generator=torch.Generator(),
        )


def _natural(label: str) -> tuple[bool, float, str]:
    """Sort key for labels: numbers by their value, then words in alphabetical order, such as 2, 10, a."""
    number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", label) is not None
    return (not number, float(label) if number else 0.0, label)
