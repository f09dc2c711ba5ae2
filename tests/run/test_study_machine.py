"""A study in which runs are trained, killed, continued, replaced, damaged, moved and compared in any order.

Whatever happens, a finished result is that of its settings to the last digit, it is lost to nothing but a finished run
that replaces it, and the comparison shows it.
"""

import functools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import pytest
from conftest import compose_config, facts_of_command
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from textpool.record import Result
from textpool.run.checkpoint import BestCheckpoint
from textpool.run.folder import Run, RunExistsError
from textpool.run.training import train
from textpool.study import compare, read

pytestmark = pytest.mark.long

TINY = ("data.n_train=32", "data.n_val=16", "data.n_test=16", "~logger", "explain=0", "data.batch_size=16")
RUNS = [("max", 0), ("max", 1), ("avg", 0)]
RATES = [0.003, 0.1]
EPOCHS = 2

Settings = tuple[str, int, float, int]  # pooling, seed, learning rate, epochs


class KilledError(BaseException):
    """Ends a run as a kill does: nothing catches it to record a failure."""


@functools.cache
def command(pooling: str, seed: int, rate: float, epochs: int) -> tuple[dict[str, Any], Any]:
    overrides = [*TINY, f"pooling={pooling}", f"seed={seed}", f"optimizer.lr={rate}", f"trainer.max_epochs={epochs}"]
    return compose_config(*overrides), facts_of_command(*overrides)


def fit(folder: Path, asked: Settings, **changed: Any) -> Result:
    config, facts = command(*asked)
    return train({**config, **changed}, Run(folder, facts))


@functools.cache
def expected(asked: Settings) -> dict[str, float]:
    """The metrics of a run that nothing happened to."""
    return fit(Path(mkdtemp()) / "run", asked).metrics


@contextmanager
def killed_in_epoch(number: int) -> Iterator[None]:
    original = BestCheckpoint.on_train_epoch_end

    def hook(callback: BestCheckpoint, trainer: Any, module: Any) -> None:
        original(callback, trainer, module)
        if trainer.current_epoch + 1 == number:
            raise KilledError

    with (
        patch.object(BestCheckpoint, "on_train_epoch_end", hook),
        patch("textpool.run.checkpoint.SECONDS_BETWEEN", -1),
        suppress(KilledError),
    ):
        yield


@contextmanager
def killed_at_replacement(number: int) -> Iterator[None]:
    """A kill at the moment when a file takes the place of another, for the n-th of these."""
    left, original = [number], Path.replace

    def replace(path: Path, target: Any) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise KilledError
        return original(path, target)

    with patch.object(Path, "replace", replace), suppress(KilledError):
        yield


class Study(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.top = Path(mkdtemp())
        self.folder = self.top / "study0"
        self.moves = 0
        self.finished: dict[str, Settings] = {}  # what stands in the folder of each run

    def teardown(self) -> None:
        shutil.rmtree(self.top)

    def path(self, run: tuple[str, int]) -> Path:
        return self.folder / f"{run[0]}-seed{run[1]}"

    @rule(run=st.sampled_from(RUNS), rate=st.sampled_from(RATES))
    def train(self, run: tuple[str, int], rate: float) -> None:
        """A run that is finished or begun with other settings is refused; else it has the numbers of its settings."""
        asked = (*run, rate, EPOCHS)
        before = self.finished.get(self.path(run).name)
        try:
            found = fit(self.path(run), asked)
        except RunExistsError:
            assert before != asked
            assert (self.path(run) / "config.yaml").exists()
            return
        assert found.metrics == expected(asked)
        assert before in (None, asked)
        self.finished[self.path(run).name] = asked

    @rule(run=st.sampled_from(RUNS), rate=st.sampled_from(RATES))
    def overwrite(self, run: tuple[str, int], rate: float) -> None:
        """The new run replaces the old one."""
        asked = (*run, rate, EPOCHS)
        assert fit(self.path(run), asked, overwrite=True).metrics == expected(asked)
        self.finished[self.path(run).name] = asked

    @rule(
        run=st.sampled_from(RUNS),
        rate=st.sampled_from(RATES),
        epoch=st.integers(1, EPOCHS),
        overwrite=st.booleans(),
    )
    def kill_in_an_epoch(self, run: tuple[str, int], rate: float, epoch: int, overwrite: bool) -> None:
        """It costs a finished result nothing."""
        with killed_in_epoch(epoch), suppress(RunExistsError):
            fit(self.path(run), (*run, rate, EPOCHS), overwrite=overwrite)

    @rule(run=st.sampled_from(RUNS), rate=st.sampled_from(RATES), number=st.integers(1, 14), overwrite=st.booleans())
    def kill_at_a_file(self, run: tuple[str, int], rate: float, number: int, overwrite: bool) -> None:
        """Likewise; the next command ends what was begun, so that either the old or the new run is there."""
        asked = (*run, rate, EPOCHS)
        with killed_at_replacement(number), suppress(RunExistsError):
            fit(self.path(run), asked, overwrite=overwrite)
        with suppress(RunExistsError), killed_in_epoch(1):
            fit(self.path(run), asked)
        name = self.path(run).name
        found = Result.read(self.path(run)) if (self.path(run) / "result.json").exists() else None
        if found is not None and found.status == "ok" and found.metrics == expected(asked):
            self.finished[name] = asked

    @rule(run=st.sampled_from(RUNS), place=st.floats(0.1, 0.9))
    def damage(self, run: tuple[str, int], place: float) -> None:
        """One bit of the checkpoint of a run that was interrupted."""
        last = self.path(run) / "checkpoints/last.ckpt"
        if last.exists() and self.path(run).name not in self.finished:
            content = bytearray(last.read_bytes())
            content[int(place * len(content))] ^= 4
            last.write_bytes(content)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        """A longer training from the last epoch of a finished run is that training from its begin."""
        name = data.draw(st.sampled_from(sorted(self.finished)))
        pooling, seed, rate, _ = self.finished[name]
        longer = (pooling, seed, rate, EPOCHS + 1)
        start = self.folder / name / "checkpoints/last.ckpt"
        target = Path(mkdtemp(dir=self.top)) / "run"
        assert fit(target, longer, resume=str(start)).metrics == expected(longer)

    @rule()
    def move(self) -> None:
        """A study may be moved at any time."""
        self.moves += 1
        target = self.top / f"study{self.moves}"
        if self.folder.exists():
            self.folder.rename(target)
        self.folder = target

    @invariant()
    def finished_runs_are_compared(self) -> None:
        """Each of them has its own numbers, in its folder and in the table."""
        for name, asked in self.finished.items():
            assert Result.read(self.folder / name).metrics == expected(asked)
        if self.finished:
            runs = read(self.folder)
            ok = runs[runs["status"] == "ok"].set_index("run")
            assert {name: ok.loc[name, "test/loss"] for name in self.finished} == {
                name: expected(asked)["test/loss"] for name, asked in self.finished.items()
            }
            assert not compare(runs).empty


Study.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestStudy = pytest.mark.long(Study.TestCase)
