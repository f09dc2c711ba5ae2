"""Fifty kills at random moments for each way to start runs cost nothing that was finished.

No result is lost, changed or doubled, and in the end every run has the numbers of a run that nothing happened to.

A kill is SIGKILL, as from a scheduler or when the memory is full: of all processes of a command at once, of its main
process alone, whose workers go on beside the next command, or of one worker. The same command follows until it ends by
itself; then a new study begins, until there were fifty kills.
"""

import csv
import math
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from conftest import ROOT
from outcome import outcome
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from textpool.study import compare, read

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="the processes of a command are found in /proc"),
]

KILLS = int(os.environ.get("KILLS", 50))
SEED = int(os.environ.get("KILLS_SEED", 14))
EPOCHS = 30
TINY = ("data.n_train=192", "data.n_val=64", "data.n_test=64", f"trainer.max_epochs={EPOCHS}", "study=mine")
SWEEP = ("-m", "pooling=max,kmax,attention")
COMMANDS = {
    "alone": ("pooling=kmax",),
    "basic": SWEEP,
    "joblib": (*SWEEP, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "local": (*SWEEP, "hydra/launcher=local"),
    "together": ("-m", "pooling=kmax,attention", "seed=1,2", "hydra/launcher=together", "hydra.launcher.n_jobs=2"),
}
UNTOUCHED = {"together": COMMANDS["together"][:-2]}  # the command whose numbers are expected; others: SWEEP
WHOM = {"alone": ["all"], "basic": ["all"]}  # others: the main process alone, or a worker alone, too
PLUGINS = {"joblib": "hydra_joblib_launcher", "local": "hydra_submitit_launcher"}
DRAFT = re.compile(r"\..+\.\d+|.*\.draft|\.replacement|\.sweep-.*")


def processes(cwd: Path) -> list[int]:
    """The processes that work in a folder: those of the commands started there, and of earlier ones that go on."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (entry / "cwd").readlink() == cwd:
                found.append(int(entry.name))
    return found


def kill(numbers: list[int]) -> None:
    """Kill processes at the same time: none of them sees that another has ended."""
    for each in (signal.SIGSTOP, signal.SIGKILL):
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, each)


def state(folder: Path) -> int:
    """A number that changes with whatever is written in a folder."""
    found = 0
    with suppress(OSError), os.scandir(folder) as entries:  # not there yet, or removed in this moment
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += state(Path(entry.path))
            else:
                found += hash((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns))
    return found


class Command:
    """A command that is killed at some moment, unless it ends before.

    Attributes:
        start: seconds to the first change in the folder, in the last command that was seen to make one.
        changes: number of changes of files that were seen in the last command.
        killed: whether the last command was.
    """

    def __init__(self, command: Sequence[str], cwd: Path) -> None:
        self.arguments, self.cwd = [*command, *TINY], cwd
        self.start, self.changes, self.killed = 0.0, 0, False

    def run(self, moment: float = math.inf, whom: str = "all", after: float = math.inf) -> forked.Done:
        """Run the command.

        Args:
            moment: number of changes of files after which it is killed.
            whom: `all` processes, the `main` one, or one `worker`.
            after: seconds after which it is killed if there was no change.
        """
        begin, before = time.monotonic(), state(self.cwd)
        self.changes, self.killed = 0, False

        def watch(main: int) -> bool:
            nonlocal before
            now, seconds = state(self.cwd), time.monotonic() - begin
            if now != before:
                self.start = seconds if self.changes == 0 else self.start
                self.changes, before = self.changes + 1, now
            if self.changes < moment and (self.changes or seconds < after):
                return False
            workers = sorted(set(processes(self.cwd)) - {main})
            targets = {"all": [*workers, main], "main": [main], "worker": workers[-1:]}[whom]
            kill(targets)
            self.killed = bool(targets)
            return self.killed  # without a worker, wait for one

        return forked.watched(ROOT / "scripts/train.py", self.arguments, self.cwd, watch, OMP_NUM_THREADS="1")

    def wait(self) -> None:
        """Wait for the workers that go on without their main process."""
        end = time.monotonic() + 120
        while processes(self.cwd):
            assert time.monotonic() < end, f"processes do not end: {processes(self.cwd)}"
            time.sleep(0.05)


class Study:
    """What stands in a study that is killed again and again.

    Args:
        folder: of the study.
        expected: numbers of each run without kills.
        rounded: whether the numbers may differ by rounding.
    """

    def __init__(self, folder: Path, expected: dict[str, dict[str, Any]], rounded: bool) -> None:
        self.folder, self.expected, self.rounded = folder, expected, rounded
        self.finished: dict[str, dict[str, bytes]] = {}  # run → file → content, from the first time it was seen

    def files(self, run: str) -> dict[str, bytes]:
        return {
            name: (self.folder / run / name).read_bytes()
            for name in ("result.json", "predictions.csv", "config.yaml", "checkpoints/best.ckpt")
        }

    def check(self) -> None:
        """Finished runs have their numbers, which stay as they are, and one row each; the others have no result."""
        for run, before in self.finished.items():
            assert self.files(run) == before, run
        runs = read(self.folder) if any(self.folder.glob("*/config.yaml")) else None
        for file in self.folder.glob("*/result.json"):
            if file.parent.name not in self.finished:
                found, expected = outcome(file.parent), self.expected[file.parent.name]
                if self.rounded:
                    assert found["history"] == {
                        name: pytest.approx(values, abs=1e-3) for name, values in expected["history"].items()
                    }
                else:
                    assert found == expected
                self.finished[file.parent.name] = self.files(file.parent.name)
        if runs is None:
            return
        assert runs["run"].is_unique
        assert set(runs["status"]) <= {"ok", "unfinished"}
        shown = set(runs.loc[runs["status"] == "ok", "run"])
        assert shown <= set(self.finished) <= set(self.expected)
        if shown:
            rows = compare(runs)
            assert rows["row"].is_unique
            assert rows["seeds"].sum() == len(shown)

    def check_end(self) -> None:
        """Every run is finished and counts in its row, and every epoch is once in TensorBoard."""
        assert set(self.finished) == set(self.expected)
        for run in self.expected:
            assert torch.load(self.folder / run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == EPOCHS
            curves = EventAccumulator(str(self.folder / run)).Reload()
            assert [event.step for event in curves.Scalars("loss/val")] == list(range(1, EPOCHS + 1))
        with (self.folder / "comparison.csv").open(encoding="utf-8") as file:
            seeds = {row["row"]: int(row["seeds"]) for row in csv.DictReader(file)}
        assert sum(seeds.values()) == len(self.expected)

    def drafts(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if DRAFT.fullmatch(path.name)]


def expected(command: Sequence[str], cwd: Path) -> dict[str, dict[str, Any]]:
    """The numbers of each run of a sweep that nothing happens to."""
    cwd.mkdir()
    done = Command(command, cwd).run()
    assert done.returncode == 0, done.stderr
    return {file.parent.name: outcome(file.parent) for file in cwd.glob("logs/mine/*/result.json")}


@pytest.mark.parametrize("launcher", COMMANDS)
def test_kills(tmp_path: Path, launcher: str) -> None:
    """At a random number of changes of files, or before the first one."""
    if launcher in PLUGINS:
        pytest.importorskip(f"hydra_plugins.{PLUGINS[launcher]}")
    rng, begin = random.Random(f"{SEED} {launcher}"), time.monotonic()
    numbers = expected(UNTOUCHED.get(launcher, SWEEP), tmp_path / "untouched")
    (tmp_path / "whole").mkdir()
    whole = Command(COMMANDS[launcher], tmp_path / "whole")
    assert whole.run().returncode == 0
    names = [file.parent.name for file in whole.cwd.glob("logs/mine/*/result.json")]
    runs = {name: numbers.get(name) or numbers[name.split("-")[0]] for name in names}
    print(f"\n{launcher}: seed {SEED}; {whole.changes} changes without a kill, the first after {whole.start:.1f} s")
    kills, studies = Counter[str](), 0
    for cwd in folders(tmp_path):
        command, study = Command(COMMANDS[launcher], cwd), Study(cwd / "logs/mine", runs, launcher in UNTOUCHED)
        while True:
            whom = rng.choice(WHOM.get(launcher, ["all", "main", "worker"]))
            moment, after = rng.randint(1, whole.changes), rng.uniform(0, 8 * whole.start)
            last = sum(kills.values()) >= KILLS
            done = command.run() if last else command.run(moment, whom, after)
            kills[whom] += command.killed
            what = f"{whom} killed at change {moment}" if command.killed else "ended by itself"
            print(f"study {studies + 1}: {what}, status {done.returncode}, {len(study.finished)} finished before")
            study.check()
            if done.returncode == 0:
                break
            assert command.killed, done.stderr
        studies += 1
        command.wait()
        study.check()
        study.check_end()
        for draft in study.drafts():  # what the next command removes, if it is old enough
            os.utime(draft, (0, 0))
        if study.drafts():
            print(f"left behind: {study.drafts()}")
            assert command.run().returncode == 0
            study.check()
        assert not study.drafts()
        if last:
            break
    print(f"{launcher}: kills {dict(kills)}, {studies} studies, {time.monotonic() - begin:.0f} seconds")


def folders(top: Path) -> Iterator[Path]:
    """New folders without end."""
    number = 0
    while True:
        number += 1
        (top / f"study{number}").mkdir()
        yield top / f"study{number}"
