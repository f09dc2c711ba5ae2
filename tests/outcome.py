"""What a run has found, to be compared to the last digit."""

from pathlib import Path
from typing import Any

import torch

from textpool.record import Result


def outcome(folder: Path) -> dict[str, Any]:
    """The numbers of the result, the bytes of the predictions, and the weights that were tested.

    Args:
        folder: of a run, or one that holds a single run at any depth.
    """
    [file] = [folder / "result.json"] if (folder / "result.json").exists() else folder.rglob("result.json")
    result = Result.read(file.parent)
    weights = torch.load(file.parent / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    return {
        "status": (result.status, result.error),
        "metrics": result.metrics,
        "per_class": result.per_class,
        "history": result.history,
        "best_epoch": result.best_epoch,
        "n_params": result.n_params,
        "predictions": (file.parent / "predictions.csv").read_bytes(),
        "weights": {name: value.numpy().tobytes() for name, value in weights.items()},
    }
