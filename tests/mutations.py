"""Change important lines, one at a time, and run the test that is to catch it: `python tests/mutations.py [NUMBER …]`.

The changed lines are in a copy of the package in a temporary folder. A mutation that its test does not catch, or whose
line is no longer there, is named, and the exit status is then 1.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import hydra  # noqa: F401  (what the tests import beside the package is imported once)
import lightning  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import torch  # noqa: F401
import torchmetrics.functional  # noqa: F401

ROOT = Path(__file__).parent.parent
IMPORTED = "ignore::pytest.PytestAssertRewriteWarning"  # of plugins that this process has imported
PASSED: set[str] = set()  # tests that pass without a mutation
TIMEOUT = 300  # seconds; a test that does not end has noticed something

RESUMED = "tests/run/test_checkpoint.py::test_state_of_a_resumed_run"
KILLED = "tests/run/test_training.py::test_a_run_killed_between_two_epochs_is_the_uninterrupted_run"
DAMAGED = "tests/run/test_damaged.py::"
PREFLIGHT = "tests/run/test_preflight.py::"
NAMES = "tests/study/test_foreign_names.py::"

# what is broken, file, line, what takes its place, test
MUTATIONS = [
    (
        "a resumed run forgets the best loss",
        "run/checkpoint.py",
        'self.best_loss = state_dict["best_loss"]',
        "self.best_loss = math.inf",
        RESUMED,
    ),
    (
        "a resumed run forgets the history of its curves",
        "run/checkpoint.py",
        'self.history = state_dict["history"]',
        "self.history = {}",
        RESUMED,
    ),
    (
        "a resumed run forgets the seconds before",
        "run/checkpoint.py",
        'self.seconds_before = state_dict["seconds"]',
        "self.seconds_before = 0.0",
        RESUMED,
    ),
    (
        "last.ckpt says that the next epoch has begun",
        "run/checkpoint.py",
        "counts.ready = counts.completed",
        "pass",
        f"{KILLED}[options0]",
    ),
    (
        "data workers begin a resumed run with the first epoch's order",
        "data/base.py",
        "sampler.set_epoch(loop.epoch_progress.current.processed)",
        "sampler.set_epoch(0)",
        f"{KILLED}[options4]",
    ),
    (
        "the last epoch is tested instead of the best",
        "run/training.py",
        'classifier.load_state_dict(best["state_dict"])',
        "pass",
        "tests/run/test_training.py::test_the_best_epoch_may_lie_before_the_resumption",
    ),
    (
        "a run continues a checkpoint of other settings",
        "run/training.py",
        "    if fixed:",
        "    if False:",
        f"{DAMAGED}test_a_missing_configuration_does_not_rename_a_checkpoint",
    ),
    (
        "checksums of checkpoints are not compared",
        "build.py",
        "if damaged is not None:",
        "if False:",
        f"{DAMAGED}test_fuzzed_checkpoints",
    ),
    (
        "a checkpoint may name any class of torch or textpool",
        "build.py",
        "or not issubclass(found, kind)",
        "or False",
        f"{DAMAGED}test_a_checkpoint_that_is_not_loaded",
    ),
    (
        "weights may be NaN",
        "build.py",
        "        if broken:",
        "        if False:",
        f"{DAMAGED}test_a_checkpoint_that_is_not_loaded",
    ),
    (
        "a pooling may keep any number of values",
        "build.py",
        "if pooling.size > MOST_VALUES:",
        "if False:",
        f"{PREFLIGHT}test_a_setting_that_cannot_work",
    ),
    (
        "zero is a positive setting of the trainer",
        "run/preflight.py",
        "and value <= 0:",
        "and value < 0:",
        f"{PREFLIGHT}test_a_setting_that_cannot_work",
    ),
    (
        "a sweep without a job that can work begins",
        "run/rehearsal.py",
        'raise SystemExit(f"error: {next(iter(reasons))}")',
        "pass",
        f"{PREFLIGHT}test_a_sweep_without_a_job_that_can_work",
    ),
    (
        "an edited data file counts as the old one",
        "run/folder.py",
        "        if changed:",
        "        if False:",
        "tests/run/test_folder.py::test_a_run_on_another_content_of_its_files_is_not_finished",
    ),
    (
        "a failed run is finished",
        "run/folder.py",
        'return result if result.status == "ok" else None',
        "return result",
        "tests/run/test_folder.py",
    ),
    (
        "fields of a result may have any type",
        "record.py",
        "    return isinstance(value, hint)",
        "    return True",
        "tests/study/test_damaged_results.py",
    ),
    (
        "files are not written atomically",
        "record.py",
        "        draft.replace(path)",
        "        path.write_bytes(draft.read_bytes())",
        "tests/test_record.py",
    ),
    (
        "SIGTERM ends with status 0",
        "commands/train.py",
        "raise SystemExit(TERMINATED)",
        "raise SystemExit(0)",
        "tests/run/test_termination.py::test_a_terminated_run_continues",
    ),
    (
        "values that differ in replaced characters make one folder",
        "facts.py",
        "if lossy else word",
        "if False else word",
        "tests/test_facts.py::test_values_that_differ_in_replaced_characters_have_different_names",
    ),
    (
        "names are links in Markdown",
        "study/tables.py",
        '.replace("](", "]\\\\(")',
        "",
        f"{NAMES}test_markdown",
    ),
    (
        "names are formulas in CSV",
        "study/tables.py",
        "comparison.map(_no_formula).to_csv",
        "comparison.to_csv",
        f"{NAMES}test_latex_csv_and_html",
    ),
    (
        "a study may lie outside of logs",
        "run/launch.py",
        'or ".." in parts',
        "or False",
        "tests/run/test_launch.py::test_a_study_that_is_no_folder_of_its_own",
    ),
    (
        "half a surrogate pair is read",
        "data/reading.py",
        "    if half:",
        "    if False:",
        "tests/data/test_hostile_text.py::test_half_of_a_surrogate_pair",
    ),
    (
        "padding begins a position too late",
        "data/batches.py",
        "masked_fill(offset >= lengths[:, None], 0)",
        "masked_fill(offset > lengths[:, None], 0)",
        "tests/data/test_batches.py",
    ),
]


def caught(file: str, old: str, new: str, test: str) -> str:
    """Run a test on a mutation: what became of it, in a word."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "src")
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        Path(folder, "conf").symlink_to(ROOT / "conf")
        path = source / "textpool" / file
        content = path.read_text(encoding="utf-8")
        if content.count(old) != 1:
            return "NOT FOUND"
        if test not in PASSED and (status := status_of(source, test)) != 0:
            return f"NOT TRIED: without it, the test ends with {status}"
        PASSED.add(test)
        path.write_text(content.replace(old, new), encoding="utf-8")
        status = status_of(source, test)
        return {0: "SURVIVED", 1: "caught", None: "caught (it does not end)"}.get(status, f"NOT RUN (status {status})")


def status_of(source: Path, test: str) -> int | None:
    """The exit status of a test with the package of another folder, in a process of its own; None: it does not end."""
    process = multiprocessing.get_context("fork").Process(target=run_test, args=(str(source), test))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def run_test(source: str, test: str) -> None:
    """Run a test with the package of another folder, in this process, which has imported everything else."""
    output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ |= {"PYTHONPATH": source, "CI": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir(ROOT)
    sys.path.insert(0, source)
    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", IMPORTED, "-m", "", test])
    if sys.modules["textpool"].__file__ != str(Path(source, "textpool", "__init__.py")):
        code = 100  # the mutation was not what was tested
    os._exit(int(code))


def main() -> None:
    """Try the mutations with these numbers, or all."""
    numbers = [int(text) for text in sys.argv[1:]] or range(1, len(MUTATIONS) + 1)
    bad = 0
    for number in numbers:
        what, *mutation = MUTATIONS[number - 1]
        start = time.monotonic()
        outcome = caught(*mutation)
        bad += not outcome.startswith("caught")
        print(f"{number:2} {outcome}: {what} ({mutation[-1]}, {time.monotonic() - start:.0f} s)", flush=True)
    sys.exit(min(bad, 1))


if __name__ == "__main__":
    main()
