"""What the jobs of a sweep share: a count that never runs backwards, and one bar."""

import io
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from rich.console import Console

from textpool.record import is_running
from textpool.run import sweep as module
from textpool.run.sweep import Sweep, SweepBar, SweepProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of the journal, in seconds, set by hand."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(module.time, "time", lambda: now.seconds)
    return now


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (SweepProgress(0, 3), "0 of 3 runs"),
        (SweepProgress(1, 3, end=1020.4), "1 of 3 runs, about 0:00:20 left"),
        (SweepProgress(2, 3, end=900.0), "2 of 3 runs, about 0:00:01 left"),
        (SweepProgress(3, 3, end=1020.0), "3 of 3 runs"),
        (SweepProgress(1000, 2000, end=4600.0), "1,000 of 2,000 runs, about 1:00:00 left"),
        (SweepProgress(1), "1 run so far"),
        (SweepProgress(7), "7 runs so far"),
    ],
)
def test_progress_in_words(clock: SimpleNamespace, progress: SweepProgress, text: str) -> None:
    """The time that is left counts down, is never below a second, and needs a known number of jobs."""
    assert str(progress) == text


def test_jobs_are_counted_as_they_end(tmp_path: Path, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever their order, and whoever counts: every job opens the folder anew."""
    with caplog.at_level(logging.INFO):
        for name in ("max", "avg", "kmax"):
            Sweep(tmp_path / "study", 5.0, 3).begin(name)
        for name in ("kmax", "max", "avg"):
            Sweep(tmp_path / "study", 5.0, 3).finish(name, trained=False)
    assert caplog.messages == ["kmax: 1 of 3 runs", "max: 2 of 3 runs", "avg: 3 of 3 runs"]


def test_what_is_running(tmp_path: Path) -> None:
    """Names of runs that have started and not ended; two jobs may ask for the same run."""
    sweep = Sweep(tmp_path, 5.0, 4)
    for name in ("max", "max", "avg"):
        sweep.begin(name)
    assert sweep.progress().running == ("max", "avg")
    sweep.finish("max", trained=True)
    assert sweep.progress().running == ("max", "avg")
    sweep.finish("max", trained=False)
    assert sweep.progress().running == ("avg",)
    assert sweep.progress().done == 2


def test_the_time_that_is_left_by_hand(tmp_path: Path, clock: SimpleNamespace) -> None:
    """The mean of the jobs that trained, 20 s, for each other job; two run side by side, one of them for 10 s."""
    sweep = Sweep(tmp_path, 5.0, 5)
    sweep.begin("finished before")
    sweep.finish("finished before", trained=False)
    assert sweep.progress().end is None
    sweep.begin("max")
    clock.seconds += 10
    sweep.begin("avg")
    clock.seconds += 10
    sweep.finish("max", trained=True)
    # 3 jobs of 20 s less the 10 s that avg has run, in two processes
    assert sweep.progress().end == pytest.approx(1020 + (3 * 20 - 10) / 2)


def test_two_sweeps_of_one_study_are_kept_apart(tmp_path: Path) -> None:
    """They may run at the same time, and one may follow another that was killed."""
    Sweep(tmp_path, 5.0, 3).finish("max", trained=False)
    assert Sweep(tmp_path, 6.0, 3).progress().done == 0


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Neither the shared files nor an empty study, as of a sweep that was refused; runs stay."""
    sweep = Sweep(tmp_path / "study", 5.0, 3)
    sweep.begin("max")
    sweep.close()
    assert not sweep.study.exists()
    sweep.begin("max")
    (sweep.study / "max").mkdir()
    sweep.close()
    sweep.close()
    assert [path.name for path in sweep.study.iterdir()] == ["max"]


def test_a_full_disk_costs_the_line_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of a job has more to do than to count."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    sweep = Sweep(tmp_path, 5.0, 3)
    monkeypatch.setattr(sweep, "_add", full)
    with caplog.at_level(logging.INFO):
        sweep.begin("max")
        sweep.finish("max", trained=True)
    assert caplog.messages == []


def test_what_killed_sweeps_have_left_is_removed(tmp_path: Path) -> None:
    """The folder of a sweep that is running stays, and one that is just being made."""
    for number in (1, 2):
        Sweep(tmp_path, float(number)).begin("max")
        os.utime(tmp_path / f".sweep-{number}.000000", (1, 1))
    Sweep(tmp_path, 3.0).begin("max")
    with FileLock(tmp_path / ".sweep-2.000000" / "running"):
        os.utime(tmp_path / ".sweep-2.000000", (1, 1))
        sweep = Sweep(tmp_path, 4.0)
        sweep.open()
        assert {path.name for path in tmp_path.iterdir()} == {f".sweep-{number}.000000" for number in (2, 3, 4)}
    sweep.close()
    assert not (tmp_path / ".sweep-4.000000").exists()


def test_failures_are_counted(tmp_path: Path) -> None:
    """Whatever the clock says, and without those of other sweeps."""
    sweep = Sweep(tmp_path, 5.0)
    assert not sweep.has_begun()
    for name, failed in (("max", False), ("kmax", True)):
        sweep.begin(name)
        sweep.finish(name, trained=True, failed=failed)
    Sweep(tmp_path, 6.0).finish("avg", trained=False, failed=True)
    assert sweep.has_begun()
    assert sweep.failures() == {"kmax"}


PARENT = """
import multiprocessing, time
from textpool.run.sweep import end_with_parent

def work():
    end_with_parent()
    end_with_parent()
    print(multiprocessing.current_process().pid, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work).start()
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a process of Windows does not know whether its parent has ended")
def test_a_worker_ends_with_its_command(tmp_path: Path) -> None:
    """When the main process is killed, which tells its workers nothing."""
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 60
    while is_running(worker):
        assert time.monotonic() < end
        time.sleep(0.05)


JOB = """
import logging, sys
from pathlib import Path
from textpool.run.sweep import Sweep
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
for number in range(5):
    Sweep(Path(sys.argv[1]), 5.0, 20).begin(f"{sys.argv[2]}-{number}")
    Sweep(Path(sys.argv[1]), 5.0, 20).finish(f"{sys.argv[2]}-{number}", trained=True)
"""


@pytest.mark.slow
def test_processes_count_together(tmp_path: Path) -> None:
    """Their lines come in the order of the count, each number once."""
    with (tmp_path / "lines").open("w") as lines:
        command = [sys.executable, "-c", JOB, str(tmp_path)]
        jobs = [subprocess.Popen([*command, name], stdout=lines) for name in "abcd"]
        assert [job.wait() for job in jobs] == [0] * 4
    counts = [line.split()[1] for line in (tmp_path / "lines").read_text().splitlines()]
    assert counts == [str(number) for number in range(1, 21)]


@pytest.mark.parametrize(("width", "cut"), [(80, True), (200, False)])
def test_the_bar_names_what_runs(tmp_path: Path, width: int, cut: bool) -> None:
    """One line for the count, one for the names, however many they are."""
    sweep = Sweep(tmp_path, 5.0, 12)
    bar = SweepBar(sweep)
    bar.console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bar.console.print(bar.render())
    for number in range(9):
        sweep.begin(f"kmax-k{number}-seed0")
    sweep.finish("kmax-k0-seed0", trained=False)
    bar.console.print(bar.render())
    before, names_before, line, names = bar.console.file.getvalue().splitlines()  # pyright: ignore
    assert "0 of 12 runs" in before
    assert "jobs are starting" in names_before
    assert "1 of 12 runs" in line
    assert names.startswith("running: kmax-k1-seed0, kmax-k2-seed0")
    assert ("…" in names) == cut


def test_the_bar_prints_what_the_jobs_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line once and whole, in order, above the bar; the bar itself goes."""
    bar = SweepBar(Sweep(tmp_path, 5.0, 2))
    output = io.StringIO()
    bar.console = bar._live.console = Console(file=output, width=80, force_terminal=True, color_system=None)
    bar.start()
    with bar.sweep.output.open("a") as file:
        file.write("error: [red] k: a line that is longer than the terminal is wide " + "x" * 40 + "\nhalf a")
    bar._refresh()
    with bar.sweep.output.open("a") as file:
        file.write(" line")
    bar.stop()
    text = output.getvalue()
    assert text.count("error: [red] k") == 1
    assert "x" * 40 + "\n" in text
    assert text.count("half a line") == 1
    assert "half a\n" not in text
    assert text.index("half a line") > text.index("error")


def test_only_a_terminal_has_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log file would show its every state."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    module.show_bar(Sweep(tmp_path, 5.0, 2))
    assert module.BARS == []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    module.show_bar(Sweep(tmp_path, 5.0, 2))
    assert len(module.BARS) == 1
    module.hide_bars()
    module.hide_bars()
    assert module.BARS == []


@pytest.mark.parametrize(
    ("process", "terminal", "bar", "redirected"),
    [
        ("LokyProcess-1", True, True, True),
        ("LokyProcess-1", True, False, False),
        ("LokyProcess-1", False, True, False),
        ("MainProcess", True, True, False),
    ],
)
def test_jobs_side_by_side_leave_their_output_to_the_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str, terminal: bool, bar: bool, redirected: bool
) -> None:
    """Standard output and standard error, of other processes than that of the bar, if there is a bar."""
    sweep, moved = Sweep(tmp_path, 5.0, 2), []
    sweep.folder.mkdir()
    if bar:
        sweep.output.touch()
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(name=process))
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr(os, "dup2", lambda old, new: moved.append(new))
    for number, name in ((1, "stdout"), (2, "stderr")):
        monkeypatch.setattr(f"sys.{name}.fileno", lambda number=number: number)
    module.print_above_bar(sweep)
    assert moved == ([1, 2] if redirected else [])
