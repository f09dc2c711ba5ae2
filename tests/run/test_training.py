"""A run from configuration to result: what it leaves, and that nothing but its configuration decides its numbers."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Compose, facts_of_command
from lightning import LightningModule, Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from textpool.record import Result
from textpool.run.checkpoint import BestCheckpoint
from textpool.run.folder import Run, RunExistsError
from textpool.run.training import train

pytestmark = pytest.mark.slow

BEST_FIRST = ("data.n_train=192", "data.n_val=64", "data.n_test=64", "monitor=val/loss", "mode=max")  # always epoch 1
SMALL = ("data.n_train=192", "data.n_val=64", "data.n_test=64", "trainer.max_epochs=3")


def run(config: Compose, folder: Path, *overrides: str, small: tuple[str, ...] = SMALL) -> Result:
    given = [*small, *overrides]
    return train(config(*given), Run(folder, facts_of_command(*given), given))


def numbers(result: Result) -> dict[str, Any]:
    return {"best": result.best_epoch, "params": result.n_params, **result.metrics}


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def test_what_a_run_leaves(config: Compose, tmp_path: Path) -> None:
    """Every promised file is there, and they agree with one another."""
    folder = tmp_path / "kmax"
    result = run(config, folder, "pooling=kmax")
    assert Result.read(folder) == result
    assert {"test/acc", "test/f1", "test/loss", "test/auroc", "val/acc", "val/loss"} <= result.metrics.keys()
    assert (result.status, result.pooling, result.seed, result.values_per_filter) == ("ok", "kmax", 42, 3)
    assert {file.name for file in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    for name in ("best", "last"):
        path = folder / "checkpoints" / f"{name}.ckpt"
        assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    assert torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] + 1 == result.best_epoch

    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["index"] for row in rows] == [str(index) for index in range(64)]
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    assert accuracy == pytest.approx(result.metrics["test/acc"])
    for row in rows:
        assert float(row["p(negative)"]) + float(row["p(positive)"]) == pytest.approx(1, abs=1e-4)


def test_the_limits_of_a_task_are_recorded(config: Compose, tmp_path: Path) -> None:
    """A guess, the strongest shortcut and the best classifier, between which the accuracy is to be read."""
    result = run(config, tmp_path / "max", "data=spread", "trainer.max_epochs=1")
    limits = (result.majority_accuracy, result.shortcut_accuracy, result.shortcut, result.bayes_accuracy)
    assert limits == (0.5, 0.75, "one line in the two counts", 1.0)


def test_what_tensorboard_gets(config: Compose, tmp_path: Path) -> None:
    """Curves over epochs from 1 on, no placeholder, and hyperparameters beside metrics that are scalars."""
    run(config, tmp_path / "kmax", "pooling=kmax", "k=2")
    assert len(list((tmp_path / "kmax").glob("events.out.tfevents.*"))) == 1
    events = EventAccumulator(str(tmp_path / "kmax")).Reload()
    tags = events.Tags()["scalars"]
    curves = {"accuracy/train", "accuracy/val", "loss/train", "loss/val"}
    assert curves | {"test/acc", "test/f1", "test/loss"} <= set(tags)
    assert sorted({tag.split("/")[0] for tag in tags})[:2] == ["accuracy", "loss"]  # the groups that open by themselves
    assert "hp_metric" not in tags
    assert [scalar.step for scalar in events.Scalars("accuracy/val")] == [1, 2, 3]
    data = events.summary_metadata
    content = {
        tag: plugin_data_pb2.HParamsPluginData.FromString(data[tag].plugin_data.content)  # pyright: ignore
        for tag in data
        if tag.startswith("_hparams_/")
    }
    assert set(content) == {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    shown = {metric.name.tag for metric in content["_hparams_/experiment"].experiment.metric_infos}
    assert shown <= set(tags)
    values = content["_hparams_/session_start_info"].session_start_info.hparams
    assert (values["pooling"].string_value, values["k"].number_value, values["seed"].number_value) == ("kmax", 2, 42)
    assert values["lr"].number_value == 0.003
    columns = [info.name for info in content["_hparams_/experiment"].experiment.hparam_infos]
    assert columns == ["pooling", "k", "seed", "lr"]
    assert "custom_scalars__config__" in events.Tags()["tensors"]


def test_a_run_is_decided_by_its_configuration_alone(config: Compose, tmp_path: Path) -> None:
    """Alone, and after other runs in the same process: the same numbers and weights to the last digit."""
    first = run(config, tmp_path / "a", "pooling=kmax")
    run(config, tmp_path / "other", "pooling=avg", "seed=7")
    torch.rand(5)
    second = run(config, tmp_path / "b", "pooling=kmax")
    assert numbers(first) == numbers(second)
    one, other = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert numbers(run(config, tmp_path / "c", "pooling=kmax", "seed=43")) != numbers(first)


def test_kmax_with_k_1_is_max_to_the_last_digit(config: Compose, tmp_path: Path) -> None:
    """Same weights at the start, same batches, same dropout: the comparison of strategies is paired."""
    assert numbers(run(config, tmp_path / "max")) == numbers(run(config, tmp_path / "kmax", "pooling=kmax", "k=1"))


def test_a_resumed_run_is_the_uninterrupted_run(config: Compose, tmp_path: Path) -> None:
    """Two epochs, then two more from the checkpoint: order, dropout, optimiser, best epoch and history are the same."""
    whole = run(config, tmp_path / "whole", "trainer.max_epochs=4")
    first = run(config, tmp_path / "first", "trainer.max_epochs=2")
    checkpoint = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = run(config, tmp_path / "resumed", "trainer.max_epochs=4", f"resume='{checkpoint}'")
    assert numbers(resumed) == numbers(whole)
    assert resumed.history == whole.history
    assert Result.read(tmp_path / "first") == first
    one, other = (weights(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("whole", "resumed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("scheduler=plateau", "scheduler.patience=0", "monitor=val/acc"),
        ("scheduler=cosine", "scheduler.T_max=9"),
        ("callbacks=early_stopping", "callbacks.early_stopping.patience=2"),
        ("data.num_workers=1",),
        ("+trainer.check_val_every_n_epoch=2",),
        ("+trainer.val_check_interval=0.5",),
    ],
)
def test_a_run_killed_between_two_epochs_is_the_uninterrupted_run(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """It continues with the epoch after the one in last.ckpt, and no epoch is seen twice in TensorBoard."""
    longer = (*options, "trainer.max_epochs=6")
    whole = run(config, tmp_path / "whole", *longer)
    folder = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr("textpool.run.checkpoint.SECONDS_BETWEEN", -1)  # last.ckpt is written after every epoch
        patch.setattr(BestCheckpoint, "on_train_epoch_end", kill_in_epoch(4))
        with pytest.raises(KilledError):
            run(config, folder, *longer)
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 3
    continued = run(config, folder, *longer)
    assert numbers(continued) == numbers(whole)
    assert continued.history == whole.history
    one, other = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps, expected = (
        [event.step for event in EventAccumulator(str(tmp_path / name)).Reload().Scalars("loss/val")]
        for name in ("killed", "whole")
    )
    assert steps == expected
    assert len(steps) == len(whole.history["val/loss"])


class KilledError(Exception):
    """Ends a training as a kill does, without a result."""


def kill_in_epoch(number: int) -> Callable[..., None]:
    """The hook `on_train_epoch_end` that raises after its work in this epoch, counted from 1."""
    original = BestCheckpoint.on_train_epoch_end

    def hook(callback: BestCheckpoint, trainer: Trainer, module: LightningModule) -> None:
        original(callback, trainer, module)
        if trainer.current_epoch + 1 == number:
            raise KilledError

    return hook


def test_a_number_of_steps_is_no_end_of_a_resumed_run(config: Compose, tmp_path: Path) -> None:
    """`max_steps` counts otherwise in a resumed training: it is refused, and a run that was killed starts anew."""
    whole = run(config, tmp_path / "max", "+trainer.max_steps=5")
    assert len(whole.history["train/loss"]) == 2
    checkpoint = tmp_path / "max" / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match=r"^resume: expected trainer\.max_epochs alone, got trainer\.max_steps=9"):
        run(config, tmp_path / "other", "+trainer.max_steps=9", f"resume='{checkpoint}'")
    (tmp_path / "max" / "result.json").unlink()
    again = run(config, tmp_path / "max", "+trainer.max_steps=5")
    assert (again.history, numbers(again)) == (whole.history, numbers(whole))
    assert len(list((tmp_path / "max").glob("events.out.tfevents.*"))) == 1


def test_last_ckpt_is_the_last_epoch(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the training has ended, whichever epoch is best; before, it is not written more than once a second."""
    result = run(config, tmp_path / "all", small=BEST_FIRST)
    last = torch.load(tmp_path / "all" / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], result.best_epoch) == (len(result.history["val/acc"]), 1)
    monkeypatch.setattr(BestCheckpoint, "on_train_epoch_end", kill_in_epoch(3))
    monkeypatch.setattr("textpool.run.checkpoint.SECONDS_BETWEEN", 3600)
    with pytest.raises(KilledError):
        run(config, tmp_path / "killed", small=BEST_FIRST)
    assert torch.load(tmp_path / "killed" / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


def test_the_best_epoch_may_lie_before_the_resumption(config: Compose, tmp_path: Path) -> None:
    """A run that gets worse after it is resumed still has the best checkpoint of the epochs before."""
    first = run(config, tmp_path / "first", "trainer.max_epochs=3", small=BEST_FIRST)
    checkpoint = tmp_path / "first" / "checkpoints" / "last.ckpt"
    longer = ("trainer.max_epochs=4", f"resume='{checkpoint}'")
    resumed = run(config, tmp_path / "resumed", *longer, small=BEST_FIRST)
    assert (resumed.best_epoch, resumed.metrics) == (first.best_epoch, first.metrics)


def test_resume_refuses_other_settings(config: Compose, tmp_path: Path) -> None:
    """The state of the optimiser belongs to the settings of the checkpoint; only the trainer's may change."""
    run(config, tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match=r"resume: expected the settings of .*optimizer\.lr: 0\.003, now 0\.01"):
        run(config, tmp_path / "other", f"resume='{checkpoint}'", "optimizer.lr=0.01")
    with pytest.raises(ValueError, match=r"README\.md: not a checkpoint of textpool"):
        run(config, tmp_path / "other", f"resume='{Path(__file__).parents[2] / 'README.md'}'")
    assert not (tmp_path / "other" / "config.yaml").exists()


def test_an_interrupted_run_continues(config: Compose, tmp_path: Path) -> None:
    """Killed between two epochs, it has no result but a checkpoint: the same command finishes it."""
    whole = run(config, tmp_path / "whole")
    folder = tmp_path / "broken"
    run(config, folder, "trainer.max_epochs=2")
    (folder / "result.json").unlink()
    (folder / "config.yaml").write_text((tmp_path / "whole" / "config.yaml").read_text())
    continued = run(config, folder)
    assert numbers(continued) == numbers(whole)
    assert continued.history == whole.history


def test_a_failed_run_starts_anew(config: Compose, tmp_path: Path) -> None:
    """Its checkpoints may be those of a bug that has been mended since."""
    whole = run(config, tmp_path / "whole")
    folder = tmp_path / "max"
    run(config, folder, "trainer.max_epochs=2")
    failed = Result.read(folder)
    failed.status = "failed"
    failed.write(folder)
    (folder / "config.yaml").write_text((tmp_path / "whole" / "config.yaml").read_text())
    again = run(config, folder)
    assert (again.status, numbers(again), again.history) == ("ok", numbers(whole), whole.history)


def test_a_run_replaced_in_its_own_folder(config: Compose, tmp_path: Path) -> None:
    """A longer run may replace the run whose checkpoint it starts from: the old files stay until it has finished."""
    whole = run(config, tmp_path / "whole", "trainer.max_epochs=4")
    folder = tmp_path / "max"
    run(config, folder, "trainer.max_epochs=2")
    checkpoint = folder / "checkpoints" / "last.ckpt"
    longer = run(config, folder, "trainer.max_epochs=4", f"resume='{checkpoint}'", "overwrite=true")
    assert (numbers(longer), longer.history) == (numbers(whole), whole.history)
    assert Result.read(folder) == longer
    assert not (folder / ".replacement").exists()
    (folder / "result.json").unlink()
    with pytest.raises(ValueError, match="lies in the folder of this run, which starts anew"):
        run(config, folder, "trainer.max_epochs=5", f"resume='{checkpoint}'", "overwrite=true")


@pytest.mark.parametrize("wrong", ["+trainer.nonsense=1", "+trainer.precision=nope", "optimizer.lr=1e30", "mode=x"])
def test_a_failing_run_does_not_replace_a_finished_one(config: Compose, tmp_path: Path, wrong: str) -> None:
    """Whether it fails before the training or in the middle of it, every file of the finished run stays."""
    folder = tmp_path / "max"
    run(config, folder)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(Exception, match=r"nonsense|nope|train/loss became|mode"):
        run(config, folder, wrong, "overwrite=true")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert run(config, folder) == Result.read(folder)  # and it is still found finished


@pytest.mark.parametrize("value", ["no", "off", "'false'", "1", "null"])
def test_overwrite_is_a_switch(config: Compose, tmp_path: Path, value: str) -> None:
    """Anything but true and false is refused before anything is touched: `no` must not mean true."""
    folder = tmp_path / "max"
    first = run(config, folder)
    with pytest.raises(ValueError, match="overwrite: expected true or false"):
        run(config, folder, "optimizer.lr=0.01", f"overwrite={value}")
    assert Result.read(folder) == first


def test_what_is_finished_is_not_run_again(config: Compose, tmp_path: Path) -> None:
    """The same command in the same study gives the result that is there."""
    first = run(config, tmp_path / "max")
    before = (tmp_path / "max" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert run(config, tmp_path / "max", "k=7") == first  # max takes no k: it is the same run
    assert (tmp_path / "max" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_another_run_in_the_same_folder_is_refused(config: Compose, tmp_path: Path) -> None:
    """The difference is named and nothing is lost; overwrite=true replaces the run with all its files."""
    folder = tmp_path / "max"
    first = run(config, folder)
    with pytest.raises(RunExistsError, match=r"optimizer\.lr: 0\.003, now 0\.01"):
        run(config, folder, "optimizer.lr=0.01")
    assert Result.read(folder) == first
    second = run(config, folder, "optimizer.lr=0.01", "overwrite=true")
    assert Result.read(folder) == second
    assert numbers(second) != numbers(first)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_of_equal_epochs_the_one_with_lower_loss_is_best(config: Compose, tmp_path: Path) -> None:
    """An easy task is at 100 % from an early epoch on; which epoch is the earliest is a matter of chance."""
    result = run(config, tmp_path / "max", "trainer.max_epochs=12", "data.n_train=1280")
    events = EventAccumulator(str(tmp_path / "max")).Reload()
    curve = zip(events.Scalars("accuracy/val"), events.Scalars("loss/val"), strict=True)
    best = max(curve, key=lambda point: (point[0].value, -point[1].value))
    assert sum(scalar.value == best[0].value for scalar in events.Scalars("accuracy/val")) > 1
    assert result.best_epoch == best[0].step


@pytest.mark.parametrize("debug", ["one_batch", "overfit"])
def test_debug_settings(config: Compose, tmp_path: Path, debug: str) -> None:
    """Both run to the end; a model that overfits one batch reaches a training loss near 0."""
    result = run(config, tmp_path / debug, f"debug={debug}", small=())
    assert result.status == "ok"
    if debug == "overfit":
        events = EventAccumulator(str(tmp_path / debug)).Reload()
        assert events.Scalars("loss/train")[-1].value < 0.01


def test_early_stopping(config: Compose, tmp_path: Path) -> None:
    """A run that does not improve any more ends before its last epoch."""
    options = ("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0.5")
    run(config, tmp_path / "max", *options, "trainer.max_epochs=30")
    events = EventAccumulator(str(tmp_path / "max")).Reload()
    assert len(events.Scalars("loss/val")) < 30


def test_without_a_logger(config: Compose, tmp_path: Path) -> None:
    """`~logger` writes no events, but all other files."""
    run(config, tmp_path / "max", "~logger")
    assert not list((tmp_path / "max").glob("events*"))
    assert json.loads((tmp_path / "max" / "result.json").read_text())["status"] == "ok"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=abc", "seed: expected an integer"),
        ("mode=biggest", "mode: expected one of max, min, got 'biggest'"),
        ("model.kernel_sizes=[]", "kernel_sizes: expected at least one"),
    ],
)
def test_wrong_settings(config: Compose, tmp_path: Path, override: str, message: str) -> None:
    """The message names the setting, what is allowed and what came."""
    with pytest.raises(Exception, match=message):
        run(config, tmp_path / "max", override)
