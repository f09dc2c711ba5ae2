"""Softmax, Attention and GatedAttention against plain Python and values computed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from textpool.pooling import Attention, Avg, GatedAttention, Max, Softmax

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=20)
pairs = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=20)


def feature_map(*channels: list[float]) -> Tensor:
    """The feature map of one sentence, (1, channels, time)."""
    return torch.tensor([channels], dtype=torch.float64)


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


def test_one_value_per_head() -> None:
    """The number of values per channel is the number of heads."""
    assert (Attention(2).size, Attention(2, k=4).size) == (1, 4)
    assert (GatedAttention(2).size, GatedAttention(2, k=4).size) == (1, 4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("strategy", "name"), [(Attention, "k"), (GatedAttention, "k"), (GatedAttention, "hidden")])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True, None])
def test_must_be_an_integer(strategy: type[Attention | GatedAttention], name: str, value: int) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"^{name}: expected an integer of at least 1, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)
