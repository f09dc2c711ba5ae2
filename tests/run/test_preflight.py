"""Settings that are refused before anything is read, trained or written, of a whole sweep before its first job."""

import re
import sys
from pathlib import Path

import pytest
from conftest import CONF, ROOT, Compose
from forked import Done, run

from textpool.run.command_line import check_command
from textpool.run.overrides import one_at_a_time
from textpool.run.preflight import check_settings

ZERO = "division by zero" if sys.version_info >= (3, 14) else "integer modulo by zero"
SMALL = ("data.n_train=64", "data.n_val=16", "data.n_test=16", "trainer.max_epochs=1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("seed=a", "seed: expected an integer of at least 0, got 'a'"),
        ("seed=4294967296", "seed: expected an integer of at most 4,294,967,295, got 4,294,967,296"),
        ("threads=100000", "threads: expected at most "),
        ("monitor=null", "monitor: expected the name of a validation metric, such as val/acc, got None"),
        ("vectors=5", "vectors: expected the path of a file of word vectors, got 5"),
        ("resume=5", "resume: expected the path of a last.ckpt, got 5"),
        ("tune_vectors=5", "tune_vectors: expected true or false, got 5"),
        ("stop_on_failure=5", "stop_on_failure: expected true or false, got 5"),
        ("pooling=kmax k=1000000000", "pooling: expected at most 100,000 values per filter, got 1,000,000,000"),
        ("model.n_filters=10000000000000", "model: not enough memory: 2,560,000 GB are needed: set smaller sizes"),
        ("data.n_train=1000000000000", "data.n_train: expected an integer of at most 10,000,000"),
        ("++data.words=null", "data.words: expected words under positive, negative, neutral, got None"),
        ("++data.words.filler=5", "data.words.filler: expected a list of at least one word, got 5"),
        ("data=order ++data.words=null", "data.words: expected words under a, b, filler, got None"),
        ("optimizer.lr=inf", "optimizer.lr: expected a finite number, got inf"),
        ("optimizer.lr=nan", "optimizer.lr: expected a finite number, got nan"),
        ("optimizer.lr=.inf", "optimizer.lr: expected a number, got '.inf'"),
        ("scheduler=cosine scheduler.T_max=0", f"scheduler: ZeroDivisionError: {ZERO} (with T_max=0)"),
        ("+scheduler.factor=2", "scheduler: expected an option such as scheduler=…, got one without _target_"),
        ("+callbacks.x=1", "callbacks.x: expected a section with a class, +callbacks.x._target_=…, got 1"),
        ("+callbacks.x._target_=os.getcwd", "callbacks.x._target_: expected a class derived from lightning.Callback"),
        ("callbacks=early_stopping callbacks.early_stopping.patience=a", "callbacks.early_stopping.patience: expected"),
        ("pooling._target_=nowhere.X", "pooling._target_: Error loading 'nowhere.X'"),
        ("pooling._target_=os.getcwd", "pooling: expected a class with __init__(self, channels, …)"),
        ("optimizer._target_=5", "optimizer: expected an option such as optimizer=…, got one without _target_"),
        ("++pooling.poolings=5", "pooling: expected a class with __init__"),
        ("trainer.max_epochs=1.5", "trainer.max_epochs: expected an integer, got 1.5"),
        ("trainer.max_epochs=0", "trainer.max_epochs: expected an integer of at least 1, got 0"),
        (
            "trainer.max_epochs=-1",
            "trainer.max_epochs: expected an integer of at least 1, got -1: such a training would not end without",
        ),
        ("trainer.max_epochs=null", "trainer.max_epochs: expected an integer of at least 1, got None"),
        ("+trainer.max_steps=0", "trainer.max_steps: expected an integer of at least 1, got 0"),
        ("+trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch: expected a number above 0, got 0"),
        ("+trainer.check_val_every_n_epoch=50", "trainer.check_val_every_n_epoch: expected at most 40, the number of"),
        ("+trainer.val_check_interval=0", "trainer.val_check_interval: expected a number above 0, got 0"),
        ("+trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches: expected a number above 0, got 0"),
        ("+trainer.limit_test_batches=0", "trainer.limit_test_batches: expected a number above 0, got 0"),
        ("+trainer.num_nodes=2", "trainer.num_nodes: expected 1, got 2: a training on several machines is started by"),
        ("+trainer.fast_dev_run=true", "trainer.fast_dev_run: expected no such setting, got True: debug=one_batch"),
    ],
)
def test_a_setting_that_cannot_work(config: Compose, overrides: str, message: str) -> None:
    """One line with the setting, what is expected and what came, before the data are read."""
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        check_settings(config(*overrides.split()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        "",
        "experiment=kim2014 data=text_file data.train=nowhere.csv",
        "scheduler=plateau callbacks=until_flat trainer.max_epochs=-1",
        "trainer.max_epochs=null +trainer.max_steps=3",
        "+trainer.check_val_every_n_epoch=2 +trainer.precision=bf16-mixed ~logger",
        "model=swem pooling=avg optimizer=adamw scheduler=cosine compile=true",
    ],
)
def test_settings_that_can_work(config: Compose, overrides: str) -> None:
    """The check needs no file of the data."""
    check_settings(config(*overrides.split()))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("~model", "~model: a run needs one: choose model=… from dcnn, swem, textcnn"),
        ("pooling=null", "pooling=null: a run needs one: choose pooling=… from attention, avg"),
        ("~seed", "~seed: a run needs this setting: give it a value, seed=…"),
        ("+hydra.lancher=1", "no setting hydra.lancher: did you mean hydra.launcher?"),
        ("+hydra.foo=1", "no setting hydra.foo: hydra has no foo"),
    ],
)
def test_what_a_run_needs(command: str, message: str) -> None:
    """A needed group or setting cannot be taken away, and nothing is added that nothing reads."""
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        check_command(command.split(), CONF)


def test_jobs_that_have_each_value_once() -> None:
    """All first values, then each other value alone; of a range its ends."""
    overrides = ["pooling=glob(k*)", "k=1,0", "seed=range(5)", "study=a", "optimizer.lr=interval(0,1)"]
    jobs = one_at_a_time(overrides, lambda group: ["avg", "kmax", "kmin"])
    first = ["pooling=kmax", "k=1", "seed=0", "study=a"]
    assert jobs[0] == first
    assert jobs[1:] == [
        ["pooling=kmin", *first[1:]],
        ["pooling=kmax", "k=0", *first[2:]],
        [*first[:2], "seed=4", first[3]],
    ]


def sweep(*arguments: str, cwd: Path) -> Done:
    return run(ROOT / "scripts/train.py", ["-m", *SMALL, *arguments], cwd, OMP_NUM_THREADS="1")


@pytest.mark.slow
def test_a_sweep_without_a_job_that_can_work(tmp_path: Path) -> None:
    """It is refused before its first job, and leaves no folder."""
    done = sweep("pooling=max,avg", "optimizer.lr=null", "study=mine", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: optimizer.lr: expected a number, got None"
    assert not (tmp_path / "logs/mine").exists()


@pytest.mark.slow
def test_a_sweep_with_one_wrong_value(tmp_path: Path) -> None:
    """It is said before the first job, and costs its own row only."""
    done = sweep("pooling=max,kmax", "k=0", "study=mine", cwd=tmp_path)
    said = "error: pooling.k: expected an integer of at least 1, got 0: the runs with this value will fail"
    assert said in done.stderr
    assert (tmp_path / "logs/mine/max/result.json").exists()
    assert done.returncode == 1
