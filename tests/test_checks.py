"""Checks of what users may set."""

import math

import pytest

from textpool.checks import positive


@pytest.mark.parametrize("value", [3, 0.5, 1e-6])
def test_positive_lets_numbers_above_0_pass(value: float) -> None:
    """As a float, whatever it was written as."""
    result = positive("scale", value)
    assert result == value
    assert isinstance(result, float)


@pytest.mark.parametrize("value", [0, 0.0, 1e-46, -1, -0.5, math.nan, math.inf, 1e39, 10**400, "3", True, None, [1.0]])
def test_positive_says_what_is_wrong(value: object) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(ValueError, match=r"^scale: expected a number above 0, from 1e-6 to 1e6, got") as error:
        positive("scale", value)
    assert repr(value) in str(error.value)
