"""One run from a configuration to a result: build, fit, test, record."""

import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ProgressBar
from torch import Tensor
from torch.multiprocessing import ProcessRaisedException

from textpool.build import (
    CONTENT,
    Trained,
    build_callbacks,
    build_classifier,
    build_data,
    build_loggers,
    build_trainer,
    content,
    read_checkpoint,
    whole_names,
)
from textpool.checks import integer
from textpool.classifier import TextClassifier
from textpool.data import SentenceData
from textpool.data.summary import log_once, log_summary
from textpool.facts import config_hash, group_hash, hyperparameters
from textpool.inference import QUIET, class_probabilities, measure, per_class, silence_lightning
from textpool.record import PREDICTIONS, RESULT, Result, file_hashes, in_words, sentences_hash, short, write_predictions
from textpool.run.checkpoint import BestCheckpoint, bring_best
from textpool.run.folder import STAGING, Run, changes, claim, finished_before, locked, publish, working_folder
from textpool.run.preflight import check_settings
from textpool.run.processes import SameInEachProcess
from textpool.run.progress import progress_callback
from textpool.run.provenance import commit, now, versions
from textpool.run.readings import write_readings
from textpool.run.vectors import set_vectors

log = logging.getLogger(__name__)
STATE = ("epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers")  # of a training
DEFAULT_THREADS = torch.get_num_threads()


def fit(trainer: Trainer, classifier: TextClassifier, data: SentenceData, start: Path | None) -> int:
    """Train a classifier, from a checkpoint if there is one; the number of models that were trained at once."""
    try:
        trainer.fit(classifier, datamodule=data, ckpt_path=start, weights_only=True)
    except ProcessRaisedException as error:  # its text is the traceback of the process
        kind, _, message = str(error).strip().splitlines()[-1].partition(": ")
        if kind == "ValueError":
            raise ValueError(message) from error
        raise
    except RuntimeError as error:
        if "conditioned on metric" in str(error):  # EarlyStopping, with a metric that there is not
            raise ValueError(f"callbacks: {error}") from error
        raise
    return 1


# What trains: a launcher that trains several runs at once sets a function of its own in the context of each.
FIT: ContextVar[Callable[[Trainer, TextClassifier, SentenceData, Path | None], int]] = ContextVar("FIT", default=fit)


def train(config: dict[str, Any], run: Run) -> Result:
    """Train and test one configuration; return the stored result if the folder already holds it.

    Several processes may ask for the same run at once: one of them trains, the others wait for its result.

    Args:
        config: a resolved configuration, as `conf/train.yaml` describes it.
        run: where the run's files go, and what it is.

    Returns:
        The result, also written as `result.json`; beside it `config.yaml`, `predictions.csv`, `checkpoints/`.

    Raises:
        RunExistsError: if the folder holds a run with other settings.
        ValueError: if the configuration or the data are not usable, or the loss is no longer finite.
    """
    silence_lightning()
    with locked(run.folder):
        finished = finished_before(run, config)
        if finished is not None:
            return finished
        try:
            result = train_and_test(config, run)
        except BaseException:
            shutil.rmtree(run.folder / STAGING, ignore_errors=True)  # the finished result stays
            raise
        publish(run.folder)
        if run.sweep is None:
            shown = [name for name in ("val/acc", "test/acc") if name in result.metrics]
            found = ", ".join(in_words(name, result.metrics[name]) for name in shown)
            log.info("%s: epoch %d is the best: %s", run.name, result.best_epoch, found)
        return result


