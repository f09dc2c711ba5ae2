"""The processes that Lightning starts to train one model on several devices."""

import logging
import signal
import sys
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from textpool.build import compile_poolings
from textpool.inference import silence_lightning

FORMAT_OF_FILES = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class SameInEachProcess(Callback):
    """Give a process that Lightning starts what it does not take over from the process that starts it.

    These are the number of threads, the compilation of the poolings and, in the first process, the log. In a training
    without such processes it does nothing.

    Args:
        compiled: whether the poolings are compiled.
    """

    threads: int
    files: list[str]

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self.started = False  # by Lightning

    def __getstate__(self) -> dict[str, Any]:
        files = [each.baseFilename for each in logging.root.handlers if isinstance(each, logging.FileHandler)]
        return {"compiled": self.compiled, "started": True, "threads": torch.get_num_threads(), "files": files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        silence_lightning()  # before it reports on the process

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Set what Lightning does not take over, before the training begins."""
        if not self.started:
            return
        # torch sends this signal when the main process is killed; what a shell starts in the background ignores it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(self.threads)
        if self.compiled:
            compile_poolings(pl_module)
        if trainer.is_global_zero:
            files = [logging.FileHandler(file) for file in self.files]
            for file in files:
                file.setFormatter(logging.Formatter(FORMAT_OF_FILES))
            handlers = [logging.StreamHandler(sys.stdout), *files]
            logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=handlers)
