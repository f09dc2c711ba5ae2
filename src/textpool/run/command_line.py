"""The command line, checked before Hydra starts: a mistake is one line that says what to write instead."""

import argparse
import functools
import inspect
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import get_object
from omegaconf import OmegaConf

from textpool.facts import SHARED, flatten_all
from textpool.run.help import first_sentence

# packages that add options to these groups, such as hydra-joblib-launcher, and the extras of textpool that have them
PLUGINS = {"hydra/launcher": ("joblib", "submitit", "ray", "rq"), "hydra/sweeper": ("optuna", "nevergrad")}
NEEDED = ("data", "model", "optimizer", "pooling", "trainer")  # groups of which a run needs an option
EXTRAS = {"joblib": "sweep", "submitit": "cluster", "ray": "ray", "optuna": "search"}


def accept_help_of_hydra() -> None:
    """Let argparse of Python 3.14 accept Hydra's help of `--shell-completion`.

    It is an object that is not a string, and from this version on argparse checks the text of a help when an option is
    added (https://github.com/facebookresearch/hydra/issues/3121). For strings the check remains.
    """
    check = getattr(argparse.ArgumentParser, "_check_help", None)
    if check is None or hasattr(check, "__wrapped__"):
        return

    @functools.wraps(check)
    def check_strings(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, str):
            check(parser, action)

    setattr(argparse.ArgumentParser, "_check_help", check_strings)  # noqa: B010 (unknown to the type checker)


def check_command(arguments: Sequence[str], conf: Path) -> None:
    """Refuse a command line that Hydra would refuse, or that sets something that nothing reads.

    Args:
        arguments: those of the command, as in `sys.argv[1:]`.
        conf: folder of the configuration.

    Raises:
        ValueError: because of the first mistake; the message says what to write instead.
    """
    settings = [number for number, text in enumerate(arguments) if "=" in text and not text.startswith("-")]
    between = [text for text in arguments[min(settings, default=0) : max(settings, default=0)] if text.startswith("-")]
    if between:
        raise ValueError(f"{between[0]}: put it in front of all settings")
    accept_help_of_hydra()
    args = get_args_parser().parse_args(list(arguments))
    if any((args.help, args.hydra_help, args.shell_completion, args.info, args.config_path, args.experimental_rerun)):
        return
    if args.config_dir and not Path(args.config_dir).is_dir():
        raise ValueError(f"--config-dir: no such folder: {args.config_dir}")
    overrides = [_parse(text) for text in args.overrides]
    known = Known(conf, args.config_dir, args.config_name or "train", overrides)
    sweep = args.multirun or "hydra.mode=MULTIRUN" in args.overrides
    for override in overrides:
        name = override.key_or_group
        if override.is_sweep_override() and not sweep:
            a_list = "" if known.is_group(name) else f"; for a list write {name}=[{override.get_value_string()}]"
            raise ValueError(f"{override.input_line}: several values: add -m for a run with each of them{a_list}")
        if known.is_group(name):
            known.check_group(override)
    params = known.params() if sweep else []
    swept = known.swept([*params, *overrides])
    for override in overrides:
        if override.is_hydra_override():
            known.check_hydra(override)
        elif not known.is_group(override.key_or_group):
            known.check_setting(override, swept)
    set_by_command = {override.key_or_group for override in (*params, *overrides)}
    missing = [name for name, value in known.settings().items() if value == "???" and name not in set_by_command]
    if missing and not args.cfg:
        raise ValueError(f"{missing[0]}: a value is needed: set {missing[0]}=…")


