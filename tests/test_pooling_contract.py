"""The contract of pooling, tested for every strategy in conf/pooling; a new file there is tested automatically.

For a strategy outside of the repository: `pytest tests/test_pooling_contract.py --config-dir my_conf`.
"""

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from textpool.pooling import Pooling
from textpool.pooling.base import PLAIN

CHANNELS = 3
Make = Callable[[int], Pooling]
Sentence = list[list[float]]  # a feature map as plain lists, (time, channels)

# Zeros and repeated values are frequent after a ReLU, so they are frequent here too.
value = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-4, 4, width=32))
position = st.lists(value, min_size=CHANNELS, max_size=CHANNELS)
sentence = st.lists(position, max_size=9)
sentences = st.lists(sentence, min_size=1, max_size=3)
junk = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 7.0, -1e30])


def feature_map(sentence: Sentence) -> Tensor:
    """The feature map of one sentence, (1, channels, time)."""
    return torch.tensor(sentence, dtype=torch.float64).reshape(1, len(sentence), CHANNELS).transpose(1, 2)


def padded(sentences: list[Sentence], extra: int, filling: float) -> tuple[Tensor, Tensor]:
    """Features and mask of a batch of sentences, padded at the end with `filling`."""
    time = max(map(len, sentences)) + extra
    features = torch.full((len(sentences), CHANNELS, time), filling, dtype=torch.float64)
    mask = torch.zeros(len(sentences), time, dtype=torch.bool)
    for row, sentence in enumerate(sentences):
        features[row, :, : len(sentence)] = feature_map(sentence)[0]
        mask[row, : len(sentence)] = True
    return features, mask


