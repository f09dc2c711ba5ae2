"""Runs trained at once are the runs that are trained alone, up to rounding: their files, their epochs, their end."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CONF, Compose, facts_of_command
from omegaconf import OmegaConf
from torch import Tensor

from textpool.pooling import Max, Pooling
from textpool.record import Result
from textpool.run.folder import Run
from textpool.run.training import train
from textpool.together.group import run_together

pytestmark = pytest.mark.slow
OmegaConf.register_new_resolver("sum", lambda *numbers: sum(numbers), replace=True)

SMALL = ("data.n_train=160", "data.n_val=64", "data.n_test=64", "trainer.max_epochs=3")
SEEDS = (0, 1, 2)


class Undecided(Max):
    """Max, by a decision that depends on the values, for which vmap has no rule."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return super().pool(features if bool(features.max() > -1) else -features, mask)


class Exploding(Max):
    """Max; NaN in a model whose first weight is above a threshold, which one of three seeds has."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.weight = torch.nn.Parameter(torch.rand(()))

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return super().pool(features, mask) * torch.where(self.weight > THRESHOLD, torch.nan, 1.0)


THRESHOLD = 0.7


def jobs(config: Compose, folder: Path, *overrides: str) -> list[Callable[[], Result]]:
    """One function for each seed that trains it in a folder of its own."""

    def job(seed: int) -> Callable[[], Result]:
        given = [*SMALL, *overrides, f"seed={seed}"]
        settings, facts = config(*given), facts_of_command(*given)
        return lambda: train(settings, Run(folder / f"seed{seed}", facts, given))

    return [job(seed) for seed in SEEDS]


def last(folder: Path, seed: int) -> dict[str, Any]:
    return torch.load(folder / f"seed{seed}" / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same_runs(one: Path, other: Path) -> None:
    """Weights, curves and predictions are equal up to rounding, the counters of Lightning's loops exactly."""
    for seed in SEEDS:
        before, after = last(one, seed), last(other, seed)
        assert before["state_dict"].keys() == after["state_dict"].keys()
        for name, weight in before["state_dict"].items():
            torch.testing.assert_close(after["state_dict"][name], weight, rtol=1e-2, atol=1e-3)
        for key in ("epoch", "global_step", "loops"):
            assert before[key] == after[key], key
        results = [Result.read(folder / f"seed{seed}") for folder in (one, other)]
        assert results[0].best_epoch == results[1].best_epoch
        for name, values in results[0].history.items():
            assert values == pytest.approx(results[1].history[name], abs=1e-3)


@pytest.mark.parametrize("pooling", sorted(file.stem for file in CONF.glob("pooling/*.yaml")))
def test_every_strategy(config: Compose, tmp_path: Path, pooling: str) -> None:
    """Each run has its own order of sentences and its own dropout, the same as when it is trained alone."""
    small = (f"pooling={pooling}", "trainer.max_epochs=2", "~logger")
    for job in jobs(config, tmp_path / "alone", *small):
        job()
    together = run_together(jobs(config, tmp_path / "together", *small))
    assert [result.trained_together for result in together] == [3, 3, 3]
    assert json.loads((tmp_path / "together" / "seed1" / "result.json").read_text())["trained_together"] == 3
    assert_same_runs(tmp_path / "alone", tmp_path / "together")


