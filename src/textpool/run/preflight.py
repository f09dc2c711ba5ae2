"""What can be known of a run before it has read its data: every object that needs none is made once."""

import os
from collections.abc import Mapping
from typing import Any

from textpool.build import build_callbacks, build_classifier, build_data, build_trainer, section
from textpool.checks import integer, switch
from textpool.data.vocabulary import PAD, UNK
from textpool.inference import QUIET, silence_lightning

THREADS_PER_CORE = 4  # more only wait for one another
LARGEST_SEED = 2**32 - 1  # of NumPy's generator
POSITIVE = (  # settings of the trainer that Lightning does not check, and fails from in the middle of a training
    "accumulate_grad_batches",
    "check_val_every_n_epoch",
    "gradient_clip_val",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "val_check_interval",
)
ELSEWHERE = {  # arguments of the trainer that a run sets itself
    "callbacks": "choose them with callbacks=…",
    "logger": "choose one with logger=…",
    "fast_dev_run": "debug=one_batch is a short run",
    "barebones": "it would write no checkpoint",
}


def check_settings(config: Mapping[str, Any], on_this_machine: bool = True) -> None:
    """Refuse a configuration with which no training can work, before any file is read or written.

    Args:
        config: as `textpool.run.training.train` takes it.
        on_this_machine: whether the run is trained where the check is made, so that its devices are there.

    Raises:
        ValueError: because of the first setting that is wrong.
    """
    silence_lightning()
    integer("seed", config.get("seed"), least=0, most=LARGEST_SEED)
    for name in ("compile", "tune_vectors", "overwrite", "stop_on_failure"):
        switch(name, config.get(name, False))
    monitor = config.get("monitor")
    if not isinstance(monitor, str) or not (monitor.startswith("val/") or monitor == "epoch"):
        raise ValueError(f"monitor: expected the name of a validation metric, such as val/acc, got {monitor!r}")
    for name, what in (("vectors", "a file of word vectors"), ("resume", "a last.ckpt")):
        if not isinstance(config.get(name), str | None):
            raise ValueError(f"{name}: expected the path of {what}, got {config[name]!r}")
    if on_this_machine:
        check_threads(config.get("threads"))
    check_trainer(section("trainer", config), ends=bool(config.get("callbacks")))
    data = build_data(config)
    data.restore([PAD, UNK, "a"], ["a", "b"])  # of about the smallest size: what follows depends on the data no more
    build_classifier(config, data)
    build_callbacks(config)
    for name in config.get("logger") or {}:
        section(name, config["logger"], "logger.")
    if on_this_machine:
        build_trainer(config, **QUIET)


def check_threads(threads: Any) -> None:
    """Refuse a number of threads that would only slow a run down; None is torch's choice."""
    cores = os.cpu_count() or 1
    if threads is not None and integer("threads", threads, least=1) > THREADS_PER_CORE * cores:
        most = THREADS_PER_CORE * cores
        raise ValueError(f"threads: expected at most {most}, {THREADS_PER_CORE} for each core here, got {threads}")


def check_trainer(settings: Mapping[str, Any], ends: bool) -> None:
    """Refuse settings of the trainer with which a training does not begin, or does not end.

    Args:
        settings: of the trainer.
        ends: whether something else, such as early stopping, may end the training.
    """
    for name, instead in ELSEWHERE.items():
        if settings.get(name) not in (None, False):
            raise ValueError(f"trainer.{name}: expected no such setting, got {settings[name]!r}: {instead}")
    for name in POSITIVE:
        value = settings.get(name)
        if isinstance(value, int | float) and value <= 0:
            raise ValueError(f"trainer.{name}: expected a number above 0, got {value}")
    epochs, steps = settings.get("max_epochs"), settings.get("max_steps", -1)
    limited = ends or settings.get("max_time") is not None or steps != -1
    if isinstance(epochs, int) and epochs < 1 and not (epochs == -1 and limited):
        end = ": such a training would not end without max_steps, max_time or callbacks" if epochs == -1 else ""
        raise ValueError(f"trainer.max_epochs: expected an integer of at least 1, got {epochs}{end}")
    if epochs is None and not limited:
        raise ValueError("trainer.max_epochs: expected an integer of at least 1, got None")
    if isinstance(steps, int) and steps < 1 and steps != -1:
        raise ValueError(f"trainer.max_steps: expected an integer of at least 1, got {steps}")
    every = settings.get("check_val_every_n_epoch")
    if isinstance(every, int) and isinstance(epochs, int) and 0 < epochs < every:
        raise ValueError(
            f"trainer.check_val_every_n_epoch: expected at most {epochs}, the number of epochs, got {every}: "
            "no epoch would be validated"
        )
    nodes = settings.get("num_nodes")
    if nodes not in (None, 1) and not any(name in os.environ for name in ("SLURM_NTASKS", "TORCHELASTIC_RUN_ID")):
        raise ValueError(
            f"trainer.num_nodes: expected 1, got {nodes!r}: a training on several machines is started by SLURM or "
            "torchrun, and waits for all of them"
        )
