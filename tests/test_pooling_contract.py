"""What every strategy in conf/pooling promises; a new one is taken up by itself.

A strategy that lives elsewhere: `pytest tests/test_pooling_contract.py --config-dir my_conf`.
"""

import copy
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from textpool.pooling import Pooling

CHANNELS = 3
Make = Callable[[int], Pooling]
Sentence = list[list[float]]  # a feature map as plain lists, (time, channels)

# Zeros and repeated values are the rule after a ReLU, so they are here.
value = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-4, 4, width=32))
position = st.lists(value, min_size=CHANNELS, max_size=CHANNELS)
sentence = st.lists(position, max_size=9)
sentences = st.lists(sentence, min_size=1, max_size=3)
junk = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 7.0, -1e30])


def feature_map(sentence: Sentence) -> Tensor:
    """A sentence alone, (1, channels, time)."""
    return torch.tensor(sentence, dtype=torch.float64).reshape(1, len(sentence), CHANNELS).transpose(1, 2)


def padded(sentences: list[Sentence], extra: int, filling: float) -> tuple[Tensor, Tensor]:
    """Sentences as a batch with `filling` behind their ends: features and mask."""
    time = max(map(len, sentences)) + extra
    features = torch.full((len(sentences), CHANNELS, time), filling, dtype=torch.float64)
    mask = torch.zeros(len(sentences), time, dtype=torch.bool)
    for row, sentence in enumerate(sentences):
        features[row, :, : len(sentence)] = feature_map(sentence)[0]
        mask[row, : len(sentence)] = True
    return features, mask


