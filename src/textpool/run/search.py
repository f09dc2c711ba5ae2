"""A search with Optuna whose trials are kept in a file: the same command continues it."""

import warnings
from pathlib import Path

from omegaconf import DictConfig, open_dict


def is_search(sweeper: DictConfig) -> bool:
    """Whether Optuna chooses the runs, and keeps its trials in a file or a database."""
    return sweeper._target_.endswith("OptunaSweeper") and bool(sweeper.get("storage"))


def continue_search(sweeper: DictConfig) -> int:
    """Prepare Optuna's sweeper to go on where an earlier command was interrupted.

    `n_trials` then counts what is missing, an interrupted trial comes first, so that its run continues from its last
    checkpoint, and the sampler has another seed than before, because it would repeat its first choices. Trials that
    failed do not count: their place is taken by others.

    Args:
        sweeper: its configuration, which is changed.

    Returns:
        The number of trials that are missing.
    """
    import optuna  # pyright: ignore[reportMissingImports]  # late: an extra that takes a second to import

    optuna.logging.disable_default_handler()  # Hydra's logging shows its messages as well
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if sweeper.storage.startswith("sqlite:///"):
        Path(sweeper.storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    direction = getattr(sweeper.direction, "name", sweeper.direction)
    study = optuna.create_study(
        study_name=sweeper.study_name, storage=sweeper.storage, direction=direction, load_if_exists=True
    )
    trials = study.trials
    for trial in trials:
        if trial.state == optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.enqueue_trial(trial.params)
    completed = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials)
    with open_dict(sweeper):
        sweeper.n_trials = max(0, sweeper.n_trials - completed)
        if sweeper.sampler.get("seed") is not None:
            sweeper.sampler.seed += len(trials)
    return sweeper.n_trials