class Known:
    """The groups, the options and the settings that there are.

    Args:
        conf: folder of the configuration.
        config_dir: a further folder, as after `--config-dir`.
        config_name: name of the primary file.
        overrides: those of the command.
    """

    def __init__(self, conf: Path, config_dir: str | None, config_name: str, overrides: Sequence[Override]) -> None:
        path = create_config_search_path(str(conf))
        folders: list[Any] = [Path(config_dir).absolute().as_uri()] if config_dir else []
        for override in overrides:
            folders += override.value() if override.key_or_group == "hydra.searchpath" else []  # pyright: ignore
        for folder in folders:
            path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
        self.loader, self.config_name = ConfigLoaderImpl(path), config_name
        self.choices = [each for each in overrides if self.is_choice(each)]

    def is_choice(self, override: Override) -> bool:
        """Whether an override decides which settings there are."""
        name = override.key_or_group
        if self.is_group(name) or (override.is_hydra_override() and name != "hydra.searchpath"):
            return True
        return name.endswith("._target_") and not override.is_add() and not override.is_force_add()

    def is_group(self, name: str) -> bool:
        """Whether this is the name of a config group."""
        return self.loader.repository.group_exists(name)

    def values(self, override: Override) -> list[Any]:
        """The values of an override, one or several."""
        if override.is_discrete_sweep():
            override.config_loader = self.loader  # for glob(*)
            return list(override.sweep_string_iterator())
        value = override.value()
        return list(value) if isinstance(value, list) else [value]

    @functools.cache  # noqa: B019 (there is one such object in a process)
    def config(self, *further: str) -> dict[str, Any]:
        """The configuration with the options that the command chooses, without the settings that it changes.

        Args:
            *further: choices that come last. Where the command chooses several options, the first one counts.
        """
        first = [
            f"{each.get_key_element()}={self.values(each)[0]}" if each.is_sweep_override() else str(each.input_line)
            for each in self.choices
        ]
        try:
            config = self.loader.load_configuration(self.config_name, [*first, *further], RunMode.RUN)
        except (HydraException, ValueError) as error:
            text = (str(error) or str(error.__cause__)).split("\n")[0]
            unknown = re.search(r"Could not (?:find|load) '(hydra/\w+)/(\w+)'", text)
            raise ValueError((unknown and not_installed(*unknown.groups())) or text) from error
        plain: Any = OmegaConf.to_container(config, resolve=False)
        return plain

    def settings(self) -> dict[str, Any]:
        """The settings and their values, without those of Hydra."""
        return flatten_all({key: value for key, value in self.config().items() if key != "hydra"})

    def params(self) -> list[Override]:
        """The overrides of a sweep that stand in the configuration, as those of an experiment."""
        return [
            _parse(f"{name}={value}") for name, value in (self.config()["hydra"]["sweeper"].get("params") or {}).items()
        ]

    def swept(self, overrides: Iterable[Override]) -> dict[str, list[str]]:
        """The groups of which a sweep has several options, with these; of two overrides, the later one counts."""
        last = {each.key_or_group: each for each in overrides}
        return {
            name: self.values(each) for name, each in last.items() if self.is_group(name) and each.is_discrete_sweep()
        }

    def options(self, group: str) -> list[str]:
        """The options of a config group."""
        return sorted(self.loader.get_group_options(group))

    def check_group(self, override: Override) -> None:
        """Refuse a group from which nothing is chosen, or an option that it does not have."""
        group, text = override.key_or_group, str(override.input_line)
        if override.is_delete() and group in NEEDED:
            raise ValueError(f"{text}: a run needs one: choose {group}=… from {', '.join(self.options(group))}")
        if override.is_delete() or override.package is not None or isinstance(override.value(), dict):
            return
        if override.is_add():
            defaults = self.loader.load_configuration(self.config_name, [], RunMode.RUN)
            if group in defaults.hydra.runtime.choices:
                raise ValueError(f"{group} has an option already: write {text[1:]}, without +")
        for option in self.values(override):
            if option is None and group in NEEDED:
                raise ValueError(f"{text}: a run needs one: choose {group}=… from {', '.join(self.options(group))}")
            if option is None:
                raise ValueError(f"{text}: to choose none, write ~{group}")
            if not isinstance(_parse(f"{group}={option}").value(), str):
                raise ValueError(f"{text}: Hydra reads {option} as a number, not as the name of an option")
            if "$" in str(option) or self.loader.repository.config_exists(f"{group}/{option}"):
                continue
            if missing := not_installed(group, str(option)):
                raise ValueError(missing)
            options = self.options(group)
            raise ValueError(
                f"{group}: no option {option}{_guess(str(option), options) or '.'} Options: {', '.join(options)}"
            )

    def check_setting(self, override: Override, swept: Mapping[str, Sequence[str]]) -> None:
        """Refuse a setting that the configuration does not have, with any of the options of a sweep."""
        name, text = override.key_or_group, str(override.input_line)
        group = name.split(".")[0]
        if override.is_delete() and "." not in name and name in self.settings():
            raise ValueError(f"{text}: a run needs this setting: give it a value, {name}=…")
        for choice in [f"{group}={option}" for option in swept.get(group, ())] or [None]:
            config = self.config(choice) if choice else self.config()
            path, section, key = _walk(config, name)
            new = override.is_add() or override.is_force_add()
            if key and not (new and self.can_be_added(path, section, key)):
                raise ValueError(self.advice(override, config, len(swept.get(group, ())) > 1))
            if override.is_add() and not key and section is not None and not isinstance(override.value(), dict | list):
                raise ValueError(f"{name} exists: write {text.removeprefix('+')}, without +")

    def check_hydra(self, override: Override) -> None:
        """Refuse a new setting in Hydra's own section, which nothing would read."""
        name = override.key_or_group.split("/")[0].split(".")[1:2]
        known = list(self.loader.load_configuration(self.config_name, [], RunMode.RUN).hydra)
        if (override.is_add() or override.is_force_add()) and name and name[0] not in known:
            guess = _guess(override.key_or_group, [f"hydra.{each}" for each in known])
            raise ValueError(f"no setting {override.key_or_group}{guess or ': hydra has no ' + name[0]}")

    def can_be_added(self, path: str, section: Any, key: str) -> bool:
        """Whether something reads a setting that is not in the configuration."""
        if not path:  # only such as callbacks.mine=…, if no callbacks are chosen
            return self.is_group(key)
        if not isinstance(section, Mapping) or "_target_" not in section or key.startswith("_"):
            return True
        arguments = arguments_of(section["_target_"])
        return arguments is None or key in arguments

    def advice(self, override: Override, config: Mapping[str, Any], several: bool) -> str:
        """What to write instead of a setting that is not there."""
        name, text = override.key_or_group, str(override.input_line)
        new = override.is_add() or override.is_force_add()
        group, _, rest = name.partition(".")
        option = config["hydra"]["runtime"]["choices"].get(group)
        if rest and isinstance(option, str):
            others = [other for other in self.options(group) if not _walk(self.option(group, other), rest)[2]]
            problem = f"{name}: {group}={option} has no such setting"
            if others and several and rest in SHARED:
                value = text.partition("=")[2]
                return f"{problem}: write {rest}={value}, which every {group} that has a {rest} uses"
            if len(others) == 1:
                return f"{problem}: add {group}={others[0]}{self.words(group, others[0])}"
            if others:
                return f"{problem}, these have it: {group}={','.join(others)}"
        path, section, key = _walk(config, name)
        names = [each for each in self.settings() if "._" not in each]
        if not path:
            groups = [each for each in config["hydra"]["runtime"]["choices"] if not each.startswith("hydra")]
            return f"no setting {name}" + (_guess(name, [*groups, *names]) or ": --help shows the settings")
        inside = [each for each in names if each.startswith(f"{path}.")]
        target = section.get("_target_") if isinstance(section, Mapping) else None
        arguments = [f"+{path}.{argument}" for argument in arguments_of(target) or ()] if new and target else []
        otherwise = f": if {target} has it, write +{text}" if target and not new else f": {path} has no {key}"
        return f"no setting {name}" + (_guess(name, inside) or _guess(f"+{name}", arguments) or otherwise)

    def option(self, group: str, option: str) -> dict[str, Any]:
        """The settings of an option; none where it cannot be composed."""
        try:
            config: Any = self.loader.load_configuration(f"{group}/{option}", [], RunMode.RUN)
        except HydraException:  # one that chooses options of other groups is composed with them
            try:
                config = self.loader.load_configuration(self.config_name, [f"{group}={option}"], RunMode.RUN)
            except HydraException:
                return {}
        plain: Any = OmegaConf.to_container(config, resolve=False)
        return plain.get(group) or {}

    def words(self, group: str, option: str) -> str:
        """What the file of an option says first, in brackets; nothing where it says nothing."""
        folders = [Path(source.path) for source in self.loader.get_sources() if source.scheme() == "file"]
        files = [file for folder in folders if (file := folder / group / f"{option}.yaml").is_file()]
        text = first_sentence(files[0]) if files else ""
        return f" ({text.rstrip('.')})" if text else ""


