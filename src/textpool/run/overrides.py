"""Hydra's command-line overrides, read with Hydra's own parser."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, RangeSweep


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Overrides of one run as setting → value; lists and the like as text."""
    parsed = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_delete():
            continue
        value = override.value()
        plain = value is None or isinstance(value, bool | int | float)
        text = override.get_value_element_as_str().strip("'\"")
        parsed[override.get_key_element().lstrip("+~")] = value if plain else text
    return parsed


def swept_names(overrides: Sequence[str]) -> list[str]:
    """The settings to which a sweep's command gives more than one value."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.get_key_element().lstrip("+") for override in parsed if override.is_sweep_override()]


def count_jobs(overrides: Sequence[str], options: Callable[[str], Sequence[str]]) -> int | None:
    """The number of jobs of a sweep: all combinations of the settings that have several values.

    Args:
        overrides: of the sweep; of two for the same setting, the later one counts.
        options: gives the options of a config group.

    Returns:
        None where only the sweeper knows the number, as for an interval.
    """
    jobs: dict[str, int] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        values = override.value()
        if isinstance(values, Glob):
            jobs[override.get_key_element()] = len(values.filter(list(options(override.key_or_group))))
        elif override.is_discrete_sweep():
            jobs[override.get_key_element()] = len(list(override.sweep_iterator()))
        elif override.is_sweep_override():
            return None
        else:
            jobs[override.get_key_element()] = 1
    return math.prod(jobs.values())


def one_at_a_time(overrides: Sequence[str], options: Callable[[str], Sequence[str]]) -> list[list[str]]:
    """Jobs of a sweep that have each of its values at least once: all first values, then each other value alone.

    Of a range only the two ends, and of an interval nothing, since only its sweeper knows the values.

    Args:
        overrides: of the sweep; of two for the same setting, the later one counts.
        options: gives the options of a config group.

    Returns:
        The overrides of each job.
    """
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        value, name = override.value(), override.get_key_element()
        if isinstance(value, Glob):
            choices[name] = [f"{name}={option}" for option in value.filter(list(options(override.key_or_group)))]
        elif override.is_discrete_sweep():
            given = [f"{name}={text}" for text in override.sweep_string_iterator()]
            choices[name] = [given[0], given[-1]] if isinstance(value, RangeSweep) and given else given
        elif not override.is_sweep_override():
            choices[name] = [str(override.input_line)]
    first = {name: texts[0] for name, texts in choices.items() if texts}
    jobs = [list(first.values())]
    for name in first:
        jobs += [list({**first, name: text}.values()) for text in dict.fromkeys(choices[name]) if text != first[name]]
    return jobs


def values_of(name: str, overrides: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """The values that the last override for a setting gives it; none if there is no override.

    Args:
        name: of the setting or of the config group.
        overrides: of a run or a sweep.
        options: of the group; empty for a setting.
    """
    found: list[str] = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.key_or_group != name:
            continue
        value = override.value()
        if isinstance(value, Glob):
            found = value.filter(list(options))
        else:
            found = list(override.sweep_string_iterator()) if override.is_discrete_sweep() else [str(value)]
    return found
