"""Where Hydra and a study meet: what is swept, what fails, and the table at the end."""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from textpool.study.naming import count_jobs, parse_overrides, swept_names
from textpool.study.record import (
    CONFIG,
    REFUSED,
    Result,
    Run,
    RunExistsError,
    changed_settings,
    config_hash,
    group_hash,
    now,
    write_atomic,
)

log = logging.getLogger(__name__)


def current_run() -> Run:
    """The run that Hydra has just started in this process."""
    hydra = HydraConfig.get()
    return Run(
        folder=Path(hydra.runtime.output_dir),
        choices={group: str(choice) for group, choice in hydra.runtime.choices.items()},
        overrides=parse_overrides(hydra.overrides.task),
        arguments=list(hydra.overrides.task),
    )


BROKEN_OFF: list[Callable[[], None]] = []  # what is to be said where a sweep does not come to its end


def last_word() -> None:
    """Show what a sweep that was broken off has come to; nothing after one that came to its end."""
    for say in BROKEN_OFF:
        say()


class StudyCallback(Callback):
    """Name the runs of a sweep, keep one failure from costing the others, and compare at the end."""

    def __init__(self, swept: Sequence[str] | None = None, jobs: int | None = None, since: float | None = None) -> None:
        self.swept, self.jobs, self.since = swept, jobs, since
        self.sweep_started, self.sweep_clock = now(), time.time()
        self.started, self.clock = now(), time.time()
        self.reported = False

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at the settings that only the whole command can be wrong about."""
        refuse_relaunch(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note what is swept: every job composes its configuration anew and would not know."""
        refuse_relaunch(config)
        study, baseline = Path(config.hydra.sweep.dir).resolve(), config.get("baseline")
        BROKEN_OFF.append(lambda: self.last_word(study, baseline))
        params = [f"{name}={value}" for name, value in (config.hydra.sweeper.get("params") or {}).items()]
        overrides = [*params, *config.hydra.overrides.task]
        basic = config.hydra.sweeper._target_.endswith("BasicSweeper")  # others decide on their own
        jobs = count_jobs(overrides, lambda group: options(config, group)) if basic else None
        told = {"swept": f"[{','.join(swept_names(overrides))}]", "jobs": jobs or "null", "since": self.sweep_clock}
        with open_dict(config):
            config.hydra.overrides.hydra += [f"hydra.callbacks.study.{name}={value}" for name, value in told.items()]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the time, in the process of the job."""
        self.started, self.clock = now(), time.time()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Show what a run alone gave; record a failure, and in a sweep go on."""
        folder = Path(config.hydra.runtime.output_dir)
        alone = config.hydra.mode != RunMode.MULTIRUN
        told = config.hydra.callbacks.study
        if not alone and told.jobs:
            log.info("%s: %s", folder.name, progress(config.hydra.job.num + 1, told.jobs, time.time() - told.since))
        if job_return.status != JobStatus.FAILED:
            if alone:
                report(folder.parent, config.get("baseline"))
            return
        error = root_cause(job_return._return_value)
        log_file = record_failure(config, error, self.started, time.time() - self.clock)
        if alone and not users_error(error):
            traceback.print_exception(error, file=sys.stderr)
        print(f"error: {describe(error)}\n(traceback: {shown(log_file)})", file=sys.stderr)
        if alone:
            raise SystemExit(1)
        job_return.status = JobStatus.COMPLETED
        job_return.return_value = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show the table of the study; end with status 1 if a job of this sweep failed or was refused."""
        self.reported = True
        study = Path(config.hydra.sweep.dir)
        try:
            failed = [result for result in report(study, config.get("baseline")) if result.status != "ok"]
        except Exception as error:  # Hydra would make a warning of it, and a success of the sweep
            raise SystemExit(f"error: no table of {study}: {describe(error)}") from error
        refused = [file for file in study.glob(f"*/{REFUSED}") if file.stat().st_mtime >= self.sweep_clock]
        for file in sorted(refused):
            print(f"error: {file.parent.name} was not run: {file.read_text(encoding='utf-8')}", file=sys.stderr)
        if refused or any(result.started >= self.sweep_started for result in failed):
            raise SystemExit(1)

    def last_word(self, study: Path, baseline: str) -> None:
        """Show what the sweep has come to, if it was broken off: by Ctrl-C, or with a worker killed."""
        begun = any(path.stat().st_mtime >= self.sweep_clock for path in study.glob(f"*/{CONFIG}"))
        if begun and not self.reported:
            print("\nbroken off: the same command with", f"study={study.name}", "goes on", file=sys.stderr)
            report(study, baseline)


def options(config: DictConfig, group: str) -> list[str]:
    """The names of the files of a config group, wherever the command looks for them."""
    folders = (Path(source.path, group) for source in config.hydra.runtime.config_sources if source.schema == "file")
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def progress(done: int, jobs: int, seconds: float) -> str:
    """How far a sweep is, and how long the rest may take."""
    left = timedelta(seconds=round(seconds / done * (jobs - done)))
    return f"{done:,} of {jobs:,} runs" + (f", about {left} left" if done < jobs else "")


def refuse_relaunch(config: DictConfig) -> None:
    """End a command that Lightning's `ddp` would start once more on every device, a sweep included."""
    devices, strategy = config.trainer.get("devices", 1), str(config.trainer.get("strategy", "auto"))
    local = any(name in config.hydra.launcher._target_ for name in ("basic_launcher", "joblib"))
    if local and str(devices) != "1" and "spawn" not in strategy:
        raise SystemExit(
            f"error: trainer.devices: expected 1, or +trainer.strategy=ddp_spawn, got {devices}: "
            "ddp would start the whole command again on each device"
        )


