"""What can be represented: the detectors detect, and the bounds are those that can be computed by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import compose_config
from torch import Tensor
from torch.nn import functional as F

from textpool.ceilings import bounds
from textpool.ceilings.bounds import ceiling, distinguishable, linearly_separable
from textpool.ceilings.detectors import N_FILTERS, build_detectors, constructed, set_detectors
from textpool.ceilings.readout import accuracy, readouts
from textpool.ceilings.sentences import PARTS, Sample, Task, canonical, diagnostic_task, draw_task, encode, reordered
from textpool.pooling import Pooling

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"rounds": (2000, 1000, 2000), "words": (30_000, 30_000, 30_000)}


class NumberAbove(Pooling):
    """A pooling of a user's: the number of values above 1/2."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return (features > 0.5).sum(-1, keepdim=True).to(features)


class Undeclared(Pooling):
    """A pooling whose result depends on the order, although it does not say so: the position of the largest value."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.argmax(-1, keepdim=True).to(features)


def section(data: str, *overrides: str) -> dict[str, Any]:
    return compose_config(f"data={data}", "data.n_filler=1", *overrides)["data"]


@pytest.fixture(scope="module")
def draw() -> Callable[[str], Task]:
    """A task, drawn once for all tests."""
    tasks: dict[str, Task] = {}

    def draw(data: str) -> Task:
        return tasks.setdefault(data, draw_task(section(data), **SMALL))

    return draw


def bounds_of(task: Task, *overrides: str, target: type[Pooling] | None = None) -> tuple[float, float, str]:
    """The bounds of a pooling in %, rounded."""
    config = compose_config(*overrides)
    if target:
        config["pooling"] = {"_target_": f"{__name__}.{target.__name__}", "_partial_": True}
    lower, upper, kind = ceiling(config, task)
    return round(100 * lower, 6), round(100 * upper, 6), kind


def test_detectors_detect() -> None:
    """The values of filters in windows of two words, for filler words, a at both places, and b at both places."""
    data = diagnostic_task(section("order"))
    model = build_detectors(compose_config("model.kernel_sizes=[2]"), data)
    detectors = torch.zeros(N_FILTERS, 5)
    detectors[0] = torch.tensor([0, 0, 1, 0, 0])  # a at the second place
    detectors[1] = torch.tensor([1, 0, 0, 0, 0])  # filler words only
    detectors[2] = torch.tensor([0.5, 2, 0, 0, 3])
    set_detectors(model, [detectors])
    words = ["the", "the", "the", "great", "the", "the", "the", "terrible", "the", "the", "the"]
    embedded = model.embedding(encode(data, [words])).transpose(1, 2)
    values = F.relu(model.convolutions[0](embedded))[0, :3]
    expected = [
        [0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 1, 0, 0, 1, 1],
        [0.5, 0.5, 0, 2, 0.5, 0.5, 3, 0, 0.5, 0.5],
    ]
    assert values.tolist() == expected


def test_constructed_detectors_are_values_after_relu() -> None:
    """A negative value could not be one; each kind of window with a cue has an indicator."""
    for kernel_size in (1, 2, 3, 4):
        detectors = constructed(kernel_size, torch.Generator())
        assert detectors.shape == (N_FILTERS, 1 + 2 * kernel_size)
        assert bool((detectors >= 0).all())
        indicators = torch.eye(1 + 2 * kernel_size)[1:]
        assert all((detectors == indicator).all(1).any() for indicator in indicators)


def test_windows_with_two_cues_are_refused() -> None:
    """There the detectors would not be all filters."""
    with pytest.raises(ValueError, match=r"model: expected a TextCNN with kernel_sizes of at most 4"):
        build_detectors(compose_config("model.kernel_sizes=[5]"), diagnostic_task(section("order")))


def test_several_filler_words_are_refused() -> None:
    """Then there are more kinds of windows than the detectors know."""
    with pytest.raises(ValueError, match="data: expected a diagnostic task with n_filler=1"):
        draw_task(compose_config("data=order", "data.n_filler=2")["data"])


def test_canonical_sentences() -> None:
    """The cues are as early as the gap of 3 allows, and every sentence has the canonical one of its counts."""
    data = diagnostic_task(section("order"))
    words = canonical(data, 12, 1, 1)
    assert words == ("the", "the", "the", "great", "the", "the", "the", "terrible", "the", "the", "the", "the")
    other = ["the", "the", "the", "the", "terrible", "the", "the", "the", "great", "the", "the", "the"]
    assert torch.equal(reordered(data, encode(data, [other])), encode(data, [words]))


def test_few_sentences_are_listed(draw: Callable[[str], Task]) -> None:
    """`order` has 2 * sum of C(length - 9, 2) over the lengths 15 to 25 sentences; its counts are the lengths."""
    task = draw("order")
    assert {len(task.sentences[part].tokens) for part in PARTS} == {2 * sum(n * (n - 1) // 2 for n in range(6, 17))}
    assert len(task.counts["test"].tokens) == 11
    assert task.sentences["test"].majority == pytest.approx(0.5, abs=1e-12)
    assert task.sentences["test"].standard_error(0.5) == 0


def test_many_sentences_are_drawn(draw: Callable[[str], Task]) -> None:
    """With exactly balanced classes, and with the probabilities of the classes where counts determine these."""
    sample = draw("tone").sentences["test"]
    assert isinstance(sample, Sample)
    assert sample.majority == pytest.approx(0.5, abs=0.02)
    assert draw("tone").counts["test"].majority == pytest.approx(0.5, abs=1e-12)
    assert 0.84 < float(sample.weights.amax(1).sum()) < 0.93  # all different, but not certain


@pytest.mark.parametrize(
    ("pooling", "data", "expected"),
    [
        ("max", "twice", (50, 50, "blind")),
        ("max", "position", (25, 25, "blind")),
        ("avg", "twice", (100, 100, "exact")),
        ("avg", "order", (50, 50, "blind")),
        ("stats", "spread", (100, 100, "exact")),
        ("attention", "needle", (100, 100, "exact")),
        ("kmax_by_value", "order", (50, 50, "blind")),
    ],
)
def test_known_bounds(pooling: str, data: str, expected: tuple[float, float, str], draw: Callable[[str], Task]) -> None:
    """What is known by proof."""
    assert bounds_of(draw(data), f"pooling={pooling}") == expected


def test_a_linear_readout_of_an_average_has_three_quarters_of_spread() -> None:
    """Even counts lie between the two kinds of uneven ones, of which it can separate one."""
    data = diagnostic_task(section("spread", "data.lengths=[40,42]"))
    even, uneven = (canonical(data, n, 4, 4) for n in (40, 41, 42)), ((1, 7), (7, 1))
    sentences = [*even, *(canonical(data, n, *counts) for n in (40, 41, 42) for counts in uneven)]
    weights = torch.tensor([[2.0, 0.0]] * 3 + [[0.0, 1.0]] * 6, dtype=torch.float64) / 12
    sample = {str(part): Sample(encode(data, sentences), weights) for part in PARTS}
    assert bounds_of(Task(data, sample, sample), "pooling=avg") == (75, 75, "exact")
    assert bounds_of(Task(data, sample, sample), "pooling=stats") == (100, 100, "exact")


@pytest.mark.parametrize("data", ["order", "position", "twice"])
def test_first_knows_the_first_window(data: str, draw: Callable[[str], Task]) -> None:
    """The largest window shows the word at position 3, the first that can be a cue: guess the class from this word."""
    task = draw(data)
    tokens, weights, _ = task.sentences["test"]
    best = sum(float(weights[tokens[:, 3] == word].sum(0).max()) for word in tokens[:, 3].unique())
    lower, upper, kind = bounds_of(task, "pooling=first")
    assert (lower, upper, kind) == (pytest.approx(100 * best), pytest.approx(100 * best), "exact")


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["hierarchical", "soft_count", "local_max", "topk_mean"])
@pytest.mark.parametrize("data", ["twice", "count"])
def test_the_lower_bound_is_below_the_upper_one(
    pooling: str, data: str, draw: Callable[[str], Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are computed in different ways, from the same sentences."""
    monkeypatch.setattr(bounds, "STEPS", 20)
    lower, upper, _ = bounds_of(draw(data), f"pooling={pooling}")
    assert 50 <= lower <= upper <= 100


