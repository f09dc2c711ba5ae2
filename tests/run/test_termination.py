"""SIGTERM, with which schedulers end a command."""

import json
import signal
from pathlib import Path

import pytest
from conftest import ROOT
from forked import Done, run, terminated

from textpool.run.command_line import signals_later

pytestmark = pytest.mark.slow

TINY = ["data.n_train=192", "data.n_val=64", "data.n_test=64", "~logger", "study=mine"]


def train(cwd: Path, *arguments: str, ended: bool = False) -> Done:
    """Run `train.py`; `ended`: until there is a checkpoint from which it continues."""
    command = (ROOT / "scripts/train.py", [*arguments, *TINY], cwd)
    if not ended:
        return run(*command, OMP_NUM_THREADS="1")
    return terminated(*command, lambda: any(cwd.glob("logs/mine/*/checkpoints/last.ckpt")), OMP_NUM_THREADS="1")


def metrics(cwd: Path) -> dict[str, float]:
    [file] = cwd.glob("logs/mine/*/result.json")
    return json.loads(file.read_text())["metrics"]


def test_a_terminated_run_continues(tmp_path: Path) -> None:
    """Status 143 and one line; the same command continues it, with the numbers of an uninterrupted run."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "ended").mkdir()
    command = "trainer.max_epochs=150"
    assert train(tmp_path / "whole", command).returncode == 0
    done = train(tmp_path / "ended", command, ended=True)
    assert done.returncode == 143
    assert done.stderr.endswith("terminated: the same command continues it\n")
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.glob("ended/logs/mine/*/result.json"))
    continued = train(tmp_path / "ended", command)
    assert "continues from" in continued.stdout
    assert metrics(tmp_path / "ended") == metrics(tmp_path / "whole")


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_terminated_sweep(tmp_path: Path, launcher: str) -> None:
    """Likewise; what it has begun is compared."""
    sweep = ("-m", f"hydra/launcher={launcher}", "pooling=max,avg", "trainer.max_epochs=100000")
    done = train(tmp_path, *sweep, ended=True)
    assert done.returncode == 143
    assert done.stderr.count("terminated: the same command continues it\n") == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert (tmp_path / "logs/mine/comparison.md").exists()


def test_signals_are_kept_until_an_import_has_ended() -> None:
    """Ctrl-C comes after it, once, and then at once again."""
    seen = []

    def imports() -> None:
        with signals_later():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            seen.append("the import has ended")

    with pytest.raises(KeyboardInterrupt):
        imports()
    assert seen == ["the import has ended"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
