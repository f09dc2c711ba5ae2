"""Sweeps on more machines: the launchers of the extras, the search, and what is distributed and stopped."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
from conftest import CONF, ROOT
from forked import Done
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from textpool.configuration import CONF as FOUND
from textpool.facts import config_hash
from textpool.run import gpu
from textpool.run.command_line import check_command
from textpool.run.launch import discard_unused

pytestmark = pytest.mark.slow

SMALL = ("data.n_train=64", "data.n_val=32", "data.n_test=32", "trainer.max_epochs=1")


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=True)


def sweep(*arguments: str, cwd: Path, **environment: str) -> Done:
    return forked.run(ROOT / "scripts" / "train.py", ["-m", *arguments, *SMALL], cwd, **environment)


def statuses(study: Path) -> dict[str, str]:
    return {file.parent.name: json.loads(file.read_text())["status"] for file in study.glob("*/result.json")}


@pytest.mark.parametrize(
    ("chosen", "installed", "expected"),
    [(None, 0, []), (None, 2, ["0", "1"]), ("", 2, []), ("3", 4, ["3"]), ("2,GPU-1a", 4, ["2", "GPU-1a"])],
)
def test_visible_gpus(chosen: str | None, installed: int, expected: list[str]) -> None:
    """Those that the environment names, else all of the machine."""
    assert gpu.visible_gpus(chosen, installed) == expected


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs."""
    for number in range(2):
        (tmp_path / "driver" / f"0000:0{number}").mkdir(parents=True)
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(gpu, "SLOTS", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for monkeypatch to take it back at the end
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
LOCAL = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


@pytest.mark.parametrize(
    ("launcher", "trainer", "expected"),
    [
        ({"_target_": JOBLIB}, {"devices": 1}, ["0", "1"]),
        ({"_target_": JOBLIB}, {"devices": 2}, []),
        ({"_target_": JOBLIB}, {"accelerator": "cpu"}, []),
        ({"_target_": LOCAL, "gpus_per_node": 1}, {}, ["0", "1"]),
        ({"_target_": LOCAL, "gpus_per_node": None}, {}, []),
        ({"_target_": SLURM, "gpus_per_node": 1}, {}, []),
        ({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, {}, []),
    ],
)
@pytest.mark.usefixtures("two_gpus")
def test_who_distributes_gpus(launcher: dict[str, Any], trainer: dict[str, Any], expected: list[str]) -> None:
    """Only launchers that start several jobs on one machine and do not do it themselves."""
    assert gpu.gpus_to_share(OmegaConf.create({"hydra": {"launcher": launcher}, "trainer": trainer})) == expected


@pytest.mark.usefixtures("two_gpus")
def test_a_process_stays_on_its_gpu(tmp_path: Path) -> None:
    """Its second job too; a slot that another process has is not taken, one that was freed is."""
    assert [gpu.take_slot(tmp_path) for _ in range(4)] == [0, 1, 2, 3]
    others, gpu.SLOTS[:] = list(gpu.SLOTS), []
    gpu.take_gpu(tmp_path, ["5", "7"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"  # the fifth of five processes on two GPUs
    others[1].release()
    gpu.take_gpu(tmp_path, ["5", "7"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    mine, gpu.SLOTS[:] = list(gpu.SLOTS), []
    gpu.take_gpu(tmp_path, ["5", "7"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    assert len({lock.lock_file for lock in (*others, *mine)}) == 5


def test_stopping_decides_no_number(tmp_path: Path) -> None:
    """A finished run is the same run with and without `stop_on_failure`, and with a configuration that lacks it."""
    config = {"seed": 1, "pooling": {"k": 3}}
    assert config_hash(config) == config_hash({**config, "stop_on_failure": True})


def test_only_an_unused_folder_is_removed(tmp_path: Path) -> None:
    """Not one in which a run has left something."""
    for name in ("unused", "used"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.log").touch()
    (tmp_path / "used" / "config.yaml").touch()
    discard_unused(tmp_path / "unused")
    discard_unused(tmp_path / "used")
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


@pytest.mark.parametrize(
    ("command", "plugin", "extra"),
    [
        ("-m hydra/launcher=ray", "hydra_plugins.hydra_ray_launcher", "ray"),
        ("-m hydra/launcher=slurm", "hydra_plugins.hydra_submitit_launcher", "cluster"),
        ("-m hydra/launcher=submitit_local", "hydra_plugins.hydra_submitit_launcher", "cluster"),
        ("-m experiment=search", "hydra_plugins.hydra_optuna_sweeper", "search"),
    ],
)
def test_what_to_install(command: str, plugin: str, extra: str) -> None:
    """A missing extra is named, also where a file of textpool's needs it."""
    try:
        __import__(plugin)
    except ImportError:
        with pytest.raises(ValueError, match=rf"is not installed: pip install 'textpool\[{extra}\]'"):
            check_command(command.split(), FOUND)
    else:
        check_command(command.split(), FOUND)


def test_the_configuration_for_slurm() -> None:
    """One GPU and one core for each run; the plugin's types are checked; submitit accepts it as a batch file."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra cluster")
    from submitit.slurm.slurm import _make_sbatch_string  # pyright: ignore[reportMissingImports]

    launcher = composed("hydra/launcher=slurm", "hydra.launcher.partition=gpu", "study=mine").hydra.launcher
    assert launcher._target_ == SLURM
    with pytest.raises(HydraException, match="timeout_min"):
        composed("hydra/launcher=slurm", "hydra.launcher.timeout_min=long")
    names = {"timeout_min": "time", "tasks_per_node": "ntasks_per_node"}
    kept = ("timeout_min", "gpus_per_node", "cpus_per_task", "partition", "array_parallelism", "tasks_per_node")
    text = _make_sbatch_string("python", "folder", map_count=99, **{names.get(key, key): launcher[key] for key in kept})
    for line in ("time=240", "gpus-per-node=1", "cpus-per-task=1", "partition=gpu", "array=0-98%32"):
        assert f"#SBATCH --{line}\n" in text


@pytest.mark.slow
def test_stop_on_failure(tmp_path: Path) -> None:
    """The runs after the failed one are not begun, and leave no folder; the same command without it goes on."""
    arguments = ("pooling=max,kmax,avg", "k=0,3", "study=stop")
    done = sweep(*arguments, "stop_on_failure=true", cwd=tmp_path)
    assert done.returncode == 1
    assert "3 runs were not begun after the failure of kmax-k0: the same command continues it" in done.stderr
    assert statuses(tmp_path / "logs/stop") == {"max": "ok", "kmax-k0": "failed"}
    assert not (tmp_path / "logs/stop/avg").exists()
    assert "kmax-k0 failed: pooling.k: expected an integer" in done.stdout
    again = sweep(*arguments, cwd=tmp_path)
    assert again.returncode == 1
    assert again.stdout.count("finished before") == 3  # max twice, and avg with the second k
    expected = {"max": "ok", "kmax-k0": "failed", "kmax-k3": "ok", "avg": "ok"}
    assert statuses(tmp_path / "logs/stop") == expected
    refused = sweep("pooling=max", "stop_on_failure=maybe", cwd=tmp_path)
    assert refused.stderr.startswith("error: stop_on_failure: expected true or false, got 'maybe'")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("launcher", "plugin"), [("local", "hydra_submitit_launcher"), ("ray", "hydra_ray_launcher")])
def test_launchers_on_this_machine(tmp_path: Path, launcher: str, plugin: str) -> None:
    """A failing run costs its own row, the table comes at the end, and the same command trains nothing again."""
    pytest.importorskip(f"hydra_plugins.{plugin}", reason=f"needs {plugin}")
    arguments = (f"hydra/launcher={launcher}", "pooling=max,kmax", "k=0,3", "study=mine")
    done = sweep(*arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert statuses(tmp_path / "logs/mine") == {"max": "ok", "kmax-k0": "failed", "kmax-k3": "ok"}
    assert "kmax-k0 failed: pooling.k: expected an integer" in done.stdout
    before = (tmp_path / "logs/mine/max/result.json").read_bytes()
    assert sweep(*arguments, cwd=tmp_path).returncode == 1
    assert (tmp_path / "logs/mine/max/result.json").read_bytes() == before


NOTING = """
import os
from pathlib import Path
from textpool.pooling import Max

class Noting(Max):
    \"\"\"Max, which notes the GPU of the process that trains it: the main process makes one, to check settings.\"\"\"

    def pool(self, features, mask):
        Path(f"gpu-{os.environ['CUDA_VISIBLE_DEVICES']}").touch()
        return super().pool(features, mask)
"""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("launcher", "option", "plugin"),
    [("joblib", "n_jobs=2", "hydra_joblib_launcher"), ("local", "gpus_per_node=1", "hydra_submitit_launcher")],
)
def test_a_gpu_for_each_job(tmp_path: Path, launcher: str, option: str, plugin: str) -> None:
    """Two jobs at once on a machine with two GPUs: each sees another one. It needs none, only their names."""
    pytest.importorskip(f"hydra_plugins.{plugin}", reason=f"needs {plugin}")
    (tmp_path / "noting.py").write_text(NOTING)
    chosen = ("pooling._target_=noting.Noting", "seed=0,1", f"hydra/launcher={launcher}", f"hydra.launcher.{option}")
    done = sweep(*chosen, cwd=tmp_path, PYTHONPATH=str(tmp_path), CUDA_VISIBLE_DEVICES="4,6")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("gpu-*")} == {"gpu-4", "gpu-6"}


# What submitit calls: sbatch queues a file, srun starts a command, sacct knows the states of jobs.
STAND_IN = {
    "sbatch": """
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1")
(sleep 1; for i in $(seq 0 "$last"); do
  SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$i SLURM_JOB_ID=$((10 + i)) SLURM_JOB_NAME=textpool SLURM_NTASKS=1 \\
  SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 sh "$1"
done) >/dev/null 2>&1 &
echo "Submitted batch job 7"
""",
    "srun": """
while case $1 in --unbuffered) shift;; --output | --error) shift 2;; *) false;; esac; do :; done
exec "$@"
""",
    "sacct": "printf 'JobID|State|NodeList\\n7_0|RUNNING|here\\n7_1|RUNNING|here\\n'\n",
}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is made of shell scripts")
def test_slurm_with_a_stand_in(tmp_path: Path) -> None:
    """The whole way of a sweep through the batch file and back, with programs that run jobs here instead of SLURM."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra cluster")
    for name, text in STAND_IN.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text.lstrip()}")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = sweep("hydra/launcher=slurm", "pooling=max,kmax", "k=0", "study=mine", cwd=tmp_path, PATH=path)
    assert done.returncode == 1, done.stderr
    assert statuses(tmp_path / "logs/mine") == {"max": "ok", "kmax-k0": "failed"}
    assert "kmax-k0 failed: pooling.k: expected an integer" in done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_a_search_is_continued(tmp_path: Path) -> None:
    """An interrupted trial comes first, the rest of the trials follows, and a failed run costs its own trial."""
    optuna = pytest.importorskip("optuna", reason="needs the extra search")
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs the extra search")
    storage = f"sqlite:///{tmp_path}/logs/search/optuna.db"

    def states() -> list[str]:
        return [trial.state.name for trial in optuna.load_study("search", storage).trials]

    first = sweep("experiment=search", "hydra.sweeper.n_trials=2", "~logger", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert states() == ["COMPLETE"] * 2
    study = optuna.load_study("search", storage)
    results = [json.loads(file.read_text()) for file in (tmp_path / "logs/search").glob("*/result.json")]
    assert sorted(trial.value for trial in study.trials) == sorted(each["metrics"]["val/acc"] for each in results)
    study.ask()._suggest("k", study.trials[0].distributions["k"])  # left behind by a command that was killed
    interrupted = study.trials[-1].params["k"]
    done = sweep("experiment=search", "hydra.sweeper.n_trials=3", "~logger", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert states() == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert optuna.load_study("search", storage).trials[-1].params["k"] == interrupted
    failing = sweep("experiment=search", "hydra.sweeper.n_trials=4", "monitor=val/nope", "~logger", cwd=tmp_path)
    assert failing.returncode == 1
    assert states()[-1] == "FAIL"
