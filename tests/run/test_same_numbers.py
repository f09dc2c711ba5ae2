"""The same settings give the same numbers to the last digit, whatever else is different.

The numbers are every metric, the history of all epochs, `predictions.csv` byte for byte, and the weights of
`best.ckpt`: see `outcome`. Where they cannot be the same, they are apart by rounding alone.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import torch
from conftest import CONF, ROOT, Compose, facts_of_command
from outcome import outcome

from textpool.record import Result
from textpool.run.folder import Run
from textpool.run.training import train

pytestmark = pytest.mark.slow

EPOCHS = 4
SMALL = ("data.n_train=192", "data.n_val=64", "data.n_test=64")
ATTENTION = ("pooling=attention", *SMALL, f"trainer.max_epochs={EPOCHS}")  # it has weights of its own
SCRIPT = ROOT / "scripts/train.py"
TEXT = "".join(f"{'good' if n % 3 else 'bad'} {'a fine ' * (n % 7)}film {n % 11} of {n % 5}\n" for n in range(150))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by one command."""
    cwd = tmp_path_factory.mktemp("whole")
    done = forked.run(SCRIPT, ATTENTION, cwd)
    assert done.returncode == 0, done.stderr
    return cwd


def trained(config: Compose, folder: Path, *given: str) -> Result:
    """A run in this process."""
    return train(config(*given), Run(folder, facts_of_command(*given), given))


def test_twice(tmp_path: Path, whole: Path) -> None:
    """In a new process with other hashes, another folder, another place for temporary files and other threads."""
    (tmp_path / "elsewhere").mkdir()
    changed = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "TZ": "Asia/Tokyo", "LANG": "C"}
    command = [sys.executable, "-O", str(SCRIPT), *ATTENTION, "study=named"]
    environment = {**os.environ, **changed, "TMPDIR": str(tmp_path / "elsewhere"), "HOME": str(tmp_path / "elsewhere")}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
    assert outcome(tmp_path / "logs") == outcome(whole)


@pytest.mark.parametrize(
    ("launcher", "seeds"),
    [
        ("basic", "42,7"),
        ("basic", "7,42"),
        ("joblib", "7,42"),
        pytest.param("joblib hydra.launcher.n_jobs=1", "7,42", marks=pytest.mark.long),
        pytest.param("local", "7,42", marks=pytest.mark.long),
        pytest.param("ray", "7,42", marks=pytest.mark.long),
    ],
)
def test_in_a_sweep(tmp_path: Path, whole: Path, launcher: str, seeds: str) -> None:
    """As its first job and as its last one, by every launcher, at the same time as another run or after it."""
    plugin = {"local": "hydra_submitit_launcher", "ray": "hydra_ray_launcher"}.get(launcher)
    if plugin is not None:
        pytest.importorskip(f"hydra_plugins.{plugin}", reason=f"needs {plugin}")
    arguments = ("-m", *f"hydra/launcher={launcher}".split(), *ATTENTION, f"seed={seeds}", "study=mine")
    done = forked.run(SCRIPT, arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    [folder] = tmp_path.glob("logs/mine/*seed42*")
    assert outcome(folder) == outcome(whole)


@pytest.mark.long
def test_every_pooling(tmp_path: Path) -> None:
    """By one process that trains all, and by two at a time in another order."""
    names = sorted(file.stem for file in CONF.glob("pooling/*.yaml"))
    for order, launcher in ((names, "basic"), (names[::-1], "joblib")):
        arguments = ("-m", f"pooling={','.join(order)}", f"hydra/launcher={launcher}", f"study={launcher}")
        done = forked.run(SCRIPT, [*arguments, *SMALL, "trainer.max_epochs=3"], tmp_path)
        assert done.returncode == 0, done.stderr
    for name in names:
        assert outcome(tmp_path / "logs/basic" / name) == outcome(tmp_path / "logs/joblib" / name), name


@pytest.mark.parametrize(
    "options",
    [
        ("~logger", "explain=0", "data.num_workers=1"),
        ("logger=csv", "callbacks=early_stopping", "callbacks.early_stopping.patience=100", "k=7"),
        ("callbacks=words_over_epochs", "data.num_workers=2", "study=x", "baseline=avg", "overwrite=true"),
    ],
)
def test_with_other_company(config: Compose, tmp_path: Path, whole: Path, options: tuple[str, ...]) -> None:
    """What only looks on changes nothing: loggers, explanations, callbacks, data workers, settings of the study."""
    torch.rand(3)
    trained(config, tmp_path / "run", *ATTENTION, *options)
    assert outcome(tmp_path / "run") == outcome(whole)


@pytest.fixture
def of_text(tmp_path: Path) -> tuple[str, ...]:
    """Settings of a run on sentences of other lengths, one of which is empty."""
    (tmp_path / "mine.txt").write_text(TEXT + "bad \n", encoding="utf-8")
    chosen = ("data=text_file", f"data.train={tmp_path}/mine.txt", "data.batch_size=16", "~callbacks", "~logger")
    return ("pooling=attention", *chosen, f"trainer.max_epochs={EPOCHS}")


@pytest.mark.parametrize("options", [(), ("data.bucket=true", "data.num_workers=2")])
def test_resumed_after_each_epoch(
    config: Compose, tmp_path: Path, of_text: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """With and without data workers, which the whole run has not, and with batches of similar lengths."""
    kept = tuple(option for option in options if "workers" not in option)
    trained(config, tmp_path / "whole", *of_text, *kept)
    for epoch in range(1, EPOCHS):
        short = tmp_path / f"short{epoch}"
        trained(config, short, *of_text, *options, f"trainer.max_epochs={epoch}")
        checkpoint = f"resume='{short}/checkpoints/last.ckpt'"
        trained(config, tmp_path / f"resumed{epoch}", *of_text, *options, checkpoint)
        assert outcome(tmp_path / f"resumed{epoch}") == outcome(tmp_path / "whole"), epoch


def test_resumed_after_every_epoch(config: Compose, tmp_path: Path, of_text: tuple[str, ...]) -> None:
    """A training of which each epoch is another command."""
    trained(config, tmp_path / "whole", *of_text)
    resume = "resume=null"
    for epoch in range(1, EPOCHS + 1):
        trained(config, tmp_path / f"run{epoch}", *of_text, f"trainer.max_epochs={epoch}", resume)
        resume = f"resume='{tmp_path}/run{epoch}/checkpoints/last.ckpt'"
    assert outcome(tmp_path / f"run{EPOCHS}") == outcome(tmp_path / "whole")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Give the tests that follow one thread again."""
    yield
    torch.set_num_threads(1)


LARGE = ("pooling=attention", "data.n_train=256", "data.n_val=64", "data.n_test=64", "model.n_filters=512")


@pytest.mark.usefixtures("one_thread")
def test_other_threads(config: Compose, tmp_path: Path) -> None:
    """Two threads give the numbers of two threads; those of one differ from them by rounding alone."""
    given = (*LARGE, "trainer.max_epochs=1", "~logger", "explain=0")
    one = trained(config, tmp_path / "one", *given)
    two = trained(config, tmp_path / "two", *given, "threads=2")
    trained(config, tmp_path / "again", *given, "threads=2")
    assert outcome(tmp_path / "again") == outcome(tmp_path / "two")
    assert two.metrics == pytest.approx(one.metrics, abs=1e-4)
