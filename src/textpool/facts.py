"""What a run is, as facts: its factors, and the folder names, labels and columns that are made of them.

This module alone knows settings by their names (`k`, `seed`, `study`, …). A factor is a setting that may tell two
configurations apart; its name is the setting's dotted name (`pooling.k`, `data.n_filler`), or that of a config group
(`pooling`, `data`), whose value is the option chosen.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Scalar = str | int | float | bool | None

GROUPS = ("pooling", "data", "model")  # config groups whose choice is always a factor
# settings without influence on the numbers
PRESENTATION = (
    "study",
    "resume",
    "overwrite",
    "stop_on_failure",
    "logger",
    "baseline",
    "equal_within",
    "choose",
    "explain",
)
FOLD = "data.fold"  # of a cross-validation: runs of other folds are repetitions, as those of other seeds
NO_FACTOR = (*PRESENTATION, "experiment", "debug", "threads", "seed", "k", FOLD)  # k reaches a factor through `k: ${k}`
SHARED = ("k",)  # top-level settings that do nothing by themselves: the pooling's settings refer to them
# settings that older runs do not have, with the value that says the same as none
ADDED: Mapping[str, Scalar] = {
    "compile": False,
    "model.embedding_range": None,
    "model.filter_range": None,
    "model.linear_range": None,
    "model.max_norm": None,
    "vectors": None,
    "tune_vectors": True,
    "data.test_lengths": None,
    "data.fewest": 1,
    "data.bucket": False,
    "data.folds": None,
    "data.fold": None,
}
MOST_BYTES = 200  # likewise; a character has up to four
LONGEST = 80  # characters of a folder name; file systems allow 255, tables and legends much less


@dataclass(frozen=True)
class Facts:
    """What one run is.

    Attributes:
        factors: name → value: the pooling chosen and its own settings as used, the data and the model chosen, and
            what the command set; neither the seed nor settings that follow it (`data.seed=${seed}`), nor the fold.
        seed: of the training.
        overrides: what the command set, setting → value.
        choices: the option chosen in each config group.
        follows_seed: settings whose values depend on the seed.
        swept: settings that have several values in this sweep; None for a run that is no part of one.
        fold: of a cross-validation; None: there is none.
    """

    factors: Mapping[str, Scalar]
    seed: int | None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    follows_seed: Sequence[str] = ()
    swept: Sequence[str] | None = None
    fold: int | None = None

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        reseeded: Mapping[str, Any],
        choices: Mapping[str, str],
        overrides: Mapping[str, Any],
        swept: Sequence[str] | None = None,
    ) -> "Facts":
        """The facts of a configuration.

        Args:
            config: the resolved configuration.
            reseeded: the same configuration, resolved with another seed.
            choices: the option chosen in each config group.
            overrides: what the command set, setting → value.
            swept: settings that have several values in this sweep.
        """
        settings, others = flatten(decisive(config)), flatten(decisive(reseeded))
        follows = [name for name, value in settings.items() if value != others.get(name) and name != "seed"]
        names = [*GROUPS, *(name for name in settings if is_own(name)), *overrides]
        fold = config["data"].get("fold") if isinstance(config.get("data"), Mapping) else None
        factors = {
            name: value_of(name, choices, config)
            for name in dict.fromkeys(names)
            if not {name, name.split(".")[0]} & {"hydra", *NO_FACTOR} and "/" not in name and name not in follows
        }
        return cls(factors, config.get("seed"), overrides, choices, follows, swept, fold)

    @property
    def folder_name(self) -> str:
        """A short name such as `kmax-k5-seed1`: the pooling, what was swept, and settings of the pooling's own.

        In a run that is no part of a sweep, everything that the command set.
        """
        shown = [*named(self.overrides, self.factors), *self._swept_factors()]
        words = label(self.factors, shown, self.choices)
        if "seed" in self.overrides:
            words += f"-seed{self.seed}"
        if FOLD in self.overrides:
            words += f"-fold{self.fold}"
        if len(words) > LONGEST or len(words.encode()) > MOST_BYTES:
            kept = words[: LONGEST - 10].encode()[: MOST_BYTES - 10].decode(errors="ignore")
            words = f"{kept}-{_hash(words, 8)}"
        return words

    def _swept_factors(self) -> list[str]:
        """Factors to show in the folder name beside those of the pooling."""
        return [name for name in self.overrides if self.swept is None or name in self.swept]


def flatten(settings: Any, name: str = "") -> dict[str, Scalar]:
    """Nested settings as dotted name → value; keys of Hydra's own such as `_target_` are left out.

    A list of plain values is one value, written as `[1,2]`; of a list of sections each has a number as its name.
    """
    if isinstance(settings, Mapping):
        parts = {str(key): value for key, value in settings.items() if not re.fullmatch(r"_\w+_", str(key))}
    elif isinstance(settings, list | tuple) and any(isinstance(value, Mapping) for value in settings):
        parts = {str(number): value for number, value in enumerate(settings)}
    else:
        return {name: _scalar(settings)}
    flat: dict[str, Scalar] = {}
    for key, value in parts.items():
        flat |= flatten(value, f"{name}.{key}" if name else key)
    return flat


def value_of(name: str, choices: Mapping[str, str], config: Mapping[str, Any]) -> Scalar:
    """The value of a factor: the option chosen in a config group, or a setting; that of `ADDED` where there is none."""
    if name in choices:
        return str(choices[name])
    node: Any = config
    for key in name.split("."):
        if isinstance(node, list | tuple) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            return ADDED.get(name)
    return _scalar(node)


def is_own(name: str) -> bool:
    """Whether a factor is a setting of the pooling's own, such as `pooling.k`."""
    return name.startswith("pooling.")


