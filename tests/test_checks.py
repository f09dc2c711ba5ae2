"""Validation of settings: valid values are returned, and errors say what was expected and what was given."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from textpool.checks import between, fraction, integer, number, one_of, positive, proportion, span, switch


@pytest.mark.parametrize(
    ("check", "arguments", "value", "returned"),
    [
        (integer, {"least": 1}, 1, 1),
        (span, {}, [2, 2], (2, 2)),
        (span, {}, (1, 9), (1, 9)),
        (switch, {}, True, True),
        (switch, {}, False, False),
        (number, {}, -3, -3.0),
        (number, {}, 0.5, 0.5),
        (positive, {}, 3, 3.0),
        (positive, {}, 0.5, 0.5),
        (positive, {}, 1e-6, 1e-6),
        (between, {"low": 0, "high": 2}, 1, 1.0),
        (fraction, {}, 0, 0.0),
        (fraction, {}, 0.99, 0.99),
        (proportion, {}, 0, 0.0),
        (proportion, {}, 1, 1.0),
        (one_of, {"allowed": ["a", "b"]}, "b", "b"),
    ],
)
def test_valid_value_is_returned(check: Callable[..., Any], arguments: dict[str, Any], value: Any, returned: Any):
    """A valid value passes, and an integer becomes a float where any number is allowed."""
    result = check("scale", value, **arguments)
    assert result == returned
    assert type(result) is type(returned)


@pytest.mark.parametrize(
    ("check", "arguments", "values", "expected"),
    [
        (integer, {"least": 1}, [0, 1.0, "1", True, None], "an integer of at least 1"),
        (span, {}, [3, [1], [1, 2, 3], None], "two integers [minimum, maximum]"),
        (switch, {}, [0, 1, "true", None, []], "true or false"),
        (number, {}, [math.nan, math.inf, -math.inf, 10**400, "3", True, None, [1.0]], "a number"),
        (
            positive,
            {},
            [0, 0.0, 1e-46, -1, -0.5, math.nan, math.inf, 1e39, 10**400, "3", True, None, [1.0]],
            "a number above 0, from 1e-6 to 1e6",
        ),
        (between, {"low": 0, "high": 2}, [0, 2, math.nan, True, "1"], "a number between 0 and 2"),
        (fraction, {}, [-0.1, 1, math.nan, False, "0"], "a number of at least 0 and less than 1"),
        (proportion, {}, [-0.1, 1.1, math.nan, True, "1"], "a number from 0 to 1"),
        (one_of, {"allowed": ["a", "b"]}, ["c", None], "one of a, b"),
    ],
)
def test_error_names_setting_allowed_values_and_given_value(
    check: Callable[..., Any], arguments: dict[str, Any], values: list[Any], expected: str
):
    """A user who sets a wrong value can correct it from the message alone."""
    for value in values:
        with pytest.raises(ValueError, match="scale") as error:
            check("scale", value, **arguments)
        assert str(error.value) == f"scale: expected {expected}, got {value!r}"


@pytest.mark.parametrize(("value", "expected"), [([0, 1], "at least 1, got 0"), ([3, 2], "at least 3, got 2")])
def test_both_ends_of_a_span_are_checked(value: list[int], expected: str):
    """The minimum is at least 1, and the maximum is at least the minimum."""
    with pytest.raises(ValueError, match=f"^scale: expected an integer of {expected}$"):
        span("scale", value)
