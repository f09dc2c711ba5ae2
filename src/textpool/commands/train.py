"""Train one pooling, or compare many."""

import logging
import os
import signal
import sys
from typing import Any, NoReturn

import hydra
from omegaconf import DictConfig

from textpool.configuration import CONF
from textpool.run.command_line import check_command, import_torch
from textpool.run.folder import finished_before, locked
from textpool.run.launch import current_run, is_interruption, report_if_interrupted, resolved, say_interrupted


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def train(config: DictConfig) -> float | None:
    """Train as the configuration says; the value of the monitored metric is what a sweeper optimises."""
    settings, run = resolved(config, complete=True), current_run(config)
    with locked(run.folder):
        result = finished_before(run, settings)
    if result is None:
        import_torch()
        from textpool.run.training import train  # late: torch and Lightning take seconds that other answers do not need

        result = train(settings, run)
    return result.metrics.get(config.monitor)


TERMINATED = 128 + signal.SIGTERM  # the exit status by the convention of shells


def terminate(signum: int, frame: Any) -> NoReturn:
    """End as after Ctrl-C, but with a status of its own; a second signal kills the process at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise SystemExit(TERMINATED)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, terminate)  # of a scheduler; Lightning would stop in its next step, with status 0
    try:
        try:
            check_command(sys.argv[1:], CONF)
        except ValueError as error:
            sys.exit(f"error: {error}")
        train()
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, SystemExit) as error:
        terminated = isinstance(error, SystemExit) and error.code == TERMINATED
        if not terminated and not is_interruption(error):
            raise
        say_interrupted("terminated" if terminated else "interrupted")
        logging.disable()  # if its import is interrupted, torch logs statistics at the end
        sys.exit(TERMINATED if terminated else 130)
    finally:
        report_if_interrupted()