def compared_apart(name: str) -> bool:
    """Whether runs that differ in a factor belong to comparisons of their own, each with its own baseline."""
    return name not in ("pooling", "study") and not is_own(name)


def named(overrides: Mapping[str, Any], factors: Iterable[str]) -> list[str]:
    """Settings of the pooling's own that a command set, directly (`pooling.k=5`) or by their shared name (`k=5`)."""
    return [
        name
        for name in factors
        if is_own(name) and (name in overrides or (name.split(".")[-1] in SHARED and name.split(".")[-1] in overrides))
    ]


def label(factors: Mapping[str, Scalar], shown: Iterable[str], choices: Iterable[str] = GROUPS) -> str:
    """The pooling and some of the factors in a word, such as `kmax-k5-order-n_filler16`.

    Args:
        factors: name → value, with `pooling`.
        shown: names of the factors to show.
        choices: names of config groups; their values are shown without the group's name.
    """
    shown = set(shown)
    short = short_names(factors)
    own = [name for name in factors if is_own(name) and name in shown]
    others = [name for name in factors if name in shown and name != "pooling" and not is_own(name)]
    words = [_word("", factors["pooling"])]
    words += [_word("" if name in choices else short[name], factors[name]) for name in (*own, *others)]
    return "-".join(words)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each dotted name with its shortest end that means no other name, nor `seed`: `n_filler`, but `data.seed`."""
    names = list(dict.fromkeys([*names, "seed"]))
    short = {}
    for name in names:
        parts = name.split(".")
        ends = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        taken = [other for other in names if other != name]
        short[name] = next((end for end in ends if not any(f".{other}".endswith(f".{end}") for other in taken)), name)
    return short


def setting_in_words(name: str, value: Scalar, names: Iterable[str], choices: Iterable[str] = GROUPS) -> str:
    """A factor in a heading: `order` for the option of a group, `n_filler 16` for a setting."""
    shown = "none" if value is None else str(value)
    return shown if name in choices else f"{short_names(names)[name]} {shown}"


def hyperparameters(facts: Facts, config: Mapping[str, Any]) -> dict[str, Scalar]:
    """Columns of TensorBoard's HParams page: the same ones in every run of a sweep; None where a run has no value."""
    own_k = (value for name, value in facts.factors.items() if is_own(name) and name.endswith(".k"))
    columns: dict[str, Scalar] = {
        "pooling": facts.factors.get("pooling"),
        "k": next(own_k, None),
        "seed": facts.seed,
        "lr": value_of("optimizer.lr", {}, config),
    }
    short = short_names(facts.factors)
    for name in facts.swept or ():
        if name == FOLD:
            columns["fold"] = facts.fold
        elif name in facts.factors:
            columns.setdefault(short[name], facts.factors[name])
    return columns


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides the numbers of a run."""
    return _without_added({key: value for key, value in config.items() if key not in (*PRESENTATION, *SHARED)})


def _without_added(settings: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Settings without those of `ADDED` that say the same as none, those in the sections below included."""
    return {
        key: _without_added(value, f"{section}{key}.") if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if f"{section}{key}" not in ADDED or value != ADDED[f"{section}{key}"]
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """A hash of what decides a run's numbers: the same for configurations that mean the same."""
    return _hash(json.dumps(decisive(config), sort_keys=True), 16)


def group_hash(config: Mapping[str, Any], follows_seed: Iterable[str]) -> str:
    """A hash of a configuration without its seed, the settings that follow it, and the fold."""
    ignored = {"seed", FOLD, *follows_seed}
    kept = {name: value for name, value in flatten_all(decisive(config)).items() if name not in ignored}
    return _hash(json.dumps(kept, sort_keys=True), 16)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings in which two configurations differ, among those that decide the numbers: name, before, after."""
    old, new = flatten_all(decisive(before)), flatten_all(decisive(after))
    names = dict.fromkeys([*old, *new])
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def flatten_all(settings: Any, name: str = "") -> dict[str, Any]:
    """Nested settings as dotted name → value, with Hydra's own keys; lists stay values."""
    if not isinstance(settings, Mapping):
        return {name: settings}
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten_all(value, f"{name}.{key}" if name else str(key))
    return flat


def _scalar(value: Any) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return re.sub(r"[\s'\"]+", "", str(value))


def _word(key: str, value: Scalar) -> str:
    """A value, behind its name if it has one, in characters that every file system takes."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    is_path = "/" in text and "." in text  # unlike `val/loss`
    kept = Path(text).name if is_path else text
    word = re.sub(r"(?:[^\w.+]|_)+", "_", f"{key}{'_' if key and not number else ''}{kept}").strip("_")
    # a hash where two values may differ in what was left out or replaced
    lossy = is_path or re.search(r"[^\w.+,\[\]\-/ ]", text) is not None
    return f"{word}_{_hash(text, 4)}" if lossy else word


def _hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
