"""The repr that every strategy inherits, and the helpers for masks."""

import copy
import math
import pickle
from functools import partial

import pytest
import torch
from torch import Tensor

from textpool.pooling import (
    Attention,
    Concat,
    KMax,
    LocalMax,
    LogMeanExp,
    Max,
    Pooling,
    PowerMean,
    Pyramid,
    SoftCount,
    count,
    mask_out,
    masked_softmax,
)


class Own(Pooling):
    """A strategy as a user might write it: settings of many kinds, not all of them plain attributes."""

    def __init__(self, channels: int, /, *shifts: float, name: str = "a", scale: float = 2.0, **options: int) -> None:
        super().__init__(channels)
        self.shifts = shifts
        self.name = name
        self.options = options

    @property
    def scale(self) -> float:
        raise RuntimeError("known only after training")

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.sum(-1, keepdim=True)


class Inherited(KMax):
    """A strategy without a constructor of its own."""


class Forgetful(Max):
    """A strategy that does not keep its settings."""

    def __init__(self, channels: int, k: int = 3) -> None:
        super().__init__(channels)


CONCAT = """Concat(
  (poolings): ModuleList(
    (0): Max()
    (1): KMax(k=2)
  )
)"""


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (Max(8), "Max()"),
        (KMax(8, k=3), "KMax(k=3)"),
        (LocalMax(8, k=3, region=10), "LocalMax(k=3, region=10)"),
        (LogMeanExp(8), "LogMeanExp(sharpness=5.0, learned=False)"),
        (PowerMean(8, 2.0), "PowerMean(exponent=2.0, learned=True)"),
        (Pyramid(8), "Pyramid(levels=[1, 2, 4])"),
        (Own(8, 0.5, 1.0, more=1), "Own(shifts=(0.5, 1.0), name='a')"),
        (Inherited(8, k=5), "Inherited(k=5)"),
        (Forgetful(8), "Forgetful()"),
    ],
)
def test_repr_shows_the_settings(pooling: Pooling, expected: str) -> None:
    """The settings appear in the order of the constructor; a setting that is not a plain attribute is left out."""
    assert repr(pooling) == expected


def test_repr_of_a_learned_weight() -> None:
    """A setting whose name now belongs to a learned weight is left out, because training changes the weight."""
    assert repr(SoftCount(8)) == "SoftCount(steepness=5.0)"


def test_repr_with_child_modules() -> None:
    """Child modules are shown as in every torch module, after the settings."""
    assert repr(Concat(8, [Max, partial(KMax, k=2)])) == CONCAT
    assert repr(Attention(8, k=2)).splitlines()[1].strip() == "k=2"


def test_repr_survives_pickle_and_copy() -> None:
    """The settings are ordinary attributes, so copies have them too."""
    for pooling in (KMax(8, k=5), Pyramid(8, levels=(1, 3))):
        assert repr(pickle.loads(pickle.dumps(pooling))) == repr(copy.deepcopy(pooling)) == repr(pooling)


def test_count_by_hand() -> None:
    """The shape broadcasts against (batch, channels, time)."""
    mask = torch.tensor([[True, False, True], [False, False, False]])
    assert count(mask).tolist() == [[[2]], [[0]]]


def test_mask_out_by_hand() -> None:
    """Values at the padding are replaced, NaN included, in a map of channels and in scores of several heads."""
    mask = torch.tensor([[True, False]])
    assert mask_out(torch.tensor([[[1.0, math.nan], [2.0, 3.0]]]), mask, 0.0).tolist() == [[[1.0, 0.0], [2.0, 0.0]]]
    assert mask_out(torch.tensor([[[1.0, 2.0]]]), mask, -math.inf).tolist() == [[[1.0, -math.inf]]]


def test_masked_softmax_by_hand() -> None:
    """Two real positions with equal scores have weight 1/2 each, for any score at the padding."""
    scores, mask = torch.tensor([[[4.0, 9.0, 4.0]]]), torch.tensor([[True, False, True]])
    assert masked_softmax(scores, mask).tolist() == [[[0.5, 0.0, 0.5]]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32, torch.float16])
def test_mask_of_numbers_is_refused_with_its_conversion(dtype: torch.dtype) -> None:
    """An attention mask of 1 = real and 0 = padding: the conversion that the message names gives the right result."""
    features, real = torch.tensor([[[1.0, 5.0, 3.0]]]), torch.tensor([[True, False, True]])
    mask = real.to(dtype)
    with pytest.raises(
        ValueError, match=r"^mask: expected a bool tensor .*, True = real, got .*mask\.bool\(\) if 1 = real"
    ):
        Max(1)(features, mask)
    assert Max(1)(features, mask.bool()).tolist() == [[[3.0]]]


@pytest.mark.parametrize("padding", [-math.inf, torch.finfo(torch.float32).min])
def test_additive_mask_is_refused_with_its_conversion(padding: float) -> None:
    """In a mask that transformers add to scores, 0 is real: `mask.bool()` would invert it, `mask == 0` is right."""
    features, mask = torch.tensor([[[1.0, 5.0, 3.0]]]), torch.tensor([[0.0, padding, 0.0]])
    with pytest.raises(ValueError, match=r"^mask: expected a bool tensor .*got float32 \(1, 3\): pass mask == 0 if"):
        Max(1)(features, mask)
    assert Max(1)(features, mask == 0).tolist() == [[[3.0]]]


def test_token_numbers_are_no_mask() -> None:
    """Token numbers in place of a mask, an easy mistake, are refused although some of them may be 0 and 1."""
    with pytest.raises(
        ValueError, match=r"mask: .*got int64 \(1, 3\): pass mask\.bool\(\) if 1 = real and 0 = padding$"
    ):
        Max(1)(torch.ones(1, 1, 3), torch.tensor([[1, 0, 1]]))
