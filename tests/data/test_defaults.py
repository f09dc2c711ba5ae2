"""The settings in conf/data and the defaults of the constructors: the same data from a command and from Python."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from conftest import Compose
from hydra.utils import get_class

from textpool.data import SentenceData, SentimentData

CONFIGURED = sorted(Path(__file__).parents[2].glob("conf/data/*.yaml"))
FILES = [file for file in CONFIGURED if "- huggingface" not in file.read_text()]  # without the presets of a class
REQUIRED = {"text_file": {"train"}, "huggingface": {"name"}}  # settings without a default, by the name of the file


def defaults_of(kind: type) -> dict[str, Any]:
    """The default of every constructor parameter of a class, those that it passes on to its base classes included."""
    found: dict[str, Any] = {}
    for base in kind.__mro__[: kind.__mro__.index(SentenceData) + 1]:
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                if name != "self" and parameter.kind != parameter.VAR_KEYWORD:
                    found.setdefault(name, parameter.default)
    return found


def with_lists(value: Any) -> Any:
    """The value with every tuple as a list: YAML has no tuples."""
    if isinstance(value, dict):
        return {name: with_lists(each) for name, each in value.items()}
    return [with_lists(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_configuration_and_constructor_have_the_same_defaults(config: Compose, file: Path) -> None:
    """No setting is missing on either side, and no value differs, word lists included."""
    required = REQUIRED.get(file.stem, set())
    settings = config(f"data={file.stem}", *(f"data.{name}=x" for name in required))["data"]
    defaults = defaults_of(get_class(settings.pop("_target_")))
    assert {name for name, default in defaults.items() if default is inspect.Parameter.empty} == required
    for known in (settings, defaults):
        for name in required:
            del known[name]
    assert settings == with_lists(defaults)


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in REQUIRED], ids=lambda file: file.stem)
def test_data_without_arguments_have_the_sentences_of_the_configuration(config: Compose, file: Path) -> None:
    """`Needle()` is `data=needle`: the same sentences, vocabulary and labels."""
    settings = config(f"data={file.stem}")["data"]
    kind = get_class(settings.pop("_target_"))
    composed, plain = kind(**settings), kind()
    composed.setup()
    plain.setup()
    assert plain.splits == composed.splits
    assert plain.vocabulary.words == composed.vocabulary.words
    assert plain.labels == composed.labels
    assert plain.bayes_accuracy == composed.bayes_accuracy


def test_data_do_not_share_their_words() -> None:
    """A change of the words of one data set reaches no other one."""
    SentimentData().words["neutral"] = ("x",)
    assert len(SentimentData().words["neutral"]) == 16
