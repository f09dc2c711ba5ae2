"""A study is a folder of runs. This package reads and writes files only; it imports neither torch nor Lightning.

>>> from textpool.study import compare, pivot, read  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textpool.study.compare import compare
    from textpool.study.grid import pivot
    from textpool.study.read import read

__all__ = ["compare", "pivot", "read"]


def __getattr__(name: str) -> Any:
    """Import a function when it is first asked for: pandas and SciPy take more than a second."""
    import importlib

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "grid" if name == "pivot" else name
    return getattr(importlib.import_module(f"textpool.study.{home}"), name)
