"""Average, sums, smooth maxima and the count against plain Python and values worked by hand."""

import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textpool.pooling import Avg, LogMeanExp, Max, Pooling, PowerMean, SoftCount, SqrtSum, Stats, Sum

rows = st.lists(st.floats(-5, 5), min_size=1, max_size=30)


def pool(pooling: Pooling, row: list[float]) -> list[float]:
    return pooling.double()(torch.tensor([[row]], dtype=torch.float64)).flatten().tolist()


@pytest.mark.parametrize(
    ("row", "mean"), [([0.1, 0.0, 3.5, 0.2, 0.1], 0.78), ([1.2, 1.5, 1.3, 1.4, 1.1], 1.30), ([2.1, 1.5, 1.8], 1.80)]
)
def test_average_of_the_lesson(row: list[float], mean: float) -> None:
    """The lesson's worked values."""
    assert Avg(1)(torch.tensor([[row]])).item() == pytest.approx(mean)


def test_average_leaves_the_padding_out() -> None:
    """The lesson's example: 1.80 over the 3 real positions, not 1.08 over all 5."""
    features = torch.tensor([[[2.1, 1.5, 1.8, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert Avg(1)(features, mask).item() == pytest.approx(1.80)
    assert Avg(1)(features).item() == pytest.approx(1.08)


@given(row=rows)
def test_average_against_plain_python(row: list[float]) -> None:
    """Sum over number."""
    result = Avg(1)(torch.tensor([[row]], dtype=torch.float64)).item()
    assert result == pytest.approx(sum(row) / len(row), abs=1e-12)


def test_sum_by_hand() -> None:
    """1 + 3 + 2, and nothing of the padding."""
    assert pool(Sum(1), [1.0, 3.0, 2.0]) == [6.0]
    features, mask = torch.tensor([[[1.0, 3.0, 2.0, 9.0]]]), torch.tensor([[True, True, True, False]])
    assert Sum(1)(features, mask).item() == 6.0


def test_sqrt_sum_by_hand() -> None:
    """(1 + 3 + 2 + 0) / 2: the root of 4 positions, also where a fifth is padding."""
    assert pool(SqrtSum(1), [1.0, 3.0, 2.0, 0.0]) == [3.0]
    features, mask = torch.tensor([[[1.0, 3.0, 2.0, 0.0, 9.0]]]), torch.tensor([[True, True, True, True, False]])
    assert SqrtSum(1)(features, mask).item() == 3.0


@given(row=rows)
def test_sums_against_plain_python(row: list[float]) -> None:
    """The sum, and the sum over the root of the number."""
    assert pool(Sum(1), row) == pytest.approx([sum(row)], abs=1e-12)
    assert pool(SqrtSum(1), row) == pytest.approx([sum(row) / math.sqrt(len(row))], abs=1e-12)


def test_stats_by_hand() -> None:
    """Mean 5; squares 9, 1, 1, 1, 0, 0, 4, 16 add up to 32, over 8 is 4, whose root is 2."""
    assert pool(Stats(1), [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]) == pytest.approx([5.0, 2.0])


@given(row=rows)
def test_stats_against_plain_python(row: list[float]) -> None:
    """The deviation divides by n, not by n - 1."""
    assert pool(Stats(1), row) == pytest.approx([statistics.fmean(row), statistics.pstdev(row)], abs=1e-9)


def test_stats_of_one_position() -> None:
    """One value does not deviate from itself."""
    assert pool(Stats(1), [3.5]) == [3.5, 0.0]


def test_stats_of_an_on_or_off_filter() -> None:
    """On at 1 of 4 positions: the deviation is sqrt(0.25 * 0.75) = 0.4330."""
    assert pool(Stats(1), [0.0, 1.0, 0.0, 0.0]) == pytest.approx([0.25, 0.4330], abs=1e-4)


@pytest.mark.parametrize("row", [[2.0, 2.0, 2.0], [0.0, 0.0], [0.1, 0.1, 0.1], [-3.0]])
def test_deviation_of_equal_values_has_no_gradient(row: list[float]) -> None:
    """The root has no slope at 0: without care the gradient is NaN, after a ReLU in most sentences."""
    features = torch.tensor([[row]], requires_grad=True)
    deviation = Stats(1)(features)[..., 1]
    deviation.sum().backward()
    assert deviation.item() == pytest.approx(0.0, abs=1e-6)
    assert features.grad is not None
    assert features.grad.flatten().tolist() == pytest.approx([0.0] * len(row), abs=1e-6)


def test_log_mean_exp_by_hand() -> None:
    """With r = log 2 the exponentials are 1, 1, 2, 4: their mean is 2, which is 2 to the power of 1."""
    assert pool(LogMeanExp(1, sharpness=math.log(2)), [0.0, 0.0, 1.0, 2.0]) == pytest.approx([1.0])


@given(row=rows, sharpness=st.floats(0.1, 20))
def test_log_mean_exp_against_plain_python(row: list[float], sharpness: float) -> None:
    """The formula, and the promise: never above the maximum, and at most log(n) / r below it."""
    mean = statistics.fmean(math.exp(sharpness * value) for value in row)
    [result] = pool(LogMeanExp(1, sharpness), row)
    assert result == pytest.approx(math.log(mean) / sharpness, abs=1e-5)
    assert max(row) - math.log(len(row)) / sharpness - 1e-5 <= result <= max(row) + 1e-5


@given(row=rows)
def test_log_mean_exp_lies_between_average_and_maximum(row: list[float]) -> None:
    """The average for a small sharpness, the maximum for a large one."""
    assert pool(LogMeanExp(1, sharpness=1e-5), row) == pytest.approx(pool(Avg(1), row), abs=1e-3)
    assert pool(LogMeanExp(1, sharpness=1e5), row) == pytest.approx(pool(Max(1), row), abs=1e-3)


@pytest.mark.parametrize("n", [4, 400])
def test_log_mean_exp_fades_as_the_logarithm_of_the_length(n: int) -> None:
    """One occurrence far above the rest reaches the bound: 100 - log(4) = 98.61, 100 - log(400) = 94.01."""
    expected = {4: 98.61, 400: 94.01}[n]
    assert pool(LogMeanExp(1, sharpness=1.0), [100.0, *[0.0] * (n - 1)]) == pytest.approx([expected], abs=0.01)


def test_power_mean_by_hand() -> None:
    """(1 + 49) / 2 = 25, whose root is 5; and (1 + 8 + 27) / 3 = 12, whose third root is 2.2894."""
    assert pool(PowerMean(1, exponent=2.0), [1.0, 7.0]) == pytest.approx([5.0])
    assert pool(PowerMean(1, exponent=3.0), [1.0, 2.0, 3.0]) == pytest.approx([2.2894], abs=1e-4)


@given(row=rows, exponent=st.floats(0.5, 10))
def test_power_mean_against_plain_python(row: list[float], exponent: float) -> None:
    """What is below epsilon counts as epsilon."""
    mean = statistics.fmean(max(value, 1e-6) ** exponent for value in row)
    assert pool(PowerMean(1, exponent), row) == pytest.approx([mean ** (1 / exponent)], rel=1e-4)


@given(row=st.lists(st.floats(0.01, 5), min_size=1, max_size=30))
def test_power_mean_lies_between_average_and_maximum(row: list[float]) -> None:
    """The average for the exponent 1, the maximum for a large one."""
    assert pool(PowerMean(1, exponent=1.0), row) == pytest.approx(pool(Avg(1), row))
    assert pool(PowerMean(1, exponent=1e5), row) == pytest.approx(pool(Max(1), row), rel=1e-3)


def test_power_mean_runs_over_nowhere() -> None:
    """1000 to the power of 100 is beyond float32: 1000 and 500 give 1000 / 2 ** (1 / 100) = 993.09."""
    features = torch.tensor([[[1e3, 500.0]]], requires_grad=True)
    result = PowerMean(1, exponent=100.0)(features)
    result.sum().backward()
    assert result.item() == pytest.approx(993.09, abs=0.1)
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_what_is_learned() -> None:
    """One sharpness for all channels, if asked for; one exponent a channel, unless asked not to."""
    assert not LogMeanExp(3).log_sharpness.requires_grad
    assert LogMeanExp(3, learned=True).log_sharpness.requires_grad
    assert LogMeanExp(3).log_sharpness.numel() == 1
    assert PowerMean(3).log_exponent.requires_grad
    assert not PowerMean(3, learned=False).log_exponent.requires_grad
    assert PowerMean(3).log_exponent.numel() == 3


def test_channels_have_exponents_of_their_own() -> None:
    """Exponent 1: (1 + 7) / 2 = 4; exponent 2: 5."""
    pooling = PowerMean(2)
    pooling.load_state_dict({"log_exponent": torch.tensor([[1.0], [2.0]]).log()})
    assert pooling(torch.tensor([[[1.0, 7.0], [1.0, 7.0]]])).flatten().tolist() == pytest.approx([4.0, 5.0])


def test_soft_count_by_hand() -> None:
    """With s = log 3 and tau = 0: 3/4 for 1, 1/2 for 0, 1/4 for -1, so 0.75 + 0.75 + 0.5 + 0.25."""
    pooling = SoftCount(1, threshold=0.0, steepness=math.log(3))
    assert pool(pooling, [1.0, 1.0, 0.0, -1.0]) == pytest.approx([2.25])


def test_channels_have_thresholds_of_their_own() -> None:
    """Very steep: 3 of the values are above 0.5, and 1 above 2.5."""
    pooling = SoftCount(2, steepness=1e4)
    pooling.load_state_dict({"threshold": torch.tensor([[0.5], [2.5]]), "log_steepness": torch.full((2, 1), 9.0)})
    features = torch.tensor([0.0, 1.0, 3.0, 2.0]).expand(1, 2, 4)
    assert pooling(features).flatten().tolist() == pytest.approx([3.0, 1.0])


@given(row=rows, threshold=st.floats(-1, 1), steepness=st.floats(0.1, 10))
def test_soft_count_against_plain_python(row: list[float], threshold: float, steepness: float) -> None:
    """One sigmoid a position."""
    expected = sum(1 / (1 + math.exp(-steepness * (value - threshold))) for value in row)
    assert pool(SoftCount(1, threshold, steepness), row) == pytest.approx([expected], rel=1e-4)


@given(row=st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30))
def test_a_very_steep_soft_count_counts(row: list[float]) -> None:
    """The number of positions above the threshold."""
    assert pool(SoftCount(1, threshold=0.5, steepness=1e4), row) == [sum(value > 0.5 for value in row)]


def test_soft_count_does_not_count_the_padding() -> None:
    """Its zeros are above a threshold of -1, yet 2 are counted, not 4."""
    features, mask = torch.tensor([[[1.0, 2.0, 0.0, 0.0]]]), torch.tensor([[True, True, False, False]])
    assert SoftCount(1, threshold=-1.0, steepness=1e4)(features, mask).item() == 2.0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("strategy", "name"), [(LogMeanExp, "sharpness"), (PowerMean, "exponent"), (SoftCount, "steepness")]
)
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "3", True, None])
def test_must_be_above_0(strategy: type[Pooling], name: str, value: float) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(ValueError, match=f"{name}: expected a number above 0, from 1e-6 to 1e6, got") as error:
        strategy(1, **{name: value})
    assert repr(value) in str(error.value)
