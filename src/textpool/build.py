"""The one place where a configuration becomes objects, and a checkpoint a classifier again."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from zipfile import BadZipFile, ZipFile

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning import Callback, Trainer
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from textpool.checks import switch
from textpool.classifier import ADAM, TextClassifier
from textpool.data import SentenceData
from textpool.pooling import Pooling

CONTENT = "textpool"  # key of a checkpoint under which configuration, vocabulary and labels stand
MOST_SHOWN = 4  # settings in a message
MOST_VALUES = 100_000  # of a pooling for each filter; the linear layer would have hundreds of millions of weights
TRUSTED = ("textpool", "torch", "lightning")  # packages whose classes a checkpoint may name
KINDS: dict[str, type] = {"data": SentenceData, "model": nn.Module, "pooling": Pooling}


class Trained(NamedTuple):
    """A classifier from a checkpoint, and its data without sentences: tokenizer, vocabulary, labels, padding."""

    classifier: TextClassifier
    data: SentenceData


def build_data(config: Mapping[str, Any]) -> SentenceData:
    """The data that the section `data` describes, before `setup`."""
    data = made("data", config)
    if not isinstance(data, SentenceData):
        raise ValueError(f"data._target_: expected a class derived from SentenceData, got {_name_of(data)}")
    return data


def build_model(config: Mapping[str, Any], data: SentenceData) -> nn.Module:
    """The model that the sections `model` and `pooling` describe, for the vocabulary and the labels of the data.

    Raises:
        ValueError: if the two do not fit together, or an argument is not allowed.
    """
    if not section("pooling", config).get("_partial_"):
        raise ValueError("pooling: its YAML file needs the line `_partial_: true`: the model makes one per kernel size")
    factory = made("pooling", config)

    def pooling(channels: int) -> Pooling:
        with whole_names("pooling", config["pooling"]):
            try:
                pooling = factory(channels)
            except TypeError as error:
                what = "a class with __init__(self, channels, …) and pool(self, features, mask)"
                raise ValueError(f"pooling: expected {what}: {error}") from error
        if not isinstance(pooling, Pooling):
            raise ValueError(
                f"pooling: {type(pooling).__name__} is no Pooling: derive its class from textpool.pooling.Pooling, and "
                "write the method pool(self, features, mask)"
            )
        if pooling.size > MOST_VALUES:
            raise ValueError(
                f"pooling: expected at most {MOST_VALUES:,} values per filter, got {pooling.size:,}: set a smaller k"
            )
        return pooling

    factory_of_model = made("model", config)
    with whole_names("model", config["model"]):
        model = factory_of_model(len(data.vocabulary), len(data.labels), pooling)
    if not isinstance(model, nn.Module):
        raise ValueError(f"model._target_: expected a class derived from torch.nn.Module, got {_name_of(model)}")
    if getattr(model, "needs_fixed_length", False) and not data.fixed_length:
        raise ValueError(
            "model.window_mask: with none the padding counts, and must not depend on the rest of a batch: "
            "set data.pad_to=max_length and data.max_length"
        )
    return model


def build_classifier(config: Mapping[str, Any], data: SentenceData) -> TextClassifier:
    """The classifier that a configuration describes, with weights drawn from torch's global generator."""
    model = build_model(config, data)
    scheduler = None
    optimizer = made("optimizer", config)
    with whole_names("optimizer", config["optimizer"]):
        trial = optimizer(model.parameters())  # to learn now whether its settings are allowed
    if config.get("scheduler"):
        scheduler = made("scheduler", config)
        with whole_names("scheduler", config["scheduler"]):
            trial_schedule = scheduler(trial)
            trial.step(lambda: torch.zeros(()))  # without gradients it changes nothing
            trial_schedule.step(*([0.0] if isinstance(trial_schedule, ReduceLROnPlateau) else []))
    if switch("compile", config.get("compile", False)):
        compile_poolings(model)
    return TextClassifier(model, len(data.labels), optimizer, scheduler, config["monitor"], config["seed"])


def compile_poolings(model: nn.Module) -> None:
    """Let torch compile the poolings of a model, each for all lengths; it does so at the first batch.

    Not the whole model: in torch 2.13, a compiled convolution is compiled again for every length of a batch. The
    poolings are compiled in place, so that the names of the weights stay.
    """
    for pooling in [module for module in model.modules() if isinstance(module, Pooling)]:
        pooling.compile(dynamic=True)


def build_trainer(config: Mapping[str, Any], **arguments: Any) -> Trainer:
    """The trainer that the section `trainer` describes.

    Args:
        config: the configuration.
        **arguments: replace those of the section.
    """
    trainer = made("trainer", config, **arguments)
    if not isinstance(trainer, Trainer):
        raise ValueError(f"trainer._target_: expected lightning.Trainer, got {_name_of(trainer)}")
    return trainer


