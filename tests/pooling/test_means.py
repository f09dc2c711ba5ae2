"""Averages, sums, smooth maxima and the soft count against plain Python and values computed by hand."""

import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from textpool.pooling import Avg, LogMeanExp, Max, PNorm, Pooling, PowerMean, SoftCount, SqrtSum, Stats, Sum

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=30)


def pool(pooling: Pooling, row: list[float]) -> list[float]:
    return pooling.double()(torch.tensor([[row]], dtype=torch.float64)).flatten().tolist()


@pytest.mark.parametrize(
    ("row", "mean"), [([0.1, 0.0, 3.5, 0.2, 0.1], 0.78), ([1.2, 1.5, 1.3, 1.4, 1.1], 1.30), ([2.1, 1.5, 1.8], 1.80)]
)
def test_average_of_the_lesson(row: list[float], mean: float) -> None:
    """The worked examples of the lesson."""
    assert Avg(1)(torch.tensor([[row]])).item() == pytest.approx(mean)


def test_average_excludes_the_padding() -> None:
    """The lesson's example: the average over the 3 real positions is 1.80, over all 5 positions 1.08."""
    features = torch.tensor([[[2.1, 1.5, 1.8, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert Avg(1)(features, mask).item() == pytest.approx(1.80)
    assert Avg(1)(features).item() == pytest.approx(1.08)


@given(row=rows)
def test_average_against_plain_python(row: list[float]) -> None:
    """The average is the sum divided by the number of values."""
    result = Avg(1)(torch.tensor([[row]], dtype=torch.float64)).item()
    assert result == pytest.approx(sum(row) / len(row), abs=1e-12)


def test_sum_by_hand() -> None:
    """1 + 3 + 2 = 6, and the padding adds nothing."""
    assert pool(Sum(1), [1.0, 3.0, 2.0]) == [6.0]
    features, mask = torch.tensor([[[1.0, 3.0, 2.0, 9.0]]]), torch.tensor([[True, True, True, False]])
    assert Sum(1)(features, mask).item() == 6.0


def test_sqrt_sum_by_hand() -> None:
    """(1 + 3 + 2 + 0) / sqrt(4) = 3, also if a fifth position is padding."""
    assert pool(SqrtSum(1), [1.0, 3.0, 2.0, 0.0]) == [3.0]
    features, mask = torch.tensor([[[1.0, 3.0, 2.0, 0.0, 9.0]]]), torch.tensor([[True, True, True, True, False]])
    assert SqrtSum(1)(features, mask).item() == 3.0


@given(row=rows)
def test_sums_against_plain_python(row: list[float]) -> None:
    """Sum is the sum; SqrtSum is the sum divided by the square root of the number of values."""
    assert pool(Sum(1), row) == pytest.approx([sum(row)], abs=1e-12)
    assert pool(SqrtSum(1), row) == pytest.approx([sum(row) / math.sqrt(len(row))], abs=1e-12)


def test_stats_by_hand() -> None:
    """The mean is 5; the squared deviations 9, 1, 1, 1, 0, 0, 4, 16 add up to 32, and sqrt(32 / 8) = 2."""
    assert pool(Stats(1), [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]) == pytest.approx([5.0, 2.0])


@given(row=rows)
def test_stats_against_plain_python(row: list[float]) -> None:
    """The standard deviation divides by n, not by n - 1."""
    assert pool(Stats(1), row) == pytest.approx([statistics.fmean(row), statistics.pstdev(row)], abs=1e-9)


def test_stats_of_one_position() -> None:
    """The standard deviation of one value is 0."""
    assert pool(Stats(1), [3.5]) == [3.5, 0.0]


def test_stats_of_an_on_or_off_filter() -> None:
    """The value is 1 at one of 4 positions: the standard deviation is sqrt(0.25 * 0.75) = 0.4330."""
    assert pool(Stats(1), [0.0, 1.0, 0.0, 0.0]) == pytest.approx([0.25, 0.4330], abs=1e-4)


@pytest.mark.parametrize("row", [[2.0, 2.0, 2.0], [0.0, 0.0], [0.1, 0.1, 0.1], [-3.0]])
def test_deviation_of_equal_values_has_no_gradient(row: list[float]) -> None:
    """The gradient is 0, not NaN, although the derivative of the square root is infinite at 0."""
    features = torch.tensor([[row]], requires_grad=True)
    deviation = Stats(1)(features)[..., 1]
    deviation.sum().backward()
    assert deviation.item() == pytest.approx(0.0, abs=1e-6)
    assert features.grad is not None
    assert features.grad.flatten().tolist() == pytest.approx([0.0] * len(row), abs=1e-6)


def test_log_mean_exp_by_hand() -> None:
    """With r = log 2 the exponentials are 1, 1, 2 and 4; their mean is 2, and log(2) / log(2) = 1."""
    assert pool(LogMeanExp(1, sharpness=math.log(2)), [0.0, 0.0, 1.0, 2.0]) == pytest.approx([1.0])


@given(row=rows, sharpness=st.floats(0.1, 20))
def test_log_mean_exp_against_plain_python(row: list[float], sharpness: float) -> None:
    """The result follows the formula, and lies between maximum - log(n) / r and the maximum."""
    mean = statistics.fmean(math.exp(sharpness * value) for value in row)
    [result] = pool(LogMeanExp(1, sharpness), row)
    assert result == pytest.approx(math.log(mean) / sharpness, abs=1e-5)
    assert max(row) - math.log(len(row)) / sharpness - 1e-5 <= result <= max(row) + 1e-5


@given(row=rows)
def test_log_mean_exp_ranges_from_average_to_maximum(row: list[float]) -> None:
    """It is close to the average for a small sharpness, and close to the maximum for a large one."""
    assert pool(LogMeanExp(1, sharpness=1e-5), row) == pytest.approx(pool(Avg(1), row), abs=1e-3)
    assert pool(LogMeanExp(1, sharpness=1e5), row) == pytest.approx(pool(Max(1), row), abs=1e-3)


@pytest.mark.parametrize("n", [4, 400])
def test_log_mean_exp_shrinks_with_the_logarithm_of_the_length(n: int) -> None:
    """One value far above the others reaches the lower bound: 100 - log(4) = 98.61, 100 - log(400) = 94.01."""
    expected = {4: 98.61, 400: 94.01}[n]
    assert pool(LogMeanExp(1, sharpness=1.0), [100.0, *[0.0] * (n - 1)]) == pytest.approx([expected], abs=0.01)


def test_power_mean_by_hand() -> None:
    """The square root of (1 + 49) / 2 = 25 is 5; the cube root of (1 + 8 + 27) / 3 = 12 is 2.2894."""
    assert pool(PowerMean(1, exponent=2.0), [1.0, 7.0]) == pytest.approx([5.0])
    assert pool(PowerMean(1, exponent=3.0), [1.0, 2.0, 3.0]) == pytest.approx([2.2894], abs=1e-4)


@given(row=rows, exponent=st.floats(0.5, 10))
def test_power_mean_against_plain_python(row: list[float], exponent: float) -> None:
    """Values below epsilon count as epsilon."""
    mean = statistics.fmean(max(value, 1e-6) ** exponent for value in row)
    assert pool(PowerMean(1, exponent), row) == pytest.approx([mean ** (1 / exponent)], rel=1e-4)


@given(row=st.lists(st.floats(0.01, 5), min_size=1, max_size=30))
def test_power_mean_ranges_from_average_to_maximum(row: list[float]) -> None:
    """It is the average for exponent 1, and close to the maximum for a large exponent."""
    assert pool(PowerMean(1, exponent=1.0), row) == pytest.approx(pool(Avg(1), row))
    assert pool(PowerMean(1, exponent=1e5), row) == pytest.approx(pool(Max(1), row), rel=1e-3)


def test_power_mean_does_not_overflow() -> None:
    """1000 ** 100 overflows float32, but the result of 1000 and 500 is 1000 / 2 ** (1 / 100) = 993.09."""
    features = torch.tensor([[[1e3, 500.0]]], requires_grad=True)
    result = PowerMean(1, exponent=100.0)(features)
    result.sum().backward()
    assert result.item() == pytest.approx(993.09, abs=0.1)
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_what_is_learned() -> None:
    """`learned` sets whether the sharpness (one for all channels) or exponent (one per channel) is trained."""
    assert not LogMeanExp(3).log_sharpness.requires_grad
    assert LogMeanExp(3, learned=True).log_sharpness.requires_grad
    assert LogMeanExp(3).log_sharpness.numel() == 1
    assert PowerMean(3).log_exponent.requires_grad
    assert not PowerMean(3, learned=False).log_exponent.requires_grad
    assert PowerMean(3).log_exponent.numel() == 3


def test_channels_have_exponents_of_their_own() -> None:
    """Exponent 1 gives (1 + 7) / 2 = 4; exponent 2 gives sqrt((1 + 49) / 2) = 5."""
    pooling = PowerMean(2)
    pooling.load_state_dict({"log_exponent": torch.tensor([[1.0], [2.0]]).log()})
    assert pooling(torch.tensor([[[1.0, 7.0], [1.0, 7.0]]])).flatten().tolist() == pytest.approx([4.0, 5.0])


def test_p_norm_by_hand() -> None:
    """The sum of the squares of 2, 4 and 4 is 36; divided by 3 ** 0, 3 ** 1 and 3 ** 2 it is 36, 12 and 4."""
    for normalizer, expected in ((0.0, 6.0), (1.0, math.sqrt(12)), (2.0, 2.0)):
        assert pool(PNorm(1, exponent=2.0, normalizer=normalizer), [2.0, 4.0, 4.0]) == pytest.approx([expected])


def test_p_norm_starts_as_the_sum_over_the_square_root_of_the_length() -> None:
    """(1 + 3 + 2 + 2) / sqrt(4) = 4: half-way between the sum and the average. The padding does not count."""
    assert pool(PNorm(1), [1.0, 3.0, 2.0, 2.0]) == pytest.approx([4.0])
    features, mask = torch.tensor([[[9.0, 1.0, 3.0, 2.0, 2.0]]]), torch.tensor([[False, True, True, True, True]])
    assert PNorm(1)(features, mask).item() == pytest.approx(4.0)


@given(row=rows, exponent=st.floats(0.5, 10), normalizer=st.floats(-1, 2))
def test_p_norm_against_plain_python(row: list[float], exponent: float, normalizer: float) -> None:
    """Values below epsilon count as epsilon."""
    total = math.fsum(max(value, 1e-6) ** exponent for value in row)
    expected = (len(row) ** -normalizer * total) ** (1 / exponent)
    assert pool(PNorm(1, exponent, normalizer), row) == pytest.approx([expected], rel=1e-4)


@given(row=st.lists(st.floats(0.01, 5), min_size=1, max_size=30), exponent=st.floats(0.5, 10))
def test_p_norm_contains_sum_average_maximum_and_power_mean(row: list[float], exponent: float) -> None:
    """They are the special cases that its docstring names."""
    assert pool(PNorm(1, 1.0, 0.0), row) == pytest.approx(pool(Sum(1), row), rel=1e-5)
    assert pool(PNorm(1, 1.0, 1.0), row) == pytest.approx(pool(Avg(1), row), rel=1e-5)
    assert pool(PNorm(1, exponent, 1.0), row) == pytest.approx(pool(PowerMean(1, exponent), row), rel=1e-5)
    assert pool(PNorm(1, 1e5, 0.5), row) == pytest.approx(pool(Max(1), row), rel=1e-3)


def test_p_norm_learns_its_dependence_on_the_length() -> None:
    """The derivative by q is -log(n) / p times the value: for 2, 4, 4 and p = 2, q = 0 it is -log(3) / 2 * 6."""
    pooling = PNorm(1, exponent=2.0, normalizer=0.0).double()
    pooling(torch.tensor([[[2.0, 4.0, 4.0]]], dtype=torch.float64)).sum().backward()
    assert pooling.normalizer.grad is not None
    assert pooling.normalizer.grad.item() == pytest.approx(-3 * math.log(3))


def test_p_norm_gradients_of_its_weights() -> None:
    """The gradients by p and q are those of finite differences; each channel has its own p and q."""
    pooling = PNorm(2, exponent=1.5).double()
    features = torch.tensor([[[1.0, 7.0, 0.5], [2.0, 0.1, 3.0]]], dtype=torch.float64)

    def of_weights(log_exponent: Tensor, normalizer: Tensor) -> Tensor:
        weights = {"log_exponent": log_exponent, "normalizer": normalizer}
        return torch.func.functional_call(pooling, weights, (features,))

    assert torch.autograd.gradcheck(of_weights, (pooling.log_exponent, pooling.normalizer))
    assert pooling.log_exponent.shape == pooling.normalizer.shape == (2, 1)


def test_soft_count_by_hand() -> None:
    """With s = log 3 and tau = 0, a 1 counts 3/4, a 0 counts 1/2 and a -1 counts 1/4: 2.25 in total."""
    pooling = SoftCount(1, threshold=0.0, steepness=math.log(3))
    assert pool(pooling, [1.0, 1.0, 0.0, -1.0]) == pytest.approx([2.25])


def test_channels_have_thresholds_of_their_own() -> None:
    """With a very large steepness it counts: 3 values are above 0.5, and 1 is above 2.5."""
    pooling = SoftCount(2, steepness=1e4)
    pooling.load_state_dict({"threshold": torch.tensor([[0.5], [2.5]]), "log_steepness": torch.full((2, 1), 9.0)})
    features = torch.tensor([0.0, 1.0, 3.0, 2.0]).expand(1, 2, 4)
    assert pooling(features).flatten().tolist() == pytest.approx([3.0, 1.0])


@given(row=rows, threshold=st.floats(-1, 1), steepness=st.floats(0.1, 10))
def test_soft_count_against_plain_python(row: list[float], threshold: float, steepness: float) -> None:
    """The result is the sum of one sigmoid per position."""
    expected = sum(1 / (1 + math.exp(-steepness * (value - threshold))) for value in row)
    assert pool(SoftCount(1, threshold, steepness), row) == pytest.approx([expected], rel=1e-4)


@given(row=st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30))
def test_a_very_steep_soft_count_counts(row: list[float]) -> None:
    """The result is the number of positions above the threshold."""
    assert pool(SoftCount(1, threshold=0.5, steepness=1e4), row) == [sum(value > 0.5 for value in row)]


def test_soft_count_does_not_count_the_padding() -> None:
    """The zeros of the padding are above a threshold of -1, but the result is 2, not 4."""
    features, mask = torch.tensor([[[1.0, 2.0, 0.0, 0.0]]]), torch.tensor([[True, True, False, False]])
    assert SoftCount(1, threshold=-1.0, steepness=1e4)(features, mask).item() == 2.0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("strategy", "name"),
    [(LogMeanExp, "sharpness"), (PowerMean, "exponent"), (PNorm, "exponent"), (SoftCount, "steepness")],
)
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "3", True, None])
def test_must_be_above_0(strategy: type[Pooling], name: str, value: float) -> None:
    """The message names the setting, what is allowed and the value that was passed."""
    with pytest.raises(ValueError, match=f"{name}: expected a number above 0, from 1e-6 to 1e6, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)
