"""Laws of every model in conf/model; a new file there is tested automatically."""

import pytest
import torch
from conftest import CONF, Compose
from hydra.utils import instantiate
from torch import Tensor, nn

MODELS = sorted(file.stem for file in CONF.glob("model/*.yaml"))
POOLINGS = ["max", "avg", "kmax", "chunk_max", "attention"]
SENTENCES = [[3, 4, 5, 6, 7, 8, 9, 2, 3], [2], [5, 5, 5], [9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8]]


def build(config: Compose, name: str, pooling: str = "max", *overrides: str) -> nn.Module:
    section = config(f"model={name}", f"pooling={pooling}", *overrides)
    torch.manual_seed(0)
    return instantiate(section["model"], _convert_="all")(10, 3, instantiate(section["pooling"])).double().eval()


def batch(sentences: list[list[int]], extra: int = 0) -> Tensor:
    time = max(map(len, sentences)) + extra
    return torch.tensor([sentence + [0] * (time - len(sentence)) for sentence in sentences])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("extra", [0, 5])
def test_a_sentence_has_the_same_logits_alone_and_in_a_batch(
    config: Compose, name: str, pooling: str, extra: int
) -> None:
    """However much it is padded."""
    net = build(config, name, pooling)
    together = net(batch(SENTENCES, extra))
    for row, sentence in enumerate(SENTENCES):
        torch.testing.assert_close(together[row : row + 1], net(batch([sentence])))


@pytest.mark.parametrize("name", MODELS)
def test_every_pooling_starts_from_the_same_weights(config: Compose, name: str) -> None:
    """Random weights of a pooling do not change those of the layers before and after it."""
    nets = [build(config, name, pooling).state_dict() for pooling in ("max", "attention")]
    shared = [key for key in nets[0] if nets[0][key].shape == nets[1][key].shape]
    assert any("linear" in key for key in shared)
    for key in shared:
        torch.testing.assert_close(nets[0][key], nets[1][key], rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_has_a_gradient(config: Compose, name: str) -> None:
    """No part of a model is left out of the computation."""
    net = build(config, name, "attention")
    net(batch(SENTENCES)).square().sum().backward()
    gradients = {key: weight.grad for key, weight in net.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None or not gradient.any()] == []


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_sentence_has_finite_logits(config: Compose, name: str) -> None:
    assert build(config, name)(torch.zeros(2, 0, dtype=torch.long)).isfinite().all()
    assert build(config, name)(torch.zeros(2, 3, dtype=torch.long)).isfinite().all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=swem", "model.embedding_dim=0"], "embedding_dim: expected an integer of at least 1, got 0"),
        (["model=swem", "model.hidden_dim=0"], "hidden_dim: expected an integer of at least 1, got 0"),
        (["model=dcnn", "model.kernel_sizes=[]"], "kernel_sizes: expected one integer for each layer"),
        (["model=dcnn", "model.n_maps=[6]"], "n_maps: expected one number for each of 2 layers, got 1"),
        (["model=dcnn", "model.embedding_dim=50"], "embedding_dim: expected a multiple of 4"),
        (["model=dcnn", "model.k_top=0"], "k_top: expected an integer of at least 1, got 0"),
    ],
)
def test_wrong_settings(config: Compose, overrides: list[str], message: str) -> None:
    section = config(*overrides)
    with pytest.raises(Exception, match=message.replace("[", r"\[")):
        instantiate(section["model"], _convert_="all")(10, 3, instantiate(section["pooling"]))
