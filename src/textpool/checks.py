"""Validation of settings: every error message names the setting, the allowed values and the given value."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard


def integer(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return `value` if it is an integer of at least `least`, and at most `most`, otherwise raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
    if most is not None and value > most:
        raise ValueError(f"{name}: expected an integer of at most {most:,}, got {value:,}")
    return value


def span(name: str, value: Sequence[int]) -> tuple[int, int]:
    """Return `value` if it is two integers [minimum, maximum], both at least 1, otherwise raise ValueError."""
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"{name}: expected two integers [minimum, maximum], got {value!r}")
    minimum = integer(name, value[0], least=1)
    return minimum, integer(name, value[1], least=minimum)


def switch(name: str, value: object) -> bool:
    """Return `value` if it is True or False, otherwise raise ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, got {value!r}")
    return value


def number(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number, otherwise raise ValueError."""
    if not _is_number(value) or not abs(value) <= sys.float_info.max:  # the comparison is false for NaN
        raise ValueError(f"{name}: expected a number, got {value!r}")
    return float(value)


def positive(name: str, value: object) -> float:
    """Return `value` as a float if it is a number from 1e-6 to 1e6, otherwise raise ValueError.

    Powers of a number outside this range can overflow or underflow in single precision.
    """
    if not _is_number(value) or not 1e-6 <= value <= 1e6:
        raise ValueError(f"{name}: expected a number above 0, from 1e-6 to 1e6, got {value!r}")
    return float(value)


def between(name: str, value: object, low: float, high: float) -> float:
    """Return `value` as a float if it lies between `low` and `high`, both excluded, otherwise raise ValueError."""
    if not _is_number(value) or not low < value < high:
        raise ValueError(f"{name}: expected a number between {low} and {high}, got {value!r}")
    return float(value)


def fraction(name: str, value: object) -> float:
    """Return `value` as a float if it is at least 0 and less than 1, otherwise raise ValueError."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number of at least 0 and less than 1, got {value!r}")
    return float(value)


def proportion(name: str, value: object) -> float:
    """Return `value` as a float if it is a number from 0 to 1, otherwise raise ValueError."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {value!r}")
    return float(value)


def one_of(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`, otherwise raise ValueError."""
    names = list(allowed)
    if value not in names:
        raise ValueError(f"{name}: expected one of {', '.join(names)}, got {value!r}")
    return str(value)


def check_words(words: object, lists: Iterable[str], single: Iterable[str] = ()) -> None:
    """Raise ValueError unless `words` has a list of at least one word under some keys, and a word under others."""
    if not isinstance(words, Mapping):
        raise ValueError(f"words: expected words under {', '.join([*single, *lists])}, got {words!r}")
    for key in single:
        if not isinstance(words.get(key), str) or not words[key]:
            raise ValueError(f"words.{key}: expected a word, got {words.get(key)!r}")
    for key in lists:
        value = words.get(key)
        if not isinstance(value, list | tuple) or not value or not all(isinstance(word, str) for word in value):
            raise ValueError(f"words.{key}: expected a list of at least one word, got {value!r}")


def cut(text: str, most: int = 1000) -> str:
    """A text of at most about `most` characters, so that no message fills a terminal."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` is an integer or a float; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool)
