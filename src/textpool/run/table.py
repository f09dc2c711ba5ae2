"""The curves of a run as a table: `metrics.csv`, with a row for each epoch, and `hparams.yaml`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from textpool.record import write_atomic
from textpool.run.curves import scalars_of

CURVES, HYPERPARAMETERS = "metrics.csv", "hparams.yaml"


class TableLogger(Logger):
    """Log a run into its own folder as a CSV file, and as YAML what TensorBoard shows as hyperparameters.

    A row holds all metrics of an epoch; those of the test stand in the row of the best epoch. The file is written anew
    with each epoch, so that a reader never sees a part of a row.

    Args:
        save_dir: folder of the run.

    Attributes:
        rows: epoch → metrics.
    """

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__()
        self.folder = Path(save_dir)
        self.rows: dict[int, dict[str, float]] = {}
        self.elsewhere = False  # whether other processes train, one of which writes the table

    def __getstate__(self) -> dict[str, Any]:
        """For another process, after which this one goes on with what that one has written."""
        self.elsewhere = True
        return {**vars(self), "elsewhere": False}

    @property
    def name(self) -> str:
        """Name of the study, as Lightning asks for it."""
        return self.folder.parent.name

    @property
    def version(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def log_dir(self) -> str:
        """Folder of the run."""
        return str(self.folder)

    def continue_after(self, epochs: int) -> None:
        """Keep what was logged of the epochs before, and forget later ones, which are trained again."""
        self.rows = {epoch: row for epoch, row in self.read().items() if epoch <= epochs}

    @rank_zero_only
    def log_hyperparams(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: Mapping[str, Any]
    ) -> None:
        """Write the hyperparameters, name → value; None stays empty."""
        write_atomic(self.folder / HYPERPARAMETERS, yaml.safe_dump(dict(params), sort_keys=False))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add metrics to the row of their epoch, counted from 1, or of `step` where Lightning names no epoch."""
        scalars, epoch = scalars_of(metrics, step)
        if self.elsewhere:
            self.rows, self.elsewhere = self.read(), False
        if epoch is not None:
            self.rows.setdefault(epoch, {}).update({name: float(value) for name, value in scalars.items()})
            self.write()

    def write(self) -> None:
        """Write the table, the epochs in their order; the columns are in the order of the alphabet."""
        names = sorted({name for row in self.rows.values() for name in row})
        text = io.StringIO()
        writer = csv.DictWriter(text, ["epoch", *names])
        writer.writeheader()
        writer.writerows({"epoch": epoch, **row} for epoch, row in sorted(self.rows.items()))
        write_atomic(self.folder / CURVES, text.getvalue())

    def read(self) -> dict[int, dict[str, float]]:
        """The rows of the table in the folder; none if there is no such file."""
        if not (self.folder / CURVES).exists():
            return {}
        with (self.folder / CURVES).open(encoding="utf-8", newline="") as file:
            rows = {int(row.pop("epoch")): row for row in csv.DictReader(file)}
        return {epoch: {name: float(text) for name, text in row.items() if text} for epoch, row in rows.items()}

    def finalize(self, status: str) -> None:
        """End the run: every row has been written when it was logged."""
