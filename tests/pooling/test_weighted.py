"""Weighted averages against plain Python and values computed by hand."""

import math

import hypothesis
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from textpool.pooling import (
    Attention,
    Avg,
    GatedAttention,
    LinearSoftmax,
    Max,
    Pooling,
    QueryAttention,
    Softmax,
    SparseAttention,
    masked_sparsemax,
)

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=20)
pairs = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=20)


def feature_map(*channels: list[float]) -> Tensor:
    """The feature map of one sentence, (1, channels, time)."""
    return torch.tensor([channels], dtype=torch.float64)


def sparse_attention(*heads: list[float]) -> SparseAttention:
    """A SparseAttention with given weights, as `attention`."""
    pooling = SparseAttention(len(heads[0]), k=len(heads)).double()
    pooling.load_state_dict({"score.weight": torch.tensor(heads, dtype=torch.float64)})
    return pooling


def query_attention(query: str, *rows: list[float]) -> QueryAttention:
    """A QueryAttention with a given matrix W."""
    pooling = QueryAttention(len(rows), query).double()
    pooling.load_state_dict({"projection.weight": torch.tensor(rows, dtype=torch.float64)})
    return pooling


def simplex_projection(scores: list[float]) -> list[float]:
    """The nearest weights that are not negative and add up to 1: the threshold is found by bisection."""
    low, high = max(scores) - 1, max(scores)
    for _ in range(100):
        threshold = (low + high) / 2
        if sum(max(score - threshold, 0.0) for score in scores) > 1:
            low = threshold
        else:
            high = threshold
    return [max(score - high, 0.0) for score in scores]


def softmax(*alphas: float) -> Softmax:
    """A Softmax with a given sharpness per channel."""
    pooling = Softmax(len(alphas)).double()
    pooling.load_state_dict({"sharpness": torch.tensor(alphas, dtype=torch.float64)[:, None]})
    return pooling


def attention(*heads: list[float]) -> Attention:
    """An Attention with given weights: one list per head, one weight per channel."""
    pooling = Attention(len(heads[0]), k=len(heads)).double()
    pooling.load_state_dict({"score.weight": torch.tensor(heads, dtype=torch.float64)})
    return pooling


def weighted(row: list[float], scores: list[float]) -> float:
    """The average of `row`, weighted by the softmax of `scores`."""
    weights = [math.exp(score - max(scores)) for score in scores]
    return sum(weight * value for weight, value in zip(weights, row, strict=True)) / sum(weights)


def test_softmax_by_hand() -> None:
    """With alpha = log 2 the weights are 1/7, 2/7 and 4/7, so (0 + 2 + 8) / 7; alpha = 0 gives the average, 1."""
    row = [0.0, 1.0, 2.0]
    assert softmax(math.log(2), 0.0)(feature_map(row, row)).flatten().tolist() == pytest.approx([10 / 7, 1.0])


def test_softmax_starts_at_1() -> None:
    """The weights are 1 / (1 + e) and e / (1 + e), so the result is e / (1 + e) = 0.7311."""
    assert Softmax(1).double()(feature_map([0.0, 1.0])).item() == pytest.approx(0.7311, abs=1e-4)


@given(row=rows, alpha=st.floats(-10, 10))
def test_softmax_against_plain_python(row: list[float], alpha: float) -> None:
    """Each position is weighted by the softmax of its own value."""
    expected = weighted(row, [alpha * value for value in row])
    assert softmax(alpha)(feature_map(row)).item() == pytest.approx(expected, abs=1e-9)


@given(row=rows)
def test_softmax_ranges_from_minimum_to_maximum(row: list[float]) -> None:
    """It is the average for alpha = 0, the maximum for a large alpha and the minimum for a very negative one."""
    values = softmax(-1e5, 0.0, 1e5)(feature_map(row, row, row)).flatten().tolist()
    assert values == pytest.approx([min(row), sum(row) / len(row), max(row)], abs=1e-3)


def test_linear_softmax_by_hand() -> None:
    """(1 + 9 + 4) / (1 + 3 + 2) = 14 / 6; positions of value 0 change nothing, negative values count as 0."""
    assert LinearSoftmax(1)(feature_map([1.0, 3.0, 2.0])).item() == pytest.approx(14 / 6)
    assert LinearSoftmax(1)(feature_map([0.0, 1.0, -5.0, 3.0, 0.0, 2.0])).item() == pytest.approx(14 / 6)


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [-1.0, 0.0, -2.0], [-3.0], [1e-45, 0.0]])
def test_linear_softmax_without_a_positive_value(row: list[float]) -> None:
    """The result is 0 and the gradient is finite, not NaN, although the formula is 0 / 0."""
    features = torch.tensor([[row]], requires_grad=True)
    result = LinearSoftmax(1)(features)
    result.sum().backward()
    assert result.item() == 0.0
    assert features.grad is not None
    assert features.grad.isfinite().all()


