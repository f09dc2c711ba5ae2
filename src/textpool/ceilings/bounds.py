"""The two bounds of what a text CNN with a certain pooling can represent on a task."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from textpool.ceilings.detectors import (
    N_FILTERS,
    Detectors,
    build_detectors,
    constructed,
    pooled,
    randomized,
    set_detectors,
)
from textpool.ceilings.readout import Values, Weights, accuracy, readouts
from textpool.ceilings.sentences import Sample, Task, reordered
from textpool.model.textcnn import PADDING_INDEX, TextCNN
from textpool.pooling import Pooling

AGREE = 0.005  # the bounds are equal if they differ by no more
SAME = 1e-9  # relative difference up to which two pooled values are equal: sums depend on the order of their terms
SCALES = (1.0, 0.2, 5.0)  # of the detectors, for poolings whose result depends on it, such as a softmax of the values
EXACT = 1e-9  # rounding error of a sum of probabilities
CHANCE = 3  # standard errors up to which an accuracy is that of a guess
N_CHECKED = 400  # sentences whose values are compared with those of reordered ones
N_RANDOM = 3  # sets of random detectors, beside the constructed ones
MOST_POINTS = 64  # up to so many sentences, those whose values lie on a line are searched
STEPS, BATCH = 250, 128  # of a training
LEARNING_RATES = (0.03, 0.01)  # of one training each
# Classes that a linear read-out of two classes can give x, y and z if y lies between x and z.
SEPARABLE = [(x, y, z) for x, y, z in itertools.product((0, 1), repeat=3) if y in (x, z)]


class Bounds(NamedTuple):
    """What a text CNN with a certain pooling can represent, as test accuracies from 0 to 1.

    Attributes:
        lower: the accuracy of a text CNN that was found.
        upper: no text CNN with this pooling can have more.
        kind: `exact` if the two agree within `AGREE`, `blind` if the upper bound cannot be told from a majority guess,
            otherwise `bounds`.
    """

    lower: float
    upper: float
    kind: str


def ceiling(config: Mapping[str, Any], task: Task) -> Bounds:
    """The bounds for the pooling of a configuration on a task.

    Both are estimated from the same test sentences. What the constructed detectors leave open is narrowed by random
    ones, and by training.

    Args:
        config: a configuration, of which the sections `pooling` and `model` count.
        task: the task.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        model = build_detectors(config, task.data)
        detectors = [constructed(size, generator) for size in model.kernel_sizes]
        models = [set_detectors(model, detectors), *(varied(model, generator) for _ in range(N_RANDOM))]
        samples = task.counts if ignores_order(models, task) else task.sentences
        tokens, weights = samples["test"].tokens, samples["test"].weights
        upper, majority = task.data.bayes_accuracy or 1.0, samples["test"].majority
        guess = majority + EXACT + CHANCE * samples["test"].standard_error(majority)
        values = pooled(model, tokens)
        search = Search(samples, enough=upper - max(5e-4, samples["val"].standard_error(upper)), generator=generator)
        if distinguishable(values, weights) > guess:
            search.try_scales(model, detectors)
            if any(weight.requires_grad for weight in model.poolings.parameters()):
                search.try_model(flat(model))
        if search.lower < upper - AGREE:
            values = torch.cat([values, *(pooled(each, tokens) for each in models[1:])], dim=1)
            upper = min(upper, distinguishable(values, weights), linearly_separable(values, weights))
        for rate, start in zip(LEARNING_RATES, models, strict=False):
            if guess < upper and search.lower < upper - AGREE:
                search.try_model(trained(start, samples["fit"], rate, generator))
    if max(upper, search.lower) <= guess:
        return Bounds(majority, upper, "blind")
    lower = min(search.lower, task.data.bayes_accuracy or 1.0)  # more is chance
    upper = max(upper, lower)  # training can find differences that no random detector shows
    return Bounds(lower, upper, "exact" if upper - lower <= AGREE else "bounds")


