"""The jobs of a sweep as groups that differ in the seed alone, spread over worker processes."""

import importlib
import math
import multiprocessing
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from textpool.checks import integer
from textpool.run.gpu import own_gpus
from textpool.run.sweep import end_with_parent

Group = list[int]  # numbers of jobs

# What a step costs beside its models, in steps of one model; on a GPU, models of this size cost little beside it
OVERHEAD = {"cpu": 0.5, "gpu": 20}


def launch(
    *,
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    n_jobs: int | None,
) -> list[JobReturn]:
    """Run the jobs of a sweep.

    Args:
        hydra_context: of the sweep.
        task_function: the function of the command, decorated with `hydra.main` in its module.
        config: of the sweep.
        job_overrides: the overrides of each job.
        first: number of the first of these jobs.
        n_jobs: number of worker processes; None: as many as there are GPUs or, without one, CPU cores.

    Returns:
        What each job returned, in the same order.

    Raises:
        ChildProcessError: if a worker process was killed; the others have finished their jobs.
    """
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
    gpus = [] if config.trainer.get("accelerator") == "cpu" else own_gpus()
    n_workers = integer("hydra.launcher.n_jobs", n_jobs, least=1) if n_jobs is not None else len(gpus) or cores()
    groups = spread(groups_of(job_overrides), n_workers, OVERHEAD["gpu" if gpus else "cpu"])

    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    task = (task_function.__module__, task_function.__name__)
    begun = spawn.Value("i", 0)  # number of groups that a worker has taken
    workers: dict[Any, Any] = {}  # by the connection from which their results come
    results: dict[int, JobReturn] = {}
    for rank in range(min(n_workers, len(groups))):
        ours, theirs = spawn.Pipe()
        gpu = gpus[rank % len(gpus)] if gpus else None
        arguments = (groups, hydra_context.callbacks, task, begun, theirs, gpu)
        process = spawn.Process(target=work, args=arguments)
        process.start()
        theirs.close()  # so that the pipe ends with the worker
        workers[ours] = process
    try:
        configs = []  # composed while the workers import torch
        for number, overrides in enumerate(job_overrides, start=first):
            job = hydra_context.config_loader.load_sweep_config(config, list(overrides))
            with open_dict(job):
                job.hydra.job.id = job.hydra.job.num = number
            configs.append(job)
        for connection in workers:
            with suppress(OSError):  # a worker that has ended is told below
                connection.send(configs)
        waiting = list(workers)
        while waiting:
            for connection in list[Any](wait(waiting)):
                try:
                    results |= connection.recv()
                except (EOFError, OSError):  # it has ended, or was killed
                    waiting.remove(connection)
    except BaseException:
        for process in workers.values():
            process.terminate()
        raise
    for process in workers.values():
        process.join()
    lost = len(job_overrides) - len(results)
    if lost:
        codes = sorted({str(process.exitcode) for process in workers.values() if process.exitcode})
        raise ChildProcessError(
            f"a worker process ended with exit code {', '.join(codes)} (-9: killed, often for want of memory): "
            f"{lost} of {len(job_overrides)} runs have no result"
        )
    return [results[number] for number in range(len(job_overrides))]


def work(
    groups: Sequence[Group],
    callbacks: Any,
    task: tuple[str, str],
    begun: Any,
    connection: Connection,
    gpu: str | None,
) -> None:
    """Run one group of jobs after the other, in a worker process, until none is left.

    Args:
        groups: the jobs of each group, for all workers.
        callbacks: Hydra's, of the sweep.
        task: module and name of the command's function.
        begun: counter of the groups that a worker has taken, shared by the workers.
        connection: gives the configuration of each job, and gets the results of each group, number of the job → result.
        gpu: the GPU of this worker, as in CUDA_VISIBLE_DEVICES; None: as in the main process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and the main one ends the others
    end_with_parent()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    setup_globals()
    module, name = task
    function = getattr(importlib.import_module(module), name).__wrapped__
    context = HydraContext(config_loader=None, callbacks=callbacks)  # pyright: ignore[reportArgumentType]

    def run(job: DictConfig) -> JobReturn:
        HydraConfig.instance().set_config(job)
        return run_job(
            hydra_context=context,
            task_function=function,
            config=job,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    from textpool.together.group import run_together  # late: torch takes seconds

    configs: Sequence[DictConfig] = connection.recv()
    while True:
        with begun.get_lock():
            number = begun.value
            begun.value += 1
        if number >= len(groups):
            return
        group = groups[number]
        jobs = [(lambda job=configs[index]: run(job)) for index in group]
        connection.send(dict(zip(group, run_together(jobs), strict=True)))


def groups_of(job_overrides: Sequence[Sequence[str]]) -> list[Group]:
    """The jobs that differ in `seed` alone, in the order of the first job of each group."""
    parser = OverridesParser.create()
    groups: dict[tuple[str, ...], Group] = {}
    for number, overrides in enumerate(job_overrides):
        parsed = parser.parse_overrides(list(overrides))
        others = tuple(str(each.input_line) for each in parsed if each.key_or_group != "seed")
        groups.setdefault(others, []).append(number)
    return list(groups.values())


def spread(groups: Sequence[Group], n_workers: int, overhead: float) -> list[Group]:
    """Divide each group into as many parts of similar size as makes the workers finish first, the largest part first.

    Small parts leave no worker idle at the end; large ones gain more from being trained at once.

    Args:
        groups: to divide.
        n_workers: number of worker processes.
        overhead: what a step of any number of models costs beside them, in steps of one model.
    """
    largest = max(map(len, groups), default=1)

    def duration(parts: int) -> float:
        return math.ceil(parts * len(groups) / n_workers) * (overhead + largest / parts)

    parts = min(range(1, largest + 1), key=duration)
    divided = [group[start::parts] for group in groups for start in range(parts) if group[start::parts]]
    return sorted(divided, key=len, reverse=True)


def cores() -> int:
    """Number of CPU cores that this process may use."""
    with suppress(AttributeError):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
