"""Train one pooling, or compare many."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

import textpool
from textpool.run.launch import current_run, report_if_interrupted, resolved

PACKAGE = Path(textpool.__file__).parent
# in an installed package beside the modules, in a clone at the top
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def train(config: DictConfig) -> float | None:
    """Train as the configuration says; the value of the monitored metric is what a sweeper optimises."""
    from textpool.run.training import train  # late: torch and Lightning take seconds that --help does not need

    result = train(resolved(config, complete=True), current_run(config))
    return result.metrics.get(config.monitor)


def main() -> None:
    """Run the command line."""
    try:
        train()
    finally:
        report_if_interrupted()
