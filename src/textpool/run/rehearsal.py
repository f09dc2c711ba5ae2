"""The settings of a whole sweep, checked before its first job."""

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from textpool.configuration import resolved
from textpool.run.command_line import import_torch
from textpool.run.folder import is_finished

MOST_CHECKED = 200  # jobs; each takes about a tenth of a second


def check_sweep(config: DictConfig, jobs: Iterable[Sequence[str]], study: Path) -> None:
    """Say before the first job of a sweep which settings are wrong, and end the sweep if no job can work.

    Nothing is imported for a sweep whose runs are finished.

    Args:
        config: of the sweep.
        jobs: overrides of jobs that have each value of the sweep at least once, see `one_at_a_time`.
        study: folder of the study.

    Raises:
        SystemExit: if all of these jobs would fail for the same reason.
    """
    loader = GlobalHydra.instance().config_loader()
    on_this_machine = is_local(config.hydra.launcher._target_)
    reasons: Counter[str] = Counter()
    n_checked = 0
    for job in itertools.islice(jobs, MOST_CHECKED):
        n_checked += 1
        try:
            composed = loader.load_sweep_config(config, list(job))
            if is_finished(study / composed.hydra.sweep.subdir):
                continue
            settings = resolved(composed)
        except (HydraException, OmegaConfBaseException):
            continue  # the job itself says it
        import_torch()
        from textpool.run.preflight import check_settings  # late: torch and Lightning take seconds

        try:
            check_settings(settings, on_this_machine)
        except ValueError as error:
            reasons[" ".join(str(error).split())] += 1
    if len(reasons) == 1 and reasons.total() == n_checked:
        raise SystemExit(f"error: {next(iter(reasons))}")
    for reason in reasons:
        print(f"error: {reason}: the runs with this value will fail, the others are not affected", file=sys.stderr)


def is_local(launcher: str) -> bool:
    """Whether a launcher, given by its class, runs the jobs on this machine."""
    return any(name in launcher for name in ("basic_launcher", "joblib", "together"))
