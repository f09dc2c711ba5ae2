"""Checks of what users may set: each error names the setting, what is allowed and what came."""

from collections.abc import Iterable, Sequence


def integer(name: str, value: object, least: int) -> int:
    """Return `value` if it is an integer of at least `least`, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
    return value


def span(name: str, value: Sequence[int]) -> tuple[int, int]:
    """Return `value` if it is two integers, the least and the most, or raise ValueError."""
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"{name}: expected two integers [least, most], got {value!r}")
    least = integer(name, value[0], least=1)
    return least, integer(name, value[1], least=least)


def positive(name: str, value: object) -> float:
    """Return `value` if it is a number above 0 of which single precision can take powers, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-6 <= value <= 1e6:
        raise ValueError(f"{name}: expected a number above 0, from 1e-6 to 1e6, got {value!r}")
    return float(value)


def between(name: str, value: object, low: float, high: float) -> float:
    """Return `value` if it is a number between two others and neither of them, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
        raise ValueError(f"{name}: expected a number between {low} and {high}, got {value!r}")
    return float(value)


def fraction(name: str, value: object) -> float:
    """Return `value` if it is a number in [0, 1), or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number from 0 up to, not including, 1, got {value!r}")
    return float(value)


def one_of(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`, or raise ValueError."""
    names = list(allowed)
    if value not in names:
        raise ValueError(f"{name}: expected one of {', '.join(names)}, got {value!r}")
    return str(value)
