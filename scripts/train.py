"""Train one pooling, or compare many: `python scripts/train.py --help`."""

import hydra
from omegaconf import DictConfig

from textpool.run.launch import current_run, report_if_interrupted, resolved


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float | None:
    """Train as the configuration says; the value of the monitored metric is what a sweeper optimises."""
    from textpool.run.training import train  # late: torch and Lightning take seconds that --help does not need

    result = train(resolved(config, complete=True), current_run(config))
    return result.metrics.get(config.monitor)


if __name__ == "__main__":
    try:
        main()
    finally:
        report_if_interrupted()