def train_and_test(config: dict[str, Any], run: Run) -> Result:
    """Train, keep the best checkpoint by the validation split, and test that.

    Arguments and result are those of `train`.
    """
    started, clock, code = now(), time.perf_counter(), commit()
    folder = working_folder(run.folder)

    # Build: everything that can be wrong with the settings fails here, before a file of an earlier run is touched.
    check_settings(config)
    set_threads(config.get("threads"))
    start = starting_point(config, run.folder)
    files = file_hashes(config)
    seed_everything(config["seed"], verbose=False)
    data = build_data(config)
    data.setup()
    log_summary(data, run.shared)
    classifier = build_classifier(config, data)
    if config.get("vectors") is not None:
        log_once(set_vectors(classifier.model, data, config["vectors"], config["tune_vectors"]), shared=run.shared)
    n_params = sum(parameter.numel() for parameter in classifier.parameters() if parameter.requires_grad)
    checkpoint = BestCheckpoint(
        folder / "checkpoints", config["monitor"], config["mode"], content(config, data) | {"files": files}
    )
    loggers = build_loggers(config, folder)
    progress = progress_callback(run.name, run.sweep)
    processes = SameInEachProcess(compiled=config.get("compile", False))
    callbacks = [processes, checkpoint, progress, *build_callbacks(config)]
    bar = isinstance(progress, ProgressBar)  # with True and no bar among the callbacks, Lightning adds its own
    trainer = build_trainer(
        config,
        logger=loggers or False,
        callbacks=callbacks,
        enable_progress_bar=bar,
        use_distributed_sampler=False,  # each process validates all sentences, none of them twice
    )
    data.share_of_batch(trainer.world_size)
    evaluator = build_trainer(config, **QUIET, devices=1, num_nodes=1, strategy="auto")

    # Fit
    claim(folder, run, config, anew=start is None)
    for name, logger in zip(config.get("logger") or {}, loggers, strict=True):
        if start is not None and hasattr(logger, "continue_after"):
            logger.continue_after(read_checkpoint(start)["epoch"])
        # it makes its writer only now, with the settings of the section
        with whole_names(f"logger.{name}", config["logger"][name]):
            logger.log_hyperparams(hyperparameters(run.facts, config))
    n_train = len(data.splits.train)
    log.info("%s: %s training sentences, %s parameters", run.name, f"{n_train:,}", f"{n_params:,}")
    if run.sweep is None:
        pooling = run.facts.factors["pooling"]
        log.info("pooling %s, at most %s epochs; files: %s", pooling, trainer.max_epochs, short(run.folder))
    if start is not None:
        log.info("%s: continues from %s", run.name, start)
        bring_best(start, folder / "checkpoints")
    together = FIT.get()(trainer, classifier, data, start)

    # Test
    if not checkpoint.best_model_path:
        raise ValueError("trainer: no epoch was validated, so that none is best: allow at least one whole epoch")
    if trainer.strategy.launcher is not None:
        checkpoint.take_over()
    best = read_checkpoint(checkpoint.best_model_path)
    classifier.load_state_dict(best["state_dict"])
    metrics = measure(evaluator, classifier, "val", data.val_dataloader())
    if not math.isfinite(metrics["val/loss"]):
        raise ValueError(f"val/loss is {metrics['val/loss']} in every epoch: a smaller optimizer.lr may help")
    metrics |= measure(evaluator, classifier, "test", data.test_dataloader())
    probabilities = class_probabilities(evaluator, classifier, data.test_dataloader())

    # Record
    targets = data.encoded["test"].labels[: len(probabilities)]
    texts = data.texts("test")[: len(targets)]
    write_predictions(folder / PREDICTIONS, data.labels, targets.tolist(), map(Tensor.tolist, probabilities), texts)
    if not config.get("compile"):
        write_readings(
            folder, Trained(classifier, data), probabilities, integer("explain", config.get("explain", 0), least=0)
        )
    result = Result(
        run=run.name,
        status="ok",
        pooling=str(run.facts.factors["pooling"]),
        seed=config["seed"],
        started=started,
        seconds=round(checkpoint.seconds_before + (time.perf_counter() - clock) / together, 3),
        factors=dict(run.facts.factors),
        choices=dict(run.facts.choices),
        overrides=dict(run.facts.overrides),
        follows_seed=list(run.facts.follows_seed),
        fold=run.facts.fold,
        metrics=metrics,
        per_class=per_class(data.labels, targets, probabilities.argmax(-1).cpu()),
        best_epoch=best["epoch"] + 1,
        n_train=len(data.splits.train),
        n_test=len(targets),
        test_hash=sentences_hash(texts, [data.labels[target] for target in targets.tolist()]),
        natural_text=data.natural_text,
        majority_accuracy=data.majority_accuracy,
        bayes_accuracy=data.bayes_accuracy,
        shortcut_accuracy=data.shortcut_accuracy,
        shortcut=data.shortcut,
        n_params=n_params,
        values_per_filter=getattr(classifier.model, "values_per_filter", None),
        config_hash=config_hash(config),
        group_hash=group_hash(config, run.facts.follows_seed),
        files=files,
        history=checkpoint.history,
        command=run.command,
        device=device_name(trainer.strategy.root_device),
        trained_together=together,
        commit=code,
        versions=versions(),
    )
    tested = {name: value for name, value in metrics.items() if name.startswith("test/")}
    best_epoch = {"val/best_acc": metrics["val/acc"], "val/best_epoch": result.best_epoch}
    for logger in loggers:
        logger.log_metrics(tested | best_epoch, step=result.best_epoch)
        logger.finalize("finished")
    result.write(folder)
    return result


