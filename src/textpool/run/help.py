"""What `--help` says: the comments of the YAML files, beside the options and the settings that they explain."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf


def groups_in_words(config: DictConfig) -> str:
    """The groups of the defaults list with their options, one line for each option if their files explain them."""
    lines: list[str] = []
    for group in sorted(_choices(config)):
        files = {file.stem: file for folder in _folders(config) for file in folder.glob(f"{group}/*.yaml")}
        words = {option: first_sentence(files[option]) for option in sorted(files)}
        if any(words.values()):
            width = max(map(len, words))
            lines += [f"{group}:", *(f"  {option:{width}}  {text}".rstrip() for option, text in words.items())]
        else:
            lines.append(fill(f"{group}: {', '.join(words)}", 110, subsequent_indent="  "))
    return "\n".join(lines)


def settings_in_words(config: DictConfig) -> str:
    """The settings as YAML, each with the comment on it in the file that defines it."""
    comments: dict[str, str] = {}
    for folder in _folders(config):
        comments |= _comments(folder, str(config.hydra.job.config_name))
        for group, options in _choices(config).items():
            for option in options:
                comments |= _comments(folder, f"{group}/{option}", f"{group}.")
    plain: Any = OmegaConf.to_container(config, resolve=False)
    return "\n".join(_setting_lines({key: value for key, value in plain.items() if key != "hydra"}, comments))


def _setting_lines(section: Mapping[str, Any], comments: Mapping[str, str], above: str = "") -> Iterator[str]:
    """The settings of a section as lines of YAML, each list in one line."""
    indent = "  " * above.count(".")
    for key, value in section.items():
        comment = f"  # {comments[above + key]}" if above + key in comments else ""
        if isinstance(value, Mapping):
            yield f"{indent}{key}:{comment}"
            yield from _setting_lines(value, comments, f"{above}{key}.")
        else:
            text = yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("...\n").rstrip()
            yield f"{indent}{key}: {text}{comment}"


def first_sentence(file: Path) -> str:
    """The first sentence of the comment at the start of a YAML file; nothing if there is none."""
    text = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if not re.match(r"# \S", line):  # commands in a comment are indented
            break
        text += "" if "@package" in line else line[1:]
    return re.split(r"(?<=[.?]) |; see |$", text.strip(), maxsplit=1)[0]


def _folders(config: DictConfig) -> list[Path]:
    """The folders of the search path."""
    return [Path(source.path) for source in config.hydra.runtime.config_sources if source.schema == "file"]


def _choices(config: DictConfig) -> dict[str, list[str]]:
    """The groups of the defaults list, without those of Hydra, and what is chosen of each."""
    return {
        str(group): [str(each) for each in (chosen if OmegaConf.is_list(chosen) else [chosen])]
        for group, chosen in config.hydra.runtime.choices.items()
        if str(group).split("/")[0] != "hydra"
    }


def _comments(folder: Path, name: str, prefix: str = "") -> dict[str, str]:
    """The comments behind the settings in a YAML file, and in the files that it includes, by the settings' names."""
    file = folder / f"{name}.yaml"
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for included in re.findall(r"^ *- /?(\S+)@_here_", text, flags=re.MULTILINE):
        path = (
            included
            if "/" in included and (folder / f"{included}.yaml").is_file()
            else f"{Path(name).parent}/{included}"
        )
        found |= _comments(folder, path, prefix)
    for setting, line in _named_lines(text):
        _, mark, comment = line.partition("  # ")
        if setting and mark:
            found[f"{prefix}{setting}"] = comment
    return found


def _named_lines(text: str) -> Iterator[tuple[str, str]]:
    """The lines of a YAML text, each with the dotted name of the setting that it begins, empty if it begins none."""
    path: list[tuple[int, str]] = []  # indentation and key of the sections around
    for line in text.splitlines():
        match = re.match(r"( *)(\w+):", line)
        if match is None:
            yield "", line
            continue
        indent = len(match[1])
        path = [*((depth, key) for depth, key in path if depth < indent), (indent, match[2])]
        yield ".".join(key for _, key in path), line


for resolver in (groups_in_words, settings_in_words):  # Hydra substitutes what follows a single $
    OmegaConf.register_new_resolver(
        resolver.__name__, lambda *, _root_, words=resolver: words(_root_).replace("$", "$$"), replace=True
    )
