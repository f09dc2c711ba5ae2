"""Linear read-outs of pooled values: logistic regressions, and a search for the fewest errors."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "sentences values"]
Weights = Float[Tensor, "sentences classes"]
Scores = Float[Tensor, "sentences classes"]
Readout = Callable[[Values], Scores]

FEW = 100  # components; what follows depends on whether there are so few: many fit the noise of a sample
# Exponent of the components' standard deviations, and penalty of the squared weights, of each logistic regression.
REGRESSIONS = {True: ((0, 1e-9), (0, 1e-5), (0, 1e-3)), False: ((1, 1e-2), (1, 1e-3), (0, 1e-3), (1, 1e-6), (0, 1e-7))}
SEARCH = {True: (0, 1e-6), False: (1, 1e-3)}  # the same of the search
LEAST = 1e-10  # singular values below this share of the largest one are rounding errors
STARTS = {True: 6, False: 3}  # random read-outs from which the search starts
LEADING = 3  # components that they use if there are many: more would fit the noise
ITERATIONS = {True: 300, False: 60}  # steps of a minimisation


class Basis(NamedTuple):
    """Principal components of standardised values, without those that are rounding errors."""

    mean: Float[Tensor, " values"]
    directions: Float[Tensor, "values components"]
    sizes: Float[Tensor, " components"]  # standard deviations, relative to the largest one

    def components(self, values: Values, exponent: int) -> Float[Tensor, "sentences components"]:
        """The components of values, with standard deviations of `sizes` ** `exponent`."""
        return (values - self.mean) @ self.directions * self.sizes**exponent

    @classmethod
    def of(cls, values: Values, weights: Weights) -> "Basis":
        """The components of a sample."""
        share = weights.sum(1, keepdim=True)
        mean = (share * values).sum(0)
        deviation = (share * (values - mean) ** 2).sum(0).sqrt()
        scale = torch.where(deviation > 1e-12 * (1 + mean.abs()), 1 / deviation, 0.0)
        _, sizes, directions = torch.linalg.svd(share.sqrt() * (values - mean) * scale, full_matrices=False)
        kept = sizes > max(LEAST * float(sizes[0]), 1e-12)
        return cls(mean, scale[:, None] * directions[kept].T / sizes[kept], sizes[kept] / sizes[0])


def accuracy(scores: Scores, weights: Weights) -> float:
    """Share of the sentences whose class has the highest score."""
    return float(weights.gather(1, scores.argmax(1, keepdim=True)).sum())


def readouts(values: Values, weights: Weights, generator: torch.Generator) -> Iterator[Readout]:
    """Linear read-outs fitted to a sample, one after the other: the caller selects by another sample.

    First logistic regressions with different penalties. The cross-entropy can have its minimum far from the smallest
    number of errors if no read-out is without errors. So the expected error of the softmax is minimised next, from the
    logistic regressions and from random read-outs.
    """
    basis = Basis.of(values, weights)
    n_components, n_classes = len(basis.sizes), weights.shape[1]
    few = n_components <= FEW
    starts = []
    for exponent, penalty in REGRESSIONS[few]:
        start = values.new_zeros(n_components + 1, n_classes)
        inputs = basis.components(values, exponent)
        starts.append(_minimise(inputs, weights, start, _cross_entropy, penalty, ITERATIONS[few]))
        yield _readout(basis, exponent, starts[-1])
    exponent, penalty = SEARCH[few]
    starts = [start for start, regression in zip(starts, REGRESSIONS[few], strict=True) if regression[0] == exponent]
    for _ in range(STARTS[few]):
        start = values.new_zeros(n_components + 1, n_classes)
        used = n_components if few else min(LEADING, n_components)
        start[:used] = 3 * torch.randn(used, n_classes, generator=generator, dtype=values.dtype) / used**0.5
        starts.append(start)
    inputs = basis.components(values, exponent)
    for start in starts:
        yield _readout(basis, exponent, _minimise(inputs, weights, start, _expected_error, penalty, ITERATIONS[few]))


def _readout(basis: Basis, exponent: int, coefficients: Tensor) -> Readout:
    return lambda values: basis.components(values, exponent) @ coefficients[:-1] + coefficients[-1]


def _cross_entropy(scores: Scores, weights: Weights) -> Tensor:
    return -(weights * scores.log_softmax(1)).sum()


def _expected_error(scores: Scores, weights: Weights) -> Tensor:
    return 1 - (weights * scores.softmax(1)).sum()


def _minimise(
    inputs: Tensor,
    weights: Weights,
    start: Tensor,
    loss: Callable[[Scores, Weights], Tensor],
    penalty: float,
    iterations: int,
) -> Tensor:
    """Coefficients of the inputs and, as the last row, of a constant."""
    coefficients = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [coefficients], max_iter=iterations, history_size=20, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(inputs @ coefficients[:-1] + coefficients[-1], weights)
        value = value + penalty * (coefficients[:-1] ** 2).sum()
        value.backward()
        return value

    optimizer.step(closure)
    return coefficients.detach()
