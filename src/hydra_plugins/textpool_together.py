"""Hydra finds launchers in the namespace `hydra_plugins` only; this one is written in `textpool.together`.

Hydra imports this module at every start, so that it imports little.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class TogetherLauncher(Launcher):
    """Train the runs of a sweep that differ in the seed alone at once, in worker processes.

    Args:
        n_jobs: number of worker processes; None: as many as there are GPUs or, without one, CPU cores.
    """

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs
        self.given: dict[str, Any] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `launch` needs."""
        self.given = {"hydra_context": hydra_context, "task_function": task_function, "config": config}

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs with these overrides; their results in the same order."""
        from textpool.together.launch import launch

        return launch(**self.given, job_overrides=job_overrides, first=initial_job_idx, n_jobs=self.n_jobs)
