"""Sentences in memory as tensors, collated a batch at a time."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset


class Batch(NamedTuple):
    """Sentences of one batch.

    Attributes:
        tokens: (batch, time), padded with 0 at the end.
        labels: (batch,), class numbers.
    """

    tokens: Tensor
    labels: Tensor


class EncodedSentences(Dataset[Batch]):
    """Sentences as one long tensor of tokens, from which whole batches are cut.

    A DataLoader asks `__getitems__` for all indices of a batch at once.

    Args:
        sentences: token numbers of each sentence.
        labels: class number of each sentence.
        max_length: longer sentences are cut; None: none are.
        pad_to_max: pad to `max_length` instead of to the longest sentence of the batch.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        labels: Sequence[int],
        max_length: int | None = None,
        pad_to_max: bool = False,
    ) -> None:
        cut = [sentence[:max_length] for sentence in sentences]
        self.lengths = torch.tensor([len(sentence) for sentence in cut], dtype=torch.long)
        self.starts = self.lengths.cumsum(0) - self.lengths
        # one token more, so that an empty sentence at the end starts somewhere
        self.tokens = torch.tensor([token for sentence in cut for token in sentence] + [0], dtype=torch.long)
        self.labels = torch.tensor(labels, dtype=torch.long)
        self.width = max_length if pad_to_max else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        """A batch of one sentence."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """The batch of these sentences."""
        chosen = torch.as_tensor(indices)
        tokens = gather_sentences(self.tokens, self.starts[chosen], self.lengths[chosen], self.width)
        return Batch(tokens, self.labels[chosen])


def gather_sentences(
    tokens: Int[Tensor, " total"],
    starts: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"],
    width: int | None = None,
) -> Int[Tensor, "batch time"]:
    """Cut sentences out of one long tensor, padded with 0 to `width` or to the longest, at least 1."""
    time = width if width is not None else max(1, int(lengths.max()))
    offset = torch.arange(time)
    index = (starts[:, None] + offset).clamp(max=len(tokens) - 1)  # (batch, time)
    return tokens[index].masked_fill(offset >= lengths[:, None], 0)


def identity_collate(batch: Any) -> Any:
    """The collate function of a dataset that makes whole batches."""
    return batch
