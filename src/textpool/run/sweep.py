"""The jobs of a sweep, whatever process each of them runs in: how many are done, and one bar for all of them."""

import functools
import json
import logging
import multiprocessing
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from textpool.record import OLD, is_running

log = logging.getLogger(__name__)
RUNNING = "running"  # in the folder of a sweep: a lock that its command holds
LOCKS: list[FileLock] = []  # of this process; not with the callback, which joblib sends to its workers


@dataclass(frozen=True)
class SweepProgress:
    """How much of a sweep is done.

    Attributes:
        done: number of jobs that have ended, whether well or not.
        jobs: number of all jobs; None where only the sweeper knows it.
        running: names of the runs that have started and not ended.
        end: when the last job is expected to end, in seconds since the epoch; None before the first one has trained.
    """

    done: int
    jobs: int | None = None
    running: tuple[str, ...] = ()
    end: float | None = None

    def __str__(self) -> str:
        if self.jobs is None:
            return f"{self.done:,} run{'' if self.done == 1 else 's'} so far"
        text = f"{self.done:,} of {self.jobs:,} runs"
        if self.end is None or self.done >= self.jobs:
            return text
        return f"{text}, about {timedelta(seconds=max(1, round(self.end - time.time())))} left"


class Sweep:
    """What the jobs of a sweep share: a hidden folder in that of the study, for the duration of the sweep.

    Args:
        study: folder of the study.
        since: start of the sweep, in seconds since the epoch: sweeps of one study at the same time are kept apart.
        jobs: number of jobs; None where only the sweeper knows it.
    """

    def __init__(self, study: Path, since: float, jobs: int | None = None) -> None:
        self.study, self.jobs = study, jobs
        self.folder = study / f".sweep-{since:.6f}"
        self.output = self.folder / "output"  # of jobs in other processes, where a bar is shown in the main one
        self._events = self.folder / "events"

    def open(self) -> None:
        """Make the folder, and remove those of sweeps of this study that were killed."""
        for folder in self.study.glob(".sweep-*"):
            with suppress(OSError, Timeout):  # of a sweep that is running, or that another command removes
                if time.time() - folder.stat().st_mtime > OLD:
                    with FileLock(folder / RUNNING, timeout=0):
                        shutil.rmtree(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        LOCKS.append(FileLock(self.folder / RUNNING))
        LOCKS[-1].acquire()

    def begin(self, name: str) -> None:
        """Note that a job has started."""
        with suppress(OSError), self._lock():
            self._add(name, "started")

    def finish(self, name: str, trained: bool, failed: bool = False) -> None:
        """Note and log that a job has ended. The lines of all jobs come one after the other, so that they count up.

        Args:
            name: of the run.
            trained: whether the job took the time of a training; a run that was finished before took none.
            failed: whether the job failed, or was refused.
        """
        with suppress(OSError), self._lock():  # a full disk must not cost the result
            self._add(name, "failed" if failed else "trained" if trained else "ended")
            log.info("%s: %s", name, self.progress())

    def has_begun(self) -> bool:
        """Whether a job has started."""
        return bool(self._read())

    def failures(self) -> set[str]:
        """Names of the runs whose jobs failed or were refused."""
        return {event["run"] for event in self._read() if event["what"] == "failed"}

    def progress(self) -> SweepProgress:
        """How much is done by now; the other jobs are expected to last as long as those that have trained."""
        events, done, side_by_side = self._read(), 0, 1
        running: list[tuple[str, float]] = []  # names, which two jobs may share, and times of their starts
        durations: list[float] = []
        for event in events:
            if event["what"] == "started":
                running.append((event["run"], event["time"]))
                side_by_side = max(side_by_side, len(running))
                continue
            started = next((job for job in running if job[0] == event["run"]), None)
            if started is not None:
                running.remove(started)
                durations += [event["time"] - started[1]] * (event["what"] in ("trained", "failed"))
            done += 1
        end = None
        if durations and self.jobs is not None:
            mean, clock = sum(durations) / len(durations), events[-1]["time"]
            work = mean * (self.jobs - done) - sum(min(mean, clock - start) for _, start in running)
            end = clock + work / max(1, min(side_by_side, self.jobs - done))
        return SweepProgress(done, self.jobs, tuple(dict.fromkeys(name for name, _ in running)), end)

    def close(self) -> None:
        """Remove the folder, and that of the study if no job has begun."""
        while LOCKS:
            LOCKS.pop().release()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.study.rmdir()

    def _read(self) -> list[dict[str, Any]]:
        with suppress(OSError):
            lines = self._events.read_text(encoding="utf-8").splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        return []

    def _add(self, name: str, what: str) -> None:
        with self._events.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"run": name, "what": what, "time": time.time()}) + "\n")

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")


