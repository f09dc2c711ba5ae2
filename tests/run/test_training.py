"""A run from configuration to result: what it leaves, and that nothing but its configuration decides its numbers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Compose
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from textpool.study.record import Result, Run, RunExistsError
from textpool.training import train

SMALL = ("data.n_train=192", "data.n_val=64", "data.n_test=64", "trainer.max_epochs=3")


def run(config: Compose, folder: Path, *overrides: str, small: tuple[str, ...] = SMALL) -> Result:
    settings = config(*small, *overrides)
    pooling = next((word.split("=")[1] for word in overrides if word.startswith("pooling=")), "max")
    return train(settings, Run(folder, {"pooling": pooling, "data": "sentiment"}, {"pooling": pooling}))


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


def test_what_tensorboard_gets(config: Compose, tmp_path: Path) -> None:
    """Curves over epochs from 1 on, no placeholder, and hyperparameters beside metrics that are scalars."""
    run(config, tmp_path / "kmax", "pooling=kmax", "k=2")
    assert len(list((tmp_path / "kmax").glob("events.out.tfevents.*"))) == 1
    events = EventAccumulator(str(tmp_path / "kmax")).Reload()
    tags = events.Tags()["scalars"]
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "test/acc", "test/f1", "test/loss"} <= set(tags)
    assert "hp_metric" not in tags
    assert [scalar.step for scalar in events.Scalars("val/acc")] == [1, 2, 3]
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


def test_a_resumed_run_is_the_unbroken_run(config: Compose, tmp_path: Path) -> None:
    """Stopped after two of four epochs and gone on with: order, dropout, optimiser and best epoch are the same."""
    unbroken = run(config, tmp_path / "unbroken", "trainer.max_epochs=4")
    run(config, tmp_path / "broken", "trainer.max_epochs=2")
    checkpoint = tmp_path / "broken" / "checkpoints" / "last.ckpt"
    resumed = run(config, tmp_path / "broken", "trainer.max_epochs=4", f"resume='{checkpoint}'")
    assert numbers(resumed) == numbers(unbroken)
    one, other = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("unbroken", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_broken_run_goes_on_by_itself(config: Compose, tmp_path: Path) -> None:
    """Killed between two epochs: no result, but a checkpoint. The same command finishes it."""
    unbroken = run(config, tmp_path / "unbroken")
    folder = tmp_path / "broken"
    run(config, folder, "trainer.max_epochs=2")
    (folder / "result.json").unlink()
    (folder / "config.yaml").write_text((tmp_path / "unbroken" / "config.yaml").read_text())
    assert numbers(run(config, folder)) == numbers(unbroken)


def test_what_is_finished_is_not_run_again(config: Compose, tmp_path: Path) -> None:
    """The same command in the same study gives the result that is there."""
    first = run(config, tmp_path / "max")
    before = (tmp_path / "max" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert run(config, tmp_path / "max", "k=7") == first  # max takes no k: it is the same run
    assert (tmp_path / "max" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_another_run_in_the_same_folder_is_refused(config: Compose, tmp_path: Path) -> None:
    """The difference is named and nothing is lost; overwrite=true replaces the run and all it left."""
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
    """An easy task is at 100 % from an early epoch on; the earliest is a matter of luck."""
    result = run(config, tmp_path / "max", "trainer.max_epochs=12", "data.n_train=1280")
    events = EventAccumulator(str(tmp_path / "max")).Reload()
    curve = zip(events.Scalars("val/acc"), events.Scalars("val/loss"), strict=True)
    best = max(curve, key=lambda point: (point[0].value, -point[1].value))
    assert sum(scalar.value == best[0].value for scalar in events.Scalars("val/acc")) > 1
    assert result.best_epoch == best[0].step


@pytest.mark.parametrize("debug", ["one_batch", "overfit"])
def test_debug_settings(config: Compose, tmp_path: Path, debug: str) -> None:
    """Both run to the end; a model that overfits a batch knows it by heart."""
    result = run(config, tmp_path / debug, f"debug={debug}", small=())
    assert result.status == "ok"
    if debug == "overfit":
        events = EventAccumulator(str(tmp_path / debug)).Reload()
        assert events.Scalars("train/loss")[-1].value < 0.01


def test_early_stopping(config: Compose, tmp_path: Path) -> None:
    """A run that gets no better ends before its last epoch."""
    options = ("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0.5")
    run(config, tmp_path / "max", *options, "trainer.max_epochs=30")
    events = EventAccumulator(str(tmp_path / "max")).Reload()
    assert len(events.Scalars("val/loss")) < 30


def test_without_a_logger(config: Compose, tmp_path: Path) -> None:
    """`~logger` writes no events, and all the rest."""
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
