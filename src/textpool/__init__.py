"""Compare ways to summarise a sentence of any length as a fixed number of values.

>>> from textpool import fit  # doctest: +SKIP
>>> model = fit(texts, labels, pooling="kmax", k=5)  # doctest: +SKIP

Importing this package imports neither torch nor Lightning, so that `--help`, errors in overrides and
tables of finished studies answer at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textpool.estimator import TextPoolClassifier, fit

__all__ = ["TextPoolClassifier", "fit"]


def __getattr__(name: str) -> Any:
    """Import the classifier when it is first asked for: torch and Lightning take seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("textpool.estimator"), name)
