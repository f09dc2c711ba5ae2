"""Where the configuration files are, and what one or all of them say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from textpool.checks import one_of

PACKAGE = Path(__file__).parent
# in an installed package beside the modules, in a clone at the top
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())


def pooling_section(name: str, k: int) -> dict[str, Any]:
    """The section `pooling` of a configuration: that of conf/pooling/<name>.yaml, with this `k` where it takes one.

    Raises:
        ValueError: if there is no such file; the message lists those that there are.
    """
    one_of("pooling", name, sorted(file.stem for file in CONF.glob("pooling/*.yaml")))
    whole: Any = OmegaConf.create({"k": k, "pooling": OmegaConf.load(CONF / "pooling" / f"{name}.yaml")})
    section: Any = OmegaConf.to_container(whole.pooling, resolve=True)
    return section


def resolved(config: DictConfig, complete: bool = False) -> dict[str, Any]:
    """A configuration as plain data, without Hydra's section.

    Raises:
        OmegaConfBaseException: if an interpolation cannot be resolved, or `complete` and a value is missing.
    """
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain: Any = OmegaConf.to_container(settings, resolve=True, throw_on_missing=complete)
    return plain


def composed(*overrides: str, searchpath: Sequence[Path] = ()) -> dict[str, Any]:
    """The configuration of a command line, resolved.

    Args:
        *overrides: such as `pooling=kmax`.
        searchpath: further folders of configuration files.
    """
    from hydra import compose, initialize_config_dir  # late: most users of this module do without Hydra

    extra = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in searchpath)}]"] if searchpath else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("train", [*extra, *overrides]), resolve=True)
    return config
