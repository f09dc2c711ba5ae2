"""What TensorBoard reads of a run; tests/run/test_training.py tests the events of a whole training."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from textpool.run.tensorboard import METRICS, RunLogger


def written(folder: Path) -> tuple[EventAccumulator, dict[str, Any]]:
    """The events of a folder, and the records of the HParams page among them."""
    events = EventAccumulator(str(folder)).Reload()
    records = {
        tag.removeprefix("_hparams_/"): plugin_data_pb2.HParamsPluginData.FromString(data.plugin_data.content)  # pyright: ignore
        for tag, data in events.summary_metadata.items()
        if tag.startswith("_hparams_/")
    }
    return events, records


def test_the_record_of_the_hparams_page(tmp_path: Path) -> None:
    """All columns in the order given, also those without a value; the session has the name of the run."""
    logger = RunLogger(tmp_path / "kmax")
    logger.log_hyperparams({"pooling": "kmax", "k": None, "seed": 3, "lr": 0.1})
    logger.finalize("finished")
    _, records = written(tmp_path / "kmax")
    experiment = records["experiment"].experiment
    assert [info.name for info in experiment.hparam_infos] == ["pooling", "k", "seed", "lr"]
    assert [info.name.tag for info in experiment.metric_infos] == list(METRICS)
    start = records["session_start_info"].session_start_info
    assert start.group_name == "kmax"
    assert set(start.hparams) == {"pooling", "seed", "lr"}
    assert records["session_end_info"].session_end_info.status == 1  # success


@pytest.mark.parametrize(("status", "code"), [("finished", 1), ("failed", 2)])
def test_the_end_of_a_run(tmp_path: Path, status: str, code: int) -> None:
    """`success`, which Lightning passes after `fit`, does not end the run: its test is still to come."""
    logger = RunLogger(tmp_path / "max")
    logger.log_hyperparams({"pooling": "max"})
    logger.finalize("success")
    assert "session_end_info" not in written(tmp_path / "max")[1]
    logger.finalize(status)
    assert written(tmp_path / "max")[1]["session_end_info"].session_end_info.status == code


def test_curves_run_over_epochs(tmp_path: Path) -> None:
    """Counted from 1; `epoch` itself is no curve; a step that is given counts where Lightning names no epoch."""
    logger = RunLogger(tmp_path / "max")
    logger.log_metrics({"val/acc": 0.5, "epoch": 0}, step=19)
    logger.log_metrics({"val/acc": 0.7, "epoch": 1}, step=39)
    logger.log_metrics({"test/acc": 0.6}, step=2)
    logger.save()
    events, _ = written(tmp_path / "max")
    assert [(scalar.step, round(scalar.value, 3)) for scalar in events.Scalars("accuracy/val")] == [(1, 0.5), (2, 0.7)]
    assert [scalar.step for scalar in events.Scalars("test/acc")] == [2]
    assert "epoch" not in events.Tags()["scalars"]