@pytest.mark.parametrize(
    "options",
    [
        ("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "trainer.max_epochs=8"),
        ("scheduler=plateau", "scheduler.patience=0"),
        ("optimizer=adadelta", "+trainer.precision=bf16-mixed"),
        ("data.seed=${seed}", "data.batch_size=50", "model.window_mask=touching", "model.max_norm=0.5"),
    ],
)
def test_settings(config: Compose, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A run may end before the others; each has its own schedule; the last batch may be smaller."""
    alone = [job() for job in jobs(config, tmp_path / "alone", *options)]
    together = run_together(jobs(config, tmp_path / "together", *options))
    assert [result.trained_together for result in together] == [3, 3, 3]
    for one, other in zip(alone, together, strict=True):
        assert len(one.history["val/loss"]) == len(other.history["val/loss"])
    if "+trainer.precision=bf16-mixed" not in options:  # rounded to 8 bits, the weights soon differ
        assert_same_runs(tmp_path / "alone", tmp_path / "together")


def test_a_checkpoint_holds_the_weights_of_its_own_run(config: Compose, tmp_path: Path) -> None:
    """Not the storage of all of them, of which its own are a part."""
    jobs(config, tmp_path / "alone")[0]()
    run_together(jobs(config, tmp_path / "together"))
    sizes = {(folder / "seed0" / "checkpoints" / "best.ckpt").stat().st_size for folder in tmp_path.iterdir()}
    assert max(sizes) - min(sizes) < 1000


def test_some_are_finished_and_some_continue(config: Compose, tmp_path: Path) -> None:
    """A finished run is not trained again; an interrupted one continues, from another epoch than the others."""
    for job in jobs(config, tmp_path / "alone"):
        job()
    folder = tmp_path / "together"
    jobs(config, folder)[0]()
    shorter = jobs(config, folder, "trainer.max_epochs=1")[1]
    shorter()
    (folder / "seed1" / "result.json").unlink()
    (folder / "seed1" / "config.yaml").write_text((tmp_path / "alone" / "seed1" / "config.yaml").read_text())
    results = run_together(jobs(config, folder))
    assert [result.trained_together for result in results] == [1, 2, 2]
    assert_same_runs(tmp_path / "alone", folder)


def own(config: Compose, kind: type[Pooling]) -> Compose:
    """Configurations with a strategy of this module."""

    def compose(*overrides: str) -> dict[str, Any]:
        found = config(*overrides)
        return {**found, "pooling": {"_target_": f"{__name__}.{kind.__name__}", "_partial_": True}}

    return compose


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        (Undecided, (), "vmap over their models fails: RuntimeError: "),
        (Max, ("+trainer.gradient_clip_val=1",), "trainer.gradient_clip_val needs every step of a run by itself"),
        (Max, ("+trainer.accumulate_grad_batches=2",), "trainer.accumulate_grad_batches needs every step"),
        (Max, ("data.n_train='${sum:160,${seed},${seed}}'",), "they have different numbers of training sentences"),
        (Max, ("model.embedding_dim=512",), "on a CPU, a model of this size trains no faster with others"),
    ],
)
def test_what_cannot_be_trained_together(
    config: Compose,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: type[Pooling],
    options: tuple[str, ...],
    reason: str,
) -> None:
    """It is trained as by any launcher, with one line that says why."""
    caplog.set_level(logging.INFO)
    results = run_together(jobs(own(config, kind), tmp_path, *options))
    assert [result.trained_together for result in results] == [1, 1, 1]
    said = [record.getMessage() for record in caplog.records if "one after the other" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"3 runs are trained one after the other: {reason}")


def test_the_failure_of_one_run(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are trained to their end, as if it had not been among them."""
    settings = own(config, Exploding)
    monkeypatch.setattr(f"{__name__}.THRESHOLD", 2.0)
    starts = run_together(jobs(settings, tmp_path / "start", "trainer.max_epochs=1"))
    assert all(result.status == "ok" for result in starts)
    weights = {seed: last(tmp_path / "start", seed)["state_dict"]["model.poolings.0.weight"].item() for seed in SEEDS}
    assert len(set(weights.values())) == 3
    raised: dict[int, Exception] = {}

    def catching(seed: int, job: Callable[[], Result]) -> Callable[[], Result | None]:
        def run() -> Result | None:
            try:
                return job()
            except ValueError as error:
                raised[seed] = error
                return None

        return run

    worst = max(weights, key=weights.__getitem__)
    monkeypatch.setattr(
        f"{__name__}.THRESHOLD", sorted(weights.values())[1] + 0.5 * (weights[worst] - sorted(weights.values())[1])
    )
    all_jobs = zip(SEEDS, jobs(settings, tmp_path / "together"), strict=True)
    run_together([catching(seed, job) for seed, job in all_jobs])
    assert list(raised) == [worst]
    assert "gives NaN or inf before its first step" in str(raised[worst])
    for seed in set(SEEDS) - {worst}:
        assert Result.read(tmp_path / "together" / f"seed{seed}").trained_together == 3