@functools.cache  # says it once
def import_torch() -> None:
    """Import torch and Lightning, and say before that it takes seconds; nothing if that is done."""
    if "lightning" not in sys.modules:
        sys.stderr.write("importing torch and Lightning …\n")  # one write, because jobs side by side write it too
        with signals_later():
            import lightning  # noqa: F401


@contextmanager
def signals_later() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM until the context ends: within the import of torch, they can end in SIGABRT."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # signals come to no other thread
        for each in (signal.SIGINT, signal.SIGTERM):
            before[each] = signal.signal(each, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)  # None: one that is not of Python
    for number in came[:1]:
        signal.raise_signal(number)


def arguments_of(target: str) -> list[str] | None:
    """The names of the arguments that a class or a function takes; None where this is not known."""
    import_torch()
    names: list[str] = []
    try:
        found = get_object(target)
        for owner in inspect.getmro(found) if isinstance(found, type) else (found,):
            call = vars(owner).get("__init__") if isinstance(owner, type) else owner
            if call is None or owner is object:
                continue
            parameters = inspect.signature(call).parameters.values()
            names += [each.name for each in parameters]
            if all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters):
                return names
    except Exception:  # whatever importing it raises: the run will say it
        return None
    return None


def not_installed(group: str, option: str) -> str | None:
    """What to install for an option of Hydra's groups; None where it is of no known package."""
    plugin = option.split("_")[0]
    if plugin not in PLUGINS.get(group, ()):
        return None
    package = f"hydra-{plugin}-{group.removeprefix('hydra/')}"
    wanted = f"'textpool[{EXTRAS[plugin]}]', in a clone '.[{EXTRAS[plugin]}]'" if plugin in EXTRAS else package
    return f"{group}={option} is not installed: pip install {wanted}"


def _parse(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        hint = "" if "=" not in text else "; a value with special characters needs quotes: 'setting=\"value\"'"
        raise ValueError(f"{text}: expected setting=value{hint}") from error


def _walk(config: Any, name: str) -> tuple[str, Any, str]:
    """Follow a dotted name: the path that exists, what is there, and the first part that is not there, else nothing."""
    path: list[str] = []
    for key in name.split("."):
        if isinstance(config, str) and "${" in config:  # known only once it is resolved
            break
        number = int(key) if key.isdigit() else -1
        if isinstance(config, Mapping) and key in config:
            config = config[key]
        elif isinstance(config, list) and 0 <= number < len(config):
            config = config[number]
        else:
            return ".".join(path), config, key
        path.append(key)
    return ".".join(path), config, ""


def _guess(name: str, names: Sequence[str]) -> str:
    """The names that may be meant, as a question: those whose last part is the same or similar."""
    ends = {each: each.split(".")[-1] for each in names}
    close = get_close_matches(name.split(".")[-1], ends.values(), n=1)
    found = [each for each, end in ends.items() if end in close]
    found = [each for each in found if each.count(".") == name.count(".")] or found
    return f": did you mean {' or '.join(found[:3])}?" if found else ""
