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

# The HParams page takes the columns of one run's record for all runs and shows the first five of each kind:
# every run writes the same record, what matters first.
HPARAMS = ("pooling", "k", "seed", "lr", "data", "batch_size", "dropout", "window_mask")
METRICS = ("test/acc", "test/f1", "test/loss", "best/val_acc", "best/epoch")

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
        columns = hparams.hparams_config_pb(
            hparams=[hparams.HParam(name) for name in HPARAMS],
            metrics=[hparams.Metric(name) for name in METRICS],
        )
        values = {name: params[name] for name in HPARAMS if params.get(name) is not None}
        self._write(columns)
        # Named after the run: runs with the same values (another sweep's) stay rows of their own.
        self._write(hparams.hparams_pb(values, trial_id=str(self.version), start_time_secs=time.time()))
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
        data = plugin_data_pb2.HParamsPluginData(
            session_end_info=plugin_data_pb2.SessionEndInfo(status=ended, end_time_secs=time.time())
        )
        end = Summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(data),
            tensor=metadata.NULL_TENSOR,
        )
        self._write(Summary(value=[end]))
        self.experiment.close()

    def _write(self, summary: Summary) -> None:
        writer = self.experiment._get_file_writer()
        if writer is None:
            raise RuntimeError("the SummaryWriter has no file to write to")
        writer.add_summary(summary)
