"""Shared by all tests: shapes are checked on every call, and configurations are composed as `train.py` does."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jaxtyping
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from jaxtyping import install_import_hook
from omegaconf import OmegaConf

from textpool.facts import Facts
from textpool.run.launch import facts_of

install_import_hook(["textpool.pooling", "textpool.model", "textpool.data.batches"], "beartype.beartype")
# No database and, in CI, no dice: a red run can be repeated, and no files are left behind.
hypothesis.settings.register_profile(
    "textpool",
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", 40)),
    database=None,
    derandomize="CI" in os.environ,
)
hypothesis.settings.load_profile("textpool")

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"

Compose = Callable[..., dict[str, Any]]


def compose_config(*overrides: str, searchpath: Path | None = None) -> dict[str, Any]:
    """A resolved configuration, without its section for Hydra itself."""
    extra = [f"hydra.searchpath=[file://{searchpath}]"] if searchpath else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [*extra, *overrides]), resolve=True, throw_on_missing=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def facts_of_command(*overrides: str, swept: list[str] | None = None) -> Facts:
    """The facts of a run as `train.py` finds them for a command line."""
    shown = "null" if swept is None else f"[{','.join(swept)}]"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*overrides, f"hydra.callbacks.study.swept={shown}"], return_hydra_config=True)
    return facts_of(config, config.hydra)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the contract tests to strategies that live elsewhere."""
    parser.addoption("--config-dir", type=Path, help="folder with a pooling/ of your own, for the contract tests")


@pytest.fixture
def config() -> Compose:
    """Compose a configuration from overrides."""
    return compose_config


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `make_pooling` over every file in conf/pooling, and in --config-dir."""
    if "make_pooling" not in metafunc.fixturenames:
        return
    makers, names = strategies(metafunc.config.getoption("--config-dir"))
    metafunc.parametrize("make_pooling", makers, ids=names)


@functools.cache
def strategies(extra: Path | None) -> tuple[list[Any], list[str]]:
    """Factories of all strategies, and their names; those that take a k with k of 1 and of 3."""
    makers, names = [], []
    for folder in [CONF, *([extra.resolve()] if extra else [])]:
        for file in sorted(folder.glob("pooling/*.yaml")):
            sections = []
            for k in (1, 3):
                composed = compose_config(f"pooling={file.stem}", f"k={k}", searchpath=extra and extra.resolve())
                if composed["pooling"] not in sections:  # takes no k: once is enough
                    sections.append(composed["pooling"])
                    makers.append(instantiate(composed["pooling"]))
                    names.append(f"{file.stem}-k{k}")
    return makers, names


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch jaxtyping's checks off: torch's tracers cannot look through them, and ours of wrong types come later."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Max with one seed, and k-max with two k and two seeds, on three tasks with 16 and with 1 filler words.

    Normalized accuracies with any number of filler words, from the best strategy to the worst:
        kmax-k8: 0.95, 0.5125, 0.005 / 0.75; kmax-k3: 0.37, 0.5125, 0.005 / 0.75; max: 0.6, 0, 0.
    """
    from runs_on_disk import write_task  # pyright: ignore[reportMissingImports]  # a module of tests/study

    for filler in (16, 1):
        for k, order in ((3, 0.68), (8, 0.97)):
            for data, accuracy in (("order", order), ("tone", 0.7), ("position", 0.25)):
                for seed in (0, 1):
                    write_task(tmp_path, data, accuracy + seed / 100, pooling="kmax", k=k, seed=seed, filler=filler)
        for data, accuracy in (("order", 0.8), ("tone", 0.5), ("position", 0.25)):
            write_task(tmp_path, data, accuracy, pooling="max", k=3, filler=filler)
    return tmp_path
