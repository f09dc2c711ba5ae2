"""Between Hydra and a run: names its folder, lets a sweep outlive failures, and compares the runs at the end."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from textpool.checks import cut, switch
from textpool.configuration import resolved
from textpool.facts import Facts
from textpool.record import CONFIG, REFUSED, RESULT, short
from textpool.run.failure import describe, is_users_error, record_failure, root_cause
from textpool.run.folder import Run
from textpool.run.gpu import gpus_to_share, take_gpu
from textpool.run.overrides import count_jobs, one_at_a_time, parse_overrides, swept_names, values_of
from textpool.run.provenance import now
from textpool.run.rehearsal import check_sweep, is_local
from textpool.run.search import continue_search, is_search
from textpool.run.sweep import Sweep, end_with_parent, hide_bars, print_above_bar, show_bar

log = logging.getLogger(__name__)
INTERRUPTED: list[Callable[[], None]] = []  # reports of sweeps that have not come to their end
STOPPED = "stopped"  # in the folder that the jobs of a sweep share: the run that failed, and a line for each not begun
LONGEST_STUDY = 200  # bytes; file systems allow 255
CONTINUE = [""]  # how the command continues if it is interrupted: known once Hydra has read it


class StoppedError(Exception):
    """A job is not run, because an earlier one of its sweep failed."""


def facts_of(config: DictConfig, hydra: DictConfig) -> Facts:
    """The facts of a run.

    Args:
        config: its configuration, not resolved; a section `hydra` in it is left out.
        hydra: Hydra's section, with the choices and the overrides of the run.
    """
    unresolved = OmegaConf.to_container(config, resolve=False)
    settings = {key: value for key, value in unresolved.items() if key != "hydra"}  # pyright: ignore
    other_seed = 1 if settings.get("seed") != 1 else 2
    return Facts.of(
        config=resolved(OmegaConf.create(settings)),
        reseeded=resolved(OmegaConf.create({**settings, "seed": other_seed})),
        choices={str(group): str(option) for group, option in hydra.runtime.choices.items() if "hydra" not in group},
        overrides=parse_overrides(hydra.overrides.task),
        swept=None if hydra.callbacks.study.swept is None else list(hydra.callbacks.study.swept),
    )


OmegaConf.register_new_resolver("run_name", lambda *, _root_: facts_of(_root_, _root_.hydra).folder_name, replace=True)


def current_run(config: DictConfig) -> Run:
    """The run that Hydra has just started in this process.

    Raises:
        StoppedError: if an earlier job of the sweep failed, and `stop_on_failure` is set.
    """
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return _run(config, hydra)
    sweep = _sweep(hydra)
    if (sweep.folder / STOPPED).exists():
        raise StoppedError
    return replace(_run(config, hydra), sweep=sweep.progress(), shared=sweep.folder)


def _run(config: DictConfig, hydra: Any) -> Run:
    return Run(Path(hydra.runtime.output_dir), facts_of(config, hydra), list(hydra.overrides.task))


def _sweep(hydra: Any) -> Sweep:
    """The sweep of a job."""
    known = hydra.callbacks.study
    return Sweep(Path(hydra.sweep.dir).resolve(), known.since, known.jobs)


def is_interruption(error: BaseException) -> bool:
    """Whether a command ends because of Ctrl-C; Lightning then raises SystemExit."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)


def say_interrupted(what: str = "interrupted") -> None:
    """Say in one line how the command that was interrupted continues; a second call does nothing."""
    if CONTINUE:
        print(f"\n{what}{CONTINUE.pop()}", file=sys.stderr)


def report_if_interrupted() -> None:
    """Show the runs of a sweep that did not come to its end: after Ctrl-C, or with a worker killed."""
    for report in INTERRUPTED:
        report()


