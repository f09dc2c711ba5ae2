"""The commands in processes that start with torch and Lightning imported, which saves the tests many minutes.

Each command is forked from a server of `multiprocessing` that has imported what the commands import. What a command
imports, and when, is therefore tested elsewhere, in processes that start from nothing; so is what a terminal shows.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["textpool.run.training", "textpool.study.report", "textpool.study.figures", "joblib"])
Done = subprocess.CompletedProcess[str]


def run(script: Path, arguments: Sequence[str], cwd: Path, stdin: str = "", **environment: str) -> Done:
    """Run a script to its end, with some variables in addition to the environment of this process."""
    return _run(script, arguments, cwd, stdin, None, environment)


def terminated(script: Path, arguments: Sequence[str], cwd: Path, when: Callable[[], bool], **environment: str) -> Done:
    """Run a script that gets SIGTERM as soon as `when` is true."""

    def watch(process: int) -> bool:
        if when():
            os.kill(process, signal.SIGTERM)
            return True
        return False

    return watched(script, arguments, cwd, watch, **environment)


def watched(
    script: Path, arguments: Sequence[str], cwd: Path, watch: Callable[[int], bool], **environment: str
) -> Done:
    """Run a script and call `watch` with the number of its process every few milliseconds, until it returns True."""
    return _run(script, arguments, cwd, "", watch, environment)


def _run(
    script: Path,
    arguments: Sequence[str],
    cwd: Path,
    stdin: str,
    watch: Callable[[int], bool] | None,
    environment: Mapping[str, str],
) -> Done:
    with TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("stdin", "stdout", "stderr")]
        for file, text in zip(files, (stdin, "", ""), strict=True):
            Path(file).write_text(text, encoding="utf-8")
        work = (str(script), list(arguments), str(cwd), files, {**os.environ, **environment})
        process = SERVER.Process(target=_be, args=work)
        process.start()
        assert process.pid is not None
        while watch is not None and process.is_alive() and not watch(process.pid):
            time.sleep(0.005)
        process.join()
        texts = [Path(file).read_text(encoding="utf-8") for file in files[1:]]
        return Done([str(script), *arguments], process.exitcode or 0, *texts)  # negative: ended by a signal


def _be(script: str, arguments: list[str], cwd: str, files: list[str], environment: dict[str, str]) -> None:
    """Be the process of a script."""
    for number, file in enumerate(files):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (it lives as long as the process)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script, *arguments]
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:  # the end of a process that multiprocessing has not started: its threads, then what is registered for it
        threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()
