"""Names of runs, and the command line they come from."""

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from omegaconf import OmegaConf

from textpool.study.record import OVERRIDES, UNNAMED


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Overrides of one run as name → value; lists and the like as text."""
    parsed = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_delete():
            continue
        value = override.value()
        plain = value is None or isinstance(value, bool | int | float)
        parsed[override.get_key_element().lstrip("+~")] = (
            value if plain else override.get_value_element_as_str().strip("'\"")
        )
    return parsed


def swept_names(overrides: Sequence[str]) -> list[str]:
    """The names that a sweep's command gives more than one value."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.get_key_element().lstrip("+") for override in parsed if override.is_sweep_override()]


def count_jobs(overrides: Sequence[str], options: Callable[[str], Sequence[str]]) -> int | None:
    """How many jobs a sweep's command has: all combinations of what has several values.

    Args:
        overrides: of the sweep.
        options: gives the names of the files of a config group.

    Returns:
        None where only the sweeper knows, as of an interval.
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
            jobs[override.get_key_element()] = 1  # a later one of the same name counts
    return math.prod(jobs.values())


def run_name(
    choices: Mapping[str, str], overrides: Sequence[str], swept: Sequence[str] | None, pooling: Mapping[str, Any]
) -> str:
    """A short name that holds the pooling and what was swept, such as `kmax-k5-seed1`.

    Args:
        choices: the file chosen in each config group.
        overrides: of this run.
        swept: names of the overrides to show, beside seed and k; None: all.
        pooling: its section of the configuration. Where that takes no `k`, the name has none: runs that mean the
            same have the same name, and are run once.
    """
    idle = [*UNNAMED, "pooling", *(() if _has_k(pooling) else ("k",))]
    parts = [str(choices["pooling"])]
    for name, value in parse_overrides(overrides).items():
        if name in idle or (swept is not None and name not in (*swept, "seed", "k")):
            continue
        word = str(value)
        if "/" in word:  # a path: the last part says most, and the rest may tell two apart
            word = f"{Path(word).name}-{hashlib.sha256(word.encode()).hexdigest()[:4]}"
        key = "" if name in choices else name.rsplit(".", 1)[-1] + ("_" if isinstance(value, str) else "")
        parts.append(key + word)
    name = "-".join(re.sub(r"(?:[^\w.+]|_)+", "_", part).strip("_") for part in parts)
    if len(name) > 80:  # file systems end at 255, tables and legends much earlier
        name = name[:70] + "-" + hashlib.sha256(" ".join(overrides).encode()).hexdigest()[:8]
    return name


def _has_k(section: Any) -> bool:
    """Whether a strategy, or one of those that it is made of, takes a `k`."""
    if isinstance(section, Mapping):
        return "k" in section or any(_has_k(value) for value in section.values())
    return isinstance(section, Sequence) and not isinstance(section, str) and any(map(_has_k, section))


OmegaConf.register_new_resolver("run_name", run_name, replace=True)


def resume_arguments(arguments: Sequence[str]) -> list[str]:
    """The command line of a run that goes on: its own settings first, then what this command adds.

    Raises:
        ValueError: if `resume=` names a file that is not a checkpoint in a run's folder.
    """
    given = [argument.removeprefix("resume=").strip("'\"") for argument in arguments if argument.startswith("resume=")]
    if not given or given[-1] in ("null", ""):
        return list(arguments)
    if {"-m", "--multirun"} & set(arguments):
        raise ValueError("resume: one run goes on at a time: leave -m out; an unfinished sweep is its command again")
    checkpoint = Path(given[-1])
    folder = checkpoint.resolve().parent.parent
    settings = folder / OVERRIDES
    if not checkpoint.is_file() or not settings.is_file():
        raise ValueError(
            f"resume: expected the path of a checkpoint in the folder of a run, such as "
            f"logs/my_study/max/checkpoints/last.ckpt, got {checkpoint}"
        )
    own = yaml.safe_load(settings.read_text(encoding="utf-8"))
    added = [argument for argument in arguments if not argument.startswith("resume=")]
    first = next((index for index, argument in enumerate(added) if "=" in argument and argument[0] != "-"), len(added))
    flags, added = added[:first], added[first:]
    own = [one for one in own if one not in added and not one.startswith(("resume=", "overwrite="))]
    places = {"resume": checkpoint.resolve(), "study": folder.parent.name, "hydra.run.dir": folder}
    quoted = (str(place).replace("\\", "\\\\").replace("'", "\\'") for place in places.values())
    return [*flags, *own, *added, *(f"{name}='{place}'" for name, place in zip(places, quoted, strict=True))]
