"""The network of Kalchbrenner et al. 2014: how many values each layer keeps, and which."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from textpool.model import Dcnn
from textpool.model.dcnn import WideConvolution, keep_largest
from textpool.pooling import KMax


def recorded(net: Dcnn, tokens: Tensor) -> list[list[int]]:
    """Number of real positions of each sentence that each layer, and the pooling at the top, reads."""
    masks: list[list[int]] = []
    for module in (*net.layers, net.pooling):
        module.register_forward_hook(lambda _, inputs, __: masks.append(inputs[1].sum(-1).tolist()))
    net(tokens)
    return masks


def test_the_layers_keep_as_many_values_as_in_the_paper() -> None:
    """Its example: three layers, k_top of 3 and a sentence of 18 words give 12, 6 and 3 values; a shorter one fewer."""
    net = Dcnn(10, 2, lambda channels: KMax(channels, 3), 8, (3, 3, 3), (2, 2, 2), k_top=3)
    tokens = torch.ones(2, 18, dtype=torch.long)
    tokens[1, 5:] = 0
    layers = recorded(net, tokens)
    assert layers == [[18, 5], [12, 4], [6, 3], [6 + 2, 3 + 2]]  # a wide convolution adds two windows
    assert net.values_per_filter == 3


def test_keep_largest_by_hand() -> None:
    """Each sentence keeps its own number of values, in their order; of equal values the earlier."""
    features = torch.tensor([[[0.1, 2.5, 0.3, 3.1, 0.8, 1.9, 0.2]], [[1.0, 1.0, 1.0, 5.0, 0.0, 0.0, 0.0]]])
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    values, real = keep_largest(features, mask, torch.tensor([3, 2]), 4)
    torch.testing.assert_close(values, torch.tensor([[[2.5, 3.1, 1.9, 0.0]], [[1.0, 5.0, 0.0, 0.0]]]))
    assert real.tolist() == [[True, True, True, False], [True, True, False, False]]


def test_keep_largest_is_kmax() -> None:
    """With one k for all sentences it keeps what `KMax` keeps, also where values are negative or equal."""
    features = torch.randn(5, 3, 9, generator=torch.Generator().manual_seed(0)).round()
    mask = torch.arange(9) < torch.tensor([9, 7, 4, 2, 1])[:, None]
    features = torch.where(mask[:, None], features, 0.0)
    values, _ = keep_largest(features, mask, torch.full((5,), 4), 4)
    torch.testing.assert_close(values, KMax(3, 4)(features, mask))


def test_wide_convolution_by_hand() -> None:
    """Each row has filters of its own, the windows extend beyond both ends, and pairs of rows are added."""
    layer = WideConvolution(rows=2, maps_in=1, maps_out=1, kernel_size=2)
    with torch.no_grad():
        layer.convolution.weight.copy_(torch.tensor([[[1.0, 10.0]], [[100.0, 1000.0]]]))
    features, mask = torch.tensor([[[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]]), torch.tensor([[True, True, False]])
    folded, windows = layer(features, mask)
    first_row, second_row = [10.0, 21.0, 2.0, 0.0], [3000.0, 4300.0, 400.0, 0.0]
    assert folded.tolist() == [[[a + b for a, b in zip(first_row, second_row, strict=True)]]]
    assert windows.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("time", [1, 6, 30])
def test_the_network_is_that_of_a_loop(time: int) -> None:
    """Two layers equal the definition written out for one sentence, row by row."""
    torch.manual_seed(0)
    net = Dcnn(10, 2, lambda channels: KMax(channels, 2), 4, (3, 2), (2, 3), k_top=2).double().eval()
    tokens = torch.randint(1, 10, (1, time))
    rows = [row[None, None] for row in net.embedding(tokens)[0].T]  # each (1, maps, time)
    for depth, (layer, bias) in enumerate(zip(net.layers, net.biases, strict=True)):
        assert isinstance(layer, WideConvolution)
        filters = layer.convolution.weight.chunk(len(rows))
        size = layer.kernel_size
        rows = [F.conv1d(F.pad(row, (size - 1, size - 1)), own) for row, own in zip(rows, filters, strict=True)]
        rows = [a + b for a, b in zip(rows[::2], rows[1::2], strict=True)]
        k = max(2, -(-time // 2)) if depth == 0 else 2
        biases = bias.chunk(len(rows))
        kept = [KMax(row.shape[1], min(k, row.shape[-1]) if depth == 0 else k)(row) for row in rows]
        rows = [torch.tanh(row + each[:, None]) for row, each in zip(kept, biases, strict=True)]
    torch.testing.assert_close(net(tokens), net.linear(torch.cat(rows, 1).flatten(1)))
