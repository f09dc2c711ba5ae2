"""What TensorBoard shows of a run."""

# pyright: reportAttributeAccessIssue=false
# (the modules that protobuf generates define their names only at import)

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams

# The HParams page takes the columns of one run's record for all runs, so every run writes the same record. It
# shows the first five of each kind: hyperparameters sorted by whether they differ, then by name; metrics as given.
HPARAMS = {"pooling": True, "k": True, "seed": True, "lr": True, "data": False, "dropout": False, "window_mask": False}
METRICS = ("test/acc", "test/f1", "test/loss", "val/best_acc", "val/best_epoch")

ALL_RUNS = {
    "validation": {"accuracy": ["Multiline", ["val/acc"]], "loss": ["Multiline", ["val/loss"]]},
    "training": {"accuracy": ["Multiline", ["train/acc"]], "loss": ["Multiline", ["train/loss"]]},
}


class RunLogger(TensorBoardLogger):
    """Log a run into its own folder, so that a study's folder is what TensorBoard opens.

    Curves run over epochs. A page of custom scalars puts all runs in one chart. The HParams page gets
    hyperparameters when the run starts and finds its metrics among the ordinary scalars, so that it shows
    real values and no run stands in it twice.

    Args:
        save_dir: the run's folder.
        **options: of `lightning.pytorch.loggers.TensorBoardLogger`.
    """

    def __init__(self, save_dir: str | Path, **options: Any) -> None:
        folder = Path(save_dir)
        super().__init__(folder.parent, name="", version=folder.name, default_hp_metric=False, **options)

    @rank_zero_only
    def log_hyperparams(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: Mapping[str, Any], metrics: None = None, step: None = None
    ) -> None:
        """Write the record of the columns and this run's values.

        Args:
            params: values by the names in HPARAMS; those missing or None stay empty.
            metrics: unused; metrics are ordinary scalars.
            step: unused.
        """
        record = api_pb2.Experiment(
            hparam_infos=[api_pb2.HParamInfo(name=name, differs=differs) for name, differs in HPARAMS.items()],
            metric_infos=[hparams.Metric(name).as_proto() for name in METRICS],
            time_created_secs=time.time(),
        )
        values = {name: params[name] for name in HPARAMS if params.get(name) is not None}
        self._write(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=record))
        # Named after the run: runs with the same values (another sweep's) stay rows of their own.
        self._add(hparams.hparams_pb(values, trial_id=str(self.version), start_time_secs=time.time()))
        self.experiment.add_custom_scalars(ALL_RUNS)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over epochs, the first being 1, where Lightning says the epoch; else over `step`."""
        if "epoch" in metrics:
            step = int(metrics["epoch"]) + 1
        super().log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step)

    @rank_zero_only
    def save(self) -> None:
        """Write what is pending; configuration has files of its own."""
        self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Tell the HParams page how the run ended.

        Args:
            status: `success`, as Lightning says after each fit: the run goes on, with the test of the best
                checkpoint; `finished`: it does not; anything else: it failed.
        """
        if status == "success":
            self.experiment.flush()
            return
        ended = api_pb2.STATUS_SUCCESS if status == "finished" else api_pb2.STATUS_FAILURE
        session_end = plugin_data_pb2.SessionEndInfo(status=ended, end_time_secs=time.time())
        self._write(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=session_end))
        self.experiment.close()

    def _write(self, tag: str, data: plugin_data_pb2.HParamsPluginData) -> None:
        described = metadata.create_summary_metadata(data)
        self._add(Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)]))

    def _add(self, summary: Summary) -> None:
        writer = self.experiment._get_file_writer()
        if writer is None:
            raise RuntimeError("the SummaryWriter has no file to write to")
        writer.add_summary(summary)
