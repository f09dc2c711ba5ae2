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

# Exponent of the components' standard deviations, and penalty of the squared weights, of each logistic regression. Many
# components fit the noise of a sample: then strong penalties come first.
FOR_FEW = ((0.0, 1e-9), (0.0, 1e-5), (0.0, 1e-3))
FOR_MANY = ((1.0, 1e-3), (0.0, 1e-3), (1.0, 1e-6), (0.0, 1e-7))
FEW = 100  # components
LEAST = 1e-10  # singular values below this share of the largest one are rounding errors
STARTS = 6  # random read-outs from which the search starts, if there are few components
ITERATIONS = {True: 300, False: 60}  # whether there are few components → steps of a minimisation


class Basis(NamedTuple):
    """Principal components of standardised values, without those that are rounding errors."""

    mean: Float[Tensor, " values"]
    directions: Float[Tensor, "values components"]
    sizes: Float[Tensor, " components"]  # standard deviations, relative to the largest one

    def components(self, values: Values, exponent: float) -> Float[Tensor, "sentences components"]:
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
    few = len(basis.sizes) <= FEW
    starts = []
    for exponent, penalty in FOR_FEW if few else FOR_MANY:
        inputs = basis.components(values, exponent)
        start = inputs.new_zeros(inputs.shape[1] + 1, weights.shape[1])
        coefficients = _minimise(inputs, weights, start, _cross_entropy, penalty, ITERATIONS[few])
        yield _readout(basis, exponent, coefficients)
        coefficients[:-1] *= (basis.sizes**exponent)[:, None]  # for components of exponent 0
        starts.append(coefficients)
    inputs = basis.components(values, 0)
    if few:
        shape = STARTS, *starts[0].shape
        starts += (3 * torch.randn(shape, generator=generator, dtype=inputs.dtype) / shape[1] ** 0.5).unbind()
    for start in starts if few else starts[:1]:
        yield _readout(basis, 0, _minimise(inputs, weights, start, _expected_error, 1e-6, ITERATIONS[few]))


def _readout(basis: Basis, exponent: float, coefficients: Tensor) -> Readout:
    linear, constant = coefficients[:-1].clone(), coefficients[-1]
    return lambda values: basis.components(values, exponent) @ linear + constant


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