def test_a_pooling_of_a_users(draw: Callable[[str], Task]) -> None:
    """No pooling is named in the code."""
    assert bounds_of(draw("twice"), target=NumberAbove) == (100, 100, "exact")
    assert bounds_of(draw("order"), target=NumberAbove) == (50, 50, "blind")


def test_order_is_noticed_where_it_is_not_declared(draw: Callable[[str], Task]) -> None:
    """A pooling is not taken at its word: its values are compared on reordered sentences."""
    assert bounds_of(draw("order"), target=Undeclared) == (100, 100, "exact")


def test_distinguishable() -> None:
    """Sentences whose values are equal but for rounding are one."""
    values = torch.tensor([[1.0, 5.0], [1.0, 5.0 + 1e-14], [1.0, 6.0], [2.0, 5.0]], dtype=torch.float64)
    weights = torch.tensor([[0.2, 0.0], [0.0, 0.3], [0.1, 0.2], [0.2, 0.0]], dtype=torch.float64)
    assert distinguishable(values, weights) == pytest.approx(0.3 + 0.2 + 0.2)


def test_linearly_separable() -> None:
    """No line separates the middle of three points from both others: the least probable of them is given up."""
    values = torch.tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [5.0, 0.0]], dtype=torch.float64)
    weights = torch.tensor([[0.2, 0.0], [0.0, 0.3], [0.1, 0.0], [0.0, 0.4]], dtype=torch.float64)
    assert linearly_separable(values, weights) == pytest.approx(0.9)
    values[1, 1] = 2.1  # no longer on the line
    assert linearly_separable(values, weights) == pytest.approx(1.0)


def test_readouts_make_few_errors() -> None:
    """Three groups on a line, the outer ones of one class: logistic regression is at 62.5 %, the best line at 75 %."""
    values = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    weights = torch.tensor([[0.25, 0.0], [0.0, 0.5], [0.25, 0.0]], dtype=torch.float64)
    found = [accuracy(each(values), weights) for each in readouts(values, weights, torch.Generator().manual_seed(0))]
    assert max(found) == 0.75
