"""Failures of the machine and of foreign code: a full disk, a clock that goes back, no memory, a killed process.

Each costs at most the run that it hits, with one line that says what happened, and the same command goes on.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import forked
import pytest
import small_disk
import torch
from conftest import ROOT, Compose, facts_of_command
from outcome import outcome
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from textpool.data.batches import EncodedSentences
from textpool.record import Result
from textpool.run import checkpoint
from textpool.run.checkpoint import BestCheckpoint
from textpool.run.failure import describe
from textpool.run.folder import Run
from textpool.run.training import train

pytestmark = pytest.mark.slow

TINY = ("data.n_train=64", "data.n_val=32", "data.n_test=32", "trainer.max_epochs=1", "~logger", "explain=0")
SCRIPT = ROOT / "scripts/train.py"


def statuses(study: Path) -> dict[str, str]:
    return {file.parent.name: Result.read(file.parent).status for file in study.glob("*/result.json")}


def trained(config: Compose, folder: Path, *given: str) -> Result:
    return train(config(*given), Run(folder, facts_of_command(*given), given))


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `small_disk` has found."""
    folder, out = (tmp_path_factory.mktemp(name) for name in ("disk", "out"))
    space = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*space, "true"], check=False).returncode != 0:
        pytest.skip("needs a mount namespace for a small disk, as a user of Linux has it by default")
    subprocess.run([*space, sys.executable, small_disk.__file__, str(folder), str(out)], check=True)
    return out


@pytest.mark.long
@pytest.mark.parametrize("size", small_disk.SIZES)
def test_a_full_disk(disks: Path, size: int) -> None:
    """While settings, a checkpoint, the comparison or a figure is written; with space, the same command goes on."""
    full, again = json.loads((disks / f"{size}.json").read_text())
    assert full["status"] == 1
    assert len(re.findall("^error: .*No space left on device", full["stderr"], flags=re.MULTILINE)) >= 1
    assert "Traceback" not in full["stdout"] + full["stderr"]
    assert again["status"] == 0
    assert "error" not in again["stderr"]
    assert outcome(disks / str(size)) == outcome(disks / str(small_disk.SIZES[-1]))
    assert not [path for path in (disks / str(size)).rglob("*") if re.search(r"\.draft$|^\..*\.\d+$", path.name)]


@pytest.mark.long
def test_a_disk_that_cannot_be_written(disks: Path) -> None:
    """Every command says so in one line, and finished runs can be compared; writable again, the command works."""
    *refused, compared, again = json.loads((disks / "read-only.json").read_text())
    for done in refused:
        assert done["status"] == 1
        assert re.fullmatch(r"error: logs.*: expected a folder that can be written, .*\n", done["stderr"])
    assert "test/acc in %" in compared["stdout"]
    assert re.fullmatch(r"error: .*Read-only file system.*\n", compared["stderr"])
    assert again["status"] == 0
    assert set(statuses(disks / "read-only").values()) == {"ok"}


BACK = """
import time
from textpool.pooling import Max
from textpool.run import launch

class Back(Max):
    \"\"\"Max, after which the clock goes back by an hour.\"\"\"

    def __init__(self, channels):
        super().__init__(channels)
        now = time.time
        time.time = lambda: now() - 3600
        launch.now = lambda: "2000-01-01T00:00:00+00:00"
"""


def own_pooling(folder: Path, name: str, code: str) -> tuple[str, ...]:
    """Options for a class of a file of one's own."""
    (folder / f"my_{name.lower()}.py").write_text(code)
    (folder / "my_conf/pooling").mkdir(parents=True, exist_ok=True)
    text = f"_target_: my_{name.lower()}.{name}\n_partial_: true\n"
    (folder / f"my_conf/pooling/{name.lower()}.yaml").write_text(text)
    return ("--config-dir", "my_conf")


def test_the_clock_goes_back_in_a_sweep(tmp_path: Path) -> None:
    """A run that fails seems to have failed before the sweep began: it still decides the exit status."""
    options = own_pooling(tmp_path, "Back", BACK)
    arguments = ["-m", *options, "pooling=back,kmax", "k=0", *TINY, "study=mine"]
    done = forked.run(SCRIPT, arguments, tmp_path, PYTHONPATH=str(tmp_path))
    assert statuses(tmp_path / "logs/mine") == {"back": "ok", "kmax-k0": "failed"}
    assert done.returncode == 1
    assert "kmax-k0 failed: pooling.k: expected an integer" in done.stdout


