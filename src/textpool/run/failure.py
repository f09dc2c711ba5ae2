"""A failed run: its error in one line for the user, and its record on disk."""

import re
import sys
import traceback
from pathlib import Path

from hydra.errors import InstantiationException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from textpool.checks import cut
from textpool.facts import config_hash, group_hash
from textpool.record import REFUSED, Result, has_type, write_atomic
from textpool.run.folder import Run, RunExistsError, changed_settings, is_finished
from textpool.run.provenance import commit, versions


def root_cause(error: BaseException) -> BaseException:
    """The error inside of those that Hydra wraps around it."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def is_users_error(error: BaseException) -> bool:
    """Whether the user caused the error: then its message is enough, and a traceback is not needed."""
    known = isinstance(error, ValueError | OSError | ImportError | OmegaConfBaseException)
    lightnings = type(error).__name__ == "MisconfigurationException"  # too slow to import here
    return known or lightnings or is_out_of_memory(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, of the machine or of the GPU, for what was asked of Python or torch."""
    of_torch = isinstance(error, RuntimeError) and re.search(r"allocate memory|out of memory", str(error))
    return isinstance(error, MemoryError) or bool(of_torch)


def describe(error: BaseException) -> str:
    """An error in one line; unless the user caused it, with its type and the place where it was raised."""
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: a value is needed: set {error.full_key}=…"
    if is_out_of_memory(error):
        asked = re.search(r"tried to allocate (\d+) bytes", str(error))
        size = f": {int(asked[1]) / 1e9:,.1f} GB were asked for at once" if asked else ""
        return f"out of memory{size}: a smaller data.batch_size, k, data.max_length or model needs less"
    text = " ".join(str(error).split("\n    full_key", 1)[0].split())
    return cut(text if is_users_error(error) and text else f"{type(error).__name__}: {text}{place(error)}")


def place(error: BaseException) -> str:
    """The last function outside of installed packages in which an error was raised, such as a pooling of the user's."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(code, line) for code, line in frames if "site-packages" not in Path(code.co_filename).parts]
    if not own:
        return ""
    code, line = own[-1]
    return f" (in {code.co_qualname}, {Path(code.co_filename).name}:{line})"


def record_failure(run: Run, config: dict[str, object], error: BaseException, started: str, seconds: float) -> bool:
    """Write the reason of a failure to the run's folder, as its result unless another or a finished run is there.

    Returns:
        Whether the failure is now the result of the run.
    """
    try:
        with (run.folder / "train.log").open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        if isinstance(error, RunExistsError) or changed_settings(run.folder, config) or is_finished(run.folder):
            write_atomic(run.folder / REFUSED, describe(error))
            return False
        Result(
            run=run.name,
            status="failed",
            pooling=str(run.facts.factors["pooling"]),
            seed=run.facts.seed if has_type(run.facts.seed, int) else None,
            started=started,
            seconds=round(seconds, 3),
            factors=dict(run.facts.factors),
            choices=dict(run.facts.choices),
            overrides=dict(run.facts.overrides),
            follows_seed=list(run.facts.follows_seed),
            fold=run.facts.fold,
            error=describe(error),
            config_hash=config_hash(config),
            group_hash=group_hash(config, run.facts.follows_seed),
            command=run.command,
            commit=commit(),
            versions=versions(),
        ).write(run.folder)
    except OSError as second:  # such as a full disk; the table then shows the run as unfinished
        print(f"error: {run.folder}: the failure cannot be recorded: {second}", file=sys.stderr)
    return True
