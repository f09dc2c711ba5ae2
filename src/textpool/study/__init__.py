"""A study is a folder of runs. This package reads and writes files only; it imports neither torch nor Lightning.

>>> from textpool.study import compare, pivot, read  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

HOMES = {"compare": "comparison", "pivot": "grid", "read": "runs"}

if TYPE_CHECKING:
    from textpool.study.comparison import compare
    from textpool.study.grid import pivot
    from textpool.study.runs import read

__all__ = ["compare", "pivot", "read"]


def __getattr__(name: str) -> Any:
    """Import a function when it is first asked for: pandas and SciPy take more than a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"textpool.study.{HOMES[name]}"), name)