class KilledError(Exception):
    """Ends a training as a kill does."""


def test_the_clock_goes_back_before_a_run_is_continued(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers, and each epoch once in TensorBoard, which reads files by the times in their names."""
    given = ("data.n_train=64", "data.n_val=32", "data.n_test=32", "trainer.max_epochs=4", "explain=0")
    trained(config, tmp_path / "whole", *given)
    original, clock = BestCheckpoint.on_train_epoch_end, time.time

    def hook(callback: BestCheckpoint, trainer: Any, module: Any) -> None:
        original(callback, trainer, module)
        if trainer.current_epoch + 1 == 3:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SECONDS_BETWEEN", -1)
        patch.setattr(BestCheckpoint, "on_train_epoch_end", hook)
        with pytest.raises(KilledError):
            trained(config, tmp_path / "run", *given)
    monkeypatch.setattr(time, "time", lambda: clock() - 3600)
    result = trained(config, tmp_path / "run", *given)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")
    assert 0 < result.seconds < 60
    curves = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in curves.Scalars("loss/val")] == [1, 2, 3, 4]


def test_two_commands_on_one_study(tmp_path: Path) -> None:
    """At the same time: both end well, and each run is trained once."""
    given = ["-m", "pooling=max,kmax,avg", *TINY[:3], "trainer.max_epochs=5", "study=mine"]
    ended: list[forked.Done] = []
    commands = [
        threading.Thread(target=lambda: ended.append(forked.run(SCRIPT, given, tmp_path, OMP_NUM_THREADS="1")))
        for _ in range(2)
    ]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    for done in ended:
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "3 of 3 runs" in done.stdout
    alone = forked.run(SCRIPT, [*given[:-1], "study=alone"], tmp_path, OMP_NUM_THREADS="1")
    assert alone.returncode == 0
    for name in ("max", "kmax", "avg"):
        text = "\n".join(done.stdout for done in ended)
        assert text.count(f"\n{name}: 64 training sentences") == 1
        assert text.count(f"\n{name}: finished before") == 1
        assert outcome(tmp_path / "logs/mine" / name) == outcome(tmp_path / "logs/alone" / name)
    assert not list((tmp_path / "logs/mine").glob(".sweep-*"))


LIMITED = """
import resource, runpy, sys

resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
def test_out_of_memory(tmp_path: Path) -> None:
    """One run asks for more than there is: one line says how much, and what to set; the others go on."""
    (tmp_path / "limited.py").write_text(LIMITED)
    large = ("data.n_train=4096", "data.batch_size=4096", "data.n_val=8", "data.n_test=8", *TINY[3:])
    arguments = [str(SCRIPT), "-m", "model.n_filters=30000,2", *large, "study=mine"]
    done = forked.run(tmp_path / "limited.py", arguments, tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 1
    assert statuses(tmp_path / "logs/mine") == {"max-n_filters30000": "failed", "max-n_filters2": "ok"}
    said = Result.read(tmp_path / "logs/mine/max-n_filters30000").error
    assert said is not None
    assert re.match(r"out of memory: \d\.\d GB were asked for at once: a smaller data\.batch_size, k, ", said)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "out of memory: a smaller"),
        (
            RuntimeError("[enforce fail] can't allocate memory: you tried to allocate 2500000000 bytes."),
            ": 2.5 GB were",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out of memory: a smaller"),
    ],
)
def test_errors_of_memory(error: Exception, expected: str) -> None:
    """Of Python, of torch on a CPU, and of torch on a GPU."""
    assert expected in describe(error)


class Dying(EncodedSentences):
    """Sentences that kill the data worker which asks for them; it has to find this class, also where it is no fork."""

    def __getitems__(self, indices: Any) -> Any:
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), 9)
        return super().__getitems__(indices)