@given(row=rows)
def test_linear_softmax_against_plain_python(row: list[float]) -> None:
    """The result follows the formula, and lies between the average of the positive values and the maximum."""
    positive = [value for value in row if value > 1e-9]
    result = LinearSoftmax(1)(feature_map([value if value > 1e-9 else min(value, 0.0) for value in row])).item()
    expected = sum(value**2 for value in positive) / sum(positive) if positive else 0.0
    assert result == pytest.approx(expected, abs=1e-12)
    if positive:
        assert sum(positive) / len(positive) - 1e-9 <= result <= max(positive) + 1e-9


def test_linear_softmax_cannot_count() -> None:
    """One occurrence and three occurrences give the same value."""
    once, often = feature_map([0.0, 2.0, 0.0, 0.0]), feature_map([0.0, 2.0, 2.0, 2.0])
    assert LinearSoftmax(1)(once).item() == LinearSoftmax(1)(often).item() == 2.0


def test_attention_by_hand() -> None:
    """The first head scores by channel 0 and has weights 1/3 and 2/3; the second scores 0 and has 1/2 and 1/2."""
    values = attention([math.log(2), 0.0], [0.0, 0.0])(feature_map([0.0, 1.0], [3.0, 6.0]))
    assert values.flatten().tolist() == pytest.approx([2 / 3, 0.5, 5.0, 4.5])


