"""What every logger calls the curves of a run, and over what they run."""

from collections.abc import Mapping

# Tags of the learning curves. The Time Series page of TensorBoard opens the first two groups in the order of the
# alphabet, and these are what people open it for; the single values of the test come third.
TAGS = {
    "train/acc": "accuracy/train",
    "val/acc": "accuracy/val",
    "train/loss": "loss/train",
    "val/loss": "loss/val",
}


def scalars_of(metrics: Mapping[str, float], step: int | None) -> tuple[dict[str, float], int | None]:
    """Metrics by their tags, and the epoch, counted from 1, or `step` where Lightning does not name the epoch."""
    if "epoch" in metrics:
        step = int(metrics["epoch"]) + 1
    return {TAGS.get(name, name): value for name, value in metrics.items() if name != "epoch"}, step