def report(study: Path, baseline: str) -> list[Result]:
    """Show and write the table of a study, and say where it is."""
    from textpool.study import (  # late: SciPy and matplotlib take seconds that --help does not need
        plots,
        table,
        terminal,
    )
    from textpool.study.compare import compare

    comparison = compare([study], baseline=baseline)
    terminal.show(comparison)  # first: a full disk must not cost it
    table.write(comparison, study)
    print(f"\ntable:   {shown(study)}/comparison.md")
    if plots.write(comparison, study):
        print(f"figures: {shown(study)}/figures")
    print(f"curves:  tensorboard --logdir {shown(study)}")
    return [entry.result for entry in comparison.entries]


def root_cause(error: BaseException) -> BaseException:
    """The error inside of what Hydra wraps around it."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def users_error(error: BaseException) -> bool:
    """Whether the user caused it: then its message says all, and a traceback nothing more."""
    known = isinstance(error, ValueError | OSError | ImportError | OmegaConfBaseException)
    return known or type(error).__name__ == "MisconfigurationException"  # Lightning's; too slow to import here


def describe(error: BaseException) -> str:
    """An error in a line; what a user caused speaks for itself."""
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: a value is needed: set {error.full_key}=…"
    text = " ".join(str(error).split("\n    full_key", 1)[0].split())
    return text if users_error(error) and text else f"{type(error).__name__}: {text}"


def record_failure(config: DictConfig, error: BaseException, started: str, seconds: float) -> Path:
    """Write why a run failed to its folder, unless another run lives there: then only that it was not let in.

    Returns:
        The log file with the traceback.
    """
    folder, overrides = Path(config.hydra.runtime.output_dir), config.hydra.overrides.task
    log_file = folder / f"{config.hydra.job.name}.log"
    settings = OmegaConf.create({key: node for key, node in config.items() if key != "hydra"})
    try:
        resolved = OmegaConf.to_container(settings, resolve=True)
    except OmegaConfBaseException:
        resolved = {}
    plain = {str(key): value for key, value in resolved.items()} if isinstance(resolved, dict) else {}
    try:
        with log_file.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        if isinstance(error, RunExistsError) or changed_settings(folder, plain):
            write_atomic(folder / REFUSED, describe(error))
            return log_file
        Result(
            run=folder.name,
            status="failed",
            error=describe(error),
            pooling=str(config.hydra.runtime.choices.pooling),
            seed=config.get("seed"),
            overrides=parse_overrides(overrides),
            command=Run(folder, {}, arguments=list(overrides)).command,
            config_hash=config_hash(plain) if plain else None,
            group_hash=group_hash(plain) if plain else None,
            started=started,
            seconds=round(seconds, 3),
        ).write(folder)
    except OSError as trouble:  # a full disk: the run stands in the table as unfinished
        print(f"error: {folder}: the failure cannot be recorded: {trouble}", file=sys.stderr)
    return log_file


def shown(path: Path) -> Path:
    """A path as short as it can be said from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
