"""Loggers other than TensorBoard: the same names in each, and no epoch twice in a run that continues."""

import csv
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Compose, facts_of_command
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from textpool.build import build_loggers
from textpool.run.folder import STAGING, Run, logged, publish
from textpool.run.table import TableLogger
from textpool.run.trackers import MlflowLogger, Tracker, WandbLogger
from textpool.run.training import train

SMALL = ("data.n_train=64", "data.n_val=32", "data.n_test=32", "trainer.max_epochs=2")


class Service(Tracker):
    """A tracker whose service is a list."""

    package = "csv"

    def begin(self, params: Mapping[str, Any]) -> None:
        self.known: list[Any] = [dict(params)]

    def tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.known.append((epoch, dict(metrics)))

    def end(self, good: bool) -> None:
        self.known.append(good)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_epoch(tmp_path: Path) -> None:
    """Counted from 1, with the names that TensorBoard has; the test stands in the row of the best epoch."""
    logger = TableLogger(tmp_path)
    logger.log_hyperparams({"pooling": "kmax", "k": None, "lr": 0.1})
    logger.log_metrics({"val/acc": 0.5, "epoch": 0}, step=19)
    logger.log_metrics({"train/acc": 0.25, "epoch": 0}, step=19)
    logger.log_metrics({"val/acc": 0.75, "val/f1": 0.5, "epoch": 1}, step=39)
    logger.log_metrics({"test/acc": 1.0}, step=1)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "epoch,accuracy/train,accuracy/val,test/acc,val/f1",
        "1,0.25,0.5,1.0,",
        "2,,0.75,,0.5",
    ]
    assert yaml.safe_load((tmp_path / "hparams.yaml").read_text()) == {"pooling": "kmax", "k": None, "lr": 0.1}


def test_a_run_that_continues_has_no_epoch_twice(tmp_path: Path) -> None:
    """Epochs after the checkpoint are forgotten; a service begins a new run, with the epochs before."""
    before = Service(tmp_path)
    before.log_hyperparams({"k": 3})
    for epoch in range(3):
        before.log_metrics({"val/acc": epoch / 4, "epoch": epoch})
    after = Service(tmp_path)
    after.continue_after(2)
    after.log_hyperparams({"k": 3})
    after.log_metrics({"val/acc": 0.9, "epoch": 2})
    after.log_metrics({"train/acc": 0.8, "epoch": 2})
    after.finalize("success")
    after.log_metrics({"test/acc": 1.0}, step=1)
    after.finalize("finished")
    assert after.known == [
        {"k": 3},
        (1, {"accuracy/val": 0.0}),
        (2, {"accuracy/val": 0.25}),
        (3, {"accuracy/val": 0.9}),
        (3, {"accuracy/train": 0.8}),
        (1, {"test/acc": 1.0}),
        True,
    ]
    assert [row["accuracy/val"] for row in table(tmp_path)] == ["0.0", "0.25", "0.9"]


def test_what_another_process_writes_is_told_by_the_first(tmp_path: Path) -> None:
    """As with several processes that train one model: the service has one run, with all epochs."""
    logger = Service(tmp_path)
    logger.log_hyperparams({"k": 3})
    other = pickle.loads(pickle.dumps(logger))
    other.log_metrics({"val/acc": 0.5, "epoch": 0})
    other.finalize("success")
    assert logger.known == other.known == [{"k": 3}]
    logger.log_metrics({"test/acc": 0.25}, step=1)
    assert logger.known[1:] == [(1, {"accuracy/val": 0.5, "test/acc": 0.25})]
    assert [row["accuracy/val"] for row in table(tmp_path)] == ["0.5"]


def test_a_failed_run_is_told(tmp_path: Path) -> None:
    logger = Service(tmp_path)
    logger.log_hyperparams({})
    logger.finalize("failed")
    logger.finalize("finished")
    assert logger.known == [{}, False]


