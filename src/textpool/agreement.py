"""How far another way to compute a classifier's logits, such as a file of `textpool.export`, is from PyTorch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textpool.build import Trained
from textpool.data import SentenceData

LONGEST, LARGEST = 200, 64  # words of a sentence and sentences of a batch, up to which a file is checked
TOLERANCE = 1e-4  # of the largest logit of a batch, or of 1 where all are smaller: rounding is about 1e-6
ROUNDING = 1e-6  # a relative change of the values of a layer, about that of rounding in single precision
MOST_UNDECIDED = 64  # of about 6,500 sentences: where rounding decides more of them, it counts as a difference
ATTEMPTS = 64  # to find the logits of a file with such changes

Run = Callable[[Tensor], Tensor]  # tokens (batch, time) → logits (batch, classes)


class Difference(NamedTuple):
    """How far the logits of a file are from those of PyTorch.

    Attributes:
        largest: the largest difference of two logits.
        share: the largest one as a share of the largest logit of its batch, or of 1 where all are smaller.
        sentences: number of sentences that were compared.
        undecided: number of sentences that are left out of the other two, because rounding decides which values their
            pooling keeps, see `decided_by_rounding`.
    """

    largest: float
    share: float
    sentences: int
    undecided: int


@torch.no_grad()
def compare(trained: Trained, run: Run) -> Difference:
    """The difference on random sentences: a batch for each length from 1 to 200, of 1 to 64 sentences.

    The first sentence of a batch has this length, the others have any from 0 to it.
    """
    words, width = len(trained.data.vocabulary), width_of(trained.data)
    generator = torch.Generator().manual_seed(0)
    largest, share, sentences, undecided, tried = 0.0, 0.0, 0, 0, 0
    for length in range(1, min(LONGEST, width or LONGEST) + 1):
        batch = 1 + 37 * length % LARGEST  # all numbers from 1 to 64 come
        lengths = torch.randint(0, length + 1, (batch, 1), generator=generator)
        lengths[0] = length
        tokens = torch.randint(1, max(2, words), (batch, length), generator=generator)
        tokens = tokens * (torch.arange(length) < lengths)  # (batch, time)
        padded = F.pad(tokens, (0, (width or length) - length))
        expected, found = trained.classifier(padded), run(tokens)
        if found.shape != expected.shape:
            raise ValueError(f"logits of shape {tuple(found.shape)}, expected {tuple(expected.shape)}")
        size = max(1.0, float(expected.abs().max()))
        differences = (found - expected).abs().amax(-1).nan_to_num(torch.inf)  # (batch,)
        for number in (differences > TOLERANCE * size).nonzero().flatten().tolist()[: MOST_UNDECIDED - tried]:
            tried += 1
            if decided_by_rounding(trained.classifier, padded[number], found[number], TOLERANCE * size):
                differences[number] = 0.0
                undecided += 1
        largest = max(largest, float(differences.max()))
        share = max(share, float(differences.max()) / size)
        sentences += batch
    return Difference(largest, share, sentences, undecided)


def decided_by_rounding(classifier: nn.Module, tokens: Tensor, found: Tensor, tolerance: float) -> bool:
    """Whether PyTorch gives the same logits as well, as soon as its values change by about as much as by rounding.

    So it is where two values are nearly equal, of which a pooling such as `KMax` keeps one: the place of this value in
    the order of the others changes the logits.

    Args:
        classifier: gives logits (batch, classes) for tokens (batch, time).
        tokens: of one sentence, (time,).
        found: its logits in the file, (classes,).
        tolerance: largest difference of two equal logits.
    """
    generator = torch.Generator().manual_seed(0)

    def disturb(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return output * (1 + ROUNDING * torch.randn(output.shape, generator=generator))

    layers = [module for module in classifier.modules() if isinstance(module, nn.Embedding | nn.Conv1d)]
    handles = [layer.register_forward_hook(disturb) for layer in layers]
    try:
        logits = classifier(tokens.expand(ATTEMPTS, -1))  # (attempts, classes)
    finally:
        for handle in handles:
            handle.remove()
    return bool(((logits - found).abs().amax(-1) <= tolerance).any())


def width_of(data: SentenceData) -> int | None:
    """The number of tokens to which all sentences are padded; None where it is that of the longest in a batch."""
    return data.max_length if data.fixed_length else None
