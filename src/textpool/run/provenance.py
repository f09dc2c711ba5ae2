"""Where a result comes from: time, code, libraries, device."""

import functools
import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a run's numbers."""
    libraries = ("textpool", "torch", "lightning", "torchmetrics", "hydra-core")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in libraries}


@functools.cache
def commit() -> str | None:
    """The commit of the code, with `+changes` where the repository is not clean; None outside of a repository."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        here = Path(__file__).parent
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
