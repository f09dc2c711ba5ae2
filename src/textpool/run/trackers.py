"""Experiment trackers: MLflow and Weights & Biases.

They get the same names of metrics and hyperparameters as TensorBoard. A tracker takes back nothing that it was told.
Therefore a run that continues after an interruption is a new run for it, which begins with the epochs before, from the
table of the run (`textpool.run.table`), and takes the place of the interrupted one.
"""

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock
from lightning.pytorch.utilities import rank_zero_only

from textpool.run.folder import STAGING
from textpool.run.table import TableLogger


class Tracker(TableLogger, ABC):
    """A logger that tells a service what it writes into the table of the run.

    Args:
        save_dir: folder of the run.

    Attributes:
        package: that has to be installed, and the name of the extra that installs it.

    Raises:
        ValueError: if the package is not installed.
    """

    package: str

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir)
        if find_spec(self.package) is None:
            raise ValueError(
                f"{self.package} is not installed: pip install 'textpool[{self.package}]', "
                f"in a clone '.[{self.package}]'"
            )
        folder = self.folder.absolute()
        replaces = folder.parent.name == STAGING  # a finished run, in whose folder this one has its own
        self.study = folder.parents[2] if replaces else folder.parent
        self.told: dict[int, int] = {}  # epoch → number of metrics that the service knows
        self.begun = False

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which writes the table alone: this one tells the service what is in it."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("run", "client")} | {"begun": False}

    @abstractmethod
    def begin(self, params: Mapping[str, Any]) -> None:
        """Begin a run of the service with its hyperparameters."""

    @abstractmethod
    def tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Tell the service metrics of an epoch."""

    @abstractmethod
    def end(self, good: bool) -> None:
        """End the run of the service, which takes the place of others of the same name if it went well."""

    @rank_zero_only
    def log_hyperparams(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: Mapping[str, Any]
    ) -> None:
        """Begin the run, with what the table has of earlier epochs."""
        super().log_hyperparams(params)
        self.begin({name: value for name, value in params.items() if value is not None})
        self.begun = True
        self.tell_new()

    def write(self) -> None:
        """Write the table, and tell the service what is new in it."""
        super().write()
        if self.begun:
            self.tell_new()

    def tell_new(self) -> None:
        """Tell the service the metrics of the table that it does not know."""
        for epoch, row in sorted(self.rows.items()):
            new = dict(list(row.items())[self.told.get(epoch, 0) :])
            if new:
                self.tell(epoch, new)
                self.told[epoch] = len(row)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run.

        Args:
            status: `success`, which Lightning passes after `fit`, does nothing, because the test of the best checkpoint
                is still to come; `finished` ends the run; anything else ends it as failed.
        """
        if status == "success" or not self.begun:
            return
        self.end(status == "finished")
        self.begun = False


class MlflowLogger(Tracker):
    """Log the runs of a study as those of an MLflow experiment, by default into `mlruns` in the folder of the study.

    Args:
        save_dir: folder of the run.
        tracking_uri: where MLflow keeps the runs, such as http://localhost:5000; None: in the folder of the study.
        experiment: name of the experiment; None: that of the study.
    """

    package = "mlflow"

    def __init__(self, save_dir: str | Path, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        super().__init__(save_dir)
        self.uri = tracking_uri or (self.study / "mlruns").as_uri()
        self.experiment = experiment or self.study.name

    def begin(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]
        from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # newer versions advise against it for large studies
        with FileLock(self.study / ".mlflow.lock"):  # runs that start at once make one experiment
            self.client = MlflowClient(self.uri)
            found = self.client.get_experiment_by_name(self.experiment)
            self.id = found.experiment_id if found else self.client.create_experiment(self.experiment)
        self.run = self.client.create_run(self.id, run_name=self.version)
        self.client.log_batch(self.run.info.run_id, params=[Param(name, str(each)) for name, each in params.items()])

    def tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        values = [Metric(name, value, now, epoch) for name, value in metrics.items()]
        self.client.log_batch(self.run.info.run_id, metrics=values)

    def end(self, good: bool) -> None:
        own = self.run.info.run_id
        self.client.set_terminated(own, "FINISHED" if good else "FAILED")
        name = self.version.replace("'", "\\'")
        for run in self.client.search_runs([self.id], f"attributes.run_name = '{name}'") if good else ():
            if run.info.run_id != own:
                self.client.delete_run(run.info.run_id)


class WandbLogger(Tracker):
    """Log a run with Weights & Biases, by default into `wandb` in its folder, from which `wandb sync` uploads it.

    Args:
        save_dir: folder of the run.
        mode: `offline`, `online` or `disabled`.
        project: name of the project; None: that of the study.
        **options: of `wandb.init`.
    """

    package = "wandb"

    def __init__(self, save_dir: str | Path, mode: str = "offline", project: str | None = None, **options: Any) -> None:
        super().__init__(save_dir)
        self.options = {"mode": mode, "project": project or self.study.name, "group": self.study.name, **options}

    def continue_after(self, epochs: int) -> None:
        """Take the identifier of the interrupted run, and remove what it has not uploaded."""
        super().continue_after(epochs)
        for before in sorted(self.folder.glob("wandb/*run-*-*")):
            self.options["id"] = before.name.rpartition("-")[2]
            if before.name.startswith("offline-"):
                shutil.rmtree(before)

    def begin(self, params: Mapping[str, Any]) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        quiet = wandb.Settings(silent=True, console="off")
        options = {"name": self.version, "dir": str(self.folder), "resume": "allow", **self.options}
        # without `reinit`, runs that are trained together would be one
        self.run = wandb.init(config=dict(params), reinit="create_new", settings=quiet, **options)
        self.latest = 0

    def tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch < self.latest:  # as of the test: the service takes no step back
            self.run.summary.update(dict(metrics))
        else:
            self.run.log(dict(metrics), step=epoch)
            self.latest = epoch

    def end(self, good: bool) -> None:
        with suppress(OSError):
            self.run.finish(exit_code=0 if good else 1)