@given(sentence=pairs, head=st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_attention_against_plain_python(sentence: list[tuple[float, float]], head: tuple[float, float]) -> None:
    """The score is linear in all channels, and its softmax weights all channels."""
    one, two = [pair[0] for pair in sentence], [pair[1] for pair in sentence]
    scores = [head[0] * pair[0] + head[1] * pair[1] for pair in sentence]
    values = attention([*head])(feature_map(one, two)).flatten().tolist()
    assert values == pytest.approx([weighted(one, scores), weighted(two, scores)], abs=1e-9)


@given(sentence=pairs)
def test_attention_without_weights_is_the_average(sentence: list[tuple[float, float]]) -> None:
    """If all scores are equal, all positions have the same weight."""
    features = feature_map([pair[0] for pair in sentence], [pair[1] for pair in sentence])
    gated = GatedAttention(2).double()
    torch.nn.init.zeros_(gated.score.weight)
    for pooling in (attention([0.0, 0.0]), gated):
        torch.testing.assert_close(pooling(features), Avg(2)(features))


def test_attention_with_a_huge_weight_selects_a_position() -> None:
    """All channels are read at the position where channel 0 is largest, or smallest for a negative weight."""
    features = feature_map([0.0, 2.0, 1.0], [5.0, 6.0, 7.0])
    assert attention([1e4, 0.0])(features).flatten().tolist() == [2.0, 6.0]
    assert attention([-1e4, 0.0])(features).flatten().tolist() == [0.0, 5.0]


def test_attention_cannot_count() -> None:
    """One occurrence and three occurrences in five positions give the same value."""
    once, often = feature_map([0.0, 2.0, 0.0, 0.0, 0.0]), feature_map([0.0, 2.0, 0.0, 2.0, 2.0])
    assert attention([1e4])(once).item() == attention([1e4])(often).item() == Max(1)(once).item() == 2.0


def test_gated_attention_by_hand() -> None:
    """The score is v * 0.8 * 0.75 = v * 0.6 for x = 1, and 0 for x = 0; v = log(2) / 0.6 gives weights 2/3 and 1/3."""
    pooling = GatedAttention(1, hidden=1).double()
    slope, none = torch.tensor([[math.log(3)]]), torch.zeros(1)
    pooling.load_state_dict(
        {
            "content.weight": slope,
            "content.bias": none,
            "gate.weight": slope,
            "gate.bias": none,
            "score.weight": torch.tensor([[math.log(2) / 0.6]]),
        }
    )
    assert pooling(feature_map([0.0, 1.0])).item() == pytest.approx(2 / 3)


def test_gated_attention_finds_one_feature_without_another() -> None:
    """Only position 2 has channel 0 on and channel 1 off; channel 2 holds the number of the position."""
    pooling = GatedAttention(3, hidden=1).double()
    pooling.load_state_dict(
        {
            "content.weight": torch.tensor([[9.0, 0.0, 0.0]]),
            "content.bias": torch.zeros(1),
            "gate.weight": torch.tensor([[0.0, -9.0, 0.0]]),
            "gate.bias": torch.tensor([4.5]),
            "score.weight": torch.tensor([[1e4]]),
        }
    )
    features = feature_map([0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 3.0])
    assert pooling(features).flatten().tolist() == [1.0, 0.0, 2.0]


def test_gated_attention_heads_share_the_hidden_layer() -> None:
    """With opposite weights, one head gives the largest value and the other the smallest."""
    pooling = GatedAttention(1, k=2, hidden=1).double()
    for layer in (pooling.content, pooling.gate):
        torch.nn.init.constant_(layer.weight, 0.1)
        torch.nn.init.zeros_(layer.bias)
    pooling.score.weight.data = torch.tensor([[1e6], [-1e6]], dtype=torch.float64)
    assert pooling(feature_map([1.0, 3.0, 2.0])).flatten().tolist() == [3.0, 1.0]


def test_sparsemax_by_hand() -> None:
    """The weights of 1, 0.8 and 0.1 are 0.6, 0.4 and 0: the threshold is (1 + 0.8 - 1) / 2 = 0.4."""
    scores, mask = torch.tensor([[[1.0, 7.0, 0.1, 0.8]]]), torch.tensor([[True, False, True, True]])
    weights = masked_sparsemax(scores, mask).flatten().tolist()
    assert weights == pytest.approx([0.6, 0.0, 0.0, 0.4])
    assert weights[1] == weights[2] == 0.0


def test_sparsemax_of_distant_and_of_equal_scores() -> None:
    """A score that is 1 above all others has the weight 1; equal scores have equal weights, also if they are huge."""
    mask = torch.ones(1, 4, dtype=torch.bool)
    for scores, weights in (
        ([3.0, 2.0, 1.0, -1e30], [1.0, 0.0, 0.0, 0.0]),
        ([1e30, 1e30, 0.0, 1e30], [1 / 3, 1 / 3, 0.0, 1 / 3]),
        ([0.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]),
    ):
        assert masked_sparsemax(torch.tensor([[scores]]), mask).flatten().tolist() == pytest.approx(weights)


@given(row=st.lists(st.tuples(st.floats(-3, 3), st.booleans()), min_size=1, max_size=20))
def test_sparsemax_is_the_projection_onto_the_simplex(row: list[tuple[float, bool]]) -> None:
    """The weights of the real positions are those that bisection finds; at the padding they are exactly 0."""
    scores, real = zip(*[*row, (0.5, True)], strict=True)
    weights = masked_sparsemax(torch.tensor([[scores]], dtype=torch.float64), torch.tensor([real])).flatten().tolist()
    expected = simplex_projection([score for score, is_real in zip(scores, real, strict=True) if is_real])
    assert [weight for weight, is_real in zip(weights, real, strict=True) if is_real] == pytest.approx(expected)
    assert all(weight == 0.0 for weight, is_real in zip(weights, real, strict=True) if not is_real)
    assert sum(weights) == pytest.approx(1.0)


@given(row=st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_sparsemax_gradient(row: list[float]) -> None:
    """It is that of the paper: of a weight above 0 by each score with such a weight, 1 or 0, minus 1 / number of them.

    Scores within 1e-6 of the threshold are left out, because there the gradient jumps.
    """
    scores = torch.tensor(row, dtype=torch.float64)
    mask = torch.ones(1, len(row), dtype=torch.bool)
    jacobian = torch.autograd.functional.jacobian(lambda x: masked_sparsemax(x[None, None], mask)[0, 0], scores)
    weights = simplex_projection(row)
    threshold = max(row) - max(weights)
    hypothesis.assume(all(abs(score - threshold) > 1e-6 for score in row))
    chosen = torch.tensor([float(weight > 0) for weight in weights], dtype=torch.float64)
    torch.testing.assert_close(jacobian, chosen.diag() - chosen[:, None] * chosen / chosen.sum())


def test_sparse_attention_by_hand() -> None:
    """The scores 1, 0.8 and 0.1 give the weights 0.6, 0.4 and 0; with opposite scores the weights are 0, 0.15 and 0.85.

    The threshold of -1, -0.8 and -0.1 is (-0.1 - 0.8 - 1) / 2 = -0.95.
    """
    features = feature_map([1.0, 0.8, 0.1], [5.0, 10.0, 20.0])
    values = sparse_attention([1.0, 0.0], [-1.0, 0.0])(features).flatten().tolist()
    assert values == pytest.approx([0.92, 0.15 * 0.8 + 0.85 * 0.1, 7.0, 18.5])


def test_sparse_attention_ignores_positions_of_low_scores() -> None:
    """They have no part in the result and no gradient, whatever their values are."""
    pooling = sparse_attention([1.0, 0.0])
    results = []
    for ignored in (7.0, -1e6):
        features = feature_map([2.0, 1.5, 0.9], [1.0, 3.0, ignored]).requires_grad_()
        result = pooling(features)
        [gradient] = torch.autograd.grad(result.sum(), [features])
        assert gradient[..., 2].tolist() == [[0.0, 0.0]]
        results.append(result.tolist())
    assert results[0] == results[1]


def test_sparse_attention_gradient_by_its_weights() -> None:
    """The gradient by v is that of finite differences, with some weights at 0 and some above."""
    pooling = sparse_attention([1.0, 0.2], [-0.3, 0.5])
    features = feature_map([1.0, 0.8, 0.1, -2.0], [0.5, 1.0, 2.0, 0.3])

    def of_weights(weight: Tensor) -> Tensor:
        return torch.func.functional_call(pooling, {"score.weight": weight}, (features,))

    assert torch.autograd.gradcheck(of_weights, (pooling.score.weight,))


def test_query_attention_by_hand() -> None:
    """With W = log(2) / 2 and one channel, q = log(2) for the maximum 2; the scores 0 and 2 log(2) give 1/5 and 4/5.

    For the average 1, q = log(2) / 2; the scores 0 and log(2) give 1/3 and 2/3.
    """
    features = feature_map([0.0, 2.0])
    assert query_attention("max", [math.log(2) / 2])(features).item() == pytest.approx(8 / 5)
    assert query_attention("mean", [math.log(2) / 2])(features).item() == pytest.approx(4 / 3)


@given(sentence=pairs, query=st.sampled_from(["max", "mean"]))
def test_query_attention_against_plain_python(sentence: list[tuple[float, float]], query: str) -> None:
    """The score is the product of the query with all channels, divided by the square root of 2 channels."""
    one, two = [pair[0] for pair in sentence], [pair[1] for pair in sentence]
    a, b = (max(one), max(two)) if query == "max" else (sum(one) / len(one), sum(two) / len(two))
    q, r = 0.5 * a - 0.2 * b, 0.1 * a + 0.3 * b
    scores = [(q * pair[0] + r * pair[1]) / math.sqrt(2) for pair in sentence]
    values = query_attention(query, [0.5, -0.2], [0.1, 0.3])(feature_map(one, two)).flatten().tolist()
    assert values == pytest.approx([weighted(one, scores), weighted(two, scores)], abs=1e-9)


def test_query_attention_has_a_query_for_each_sentence() -> None:
    """Of the first two positions, the second has the weight 1; the first has it if a third one has channel 1 on.

    `Attention` ranks two positions in the same way in every sentence. Channel 2 holds the number of the position.
    """
    pooling = query_attention("max", [90.0, -180.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    two = feature_map([0.0, 1.0], [0.0, 0.0], [0.0, 1.0])
    three = feature_map([0.0, 1.0, 0.5], [0.0, 0.0, 1.0], [0.0, 1.0, 2.0])
    assert [pooling(features)[0, 2].item() for features in (two, three)] == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", ["min", "Max", None, 1])
def test_query_must_be_one_of_two(value: str) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"^query: expected one of max, mean, got {value!r}$"):
        QueryAttention(2, query=value)


def test_one_value_per_head() -> None:
    """The number of values per channel is the number of heads."""
    assert (SparseAttention(2).size, SparseAttention(2, k=4).size) == (1, 4)
    assert (Attention(2).size, Attention(2, k=4).size) == (1, 4)
    assert (GatedAttention(2).size, GatedAttention(2, k=4).size) == (1, 4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("strategy", "name"), [(Attention, "k"), (SparseAttention, "k"), (GatedAttention, "k"), (GatedAttention, "hidden")]
)
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True, None])
def test_must_be_an_integer(strategy: type[Pooling], name: str, value: int) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"^{name}: expected an integer of at least 1, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)