class StudyCallback(Callback):
    """Tell the jobs of a sweep what is swept, keep one failure from costing the others, compare at the end.

    The arguments are filled in at the start of a sweep, since every job composes its configuration anew; the jobs read
    them there.

    Args:
        swept: settings that have several values in this sweep; None outside of a sweep.
        jobs: number of jobs; None where only the sweeper knows it.
        since: start of the sweep, in seconds since the epoch.
        gpus: those among which the jobs are distributed; None where they are not.
    """

    def __init__(
        self,
        swept: Sequence[str] | None = None,
        jobs: int | None = None,
        since: float | None = None,
        gpus: Sequence[str] | None = None,
    ) -> None:
        self.sweep_started, self.sweep_clock = now(), time.time()
        self.started, self.clock = now(), time.time()
        self.reported = False
        self.sweep: Sweep | None = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse commands that cannot work as a whole."""
        refuse_study(config)
        refuse_unwritable(Path(config.hydra.run.dir))
        refuse_relaunch(config)
        refuse_options_of_comparison(config)
        refuse_unknown_baseline(config, Path(config.hydra.run.dir).parent, [config.hydra.runtime.choices.pooling])
        CONTINUE[:] = [how_to_continue(config)]

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Find out what is swept, and hand it to the jobs."""
        refuse_study(config)
        refuse_unwritable(Path(config.hydra.sweep.dir))
        refuse_relaunch(config)
        study = Path(config.hydra.sweep.dir).resolve()
        params = [f"{name}={value}" for name, value in (config.hydra.sweeper.get("params") or {}).items()]
        overrides = [*params, *config.hydra.overrides.task]
        refuse_options_of_comparison(config)
        poolings = values_of("pooling", overrides, options(config, "pooling"))
        refuse_unknown_baseline(config, study, poolings or [config.hydra.runtime.choices.pooling])
        CONTINUE[:] = [how_to_continue(config)]
        INTERRUPTED.append(lambda: self.report_if_interrupted(study, config))
        basic = config.hydra.sweeper._target_.endswith("BasicSweeper")  # only its jobs are known beforehand
        jobs = count_jobs(overrides, lambda group: options(config, group)) if basic else None
        if is_search(config.hydra.sweeper):
            jobs = continue_search(config.hydra.sweeper)
        known = {"swept": f"[{','.join(swept_names(overrides))}]", "jobs": jobs or "null", "since": self.sweep_clock}
        gpus = ",".join(f"'{gpu}'" for gpu in gpus_to_share(config))
        with open_dict(config):
            config.hydra.overrides.hydra += [f"hydra.callbacks.study.{name}={value}" for name, value in known.items()]
            config.hydra.overrides.hydra += [f"++hydra.callbacks.study.gpus=[{gpus}]"] if gpus else []
        check_sweep(config, one_at_a_time(overrides, lambda group: options(config, group)), study)
        self.sweep = Sweep(study, self.sweep_clock, jobs)
        self.sweep.open()
        if not config.hydra.launcher._target_.endswith("BasicLauncher"):  # its jobs have bars of their own
            show_bar(self.sweep)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the time, in the process of the job."""
        self.started, self.clock = now(), time.time()
        alone = threading.current_thread() is threading.main_thread()  # Python allows it in that thread only
        if multiprocessing.current_process().name != "MainProcess" and alone:
            # Ctrl-C reaches all processes, and the main one ends the others
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            end_with_parent()
        if config.hydra.mode == RunMode.MULTIRUN:
            sweep, gpus = _sweep(config.hydra), config.hydra.callbacks.study.get("gpus")
            if gpus:
                take_gpu(sweep.folder, gpus)
            print_above_bar(sweep)
            sweep.begin(Path(config.hydra.runtime.output_dir).name)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Report a run that is no part of a sweep; record a failure, with which a sweep continues."""
        folder = Path(config.hydra.runtime.output_dir)
        alone = config.hydra.mode != RunMode.MULTIRUN
        if isinstance(job_return._return_value, StoppedError):
            discard_unused(folder)
            with suppress(OSError), (_sweep(config.hydra).folder / STOPPED).open("a", encoding="utf-8") as file:
                file.write("\n")
            job_return.status = JobStatus.COMPLETED
            job_return.return_value = None
            return
        if not alone:
            result, failed = folder / RESULT, job_return.status == JobStatus.FAILED
            trained = result.exists() and result.stat().st_mtime >= self.clock
            _sweep(config.hydra).finish(folder.name, trained, failed)
        if job_return.status != JobStatus.FAILED:
            if alone:
                try:
                    report_at_end(folder.parent, config)
                finally:
                    print(f"run:     {short(folder)}\nmodel:   {short(folder)}/checkpoints/best.ckpt")
            return
        error = root_cause(job_return._return_value)
        try:
            settings = resolved(config)
        except OmegaConfBaseException:
            settings = {}
        record_failure(_run(config, config.hydra), settings, error, self.started, time.time() - self.clock)
        if alone and not is_users_error(error):
            traceback.print_exception(error, file=sys.stderr)
        print(f"error: {describe(error)} (traceback: {short(folder / 'train.log')})", file=sys.stderr)
        if alone:
            raise SystemExit(1)
        if config.get("stop_on_failure"):
            with suppress(OSError), (_sweep(config.hydra).folder / STOPPED).open("x", encoding="utf-8") as file:
                file.write(f"{folder.name}\n")
        job_return.status = JobStatus.COMPLETED
        job_return.return_value = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare the runs of the study; end with status 1 if a job of this sweep failed or was refused."""
        self.reported = True
        study = Path(config.hydra.sweep.dir)
        stopped = self.sweep.folder / STOPPED if self.sweep is not None else None
        failure, *given_up = stopped.read_text(encoding="utf-8").splitlines() if stopped and stopped.exists() else [""]
        failures = self.sweep.failures() if self.sweep is not None else set()
        self.end_progress()
        failed = report_at_end(study, config).query("status != 'ok'")
        refused = [study / name / REFUSED for name in failures if (study / name / REFUSED).exists()]
        for file in sorted(refused):
            print(f"error: {file.parent.name} was not run: {file.read_text(encoding='utf-8')}", file=sys.stderr)
        if given_up:
            runs = f"{len(given_up)} run{'s were' if len(given_up) > 1 else ' was'}"
            print(f"{runs} not begun after the failure of {failure}{how_to_continue(config)}", file=sys.stderr)
        if failures or (failed["started"] >= self.sweep_started).any():  # a full disk keeps no list of failures
            raise SystemExit(1)

    def report_if_interrupted(self, study: Path, config: DictConfig) -> None:
        """Compare the runs so far, if this sweep has begun any and has not reported them."""
        begun = self.sweep is not None and self.sweep.has_begun()
        self.end_progress()
        if begun and not self.reported:
            say_interrupted()
            report_study(study, config)

    def end_progress(self) -> None:
        """Take away the bar of the sweep, and the files that its jobs shared."""
        hide_bars()
        if self.sweep is not None:
            self.sweep.close()


def report_at_end(study: Path, config: DictConfig) -> Any:
    """Like `report_study`, but an error ends the command with status 1: Hydra would make a warning of it."""
    try:
        return report_study(study, config)
    except Exception as error:
        raise SystemExit(f"error: no table of {study}: {describe(error)}") from error


def report_study(study: Path, config: DictConfig) -> Any:
    """Compare the runs of a study on the terminal and in its folder; all its runs as a DataFrame."""
    from textpool.study.report import report  # late: pandas, SciPy and matplotlib take seconds

    return report([study], **options_of_comparison(config))


def refuse_study(config: DictConfig) -> None:
    """End a command whose study would not be a folder of its own inside of the folder of all studies."""
    name = str(config.study)
    parts = Path(name).parts
    wrong = not parts or Path(name).is_absolute() or ".." in parts or not name.isprintable()
    if config.study is None or wrong or any(len(part.encode()) > LONGEST_STUDY for part in parts):
        raise SystemExit(
            f"error: study: expected a name, or names separated by /, of at most {LONGEST_STUDY} bytes each, "
            f"got {cut(repr(config.study), 80)}"
        )


def refuse_unwritable(folder: Path) -> None:
    """End a command whose files could not be written: Hydra would end it with a traceback."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise SystemExit(f"error: {short(there)}: expected a folder that can be written, for the files of {folder}")