def starting_point(config: Mapping[str, Any], folder: Path) -> Path | None:
    """The checkpoint from which a run starts: its own after an interruption, else that of `resume`, else none.

    Raises:
        ValueError: if `resume` is not the checkpoint of a run with the same settings, those of the trainer aside.
    """
    own = folder / "checkpoints" / "last.ckpt"
    interrupted = own.exists() and not (folder / RESULT).exists()  # a run that failed starts anew
    steps = config["trainer"].get("max_steps", -1)
    if interrupted and not config.get("overwrite"):
        try:
            if steps != -1:
                raise ValueError("trainer.max_steps counts otherwise in a training that continues")
            check_start(own, config)
        except ValueError as error:
            log.warning("%s was interrupted and starts anew: %s", folder.name, error)
        else:
            return own
    if not config.get("resume"):
        return None
    if steps != -1:  # Lightning ends a resumed training in the middle of a hook
        raise ValueError(f"resume: expected trainer.max_epochs alone, got trainer.max_steps={steps} beside it")
    path = Path(config["resume"])
    if path.resolve().is_relative_to(folder.resolve()) and working_folder(folder) == folder:
        raise ValueError(f"resume: {path} lies in the folder of this run, which starts anew: choose another study=…")
    check_start(path, config)
    return path


def check_start(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint from which a run with these settings cannot continue.

    Raises:
        ValueError: if it or the best.ckpt beside it is damaged, or it is of a run with other settings than those of
            the trainer.
    """
    checkpoint = read_checkpoint(path)
    missing = [name for name in STATE if name not in checkpoint]
    if missing:
        raise ValueError(f"{path}: not the state of a training: it holds no {missing[0]}")
    before = checkpoint[CONTENT]["config"]
    fixed = [change for change in changes(before, config) if not change.startswith("trainer.")]
    files = checkpoint[CONTENT].get("files", {})
    fixed += [f"{name}: another content" for name, now in file_hashes(config).items() if files.get(name, now) != now]
    if fixed:
        got = "; ".join(fixed[:5])
        raise ValueError(f"resume: expected the settings of {path}, those of the trainer aside, got {got}")
    best = path.with_name("best.ckpt")
    if not best.exists():
        raise ValueError(f"resume: expected best.ckpt beside {path}: it is the best epoch of the run so far")
    read_checkpoint(best)


def set_threads(threads: Any) -> None:
    """Let torch use this number of CPU threads; None: as many as it chose itself."""
    torch.set_num_threads(DEFAULT_THREADS if threads is None else integer("threads", threads, least=1))


def device_name(device: torch.device) -> str:
    """The name of a device for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
