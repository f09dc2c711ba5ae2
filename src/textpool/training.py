"""One run from a configuration to a result."""

import logging
import sys
import time
import warnings
from typing import Any

import torch
from filelock import FileLock
from hydra.utils import instantiate
from lightning import Trainer, seed_everything

from textpool.checkpoint import BestCheckpoint
from textpool.checks import integer
from textpool.classifier import TextClassifier
from textpool.data import SentenceData
from textpool.progress import progress
from textpool.study.record import (
    PREDICTIONS,
    Result,
    Run,
    claim_folder,
    commit,
    config_hash,
    finished_before,
    group_hash,
    now,
    write_predictions,
)

log = logging.getLogger(__name__)
TORCHS_CHOICE = torch.get_num_threads()


def train(config: dict[str, Any], run: Run) -> Result:
    """Run what is not run yet.

    Several processes may ask for the same run at once: one of them trains, the others wait for its result.

    Args:
        config: a resolved configuration, as `conf/train.yaml` describes it.
        run: where the run's files go, and what it is called.

    Returns:
        The result, also written as `result.json`; beside it `config.yaml`, `predictions.csv`, `checkpoints/`.

    Raises:
        RunExistsError: if the folder holds a run with other settings.
        ValueError: if the configuration or the data are not usable, or the loss is no longer finite.
    """
    keep_quiet()
    run.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(run.folder / ".lock"):
        ended = finished_before(run.folder, config)
        if ended is None:
            return train_and_test(config, run)
        other_code = "" if ended.commit == commit() else f", with other code ({ended.commit}, now {commit()})"
        log.info("%s: finished before%s, nothing to train", run.name, other_code)
        return ended


def train_and_test(config: dict[str, Any], run: Run) -> Result:
    """Train, keep the best checkpoint by the validation part, and test that.

    Args and result are those of `train`.
    """
    started, clock, code = now(), time.perf_counter(), commit()
    integer("seed", config["seed"], least=0)
    threads = config.get("threads")
    torch.set_num_threads(TORCHS_CHOICE if threads is None else integer("threads", threads, least=1))
    seed_everything(config["seed"], verbose=False)
    data: SentenceData = instantiate(config["data"], _convert_="all")
    if config["model"].get("window_mask") == "none" and data.pad_to == "batch":
        raise ValueError(
            "window_mask: with none the padding counts, and must not depend on the rest of a batch: "
            "set data.pad_to=max_length and data.max_length"
        )
    data.setup()
    classifier = TextClassifier(config, data.vocabulary.words, data.labels)
    n_params = sum(parameter.numel() for parameter in classifier.parameters() if parameter.requires_grad)
    claim_folder(run.folder, config, run.arguments)  # not before all that can be wrong with the settings
    n_train = len(data.splits.train)
    log.info("%s: %s sentences to train on, %s parameters", run.name, f"{n_train:,}", f"{n_params:,}")

    checkpoint = BestCheckpoint(run.folder / "checkpoints", monitor=config["monitor"], mode=config["mode"])
    logger = instantiate(config["logger"], save_dir=run.folder) if config.get("logger") else None
    if logger is not None:
        logger.log_hyperparams(hyperparameters(config, run))
    callbacks = [checkpoint, progress(), *instantiate(config.get("callbacks") or {}).values()]
    trainer: Trainer = instantiate(
        config["trainer"],
        logger=logger or False,
        callbacks=callbacks,
        enable_progress_bar=sys.stdout.isatty(),
    )
    last = run.folder / "checkpoints" / "last.ckpt"
    go_on = config.get("resume") or (last if last.exists() else None)
    if go_on:
        log.info("%s: goes on from %s", run.name, go_on)
    trainer.fit(classifier, datamodule=data, ckpt_path=go_on, weights_only=True)

    if not checkpoint.best_model_path:
        raise ValueError("trainer: no epoch was validated, so that none is best: allow at least one whole epoch")
    best = TextClassifier.load_from_checkpoint(checkpoint.best_model_path, weights_only=True)
    metrics, probabilities = evaluate(best, data, config["trainer"])
    targets = data.encoded["test"].labels[: len(probabilities)]
    write_predictions(run.folder / PREDICTIONS, data.labels, targets.tolist(), probabilities.tolist())
    result = Result(
        run=run.name,
        status="ok",
        pooling=run.choices["pooling"],
        seed=config["seed"],
        overrides=dict(run.overrides),
        metrics=metrics,
        best_epoch=torch.load(checkpoint.best_model_path, weights_only=True)["epoch"] + 1,
        n_test=len(targets),
        majority_accuracy=data.majority_accuracy,
        bayes_accuracy=data.bayes_accuracy,
        n_params=n_params,
        values_per_filter=classifier.model.values_per_filter,
        config_hash=config_hash(config),
        group_hash=group_hash(config),
        history=checkpoint.history,
        command=run.command,
        device=device_name(trainer.strategy.root_device),
        started=started,
        seconds=round(checkpoint.seconds_before + time.perf_counter() - clock, 3),
        commit=code,
    )
    if logger is not None:
        tested = {name: value for name, value in metrics.items() if name.startswith("test/")}
        best_epoch = {"val/best_acc": metrics["val/acc"], "val/best_epoch": result.best_epoch}
        logger.log_metrics(tested | best_epoch, step=result.best_epoch)
        logger.finalize("finished")
    result.write(run.folder)
    return result


def evaluate(
    classifier: TextClassifier, data: SentenceData, trainer: dict[str, Any]
) -> tuple[dict[str, float], torch.Tensor]:
    """Measure a classifier on the validation and the test part.

    Args:
        classifier: as loaded from its checkpoint.
        data: after `setup`.
        trainer: the section `trainer` of the configuration; evaluation uses one device of it.

    Returns:
        Metrics by names such as `test/acc`, and the probabilities of the classes, (test sentences, classes).
    """
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    evaluator: Trainer = instantiate(trainer, **quiet, devices=1, num_nodes=1, strategy="auto")
    [val] = evaluator.validate(classifier, data.val_dataloader(), verbose=False)
    [test] = evaluator.test(classifier, data.test_dataloader(), verbose=False)
    probabilities = evaluator.predict(classifier, data.test_dataloader())
    return {**val, **test}, torch.cat([batch for batch in probabilities or [] if isinstance(batch, torch.Tensor)])


def hyperparameters(config: dict[str, Any], run: Run) -> dict[str, Any]:
    """What tells runs apart, by the names that the HParams page of TensorBoard shows."""
    return {
        "pooling": run.choices["pooling"],
        "k": config["pooling"].get("k"),
        "seed": config["seed"],
        "lr": config["optimizer"].get("lr"),
        "data": run.choices["data"],
        "dropout": config["model"].get("dropout"),
        "window_mask": config["model"].get("window_mask"),
    }


def device_name(device: torch.device) -> str:
    """The device as a person calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def keep_quiet() -> None:
    """Silence what Lightning says of every run and nobody acts on."""
    lightning = logging.getLogger("lightning")
    lightning.handlers.clear()  # it has a handler of its own beside the root's: every line would come twice
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r"The '\w+_dataloader' does not have many workers",  # the data are in memory
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own affair
        r"You requested to overfit but enabled train dataloader shuffling",  # as it should be
        r"Checkpoint directory .* exists and is not empty",  # a run that goes on
    ):
        warnings.filterwarnings("ignore", message=f".*{message}")
