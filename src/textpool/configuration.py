"""Where the configuration files are, and what a single one of them says."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

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