def build_callbacks(config: Mapping[str, Any]) -> list[Callback]:
    """The callbacks of Lightning that the section `callbacks` describes, by names of one's own.

    Raises:
        ValueError: if one of them is none, or an argument is not allowed.
    """
    callbacks = []
    chosen = config.get("callbacks") or {}
    if not isinstance(chosen, Mapping):
        raise ValueError(f"callbacks: expected sections with a name of their own each, got {chosen!r}")
    for name in chosen:
        callback = made(name, chosen, prefix="callbacks.")
        if not isinstance(callback, Callback):
            raise ValueError(
                f"callbacks.{name}._target_: expected a class derived from lightning.Callback, got {_name_of(callback)}"
            )
        callbacks.append(callback)
    return callbacks


def build_loggers(config: Mapping[str, Any], folder: Path) -> list[Any]:
    """The loggers that the section `logger` describes, by names of one's own, for the folder of a run.

    Raises:
        ValueError: if an argument is not allowed, or a package is missing.
    """
    chosen = config.get("logger") or {}
    if not isinstance(chosen, Mapping):
        raise ValueError(f"logger: expected sections with a name of their own each, got {chosen!r}")
    return [made(name, chosen, prefix="logger.", save_dir=folder) for name in chosen]


def section(name: str, config: Mapping[str, Any], prefix: str = "") -> Mapping[str, Any]:
    """A section of a configuration from which an object can be made.

    Args:
        name: of the section.
        config: that the section is a part of.
        prefix: of the name in messages.

    Raises:
        ValueError: if there is none, or it does not name what is made.
    """
    found = config.get(name)
    if not isinstance(found, Mapping) or not isinstance(found.get("_target_"), str):
        whole = f"{prefix}{name}"
        expected = f"an option such as {whole}=…" if not prefix else f"a section with a class, +{whole}._target_=…"
        got = "none" if found is None else "one without _target_" if isinstance(found, Mapping) else repr(found)
        raise ValueError(f"{whole}: expected {expected}, got {got}")
    return found


def made(name: str, config: Mapping[str, Any], prefix: str = "", **arguments: Any) -> Any:
    """The object, or the factory, that a section of a configuration describes.

    Raises:
        ValueError: if it cannot be made, naming the section or the setting.
    """
    settings = section(name, config, prefix)
    with whole_names(f"{prefix}{name}", settings):
        return instantiate(settings, _convert_="all", **arguments)


@contextmanager
def whole_names(section: str, settings: Mapping[str, Any]) -> Iterator[None]:
    """Give the error of a constructor the whole name of the setting: `model.dropout: …` for `dropout: …`.

    Raises:
        ValueError: instead of whatever a constructor raises, and if a value has a type that the constructor's
            annotations exclude, such as `optimizer.lr=abc`.
    """
    check_types(section, settings)
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        text = str(cause)
        allocated = re.search(r"tried to allocate (\d+) bytes", text)
        if allocated or isinstance(cause, MemoryError):
            size = f"{int(allocated[1]) / 1e9:,.0f} GB are needed" if allocated else text
            text = f"{section}: not enough memory: {size}: set smaller sizes"
        elif re.split(r"[:.\[]", text)[0] in settings:
            text = f"{section}.{text}"
        elif isinstance(cause, TypeError) or (isinstance(cause, ValueError) and section not in KINDS):
            text = f"{section}: {text}"  # words of Python's or of another library's
        elif isinstance(cause, ImportError) or (isinstance(error, InstantiationException) and cause is error):
            text = f"{section}._target_: {' '.join(text.split())}"
        elif not isinstance(cause, ValueError):
            values = [f"{name}={value}" for name, value in settings.items() if not name.startswith("_")]
            shown = f" (with {', '.join(values)})" if len(values) <= MOST_SHOWN else ""
            text = f"{section}: {type(cause).__name__}: {text}{shown}"
        raise ValueError(text) from error


def _name_of(thing: Any) -> str:
    """What was made instead of what was expected, in words for people."""
    return f"a {type(thing).__name__}"


def check_types(section: str, settings: Mapping[str, Any]) -> None:
    """Refuse values that are no numbers where a constructor of another library is annotated with numbers only.

    Nor may such a number be infinite, or not a number.
    """
    target = str(settings["_target_"])
    if target.startswith("textpool."):  # checks its arguments itself, and says more
        return
    try:
        hints = get_type_hints(get_object(target).__init__)
    except Exception:  # not every annotation can be evaluated, and whether the target exists is found out later
        return
    for name, value in settings.items():
        hint = hints.get(name)
        kinds = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
        kinds -= {torch.Tensor}  # no value of a configuration
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{section}.{name}: expected a finite number, got {value}")
        if not kinds <= {bool, int, float, type(None)} or isinstance(
            value, tuple(kinds | {int} if float in kinds else kinds)
        ):
            continue
        what = "a number" if float in kinds else "an integer" if int in kinds else "true or false"
        raise ValueError(f"{section}.{name}: expected {what}, got {value!r}")


