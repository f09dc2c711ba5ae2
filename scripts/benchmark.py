"""Time every pooling against max, forward and backward: `python scripts/benchmark.py --device cuda`."""

import argparse
import statistics
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.utils.benchmark import Timer


def main() -> None:
    """Print medians of interleaved rounds as multiples of max, so that other load on the machine affects all alike."""
    parser = argparse.ArgumentParser(description="Time every pooling against max, forward and backward.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    conf = Path(__file__).resolve().parent.parent / "conf"
    names = sorted(file.stem for file in conf.glob("pooling/*.yaml"))
    with initialize_config_dir(str(conf), version_base="1.3"):
        make = {name: instantiate(compose("train", [f"pooling={name}"]).pooling) for name in names}
    print("batch 64, 100 channels")
    for windows in (12, 50, 250):
        features = torch.randn(64, 100, windows, device=arguments.device).relu().requires_grad_()
        mask = (torch.arange(windows) < torch.randint(1, windows + 1, (64, 1))).to(arguments.device)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for name in names * arguments.rounds:
            inputs = {"pooling": make[name](100).to(arguments.device), "features": features, "mask": mask}
            timer = Timer("pooling(features, mask).sum().backward()", globals=inputs)
            seconds[name].append(timer.blocked_autorange(min_run_time=0.05).median)
        median = {name: statistics.median(times) for name, times in seconds.items()}
        for name in sorted(names, key=lambda name: median[name]):
            print(f"{windows:4} windows  {name:16} {median[name] / median['max']:6.2f} x  {1e6 * median[name]:9.0f} µs")


if __name__ == "__main__":
    main()