def test_a_killed_data_worker(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails with a line that says so, and the next one is the run that nothing happened to."""
    given = (*TINY, "data.num_workers=1")
    whole = trained(config, tmp_path / "whole", *given)
    with monkeypatch.context() as patch:
        patch.setattr("textpool.data.base.EncodedSentences", Dying)
        with pytest.raises(RuntimeError, match=r"DataLoader worker .*(exited unexpectedly|Killed)"):
            trained(config, tmp_path / "run", *given)
    assert trained(config, tmp_path / "run", *given).metrics == whole.metrics


FOREIGN = '''
import torch
from textpool.pooling import Max, Pooling

class Nan(Max):
    """No number."""
    def pool(self, features, mask): return super().pool(features, mask) * torch.nan

class Shape(Max):
    """Too many values."""
    def pool(self, features, mask): return features

class Batch(Max):
    """A sentence too few."""
    def pool(self, features, mask): return super().pool(features, mask)[1:]

class Double(Max):
    """Another dtype."""
    def pool(self, features, mask): return super().pool(features, mask).double()

class Nothing(Max):
    """No tensor."""
    def pool(self, features, mask): return None

class Raises(Max):
    """An error of its own."""
    def pool(self, features, mask): raise RuntimeError("no such thing")

class Plain:
    """No Module."""
    size = 1
    def __init__(self, channels): pass
    def __call__(self, features, mask): return features.amax(-1, keepdim=True)

class Abstract(Pooling):
    """No method pool."""

def function(channels):
    return lambda features, mask: features.amax(-1, keepdim=True)
'''
SAID = {
    "Nan": "train/loss: the model, such as its pooling, gives NaN or inf before its first step",
    "Shape": "Shape.pool: expected to return (batch, channels, size) = (64, 32, 1), got (64, 32, ",
    "Batch": "Batch.pool: expected to return (batch, channels, size) = (64, 32, 1), got (63, 32, 1)",
    "Double": "Double.pool: expected to return (batch, channels, size) = (64, 32, 1) in float32, got float64 ",
    "Nothing": "Nothing.pool: expected to return (batch, channels, size) = (64, 32, 1) in float32, got NoneType",
    "Raises": "RuntimeError: no such thing (in Raises.pool, foreign.py:27)",
    "Plain": "pooling: Plain is no Pooling: derive its class from textpool.pooling.Pooling",
    "Abstract": r"Can't instantiate abstract class Abstract with.* abstract method '?pool",
    "function": "pooling: function is no Pooling: derive its class from textpool.pooling.Pooling",
}


def test_foreign_poolings(tmp_path: Path) -> None:
    """Each that is wrong costs its own row, which says what is wrong with which class; the others are trained."""
    (tmp_path / "foreign.py").write_text(FOREIGN)
    (tmp_path / "my_conf/pooling").mkdir(parents=True)
    for name in SAID:
        file = tmp_path / f"my_conf/pooling/my_{name.lower()}.yaml"
        file.write_text(f"_target_: foreign.{name}\n_partial_: true\n")
    wrong = ",".join(f"my_{name.lower()}" for name in SAID)
    arguments = ["-m", "--config-dir", "my_conf", f"pooling=max,{wrong},avg", *TINY, "study=mine"]
    done = forked.run(SCRIPT, arguments, tmp_path, PYTHONPATH=str(tmp_path), OMP_NUM_THREADS="1")
    assert done.returncode == 1
    failed = {f"my_{name.lower()}": "failed" for name in SAID}
    assert statuses(tmp_path / "logs/mine") == {"max": "ok", "avg": "ok", **failed}
    for name, text in SAID.items():
        error = Result.read(tmp_path / f"logs/mine/my_{name.lower()}").error
        assert error is not None
        assert text in error or re.search(text, error), error


def test_a_pooling_whose_file_is_a_number(tmp_path: Path) -> None:
    """Hydra reads its name as a number, and would end with a traceback."""
    (tmp_path / "foreign.py").write_text(FOREIGN)
    (tmp_path / "my_conf/pooling").mkdir(parents=True)
    (tmp_path / "my_conf/pooling/nan.yaml").write_text("_target_: foreign.Nan\n_partial_: true\n")
    for command in (["-m", "pooling=max,nan"], ["pooling=nan"]):
        arguments = [*command[:-1], "--config-dir", "my_conf", command[-1], *TINY]
        done = forked.run(SCRIPT, arguments, tmp_path, PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr == f"error: {command[-1]}: Hydra reads nan as a number, not as the name of an option\n"
