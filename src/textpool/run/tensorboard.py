"""What TensorBoard shows of a run."""

# pyright: reportAttributeAccessIssue=false
# protobuf's generated modules define their names only at import

import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer import event_file_writer

from textpool.run.curves import scalars_of

# The HParams page takes the columns of one run's record for all runs, so every run of a sweep writes the same record.
# It shows the first five of each kind: hyperparameters sorted by `differs`, then by name; metrics in the order given.
EVENTS = "events.out.tfevents."  # with which the names of event files begin, followed by the time
LAST = ("lr",)  # shown behind what tells runs apart
METRICS = ("test/acc", "test/f1", "test/loss", "val/best_acc", "val/best_epoch")

ALL_RUNS = {
    "validation": {"accuracy": ["Multiline", ["accuracy/val"]], "loss": ["Multiline", ["loss/val"]]},
    "training": {"accuracy": ["Multiline", ["accuracy/train"]], "loss": ["Multiline", ["loss/train"]]},
}


class RunLogger(TensorBoardLogger):
    """Log a run into its own folder, so that TensorBoard can open the folder of a study.

    Curves run over epochs. The page Custom Scalars has all runs in one chart. The HParams page gets the
    hyperparameters at the start of the run and takes its metrics from the ordinary scalars, so that it shows
    real values and every run once.

    Args:
        save_dir: the folder of the event file; its name is the run's name.
        **options: of `lightning.pytorch.loggers.TensorBoardLogger`.
    """

    def __init__(self, save_dir: str | Path, **options: Any) -> None:
        leave_errors_to_main_thread()
        folder = Path(save_dir)
        super().__init__(folder.parent, name="", version=folder.name, default_hp_metric=False, **options)

    def __getstate__(self) -> dict[str, Any]:
        """End the event file before another process continues in one of its own: TensorBoard reads one at a time."""
        self.experiment.close()
        return super().__getstate__()

    @rank_zero_only
    def log_hyperparams(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: Mapping[str, Any], metrics: None = None, step: None = None
    ) -> None:
        """Write the record of the columns and this run's values.

        Args:
            params: name → value; None stays empty.
            metrics: unused; metrics are ordinary scalars.
            step: unused.
        """
        record = api_pb2.Experiment(
            hparam_infos=[api_pb2.HParamInfo(name=name, differs=name not in LAST) for name in params],
            metric_infos=[hparams.Metric(name).as_proto() for name in METRICS],
            time_created_secs=time.time(),
        )
        values = {name: value for name, value in params.items() if value is not None}
        self._write(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=record))
        # Named after the run, so that runs with equal values stay separate rows.
        self._add(hparams.hparams_pb(values, trial_id=str(self.version), start_time_secs=time.time()))
        self.experiment.add_custom_scalars(ALL_RUNS)

    def continue_after(self, epochs: int) -> None:
        """Hide what was logged of later epochs, which are trained again; call it before anything is logged.

        TensorBoard reads the files of a run in the order of the times in their names: those that are there get a time
        before now, also if the clock has gone back.

        Args:
            epochs: number of epochs after which the training continues.
        """
        before = sorted(Path(self.log_dir).glob(f"{EVENTS}*"), reverse=True)
        for seconds, file in enumerate(before, start=1):
            stamp, rest = file.name.removeprefix(EVENTS).split(".", 1)
            latest = int(time.time()) - seconds
            if stamp.isdigit() and int(stamp) > latest:
                file.rename(file.with_name(f"{EVENTS}{latest:010d}.{rest}"))
        self._kwargs["purge_step"] = epochs + 1

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over epochs counted from 1, or over `step` where Lightning does not name the epoch."""
        super().log_metrics(*scalars_of(metrics, step))

    @rank_zero_only
    def save(self) -> None:
        """Write pending events; the configuration has files of its own."""
        self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the status of the run for the HParams page.

        Args:
            status: `success`, which Lightning passes after `fit`, only writes pending events, because the test of the
                best checkpoint is still to come; `finished` ends the run; anything else ends it as failed.
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


@cache
def leave_errors_to_main_thread() -> None:
    """Keep the thread that writes events from printing why it cannot write: the next event or flush raises the same."""
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not isinstance(arguments.thread, event_file_writer._AsyncWriterThread):
            before(arguments)

    threading.excepthook = hook