def refuse_options_of_comparison(config: DictConfig) -> None:
    """End a command whose runs could not be compared at its end."""
    try:
        switch("stop_on_failure", config.get("stop_on_failure", False))
        options_of_comparison(config)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error


def options_of_comparison(config: DictConfig) -> dict[str, Any]:
    """The settings of a configuration that `textpool.study.report` takes.

    Raises:
        ValueError: if one has a value that is not allowed.
    """
    choose, near = config.get("choose"), config.get("equal_within", 1.0)
    if isinstance(near, bool) or not isinstance(near, int | float) or near < 0:
        raise ValueError(f"equal_within: expected a number of points of at least 0, got {near!r}")
    if not isinstance(choose, str | ListConfig | list | None):
        raise ValueError(f"choose: expected the name of a setting, such as optimizer.lr, or a list, got {choose!r}")
    names = [choose] if isinstance(choose, str) else list(choose or ())
    unknown = [name for name in names if OmegaConf.select(config, name, default=None) is None]
    if unknown:
        raise ValueError(f"choose: expected settings of the configuration, such as optimizer.lr, got {unknown[0]!r}")
    return {"baseline": config.get("baseline"), "choose": names, "equal_within": near}


def discard_unused(folder: Path) -> None:
    """Remove the folder and the empty log that Hydra made for a run that did not start; others stay."""
    with suppress(OSError):
        if (folder / "train.log").stat().st_size == 0:
            (folder / "train.log").unlink()
        folder.rmdir()


