"""TextCNN: number of weights, window masks, padding, and initial weights."""

import math

import pytest
import torch
from conftest import Compose
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from textpool.model import TextCNN
from textpool.model.textcnn import all_windows, touching_windows, valid_windows
from textpool.pooling import Avg, KMax, Max, Pooling

sentences = st.lists(st.lists(st.integers(1, 9), max_size=8), min_size=1, max_size=4)


class Drawing(Pooling):
    """A pooling whose constructor draws random weights."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.weight = nn.Parameter(torch.randn(channels))

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return (features.sum(-1) * self.weight)[..., None]


def batch(sentences: list[list[int]], extra: int = 0) -> Tensor:
    time = max(1, max(map(len, sentences)) + extra)
    return torch.tensor([sentence + [0] * (time - len(sentence)) for sentence in sentences])


def model(window_mask: str = "valid", **options: object) -> TextCNN:
    torch.manual_seed(0)
    return TextCNN(10, 3, **{"pooling": Max, "window_mask": window_mask, **options}).double().eval()  # pyright: ignore


@pytest.mark.parametrize(("pooling", "n_params"), [("max", 10_818), ("avg", 10_818), ("kmax", 11_202)])
def test_sizes_of_the_lesson(config: Compose, pooling: str, n_params: int) -> None:
    """The default model has exactly as many parameters as the model of the lesson."""
    section = config(f"pooling={pooling}")
    built = instantiate(section["model"])(41, 2, instantiate(section["pooling"]))
    assert sum(parameter.numel() for parameter in built.parameters()) == n_params


@pytest.mark.parametrize("window_mask", ["valid", "touching"])
@given(sentences=sentences, extra=st.integers(0, 6))
def test_padding_changes_nothing(window_mask: str, sentences: list[list[int]], extra: int) -> None:
    """A sentence has the same logits alone and in a batch, for every amount of padding."""
    net = model(window_mask, pooling=Avg)
    together = net(batch(sentences, extra))
    for row, sentence in enumerate(sentences):
        torch.testing.assert_close(together[row : row + 1], net(batch([sentence])))


def test_without_a_mask_padding_changes_the_result() -> None:
    """With `none`, windows of padding have the value ReLU(bias), which changes even the maximum."""
    net = model("none")
    for convolution in net.convolutions:
        nn.init.constant_(convolution.bias, 5.0)  # pyright: ignore
    assert not torch.allclose(net(batch([[1, 2, 3, 4]])), net(batch([[1, 2, 3, 4]], extra=4)))


@pytest.mark.parametrize(("window_mask", "expected"), [("valid", False), ("touching", False), ("none", True)])
def test_only_none_needs_a_fixed_length(window_mask: str, expected: bool) -> None:
    """The property tells when batches must be padded to a fixed length, and cannot be set."""
    net = model(window_mask)
    assert net.needs_fixed_length is expected
    with pytest.raises(AttributeError):
        net.needs_fixed_length = True  # pyright: ignore[reportAttributeAccessIssue]


def test_valid_windows_by_hand() -> None:
    """All tokens of a window are real; a short sentence has its first window, an empty sentence has none."""
    real = batch([[1, 1, 1, 1], [1, 1, 1], [1], []]) > 0
    assert valid_windows(real, 3).int().tolist() == [[1, 1], [1, 0], [1, 0], [0, 0]]


def test_touching_and_all_windows_by_hand() -> None:
    """`touching` needs one real token in a window; `none` counts all windows."""
    real = batch([[1, 1, 1, 1, 1], [1, 1], []]) > 0
    assert touching_windows(real, 3).int().tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert all_windows(real, 3).int().tolist() == [[1, 1, 1]] * 3


@pytest.mark.parametrize("window_mask", ["valid", "touching"])
def test_an_empty_sentence_is_pooled_to_zeros(window_mask: str) -> None:
    """The logits of an empty sentence are the bias of the linear layer."""
    net = model(window_mask)
    torch.testing.assert_close(net(batch([[]]))[0], net.linear.bias)


def test_max_is_the_maximum_over_the_windows() -> None:
    """The pooled values equal those of a loop over the windows of a sentence."""
    net = model(kernel_sizes=[2])
    tokens = batch([[3, 1, 4, 1, 5]], extra=2)
    embedded = net.embedding(tokens)[0]  # (time, channels)
    [convolution] = net.convolutions
    weight = convolution.weight.flatten(1)  # pyright: ignore
    windows = [embedded[t : t + 2].T.flatten() for t in range(4)]
    features = [(weight @ window + convolution.bias).relu() for window in windows]  # pyright: ignore
    torch.testing.assert_close(net.summarise(tokens)[0], torch.stack(features).amax(0))


def test_every_strategy_starts_from_the_same_weights() -> None:
    """The pooling, even one with random weights, does not change the other initial weights: comparisons are paired."""
    states = [model(pooling=pooling).state_dict() for pooling in (Max, Avg, Drawing)]
    for state in states[1:]:
        for name, weight in states[0].items():
            assert torch.equal(state[name], weight), name
    wider = model(pooling=lambda channels: KMax(channels, 3)).state_dict()
    assert all(torch.equal(wider[name], states[0][name]) for name in wider if not name.startswith("linear"))


def test_random_weights_of_a_pooling_depend_on_the_seed() -> None:
    """The weights are the same for the same seed, and differ between seeds and between kernel sizes."""
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append([pooling.weight for pooling in TextCNN(10, 2, Drawing).poolings])
    assert torch.equal(weights[0][0], weights[1][0])  # pyright: ignore
    assert not torch.equal(weights[0][0], weights[2][0])  # pyright: ignore
    assert not torch.equal(weights[0][0], weights[0][1])  # pyright: ignore


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_sizes": []}, "kernel_sizes: expected at least one kernel size"),
        ({"kernel_sizes": [2, 0]}, "kernel_sizes: expected an integer of at least 1, got 0"),
        ({"kernel_sizes": "234"}, "kernel_sizes: expected at least one kernel size"),
        ({"dropout": 1.0}, "dropout: expected a number of at least 0"),
        ({"n_filters": 0}, "n_filters: expected an integer of at least 1, got 0"),
        ({"embedding_dim": 1.5}, "embedding_dim: expected an integer"),
        ({"window_mask": "some"}, "window_mask: expected one of valid, touching, none, got 'some'"),
    ],
)
def test_wrong_settings(options: dict[str, object], message: str) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=message):
        model(**options)  # pyright: ignore


def test_initial_weights_of_kim() -> None:
    """Uniform within the range that is asked for, zero biases, padding of 0; without a range, torch's own weights."""
    net = model(embedding_range=0.25, filter_range=0.01, linear_range=0.0)
    assert 0.2 < net.embedding.weight.abs().max() <= 0.25
    assert net.embedding.weight[0].abs().sum() == 0
    for convolution in net.convolutions:
        assert isinstance(convolution, nn.Conv1d)
        assert convolution.bias is not None
        assert 0.009 < convolution.weight.abs().max() <= 0.01
        assert not convolution.bias.any()
    assert not net.linear.weight.any()
    assert model().embedding.weight.abs().max() > 1


def test_weights_longer_than_the_limit_are_scaled() -> None:
    """Each class for itself, to exactly that length; shorter ones and zeros stay."""
    net = model(max_norm=3.0)
    with torch.no_grad():
        net.linear.weight.zero_()
        net.linear.weight[0, :2] = torch.tensor([6.0, 8.0])
        net.linear.weight[1, 0] = 2.0
    net.constrain()
    torch.testing.assert_close(net.linear.weight[:2, :2], torch.tensor([[1.8, 2.4], [2.0, 0.0]]).double())
    assert not net.linear.weight[2].any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("embedding_range", -1.0), ("filter_range", math.nan), ("linear_range", math.inf), ("max_norm", 0.0)],
)
def test_wrong_ranges(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected a number"):
        model(**{name: value})  # pyright: ignore[reportArgumentType]