def example(batch: int = 4, time: int = 7, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Distinct values, sentences of all lengths from 0 on."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, CHANNELS, time, generator=generator, dtype=torch.float64).to(dtype)
    return features, torch.arange(time) < torch.arange(batch)[:, None] * time // (batch - 1)


def values_and_gradients(pooling: Pooling, features: Tensor, mask: Tensor | None) -> list[Tensor]:
    """Values, then the gradients of features and learned weights, of a sum that weighs every value differently."""
    features = features.clone().requires_grad_()
    values = pooling(features, mask)
    weights = torch.linspace(1, 2, values[0].numel(), dtype=values.dtype).reshape(values.shape[1:])
    learned = [parameter for parameter in pooling.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad((values * weights).sum(), [features, *learned], allow_unused=True)
    return [values, *(torch.zeros(()) if gradient is None else gradient for gradient in gradients)]


@given(sentences=sentences, extra=st.integers(0, 5), filling=junk)
def test_padding_changes_nothing(make_pooling: Make, sentences: list[Sentence], extra: int, filling: float) -> None:
    """Values and gradients of a padded batch are those of each sentence alone, whatever stands in the padding."""
    pooling = make_pooling(CHANNELS).double()
    features, mask = padded(sentences, extra, filling)
    values, gradient, *of_weights = values_and_gradients(pooling, features, mask)
    total = [torch.zeros_like(weight) for weight in of_weights]
    for row, sentence in enumerate(sentences):
        alone, alone_gradient, *alone_of_weights = values_and_gradients(pooling, feature_map(sentence), None)
        torch.testing.assert_close(values[row : row + 1], alone)
        torch.testing.assert_close(gradient[row : row + 1, :, : len(sentence)], alone_gradient)
        assert (gradient[row, :, len(sentence) :] == 0).all()
        total = [one + other for one, other in zip(total, alone_of_weights, strict=True)]
    torch.testing.assert_close(of_weights, total)


@given(sentence=sentence, gaps=st.lists(st.integers(0, 2), min_size=10, max_size=10), filling=junk)
def test_masked_positions_may_stand_anywhere(
    make_pooling: Make, sentence: Sentence, gaps: list[int], filling: float
) -> None:
    """Positions masked in front of and between the words are skipped like padding behind them."""
    pooling = make_pooling(CHANNELS).double()
    columns, real = [], []
    for gap, values in zip(gaps, [*sentence, None], strict=False):
        columns += [[filling] * CHANNELS] * gap
        real += [False] * gap
        if values is not None:
            columns.append(values)
            real.append(True)
    result = pooling(feature_map(columns), torch.tensor(real, dtype=torch.bool).reshape(1, -1))
    torch.testing.assert_close(result, pooling(feature_map(sentence)))


@given(sentence=sentence)
def test_any_length_gives_finite_values_of_one_shape(make_pooling: Make, sentence: Sentence) -> None:
    """Also with fewer positions than values; with none, zeros."""
    pooling = make_pooling(CHANNELS).double()
    values, *gradients = values_and_gradients(pooling, feature_map(sentence), None)
    assert values.shape == (1, CHANNELS, pooling.size)
    assert all(tensor.isfinite().all() for tensor in (values, *gradients))
    assert sentence or (values == 0).all()


@given(sentence=sentence, data=st.data())
def test_ordered_is_what_it_says(make_pooling: Make, sentence: Sentence, data: st.DataObject) -> None:
    """A strategy that is not `ordered` gives the same for every order of the words."""
    pooling = make_pooling(CHANNELS).double()
    if not pooling.ordered:
        shuffled = data.draw(st.permutations(sentence))
        torch.testing.assert_close(pooling(feature_map(shuffled)), pooling(feature_map(sentence)))


def test_an_ordered_strategy_sees_order(make_pooling: Make) -> None:
    """A strategy that is `ordered` tells a rising sentence from a falling one, or from one that goes up and down."""
    pooling = make_pooling(CHANNELS)
    rising = torch.arange(1.0, 41.0).expand(1, CHANNELS, 40)
    falling = rising.flip(-1)
    zigzag = torch.stack([rising, falling], dim=-1).flatten(2)[..., :40]  # 1 40 2 39 …
    if pooling.ordered:
        assert any(not torch.allclose(pooling(rising), pooling(other)) for other in (falling, zigzag))


def test_large_values_stay_finite(make_pooling: Make) -> None:
    """No exponential and no power runs over, in the value or in the gradient."""
    pooling = make_pooling(CHANNELS)
    features, mask = example(time=50)
    for scale in (1e4, 1e-30):
        assert all(tensor.isfinite().all() for tensor in values_and_gradients(pooling, features * scale, mask))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype(make_pooling: Make, dtype: torch.dtype) -> None:
    """The dtype stays; half precision is computed in float32, weights too, and rounded once."""
    pooling = make_pooling(CHANNELS).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    widened = copy.deepcopy(pooling).to(wide)
    features, mask = example(time=500, dtype=dtype)
    features = features.abs() * 400  # their sum is beyond float16, their mean is not
    values = pooling(features, mask)
    assert values.dtype == dtype
    assert torch.equal(values, widened(features.to(wide), mask).to(dtype))


def test_mixed_precision_stays_outside(make_pooling: Make) -> None:
    """Under autocast a strategy gives what it gives without, in the dtype of the features."""
    pooling = make_pooling(CHANNELS)
    features, mask = example(time=50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = pooling(features, mask)
    assert torch.equal(values, pooling(features, mask))


def test_gradient_is_the_derivative(make_pooling: Make) -> None:
    """Against finite differences, in float64."""
    pooling = make_pooling(CHANNELS).double()
    features, mask = example(dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: pooling(x, mask), (features.requires_grad_(),))


@pytest.mark.usefixtures("unchecked")
def test_compiles_whole(make_pooling: Make) -> None:
    """torch.compile finds no graph break and changes no number."""
    torch.compiler.reset()
    pooling = make_pooling(CHANNELS)
    compiled = torch.compile(pooling, fullgraph=True, dynamic=True)
    for batch, time in ((4, 7), (3, 11)):
        features, mask = example(batch, time)
        torch.testing.assert_close(compiled(features, mask), pooling(features, mask))


@pytest.mark.usefixtures("unchecked")
def test_exports_with_dynamic_shapes(make_pooling: Make) -> None:
    """torch.export gives a program for every batch size and length."""
    pooling = make_pooling(CHANNELS)
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    shapes = ({0: batch, 2: time}, {0: batch, 1: time})
    program = torch.export.export(pooling, example(), dynamic_shapes=shapes).module()
    for size in ((4, 7), (2, 3), (5, 30)):
        features, mask = example(*size)
        torch.testing.assert_close(program(features, mask), pooling(features, mask))


@pytest.mark.usefixtures("unchecked")
def test_vmap(make_pooling: Make) -> None:
    """torch.func.vmap over a further axis gives what a loop gives."""
    pooling = make_pooling(CHANNELS)
    features, mask = example()
    stack, masks = torch.stack([features, -features, features / 2]), torch.stack([mask, mask, ~mask])
    looped = torch.stack([pooling(*each) for each in zip(stack, masks, strict=True)])
    torch.testing.assert_close(torch.func.vmap(pooling)(stack, masks), looped)


def test_pickle_copy_and_state_dict(make_pooling: Make) -> None:
    """A strategy survives being sent to another process and being saved."""
    pooling = make_pooling(CHANNELS)
    for parameter in pooling.parameters():
        torch.nn.init.normal_(parameter)
    restored = make_pooling(CHANNELS)
    restored.load_state_dict(pooling.state_dict())
    features, mask = example()
    for twin in (pickle.loads(pickle.dumps(pooling)), copy.deepcopy(pooling), restored):
        assert torch.equal(twin(features, mask), pooling(features, mask))
        assert (twin.size, twin.ordered) == (pooling.size, pooling.ordered)


def test_no_mask_means_all_real(make_pooling: Make) -> None:
    """The mask may be left out."""
    pooling = make_pooling(CHANNELS)
    features, mask = example()
    assert torch.equal(pooling(features), pooling(features, torch.ones_like(mask)))


@pytest.mark.parametrize(
    ("features", "mask", "message"),
    [
        (torch.zeros(2, 5), None, r"features: .* \(batch, channels, time\), got float32 \(2, 5\)"),
        (torch.zeros(2, CHANNELS, 5, dtype=torch.long), None, r"features: .*got int64"),
        (torch.zeros(2, CHANNELS + 1, 5), None, "expected 3 channels, got 4"),
        (torch.zeros(2, CHANNELS, 5), torch.ones(2, 5), "mask: expected a bool tensor .*got float32"),
        (torch.zeros(2, CHANNELS, 5), torch.ones(2, 4).bool(), r"mask: .*= \(2, 5\), got \(2, 4\)"),
    ],
)
def test_wrong_arguments(make_pooling: Make, features: Tensor, mask: Tensor | None, message: str) -> None:
    """Say what was expected and what came."""
    with pytest.raises(ValueError, match=message):
        make_pooling(CHANNELS)(features, mask)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("channels", [0, -1, 2.0, True])
def test_wrong_number_of_channels(make_pooling: Make, channels: int) -> None:
    """Say so in the constructor, before anything is built on it."""
    with pytest.raises(ValueError, match="channels: expected an integer of at least 1, got"):
        make_pooling(channels)
