"""Train one pooling, or compare many: `python scripts/train.py --help`."""

import sys
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from textpool.study.launch import current_run, last_word
from textpool.study.naming import resume_arguments


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train as the configuration says; the value of the monitored metric is what a sweeper optimises."""
    from textpool.training import train  # late: torch and Lightning take seconds that --help does not need

    config: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    result = train(config, current_run())
    return result.metrics.get(cfg.monitor)


if __name__ == "__main__":
    try:
        sys.argv[1:] = resume_arguments(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
    try:
        main()
    finally:
        last_word()
