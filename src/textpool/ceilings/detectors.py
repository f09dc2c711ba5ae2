"""Filters whose value for each kind of window is set by hand, in a text CNN that is otherwise an ordinary one."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textpool.build import build_model
from textpool.data.diagnostic import DiagnosticTask
from textpool.model.textcnn import PADDING_INDEX, TextCNN

N_FILTERS = 32  # per kernel size: as many as a text CNN has by default
CHUNK = 2**22  # largest number of values of a feature map that is pooled at once

# One row per filter, one column per kind of window: filler words only, cue a at each place, cue b at each place.
Detectors = Float[Tensor, "filters kinds"]


def constructed(kernel_size: int, generator: torch.Generator) -> Detectors:
    """Filters that detect what the tasks ask for, and random ones.

    The filters are the indicators of each kind of window, of each cue at any place, of any cue; a constant; and some
    that have different values for the two cues and for filler words, for strategies that compare values.
    """
    places = torch.eye(2 * kernel_size)  # one kind with a cue each
    a = torch.tensor([1.0] * kernel_size + [0.0] * kernel_size)
    first_a, first_b, last_b = places[0], places[kernel_size], places[-1]
    with_cue = [*places, a, 1 - a, torch.ones(2 * kernel_size), 1 + a, 2 - a, first_a + 2 * first_b]
    rows = [torch.cat([torch.zeros(1), row]) for row in with_cue]
    rows += [torch.cat([torch.ones(1), row]) for row in (0 * a, 0 * a + 1, 2 * a, 1 + first_a - last_b)]
    return torch.cat([torch.stack(rows), randomized(kernel_size, N_FILTERS - len(rows), generator)])


def randomized(kernel_size: int, n_filters: int, generator: torch.Generator) -> Detectors:
    """Filters with random values: in one half continuous ones, in the other half 0, 1 or 2, with many ties."""
    shape = n_filters, 1 + 2 * kernel_size
    continuous = torch.rand(shape, generator=generator)
    ties = torch.randint(3, shape, generator=generator).to(continuous)
    return torch.where(torch.arange(n_filters)[:, None] % 2 == 0, continuous, ties)


def build_detectors(config: Mapping[str, Any], data: DiagnosticTask) -> TextCNN:
    """The text CNN of a configuration in double precision, with an embedding in which the filters are set directly.

    Raises:
        ValueError: if the model is not a `TextCNN`, or its windows can hold more than one cue.
    """
    model = build_model(
        {**config, "model": {**config["model"], "embedding_dim": 2, "n_filters": N_FILTERS, "dropout": 0.0}}, data
    )
    if not isinstance(model, TextCNN) or max(model.kernel_sizes) > data.gap + 1:
        raise ValueError(
            f"model: expected a TextCNN with kernel_sizes of at most {data.gap + 1}, that is, data.gap + 1"
        )
    nn.init.zeros_(model.embedding.weight)  # of filler words and padding
    for dimension, cue in enumerate((data.a, data.b)):
        model.embedding.weight.data[data.vocabulary.index[cue], dimension] = 1
    model.embedding.requires_grad_(False)
    return model.double()


@torch.no_grad()
def set_detectors(model: TextCNN, detectors: Sequence[Detectors]) -> TextCNN:
    """Set the filters of each kernel size, in place."""
    for convolution, values in zip(model.convolutions, detectors, strict=True):
        differences = (values[:, 1:] - values[:, :1]).unflatten(1, (2, -1))  # (filters, cue, place)
        convolution.get_parameter("weight").copy_(differences)
        convolution.get_parameter("bias").copy_(values[:, 0])
    return model


@torch.no_grad()
def pooled(model: TextCNN, tokens: Int[Tensor, "sentences time"]) -> Float[Tensor, "sentences values"]:
    """The pooled values of all sentences, computed in parts of about equal length."""
    lengths = (tokens != PADDING_INDEX).sum(1)
    rows = max(1, CHUNK // (tokens.shape[1] * N_FILTERS))
    parts = zip(tokens.split(rows), lengths.split(rows), strict=True)
    return torch.cat([model.summarise(part[:, : int(length.max())]) for part, length in parts])
