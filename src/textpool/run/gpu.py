"""One GPU for each job where several jobs share a machine."""

import os
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU; asking torch would take seconds and memory of a GPU
SLOTS: list[FileLock] = []  # the slot of this process, which it keeps: CUDA reads the choice only once in a process


def gpus_to_share(config: DictConfig) -> list[str]:
    """The GPUs among which textpool distributes the jobs of a sweep; none where the launcher does it, or nobody must.

    The launchers of SLURM and Ray give each job GPUs of its own. joblib lets every job see all of them, and
    submitit_local gives GPU 0 to every job that asks for one.
    """
    launcher, trainer = config.hydra.launcher, config.trainer
    submitit = launcher._target_.endswith("submitit_launcher.LocalLauncher")
    shares = launcher._target_.endswith("JoblibLauncher") or (submitit and launcher.get("gpus_per_node") == 1)
    if not shares or trainer.get("accelerator") == "cpu" or str(trainer.get("devices", 1)) != "1":
        return []
    gpus = own_gpus()
    return gpus if len(gpus) > 1 else []


def own_gpus() -> list[str]:
    """The GPUs that this process may use."""
    return visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), len(list(DRIVER.glob("*"))))


def visible_gpus(chosen: str | None, installed: int) -> list[str]:
    """The GPUs that a process may use.

    Args:
        chosen: the environment variable CUDA_VISIBLE_DEVICES; None: it is not set.
        installed: number of GPUs of the machine.
    """
    return [str(gpu) for gpu in range(installed)] if chosen is None else [gpu for gpu in chosen.split(",") if gpu]


def take_gpu(folder: Path, gpus: Sequence[str]) -> None:
    """Choose a GPU for this process, for as long as it lives; jobs that it runs later stay on it.

    Args:
        folder: of the locks, shared by the processes of a sweep.
        gpus: those to choose from; with more processes than GPUs, the processes are spread evenly.
    """
    if not SLOTS:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[take_slot(folder) % len(gpus)]


def take_slot(folder: Path) -> int:
    """The lowest number that no other living process has taken; the system frees it when this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        lock = FileLock(folder / f"slot{number}")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            number += 1
            continue
        SLOTS.append(lock)
        return number