def content(config: Mapping[str, Any], data: SentenceData) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, as plain data, so that one file is enough to predict."""
    return {"config": dict(config), "vocabulary": list(data.vocabulary.words), "labels": list(data.labels)}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint, with nothing built from it.

    Raises:
        ValueError: if there is no such file, or it is not a checkpoint of this project.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file: expected a checkpoint such as logs/first/max/checkpoints/best.ckpt")
    check_whole(Path(path))
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if {"config", "vocabulary", "labels"} <= set(checkpoint[CONTENT]) and "state_dict" in checkpoint:
            return checkpoint
    except Exception as error:  # whatever reading another file raises
        raise ValueError(f"{path}: not a checkpoint of textpool ({type(error).__name__})") from error
    raise ValueError(f"{path}: not a checkpoint of textpool")


def check_whole(path: Path) -> None:
    """Compare the content of a checkpoint with the checksums (CRC-32) that it holds, which torch writes but ignores.

    Raises:
        ValueError: if the file is damaged: empty, cut, or changed by as much as one bit.
    """
    try:
        with ZipFile(path) as parts:
            damaged = parts.testzip()
    except BadZipFile as error:
        reason = str(error).rstrip(".") if path.stat().st_size else "the file is empty"
        raise ValueError(f"{path}: not a checkpoint of textpool, or damaged: {reason}") from error
    except Exception as error:  # whatever a changed header makes zipfile raise
        raise ValueError(f"{path}: not a checkpoint of textpool, or damaged ({type(error).__name__})") from error
    if damaged is not None:
        raise ValueError(f"{path}: damaged: {damaged} does not have its checksum")


def load(path: str | Path, allow: Sequence[str] = ()) -> Trained:
    """The classifier of a checkpoint, ready to predict, on the CPU.

    Args:
        path: of the checkpoint.
        allow: names of modules, beside this package, torch and Lightning, whose classes may be built: a checkpoint
            names the classes of its model, and building one runs its code.

    Raises:
        ValueError: if the file is not a checkpoint of this project, names a class that is not allowed, or does not fit
            the code.
    """
    checkpoint = read_checkpoint(path)
    config = checkpoint[CONTENT]["config"]
    try:
        for section, kind in KINDS.items():
            check_targets(section, config[section], kind, allow)
        data = build_data(config)
        data.restore(checkpoint[CONTENT]["vocabulary"], checkpoint[CONTENT]["labels"])
        classifier = TextClassifier(build_model(config, data), len(data.labels), ADAM)
        classifier.load_state_dict(checkpoint["state_dict"])
        broken = [name for name, weight in classifier.state_dict().items() if not weight.isfinite().all()]
        if broken:
            raise ValueError(f"the weights {broken[0]} are not finite: train again, with a smaller optimizer.lr")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except RuntimeError as error:
        raise ValueError(f"{path}: the weights do not fit the model: {error}") from error
    except Exception as error:  # content of other types than a run writes
        raise ValueError(f"{path}: not a checkpoint of textpool ({type(error).__name__}: {error})") from error
    return Trained(classifier.eval(), data)


def check_targets(section: str, node: Any, kind: type, allow: Sequence[str]) -> None:
    """Let a section of a checkpoint's configuration name classes of the expected kind from trusted modules only.

    Raises:
        ValueError: naming what was refused, and how to allow it.
    """
    for text in _strings(node):
        if "${" in text:  # an interpolation could bring in a class after this check
            raise ValueError(f"{section}: expected resolved settings, got {text!r}")
    for target in _targets(node):
        modules = (*TRUSTED, *allow)
        if not isinstance(target, str) or not any(f"{target}.".startswith(f"{module}.") for module in modules):
            module = str(target).rpartition(".")[0] or target
            raise ValueError(
                f"{section}: {target} is not of {', '.join(TRUSTED)}: if you trust this checkpoint and that module, "
                f"add --allow {module}"
            )
        try:
            found = get_object(target)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{section}: {error} (set PYTHONPATH to where it lies)") from error
        if not isinstance(found, type) or not issubclass(found, kind):
            raise ValueError(f"{section}: {target} is refused: expected a class derived from {kind.__name__}")


def _targets(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _targets(value)


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _strings(value)
    elif isinstance(node, str):
        yield node