@functools.cache
def end_with_parent() -> None:
    """End this process soon after its parent process was killed: a worker of joblib would wait for jobs for ever.

    What it is writing is lost as by a kill, and the same command continues its run. A second call does nothing.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None or os.name != "posix":
        return
    process, direct = parent.pid, os.getppid() == parent.pid  # a fork server may stand between them

    def watch() -> None:
        while os.getppid() == process if direct else is_running(process):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class SweepBar:
    """One bar on a terminal for a sweep whose jobs run in other processes; what they print appears above it."""

    def __init__(self, sweep: Sweep) -> None:
        from rich.console import Console  # late: --help needs no bar
        from rich.live import Live

        self.sweep = sweep
        self.console = Console()
        self._live = Live(console=self.console, transient=True, auto_refresh=False)
        self._seen = 0  # characters of the output that have been printed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self.sweep.folder.mkdir(parents=True, exist_ok=True)
        self.sweep.output.touch()
        self._live.start()
        self._thread.start()

    def stop(self) -> None:
        """Take the bar away, after the rest of the output has been printed."""
        self._stop.set()
        self._thread.join()
        self._refresh(whole_lines=False)
        self._live.stop()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self._refresh()

    def _refresh(self, whole_lines: bool = True) -> None:
        """Draw the bar anew and print what the jobs have written since."""
        from rich.text import Text

        with suppress(OSError):
            with self.sweep.output.open("rb") as file:
                file.seek(self._seen)
                new = file.read()
            end = new.rfind(b"\n") + 1 if whole_lines else len(new)
            self._seen += end
            # the bar between reading and printing: otherwise it would lag behind the lines above it
            self._live.update(self.render(), refresh=True)
            if end:
                text = Text.from_ansi(new[:end].decode(errors="replace").rstrip("\n"))
                self.console.print(text, soft_wrap=True)

    def render(self) -> Any:
        """The bar, the number of jobs and the names of the running ones."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        progress = self.sweep.progress()
        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(progress.jobs, progress.done, width=30, pulse=progress.jobs is None), str(progress))
        names = "" if progress.done else "jobs are starting"
        if progress.running:
            names = f"running: {', '.join(progress.running)}"
        return Group(line, Text(names, no_wrap=True, overflow="ellipsis"))


BARS: list[SweepBar] = []  # of this process; not with the callback, which joblib sends to its workers


def show_bar(sweep: Sweep) -> None:
    """Show a bar for the sweep, if the output is a terminal."""
    if sys.stdout.isatty():
        bar = SweepBar(sweep)
        bar.start()
        BARS.append(bar)


def hide_bars() -> None:
    """Take the bars away; a second call does nothing."""
    while BARS:
        BARS.pop().stop()


def print_above_bar(sweep: Sweep) -> None:
    """Let a job in a process of its own leave its output to the bar of the sweep, if there is one.

    Bars and lines of several processes on one terminal overwrite each other. The descriptors are redirected, because
    warnings and libraries in C write as well.
    """
    alone = multiprocessing.current_process().name == "MainProcess"
    if alone or not sys.stdout.isatty() or not sweep.output.exists():
        return
    with sweep.output.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