def options(config: DictConfig, group: str) -> list[str]:
    """The options of a config group: its files, in every folder of the search path."""
    folders = (Path(source.path, group) for source in config.hydra.runtime.config_sources if source.schema == "file")
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def how_to_continue(config: DictConfig) -> str:
    """The end of a message about an interruption: a study that is named after the time needs this name again."""
    name = f" with study={config.study}" if OmegaConf.is_interpolation(config, "study") else ""
    return f": the same command{name} continues it"


def refuse_unknown_baseline(config: DictConfig, study: Path, poolings: Sequence[str]) -> None:
    """End a command that names a baseline which will be no row of the table.

    Args:
        config: its configuration.
        study: folder of the study, which may hold runs of earlier commands.
        poolings: those that the command trains.
    """
    runs = [folder.parent.name for folder in study.glob(f"*/{CONFIG}")]
    names = [str(name) for name in dict.fromkeys([*poolings, *runs])]
    # the default need be no row: then the first row is the baseline
    for baseline in values_of("baseline", config.hydra.overrides.task):
        if not any(f"{baseline}-".startswith(f"{name}-") or name.startswith(f"{baseline}-") for name in names):
            raise SystemExit(f"error: baseline: expected one of {', '.join(names)}, got {baseline!r}")


def refuse_relaunch(config: DictConfig) -> None:
    """End a command that Lightning's `ddp` would start once more on every device, a whole sweep included."""
    if not isinstance(config.get("trainer"), DictConfig):
        return
    devices, strategy = config.trainer.get("devices", 1), str(config.trainer.get("strategy", "auto"))
    if is_local(config.hydra.launcher._target_) and str(devices) != "1" and "spawn" not in strategy:
        raise SystemExit(
            f"error: trainer.devices: expected 1, or trainer=ddp_cpu or trainer=ddp_gpu, got {devices}: "
            "ddp would start the whole command again on each device"
        )
