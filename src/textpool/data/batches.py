"""Encoded sentences in memory, and the batches made from them."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

REPEATED = -1  # index of a sentence that only makes the shares of several processes equally large
POOL = 50  # number of batches whose sentences are sorted by length together
IGNORED = -100  # its label, which torch's cross-entropy leaves out by default


class Batch(NamedTuple):
    """A batch of sentences.

    Attributes:
        tokens: (batch, time), token numbers, padded with 0 at the end.
        labels: (batch,), class numbers.
    """

    tokens: Tensor
    labels: Tensor


class EncodedSentences(Dataset[Batch]):
    """All sentences of a data set in one long tensor of token numbers.

    `__getitems__` makes a whole batch at once; a DataLoader calls it with all indices of the batch.

    Args:
        sentences: token numbers of each sentence; an iterator is read once.
        labels: class number of each sentence.
        max_length: longer sentences are cut to this number of tokens; None: no sentence is cut.
        pad_to_max: pad to `max_length` instead of to the longest sentence of the batch.
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[int]],
        labels: Sequence[int],
        max_length: int | None = None,
        pad_to_max: bool = False,
    ) -> None:
        tokens, lengths = array("q"), array("q")  # 8 bytes a token, while a list of lists takes some 30
        for sentence in sentences:
            tokens.extend(sentence[:max_length])
            lengths.append(min(len(sentence), len(sentence) if max_length is None else max_length))
        tokens.append(0)  # so that the start of an empty last sentence is a valid index
        self.lengths = torch.tensor(lengths.tolist(), dtype=torch.long)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.tokens = torch.frombuffer(tokens, dtype=torch.long)
        self.labels = torch.tensor(labels, dtype=torch.long)
        self.width = max_length if pad_to_max else None

    @property
    def longest(self) -> int:
        """Number of tokens, padding included, of the longest sentence in a batch, at least 1."""
        return self.width or max(1, int(self.lengths.max()))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        """A batch of one sentence."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """The batch of the sentences with these indices."""
        chosen = torch.as_tensor(indices)
        tokens = gather_sentences(self.tokens, self.starts[chosen], self.lengths[chosen], self.width)
        return Batch(tokens, self.labels[chosen].masked_fill(chosen == REPEATED, IGNORED))


class SharedSampler(DistributedSampler[Batch]):
    """One random order of all sentences, of which several processes get one after the other in turn.

    The batches of the same step then hold together the sentences that one process would have in its batch. Where the
    number of sentences is no multiple of the number of processes, the last processes get one `REPEATED` at the end.

    Args:
        dataset: the sentences.
        num_replicas: number of processes.
        rank: number of this process, from 0.
        seed: of the order; the epoch is added to it.
        batch_size: number of sentences in the batch of all processes together, for an order in which the sentences of
            a batch have similar lengths, see `order_by_length`; None: any order.
    """

    def __init__(
        self, dataset: EncodedSentences, num_replicas: int, rank: int, seed: int, batch_size: int | None = None
    ) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, seed=seed)
        self.lengths, self.batch_size = dataset.lengths, batch_size

    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator)
        if self.batch_size is not None:
            order = order_by_length(order, self.lengths, self.batch_size, generator)
        share = order[self.rank :: self.num_replicas].tolist()
        return iter(share + [REPEATED] * (self.num_samples - len(share)))


def order_by_length(
    order: Int[Tensor, " sentences"], lengths: Int[Tensor, " sentences"], batch_size: int, generator: torch.Generator
) -> Int[Tensor, " sentences"]:
    """An order in which the sentences of a batch have similar lengths, and the batches come at random.

    The order is cut into pools of `POOL` batches. Each pool is sorted by length and cut into batches, which are
    shuffled over all pools; an incomplete batch comes last, unsorted. So a batch still holds other sentences in each
    epoch.

    Args:
        order: a random order of all sentences.
        lengths: of the sentences, in tokens.
        batch_size: number of sentences in a batch.
        generator: draws the order of the batches.
    """
    complete = len(order) // batch_size * batch_size
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in order[:complete].split(POOL * batch_size)]
    batches = [batch for pool in pools for batch in pool.split(batch_size)]
    shuffled = [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
    return torch.cat([*shuffled, order[complete:]])


def gather_sentences(
    tokens: Int[Tensor, " total"],
    starts: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"],
    width: int | None = None,
) -> Int[Tensor, "batch time"]:
    """Copy sentences from one long tensor, padded with 0 to `width`, or to the longest sentence and at least 1."""
    time = width if width is not None else max(1, int(lengths.max()))
    offset = torch.arange(time)
    index = (starts[:, None] + offset).clamp(max=len(tokens) - 1)  # (batch, time)
    return tokens[index].masked_fill(offset >= lengths[:, None], 0)


def identity_collate(batch: Any) -> Any:
    """Return the batch unchanged: the collate function for a dataset that makes whole batches."""
    return batch