def example(batch: int = 4, time: int = 7, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Features with distinct values and a mask; the sentences have lengths from 0 to `time`."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, CHANNELS, time, generator=generator, dtype=torch.float64).to(dtype)
    return features, torch.arange(time) < torch.arange(batch)[:, None] * time // (batch - 1)


def values_and_gradients(pooling: Pooling, features: Tensor, mask: Tensor | None) -> list[Tensor]:
    """The values, then the gradients of a weighted sum of them: by the features and by each learned weight."""
    features = features.clone().requires_grad_()
    values = pooling(features, mask)
    weights = torch.linspace(1, 2, values[0].numel(), dtype=values.dtype).reshape(values.shape[1:])
    learned = [parameter for parameter in pooling.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad((values * weights).sum(), [features, *learned], allow_unused=True)
    return [values, *(torch.zeros(()) if gradient is None else gradient for gradient in gradients)]


@given(sentences=sentences, extra=st.integers(0, 5), filling=junk)
def test_padding_changes_nothing(make_pooling: Make, sentences: list[Sentence], extra: int, filling: float) -> None:
    """Values and gradients of a padded batch equal those of each sentence alone, whatever the padding contains."""
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
def test_masked_positions_may_be_anywhere(
    make_pooling: Make, sentence: Sentence, gaps: list[int], filling: float
) -> None:
    """Masked positions before and between the real ones are ignored, as padding at the end is."""
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
    """This holds also for fewer positions than values; an empty sentence gives zeros."""
    pooling = make_pooling(CHANNELS).double()
    values, *gradients = values_and_gradients(pooling, feature_map(sentence), None)
    assert values.shape == (1, CHANNELS, pooling.size)
    assert all(tensor.isfinite().all() for tensor in (values, *gradients))
    assert sentence or (values == 0).all()


# These two skip in a fixture and not in the test, because Hypothesis would run the body of the test many times.
@pytest.fixture
def only_unordered(make_pooling: Make) -> None:
    """Skip the test for strategies that are `ordered`."""
    if make_pooling(CHANNELS).ordered:
        pytest.skip("the strategy is ordered")


@pytest.fixture
def only_ordered(make_pooling: Make) -> None:
    """Skip the test for strategies that are not `ordered`."""
    if not make_pooling(CHANNELS).ordered:
        pytest.skip("the strategy is not ordered")


@pytest.mark.usefixtures("only_unordered")
@given(sentence=sentence, data=st.data())
def test_an_unordered_strategy_ignores_order(make_pooling: Make, sentence: Sentence, data: st.DataObject) -> None:
    """A strategy that is not `ordered` gives the same values for every order of the positions."""
    pooling = make_pooling(CHANNELS).double()
    shuffled = data.draw(st.permutations(sentence))
    torch.testing.assert_close(pooling(feature_map(shuffled)), pooling(feature_map(sentence)))


@pytest.mark.usefixtures("only_ordered")
def test_an_ordered_strategy_distinguishes_orders(make_pooling: Make) -> None:
    """A strategy that is `ordered` distinguishes rising values from the same values falling or alternating."""
    pooling = make_pooling(CHANNELS)
    rising = torch.arange(1.0, 41.0).expand(1, CHANNELS, 40)
    falling = rising.flip(-1)
    zigzag = torch.stack([rising, falling], dim=-1).flatten(2)[..., :40]  # 1 40 2 39 …
    assert any(not torch.allclose(pooling(rising), pooling(other)) for other in (falling, zigzag))


def test_large_values_stay_finite(make_pooling: Make) -> None:
    """No exponential and no power overflows, in the values or in the gradients."""
    pooling = make_pooling(CHANNELS)
    features, mask = example(time=50)
    for scale in (1e4, 1e-30):
        assert all(tensor.isfinite().all() for tensor in values_and_gradients(pooling, features * scale, mask))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype(make_pooling: Make, dtype: torch.dtype) -> None:
    """The result has the dtype of the features; half precision is computed in float32 and rounded once."""
    pooling = make_pooling(CHANNELS).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    widened = copy.deepcopy(pooling).to(wide)
    features, mask = example(time=500, dtype=dtype)
    features = features.abs() * 400  # their sum overflows float16, their mean does not
    values = pooling(features, mask)
    assert values.dtype == dtype
    assert torch.equal(values, widened(features.to(wide), mask).to(dtype))


def test_autocast_changes_nothing(make_pooling: Make) -> None:
    """Under autocast the values and their dtype are the same as without."""
    pooling = make_pooling(CHANNELS)
    features, mask = example(time=50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = pooling(features, mask)
    assert torch.equal(values, pooling(features, mask))


def test_gradient_is_the_derivative(make_pooling: Make) -> None:
    """The gradient equals finite differences in float64."""
    pooling = make_pooling(CHANNELS).double()
    features, mask = example(dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: pooling(x, mask), (features.requires_grad_(),))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_compiles_without_graph_breaks(make_pooling: Make) -> None:
    """torch.compile gives one graph for all sizes, with the same values; without generated code, which takes longer."""
    check_compiled(make_pooling(CHANNELS), "aot_eager")


@pytest.mark.long
@pytest.mark.usefixtures("unchecked")
def test_compiles_to_code(make_pooling: Make) -> None:
    """The code that torch.compile generates gives the same values."""
    check_compiled(make_pooling(CHANNELS), "inductor")


def check_compiled(pooling: Pooling, backend: str) -> None:
    """One graph for all sizes, with the same values."""
    torch.compiler.reset()
    compiled = torch.compile(pooling, fullgraph=True, dynamic=True, backend=backend)
    for batch, time in ((4, 7), (3, 11)):
        features, mask = example(batch, time)
        torch.testing.assert_close(compiled(features, mask), pooling(features, mask))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_exports_with_dynamic_shapes(make_pooling: Make) -> None:
    """torch.export gives one program for all batch sizes and lengths, with the same values."""
    pooling = make_pooling(CHANNELS)
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    shapes = ({0: batch, 2: time}, {0: batch, 1: time})
    program = torch.export.export(pooling, example(), dynamic_shapes=shapes).module()
    for size in ((4, 7), (2, 3), (5, 30)):
        features, mask = example(*size)
        torch.testing.assert_close(program(features, mask), pooling(features, mask))


@pytest.mark.usefixtures("unchecked")
def test_vmap(make_pooling: Make) -> None:
    """torch.func.vmap over an additional axis gives the same values as a loop."""
    pooling = make_pooling(CHANNELS)
    features, mask = example()
    stack, masks = torch.stack([features, -features, features / 2]), torch.stack([mask, mask, ~mask])
    looped = torch.stack([pooling(*each) for each in zip(stack, masks, strict=True)])
    torch.testing.assert_close(torch.func.vmap(pooling)(stack, masks), looped)


def test_pickle_copy_and_state_dict(make_pooling: Make) -> None:
    """Copies made by pickle, deepcopy and state_dict give the same values as the original."""
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
    """Without a mask, all positions are real."""
    pooling = make_pooling(CHANNELS)
    features, mask = example()
    assert torch.equal(pooling(features), pooling(features, torch.ones_like(mask)))


def test_repr_shows_the_settings(make_pooling: partial[Pooling]) -> None:
    """The repr shows every plain setting of the YAML file, except those that became child modules or weights."""
    pooling = make_pooling(CHANNELS)
    modules_and_weights = {*dict(pooling.named_children()), *pooling.state_dict()}
    settings = [item for item in make_pooling.keywords.items() if isinstance(item[1], PLAIN)]
    settings = [(name, value) for name, value in settings if name not in modules_and_weights]
    if not settings:
        pytest.skip("the strategy has no plain settings")
    for name, value in settings:
        expected = f"{name}=" if isinstance(value, Sequence) else f"{name}={value!r}"  # a list may become a tuple
        assert expected in repr(pooling), f"the constructor must keep its argument as self.{name}"


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
    """The message says what was expected and what was passed."""
    with pytest.raises(ValueError, match=message):
        make_pooling(CHANNELS)(features, mask)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("channels", [0, -1, 2.0, True])
def test_wrong_number_of_channels(make_pooling: Make, channels: int) -> None:
    """The constructor already raises the error."""
    with pytest.raises(ValueError, match="channels: expected an integer of at least 1, got"):
        make_pooling(channels)