@pytest.mark.parametrize("kind", [MlflowLogger, WandbLogger])
def test_a_missing_package_is_named_with_its_extra(kind: type[Tracker], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("textpool.run.trackers.find_spec", lambda name: None)
    name = kind.package
    with pytest.raises(
        ValueError, match=rf"^{name} is not installed: pip install 'textpool\[{name}\]', in a clone '\."
    ):
        kind(tmp_path)


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ((), ["tensorboard"]),
        (("logger=csv",), ["csv"]),
        (("logger=[tensorboard,csv]",), ["tensorboard", "csv"]),
        (("~logger",), []),
        (("experiment=when_which",), []),
        (("experiment=when_which", "logger=[csv]"), ["csv"]),
    ],
)
def test_one_logger_several_or_none(config: Compose, tmp_path: Path, overrides: tuple[str, ...], names: Any) -> None:
    """Also where an experiment chooses none."""
    settings = config(*overrides)
    assert list(settings.get("logger") or {}) == names
    assert len(build_loggers(settings, tmp_path)) == len(names)


def test_what_is_logged_comes_with_a_result_that_replaces_another(tmp_path: Path) -> None:
    """Tables and folders of loggers in the staging folder take the place of the old ones."""
    folder = tmp_path / "max"
    staging = folder / STAGING / "max"
    for place, text in ((folder, "old"), (staging, "new")):
        (place / "wandb" / f"offline-run-{text}").mkdir(parents=True)
        (place / "metrics.csv").write_text(text)
    (staging / "result.json").write_text("{}")
    publish(folder)
    assert (folder / "metrics.csv").read_text() == "new"
    assert [path.name for path in (folder / "wandb").iterdir()] == ["offline-run-new"]
    assert sorted(path.name for path in logged(folder)) == ["metrics.csv", "wandb"]


def trained(config: Compose, folder: Path, *overrides: str) -> None:
    given = [*SMALL, *overrides]
    train(config(*given), Run(folder, facts_of_command(*given), given))


@pytest.mark.slow
def test_the_names_are_those_of_tensorboard(config: Compose, tmp_path: Path) -> None:
    """Both loggers in one run: the same metrics at the same epochs, and the same hyperparameters."""
    folder = tmp_path / "kmax"
    trained(config, folder, "pooling=kmax", "logger=[tensorboard,csv]")
    events = EventAccumulator(str(folder)).Reload()
    curves = {
        name: [(scalar.step, pytest.approx(scalar.value, abs=1e-6)) for scalar in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }
    rows = table(folder)
    assert {name for row in rows for name in row} - {"epoch"} == set(curves)
    for name, curve in curves.items():
        assert [(int(row["epoch"]), float(row[name])) for row in rows if row[name]] == curve
    assert yaml.safe_load((folder / "hparams.yaml").read_text()) == {"pooling": "kmax", "k": 3, "seed": 42, "lr": 0.003}


@pytest.mark.slow
def test_mlflow(config: Compose, tmp_path: Path) -> None:
    """In the folder of the study: one run for each of ours, also where a run is repeated."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    for overrides in ((), ("overwrite=true",)):
        trained(config, tmp_path / "kmax", "pooling=kmax", "logger=[mlflow,csv]", *overrides)
    client = MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name(tmp_path.name)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("kmax", "FINISHED")
    assert run.data.params == {"pooling": "kmax", "k": "3", "seed": "42", "lr": "0.003"}
    rows = table(tmp_path / "kmax")
    assert set(run.data.metrics) == {*rows[0]} - {"epoch"}
    found = client.get_metric_history(run.info.run_id, "accuracy/val")
    assert [(each.step, each.value) for each in found] == [(n, float(rows[n - 1]["accuracy/val"])) for n in (1, 2)]


@pytest.mark.slow
def test_wandb(tmp_path: Path) -> None:
    """Offline, in the folder of the run; a run that continues takes the place of the interrupted one."""
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    folder = tmp_path / "kmax"
    folder.mkdir()
    before = WandbLogger(folder)
    before.log_hyperparams({"k": 3})
    before.log_metrics({"val/acc": 0.5, "epoch": 0})
    before.finalize("failed")
    (first,) = folder.glob("wandb/offline-run-*")
    after = WandbLogger(folder)
    after.continue_after(1)
    after.log_hyperparams({"k": 3})
    after.log_metrics({"val/acc": 0.75, "epoch": 1})
    after.log_metrics({"test/acc": 1.0}, step=1)
    assert after.run.summary["test/acc"] == 1.0
    assert after.run.config["k"] == 3
    after.finalize("finished")
    (second,) = folder.glob("wandb/offline-run-*")
    assert second.name.split("-")[-1] == first.name.split("-")[-1]
    content = (second / f"run-{second.name.split('-')[-1]}.wandb").read_bytes()
    assert all(part in content for part in (b"accuracy/val", b"0.5", b"0.75", b"test/acc"))