class Search:
    """The best text CNN and linear read-out so far, selected by the validation sample.

    Args:
        samples: by `fit`, `val` and `test`.
        enough: validation accuracy at which no further read-out is tried.
        generator: of random read-outs.

    Attributes:
        lower: its accuracy on the test sample; before the first model, that of the majority guess.
    """

    def __init__(self, samples: Mapping[str, Sample], enough: float, generator: torch.Generator) -> None:
        self.samples, self.enough, self.generator = samples, enough, generator
        self.best, self.lower = samples["val"].majority, samples["test"].majority

    def try_scales(self, model: TextCNN, detectors: Sequence[Detectors]) -> None:
        """Try a model with its detectors at several scales, if these differ."""
        for scale in SCALES:
            scaled = set_detectors(copy.deepcopy(model), [scale * each for each in detectors])
            if scale != 1:
                few = self.samples["val"].tokens[:: len(self.samples["val"].tokens) // 50 + 1]
                if torch.allclose(pooled(scaled, few), scale * pooled(model, few)):
                    return  # a linear layer makes up for the scale
            self.try_model(scaled)

    def try_model(self, model: TextCNN) -> None:
        """Try linear read-outs of a model until one is good enough."""
        if self.best >= self.enough:
            return
        values = {part: pooled(model, sample.tokens) for part, sample in self.samples.items()}
        used = different_columns(values["fit"])
        if not len(used) or not all(bool(each.isfinite().all()) for each in values.values()):
            return  # a training can diverge
        values = {part: each[:, used] for part, each in values.items()}
        for readout in readouts(values["fit"], self.samples["fit"].weights, self.generator):
            of_part = {part: accuracy(readout(values[part]), self.samples[part].weights) for part in ("val", "test")}
            if of_part["val"] > self.best:
                self.best, self.lower = of_part["val"], of_part["test"]
            if self.best >= self.enough:
                return


def trained(model: TextCNN, sample: Sample, rate: float, generator: torch.Generator) -> TextCNN:
    """A copy of a model after a short training of its detectors, its pooling and its linear layer."""
    model = copy.deepcopy(model).float()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=STEPS)
    share = sample.weights.sum(1)
    targets = (sample.weights / share[:, None]).float()
    for _ in range(STEPS):
        rows = torch.multinomial(share, BATCH, replacement=True, generator=generator)
        tokens = sample.tokens[rows]
        loss = F.cross_entropy(model(tokens[:, : int((tokens != PADDING_INDEX).sum(1).max())]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.double()


def flat(model: TextCNN) -> TextCNN:
    """A copy of a model whose poolings have weights of 0 where these are learned: attention is then an average."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.poolings.parameters():
            if weight.requires_grad:
                weight.zero_()
    return model


def varied(model: TextCNN, generator: torch.Generator) -> TextCNN:
    """A copy of a model with random detectors, and random weights of its poolings around those at the start."""
    model = copy.deepcopy(model)
    set_detectors(model, [randomized(size, N_FILTERS, generator) for size in model.kernel_sizes])
    with torch.no_grad():
        for weight in model.poolings.parameters():
            if weight.requires_grad:
                weight += torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return model


def ignores_order(models: Sequence[TextCNN], task: Task) -> bool:
    """Whether the pooled values are functions of the numbers of words and of each cue.

    So says the pooling itself, and it is checked, for all models, on sentences and their reordered versions.
    """
    if any(pooling.ordered for model in models for pooling in model.poolings if isinstance(pooling, Pooling)):
        return False
    tokens = task.sentences["val"].tokens
    tokens = tokens[:: len(tokens) // N_CHECKED + 1]
    other = reordered(task.data, tokens)
    return all(torch.allclose(pooled(model, tokens), pooled(model, other), rtol=SAME, atol=SAME) for model in models)


def distinguishable(values: Values, weights: Weights) -> float:
    """Accuracy of guessing the most frequent class among all sentences with the same values: an upper bound.

    No function of the values can be more accurate. In a sample, few sentences have the same values by chance, which
    makes the estimate higher, not lower: if all values differ, it is 1.
    """
    number = _same(values).unique(return_inverse=True)[1]
    return float(weights.new_zeros(int(number.max()) + 1, weights.shape[1]).index_add(0, number, weights).amax(1).sum())


def linearly_separable(values: Values, weights: Weights) -> float:
    """An upper bound of the accuracy of a linear read-out for two classes, from sentences whose values lie on a line.

    If y lies between x and z, for all detectors, then no linear read-out can separate y from both x and z. At least one
    of the three is then classified as the others are not. Such triples, of which no two share a sentence, add up.
    Returns 1 if there are more than two classes or too many sentences.
    """
    if weights.shape[1] != 2 or len(values) > MOST_POINTS:
        return 1.0
    bound, used = 0.0, set[int]()
    for triple in _on_lines(values):
        possible = max(sum(float(weights[row, c]) for row, c in zip(triple, each, strict=True)) for each in SEPARABLE)
        if used.isdisjoint(triple) and possible < float(weights[[*triple]].amax(1).sum()):
            bound += possible
            used |= {*triple}
    rest = [number for number in range(len(values)) if number not in used]
    return bound + float(weights[rest].amax(1).sum())


def different_columns(values: Values) -> Int[Tensor, " columns"]:
    """One column of each group of equal ones, without those whose values are all equal."""
    columns = (values - values[:1]).T
    scale = columns.abs().amax(1, keepdim=True)
    rounded = torch.where(scale > SAME, columns / scale, 0.0).round(decimals=9)
    generator = torch.Generator().manual_seed(0)
    hashed = rounded @ torch.rand(rounded.shape[1], generator=generator, dtype=values.dtype)
    order = hashed.argsort(stable=True)
    new = torch.ones_like(order, dtype=torch.bool)
    new[1:] = hashed[order].diff().abs() > SAME
    return order[new & (scale[order, 0] > SAME)].sort().values


def _same(values: Values) -> Int[Tensor, " sentences"]:
    """The same number for sentences whose values are all equal up to `SAME`, and different numbers for others."""
    ordered, order = values.sort(0)
    steps = ordered.diff(dim=0) > SAME * values.abs().amax(0)
    ranks = torch.zeros_like(order)
    ranks.scatter_(0, order, F.pad(steps.cumsum(0), (0, 0, 1, 0)))
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(2**62, (values.shape[1],), generator=generator)
    return (ranks * factors).sum(1)  # integers overflow to others, which are equal by chance with probability 2^-64


def _on_lines(values: Values) -> Iterator[tuple[int, int, int]]:
    """All rows x, y, z of which y = (1 - t) x + t z for a t between 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    projected = values @ torch.rand(values.shape[1], 2, generator=generator, dtype=values.dtype)  # keeps lines
    for x, z in itertools.combinations(range(len(values)), 2):
        shares = (projected - projected[x]) / (projected[z] - projected[x])
        possible = (shares[:, 0] > 0) & (shares[:, 0] < 1) & ((shares[:, 0] - shares[:, 1]).abs() < 1e-6)
        for y in possible.nonzero().flatten().tolist():
            if torch.allclose(values[x].lerp(values[z], shares[y, 0]), values[y], rtol=SAME, atol=SAME):
                yield x, y, z
